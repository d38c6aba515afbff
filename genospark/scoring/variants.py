"""Stage ``score variants``: a bundle and ``readWindows`` to ``variantCalls`` and a VCF."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core.config import StageConfig
from genospark.core.paths import absolute
from genospark.core.progress import log, step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.models.bundle import Bundle
from genospark.scoring.calls import CALLS, caller
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
    """

    bundle: str | None = None
    min_depth: int = Field(2, ge=1)
    min_quality: float = Field(10, ge=0)
    vcf: str | None = None


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
    work = config.model_copy(update={"bundle": bundle.version, "vcf": str(target) if config.vcf else None})
    return run_stage(
        "score variants",
        work,
        warehouse,
        lambda run: _score(run, config, bundle, target),
        tables=["readWindows", "referenceContigs"],
        facts={"bundle": bundle.version},
        intact=target.is_file,
    )


def _score(run: Run, config: ScoreVariantsConfig, bundle: Bundle, target: Path) -> None:
    warehouse = run.warehouse
    model = VariantModel.of(bundle)
    contigs = {row["contigName"]: row["lengthBp"] for row in warehouse.read("referenceContigs").orderBy("contigIndex").collect()}
    settings = json.dumps({"contigs": contigs, "min_depth": config.min_depth, "min_quality": config.min_quality})
    windows = warehouse.read("readWindows").drop("runId", "regionQuality")
    calls = predicted(windows, bundle, caller(settings), CALLS)
    calls = calls.withColumn("modelVersion", f.lit(bundle.version)).sortWithinPartitions("contigName", "start", "sampleId")
    run.write("variantCalls", calls)
    written = warehouse.written(run.outputs[-1])
    counts = written.selectExpr(
        "count_if(referenceAllele != '' and size(alternateAlleles) > 0) as calls",
        "coalesce(sum(if(size(alternateAlleles) = 0, end - start, 0)), 0) as positions_without_a_call",
    ).collect()[0]
    run.note(model=model.default, **counts.asDict())
    people = sorted(row[0] for row in windows.select("sampleId").distinct().collect())
    with step(f"{run.stage}: VCF of {len(people)} people"):
        sites = write_vcf(target, written, people, contigs, bundle.version)
    run.note(vcf_sites=sites)
    log.info("%s: VCF in %s", run.stage, target)
