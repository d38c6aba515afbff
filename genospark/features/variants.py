"""Stage ``build-features variants``: windows of reads and known genotypes to ``variantExamples``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.calls import SAMPLE_BLOCK, packed_rows, unpack
from genospark.core.config import Fractions, StageConfig
from genospark.core.pileup import WINDOW_BP
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.builds import check_shared
from genospark.features.examples import spread
from genospark.features.people import family_tables, with_families
from genospark.features.split import SPLITS, dealt
from genospark.features.variant_examples import COLUMNS, Examples
from genospark.features.windows import some_windows, with_profiles

_TRUTH = "sampleId string, contigName string, start bigint, referenceAllele string, alternateAllele string, copies int"


class BuildVariantFeaturesConfig(StageConfig):
    """Settings of ``build-features variants``.

    Attributes:
        people: Shares of train, validation and test families.
        loci: Shares of train, validation and test loci. An example is on a side where both its person and its locus are; others are
            left out. None where no two people have a locus in common: people alone decide.
        locus_bp: Length of a locus, a multiple of 1,000.
        seed: Of both splits.
        context_bp: Positions on either side of a site with evidence that training sees, at least as many as the network; other positions
            are not learnt from, since no caller looks there. None for whole windows, which a recurrent network needs.
        row_groups: Files of each split; at least 4 a rank.
    """

    people: Fractions = (0.6, 0.2, 0.2)
    loci: Fractions | None = (0.6, 0.2, 0.2)
    locus_bp: int = Field(20_000, ge=WINDOW_BP, multiple_of=WINDOW_BP)
    seed: int = 1
    context_bp: int | None = Field(15, ge=0, le=WINDOW_BP // 2 - 1)
    row_groups: int = Field(8, ge=1)


def build_features(config: BuildVariantFeaturesConfig, spark: SparkSession) -> str:
    """Joins windows of reads with the genotypes that the cohort's VCF knows of the same people.

    Returns:
        The run's id.

    Raises:
        TableError: A table is missing, fewer than three families have both reads and genotypes, or these are on other contigs.
    """
    warehouse = Warehouse(spark, config.warehouse)
    tables = ["readWindows", "readQuality", "genotypes", "samples", *family_tables(warehouse)]
    return run_stage("build-features variants", config, warehouse, lambda run: _build(run, config), tables=tables)


def _build(run: Run, config: BuildVariantFeaturesConfig) -> None:
    warehouse = run.warehouse
    # Windows without known variants count as homozygous reference.
    check_shared(warehouse, "readWindows", "genotypes")
    windows = with_profiles(warehouse)
    people = _people(warehouse, windows, config)
    run.note(**{f"{side} people": int((people["split"] == side).sum()) for side in SPLITS})
    sides = warehouse.spark.createDataFrame(people[["sampleId", "split"]])
    placed = windows.join(f.broadcast(sides), "sampleId")
    if config.loci:
        locus = f.concat_ws(":", "contigName", f.floor(f.col("start") / config.locus_bp))
        loci = pd.DataFrame({"locus": sorted(row[0] for row in windows.select(locus).distinct().collect())})
        loci["side"] = dealt(loci["locus"], config.loci, config.seed)
        placed = placed.withColumn("locus", locus).join(f.broadcast(warehouse.spark.createDataFrame(loci)), "locus")
        placed = placed.where("side = split").drop("side", "locus")
    truth = _truth(warehouse, people)
    known = truth.groupBy("sampleId", "contigName", (f.floor(f.col("start") / WINDOW_BP) * WINDOW_BP).alias("start"))
    genotypes = f.collect_list(f.struct("start", "referenceAllele", "alternateAllele", "copies")).alias("truth")
    joined = placed.join(known.agg(genotypes), ["sampleId", "contigName", "start"], "left")
    rows = _labelled(joined, config.context_bp)
    with some_windows(warehouse.spark):
        run.write("variantExamples", spread(rows, config.row_groups, "sampleId", "contigName", "start"))
    missed = warehouse.written(run.outputs[-1]).agg(f.sum("nMissedSnv"), f.sum("nMissedIndel")).collect()[0]
    run.note(snv_genotypes_not_in_reads=missed[0] or 0, indel_genotypes_not_in_reads=missed[1] or 0)


def _people(warehouse: Warehouse, windows: DataFrame, config: BuildVariantFeaturesConfig) -> pd.DataFrame:
    """Everyone with reads and genotypes: sampleId, sampleIndex, split."""
    people: pd.DataFrame = windows.select("sampleId").distinct().join(warehouse.read("samples"), "sampleId").drop("runId").toPandas()
    people = people.sort_values("sampleIndex", ignore_index=True)
    families = with_families(warehouse, people)["familyId"]
    if families.nunique() < len(SPLITS):
        raise TableError(
            f"{warehouse.path}: reads and genotypes of {families.nunique()} families, at least {len(SPLITS)} are needed",
            "ingest the reads of more people of `samples`, or score with a bundle that was trained elsewhere",
        )
    people["split"] = dealt(families, config.people, config.seed)
    return people


def _truth(warehouse: Warehouse, people: pd.DataFrame) -> DataFrame:
    """Genotypes of the people that are not homozygous reference, missing ones included (3 copies)."""
    columns, names = people["sampleIndex"].to_numpy(), people["sampleId"].to_numpy(object)

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            block = batch.column("sampleBlock").to_numpy()
            calls = unpack(packed_rows(batch.column("calls").to_pylist()), SAMPLE_BLOCK)
            here = columns[None, :] // SAMPLE_BLOCK == block[:, None]
            row, person = np.nonzero(here & (calls[:, columns % SAMPLE_BLOCK] > 0))
            keys = batch.select(["contigName", "start", "referenceAllele", "alternateAllele"]).take(pa.array(row))
            copies = calls[row, columns[person] % SAMPLE_BLOCK].astype(np.int32)
            made = [pa.array(names[person], pa.string()), *keys.columns, pa.array(copies)]
            yield pa.RecordBatch.from_arrays(made, [part.split()[0] for part in _TRUTH.split(", ")])

    rows = warehouse.read("genotypes").selectExpr(
        "contigName", "start", "referenceAllele", "alternateAlleles[0] as alternateAllele", "sampleBlock", "calls"
    )
    return rows.mapInArrow(work, _TRUTH)


def _labelled(joined: DataFrame, context_bp: int | None) -> DataFrame:
    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        examples = Examples(context_bp)
        for batch in batches:
            yield examples.add(batch)
        yield from examples.rest()

    return joined.mapInArrow(work, COLUMNS)
