"""Stage ``score pgs``: published scores of every person to ``pgsScores``, equal to ``plink2 --score``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core.builds import prefix_hint
from genospark.core.calls import Bytes
from genospark.core.config import StageConfig
from genospark.core.delta import partition_values
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.scans import deal
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, CoverageError, TableError
from genospark.features.builds import contigs
from genospark.features.published import Found, find_weights
from genospark.features.sites import Sites
from genospark.quality.cohort import KEY, Cohort, SitesConfig, contigs_of
from genospark.quality.packed import frequencies, genotype_counts, only
from genospark.quality.sums import summed
from genospark.quality.weighted import Weights, weighted_sums
from genospark.quality.whole_variants import ApartError, Rows, whole_variants


class ScorePgsConfig(StageConfig):
    """Settings of ``score pgs``.

    Attributes:
        scores: Ids of the scores; all of ``pgsCatalog`` where empty.
        sites: Variants that are scored; of autosomes alone.
        ambiguous: Variants of A and T, or C and G, whose strand cannot be told from alleles: drop, or keep as they stand.
        flip_strand: Take alleles of the other strand where they do not fit as they stand.
        missing_calls: mean: copies that are expected by the founders' allele frequency, as plink2; zero: nothing, as its
            no-mean-imputation.
        min_match_rate: Least share of a score's weights that must have a variant.
    """

    scores: list[str] = []
    sites: SitesConfig = SitesConfig()
    ambiguous: Literal["drop", "keep"] = "drop"
    flip_strand: bool = True
    missing_calls: Literal["mean", "zero"] = "mean"
    min_match_rate: float = Field(0.75, ge=0, le=1)


def score(config: ScorePgsConfig, spark: SparkSession) -> str:
    """Scores every person of ``samples``.

    Returns:
        The run's id.

    Raises:
        ConfigError: A score is not in ``pgsCatalog``.
        TableError: A table is missing, or the cohort's genome build is known and another.
        CoverageError: Too few of a score's variants are in the tables.
    """
    warehouse = Warehouse(spark, config.warehouse)
    tables = dict.fromkeys(["variants", *Cohort.tables(warehouse), *config.sites.tables(), "pgsCatalog", "pgsWeights"])
    return run_stage("score pgs", config, warehouse, lambda run: _score(run, config), tables=list(tables))


def _score(run: Run, config: ScorePgsConfig) -> None:
    warehouse = run.warehouse
    ids = _wanted(warehouse, config)
    cohort = Cohort.read(warehouse)
    chosen = contigs_of(warehouse, config.sites)
    with step("score pgs: matching alleles"):
        found = find_weights(warehouse, ids, chosen, config.sites, config.ambiguous == "keep", config.flip_strand)
        _check(run, config, found)
    with step(f"score pgs: {len(ids)} score(s) of {len(cohort.people)} people"):
        sums, absent = _sums(cohort, config, found, ids, chosen)[:, :, cohort.places]
    matched = found.counts.loc[ids, "matched"].to_numpy(np.int64)
    called = matched[:, None] - absent.astype(np.int64)
    alleles = 2 * (called if config.missing_calls == "zero" else np.broadcast_to(matched[:, None], called.shape))
    with np.errstate(divide="ignore", invalid="ignore"):
        average = sums / alleles
    people = pa.array(cohort.people["sampleId"])
    rates = (found.counts["matched"] / found.counts["weights"]).loc[ids].to_numpy()
    run.write_small(
        "pgsScores",
        {
            "sampleId": pa.concat_arrays([people] * len(ids)),
            "pgsId": pa.array(np.repeat(np.array(ids, object), len(people))),
            "scoreSum": pa.array(sums.ravel()),
            "scoreAverage": pa.array(average.ravel(), from_pandas=True),
            "nVariants": pa.array(np.repeat(matched, len(people))),
            "nCalled": pa.array(called.ravel()),
            "matchRate": pa.array(np.repeat(rates, len(people))),
        },
    )


def _wanted(warehouse: Warehouse, config: ScorePgsConfig) -> list[str]:
    """Ids of the scores, of one genome build with the cohort."""
    catalog = dict(warehouse.small("pgsCatalog", ["pgsId", "genomeBuild"]).itertuples(index=False))
    if unknown := [name for name in config.scores if name not in catalog]:
        raise ConfigError(f"setting scores: there is no {unknown[0]}", f"ingest it, or name one of {', '.join(sorted(catalog))}")
    ids = sorted(set(config.scores) or catalog)
    committed = warehouse.committed()
    given = {committed[part]["referenceBuild"] for part in warehouse.parts("genotypes")}
    builds = {name for name in given if name in ("GRCh37", "GRCh38")}
    for name in ids:
        if catalog[name] in ("GRCh37", "GRCh38") and builds - {catalog[name]}:
            problem = f"{warehouse.path}: {name} is of {catalog[name]} and genotypes are of {', '.join(sorted(builds))}"
            raise TableError(problem, "ingest the scoring file that is harmonised to the build of the genotypes")
    return ids


def _check(run: Run, config: ScorePgsConfig, found: Found) -> None:
    for name, row in found.counts.iterrows():
        run.note(**{str(name): ", ".join(f"{count} {what}" for what, count in row.items() if count)})
    for name, row in found.counts.iterrows():
        if row["matched"] < config.min_match_rate * row["weights"]:
            weights = run.warehouse.read("pgsWeights").where(f.col("pgsId") == name).select("contigName").distinct().collect()
            theirs = contigs(run.warehouse, "variants")
            bare = {one.removeprefix("chr") for one in theirs}
            apart = {row[0] for row in weights if row[0]} - bare - theirs
            hint = f"; {len(apart)} of its contigs are not in `variants`{prefix_hint(apart, theirs)}" if apart else ""
            raise CoverageError(
                f"{run.warehouse.path}: {row['matched']} of {row['weights']} weights of {name} have a variant "
                f"({row['matched'] / row['weights']:.0%}), at least {config.min_match_rate:.0%} are needed{hint}",
                "check genome build, impute the missing sites, or lower min_match_rate",
            )


class _Scores:
    """Weights by the variants that have them, as tasks look them up.

    Args:
        found: Weights and their variants.
        ids: The scores, in order.
        imputed: Whether a missing call counts as the copies that founders' calls expect.
        founders: To put on packed calls so that founders alone have some; None where everyone is one.
    """

    def __init__(self, found: Found, ids: list[str], imputed: bool, founders: Bytes | None) -> None:
        key = ["contigName", "start", "referenceAllele", "alternateAllele"]
        rows = found.weights.sort_values(key, kind="stable")
        first = ~rows.duplicated(key).to_numpy()
        sites = rows.loc[first, key]
        self.sites = Sites(*(pa.array(sites[name]) for name in key))
        self._ends = np.append(np.flatnonzero(first), len(rows))
        self._score = pd.Categorical(rows["pgsId"], ids).codes.astype(np.int64)
        self._weight, self._of_reference = rows["weight"].to_numpy(float), rows["ofReference"].to_numpy(bool)
        self._n, self._imputed, self._founders = len(ids), imputed, founders

    def sums(self, rows: Rows) -> NDArray[np.float64]:
        """Sums and missing calls, (2, scores, 4 x bytes)."""
        pairs = self.sites.find(rows.contig, rows.start, rows.reference, rows.alternates)
        pairs = pairs.some(~pairs.turned)
        packed = rows.packed if len(pairs.row) == len(rows.packed) else rows.packed[pairs.row]
        begin, count = self._ends[pairs.feature], np.diff(self._ends)[pairs.feature]
        row = np.repeat(np.arange(len(packed)), count)
        entry = np.repeat(begin - np.cumsum(count) + count, count) + np.arange(len(row))
        values = np.zeros((3, len(packed), self._n))
        np.add.at(values, (self._of_reference[entry].astype(int), row, self._score[entry]), self._weight[entry])
        values[2, row, self._score[entry]] = 1
        mean = np.full(len(packed), np.nan)
        if self._imputed:
            counts = rows.counts[pairs.row] if self._founders is None else genotype_counts(packed | self._founders)
            mean = 2 * np.nan_to_num(frequencies(counts))
        return weighted_sums(packed, Weights.of(values[0], values[1], mean, values[2] > 0))


def _sums(cohort: Cohort, config: ScorePgsConfig, found: Found, ids: list[str], contigs: Collection[str]) -> NDArray[np.float64]:
    """Sums and missing calls, (2, scores, 4 x bytes of a variant)."""
    layout, spark = cohort.layout, cohort.warehouse.spark
    everyone = bool(cohort.people["isFounder"].all())
    founders = None if everyone else only(cohort.at(cohort.people["isFounder"]))
    scores = spark.sparkContext.broadcast(_Scores(found, ids, config.missing_calls == "mean", founders))
    shape = (2, len(ids), 4 * layout.width)
    files = [path for path in cohort.warehouse.live_files("genotypes") if partition_values(path)["contigName"] in contigs]

    dealt = deal(spark, files)

    def of_task(batch: pa.RecordBatch) -> NDArray[np.float64]:
        # The last number tells of blocks that do not stand together.
        total = np.zeros(int(np.prod(shape)) + 1)
        try:
            for path in (path for number in batch.column("id").to_pylist() for path in dealt[number]):
                for rows in whole_variants(path, layout, scores.value.sites.any_within):
                    total[:-1] += scores.value.sums(rows).ravel()
        except ApartError:
            total[-1] = 1
        return total

    def of_batch(batch: pa.RecordBatch) -> NDArray[np.float64]:
        total, packed = np.zeros(shape), layout.side_by_side(batch.column("blocks"))
        for contig in pc.unique(batch.column("contigName")).to_pylist():
            mine = np.flatnonzero(pc.equal(batch.column("contigName"), contig).to_numpy(zero_copy_only=False))
            start, reference, alternates = (batch.column(name).take(pa.array(mine)) for name in KEY[1:])
            total += scores.value.sums(Rows(contig, start.to_numpy(), reference, alternates, packed[mine], genotype_counts(packed[mine])))
        return total

    added = summed(spark.range(0, len(dealt), 1, len(dealt)), of_task, (int(np.prod(shape)) + 1,), partitions=len(dealt))
    if not added[-1]:
        return added[:-1].reshape(shape)
    with cohort.bounded():
        return summed(cohort.rows(config.sites), of_batch, shape)
