"""Stage ``score variants``: a bundle and ``readWindows`` to ``variantCalls`` and a VCF."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field
from pyspark import StorageLevel
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core import crosswalk
from genospark.core.config import StageConfig
from genospark.core.paths import absolute
from genospark.core.progress import log, step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.features.windows import some_windows, with_profiles
from genospark.models.bundle import Bundle
from genospark.scoring.calls import ANY_ALLELE, CALLS, caller
from genospark.scoring.gvcf import check_names, write_gvcfs
from genospark.scoring.vcf import write_vcf
from genospark.tasks.bundles import chosen
from genospark.tasks.predict import predicted
from genospark.tasks.variants import TASK, VariantModel


class ScoreVariantsConfig(StageConfig):
    """Settings of ``score variants``.

    Attributes:
        bundle: Folder of the bundle; the one that this warehouse trained last where not given.
        min_depth: Reads that a position needs to be called.
        min_quality: Least Phred-scaled quality at which a position is taken for homozygous reference; below there is no call.
        vcf: File of the calls of all samples; ``calls.vcf.gz`` in the warehouse where not given.
        gvcf: Folder to write a gVCF a sample into; none where not given.
        crosswalk: Folder of the crosswalk, by which VCF files call people as the reads' files did; else by their pseudonyms.
    """

    bundle: str | None = None
    min_depth: int = Field(2, ge=1)
    min_quality: float = Field(10, ge=0)
    vcf: str | None = None
    gvcf: str | None = None
    crosswalk: str | None = None


def score(config: ScoreVariantsConfig, spark: SparkSession) -> str:
    """Calls variants in every window of ``readWindows``.

    Returns:
        The run's id.

    Raises:
        InputError: The bundle is not there or damaged.
        TableError: A table is missing.
    """
    warehouse = Warehouse(spark, config.warehouse)
    bundle = chosen(warehouse, TASK, config.bundle)
    target = absolute(config.vcf or f"{warehouse.path}/calls.vcf.gz")
    folder = absolute(config.gvcf) if config.gvcf else None
    named = {"bundle": bundle.version, "vcf": str(target) if config.vcf else None, "gvcf": str(folder) if folder else None}
    work = config.model_copy(update=named)
    return run_stage(
        "score variants",
        work,
        warehouse,
        lambda run: _score(run, config, bundle, target, folder),
        tables=["readWindows", "readQuality", "referenceContigs"],
        facts={"bundle": bundle.version},
        intact=lambda: target.is_file() and (folder is None or any(folder.glob("*.g.vcf.gz"))),
    )


def _score(run: Run, config: ScoreVariantsConfig, bundle: Bundle, target: Path, folder: Path | None) -> None:
    warehouse = run.warehouse
    model = VariantModel.of(bundle)
    contigs = {row["contigName"]: row["lengthBp"] for row in warehouse.read("referenceContigs").orderBy("contigIndex").collect()}
    least = {"min_depth": config.min_depth, "min_quality": config.min_quality}
    settings = json.dumps({"contigs": contigs, **least, "blocks": folder is not None})
    windows = with_profiles(warehouse)
    people = sorted(row[0] for row in windows.select("sampleId").distinct().collect())
    shown = crosswalk.read(config.crosswalk) if config.crosswalk else {}
    if folder is not None:
        check_names(folder, people, shown)
    rows = predicted(windows, bundle, caller(settings), CALLS)
    # How many windows are called at once is settled where rows are persisted, where they are, else where they are written.
    with some_windows(warehouse.spark):
        if folder is not None:
            # Blocks go to files alone; nothing is computed twice.
            rows = rows.persist(StorageLevel.DISK_ONLY)
        calls = rows.where(f"size(alternateAlleles) = 0 or alternateAlleles[0] != '{ANY_ALLELE}'")
        calls = calls.withColumn("referenceAllele", f.when(f.size("alternateAlleles") > 0, f.col("referenceAllele")).otherwise(""))
        ordered = calls.withColumn("modelVersion", f.lit(bundle.version)).sortWithinPartitions("contigName", "start", "sampleId")
        run.write("variantCalls", ordered)
    written = warehouse.written(run.outputs[-1])
    counts = written.selectExpr(
        "count_if(referenceAllele != '' and size(alternateAlleles) > 0) as calls",
        "coalesce(sum(if(size(alternateAlleles) = 0, end - start, 0)), 0) as positions_without_a_call",
    ).collect()[0]
    run.note(model=model.default, **counts.asDict())
    with step(f"{run.stage}: VCF of {len(people)} people"):
        sites = write_vcf(target, written, people, contigs, bundle.version, shown)
    run.note(vcf_sites=sites)
    log.info("%s: VCF in %s", run.stage, target)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with step(f"{run.stage}: gVCF of {len(people)} people"):
            write_gvcfs(folder, rows, people, contigs, bundle.version, shown)
        rows.unpersist()
        log.info("%s: gVCF files in %s", run.stage, folder)
