"""``migrate``: tables that an older release wrote, brought to the present version of the dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core import ledger
from genospark.core.config import StageConfig
from genospark.core.progress import log
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.core.versions import again, check_version
from genospark.errors import TableError
from genospark.ingest.batches import BatchConfig
from genospark.ingest.blocks import TALLY_SUMS, Wide, with_blocks
from genospark.quality.measured import SUMMARIES
from genospark.schema import TABLES, table

# What tables in parts for each batch were before they were in parts.
FIRST_BATCH = BatchConfig.model_fields["batch"].default


class MigrateConfig(StageConfig):
    """Settings of ``migrate``: none of its own."""


def migrate(config: MigrateConfig, spark: SparkSession) -> str:
    """Rewrites every table that is of an older version.

    Returns:
        The run's id; nothing where every table is of the present version.

    Raises:
        TableError: Rows of some tables cannot be made of what they held (the others are migrated), or a newer release wrote them.
    """
    warehouse = Warehouse(spark, config.warehouse)
    found = {part: ledger.schema_version(warehouse.location(part), run["version"]) for part, run in warehouse.committed().items()}
    for part, version in found.items():
        if version > table(part).version:
            check_version(table(part), warehouse.location(part), version, warehouse.path)
    older = {part: version for part, version in found.items() if table(part).since <= version < table(part).version}
    stuck = [name for name in TABLES if any(table(part).name == name and found[part] < TABLES[name].since for part in found)]
    run_id = ""
    if older:
        facts = {part: f"{version} to {table(part).version}" for part, version in older.items()}
        run_id = run_stage("migrate", config, warehouse, lambda run: _migrate(run, older), facts=facts, alone=True)
    if stuck:
        names = ", ".join(f"`{name}`" for name in stuck)
        problem = (
            f"{warehouse.path}: rows of today cannot be made of what an older release wrote into {names}; the other tables are up to date"
        )
        raise TableError(problem, again([TABLES[name] for name in stuck]))
    if not older:
        log.info("migrate: every table is of the present version")
    return run_id


def _migrate(run: Run, older: dict[str, int]) -> None:
    for part, version in older.items():
        entry = table(part)
        rows = run.warehouse.read_as_is(part).drop("runId")
        for step in range(version, entry.version):
            rows = MIGRATIONS[entry.name, step](rows)
        target = f"{entry.name}/{FIRST_BATCH}" if entry.parts == "batch" and "/" not in part else part
        run.write(target, rows)
        if target != part:
            run.remove(part)
    run.note(tables=sorted(older))


def _as_it_is(rows: DataFrame) -> DataFrame:
    return rows


def _samples_1(rows: DataFrame) -> DataFrame:
    return rows.withColumn("batch", f.lit(FIRST_BATCH))


def _genotypes_1(rows: DataFrame) -> DataFrame:
    """Counts the calls. Version 1 did not keep which were of one allele: they count as diploid."""
    wider = rows.withColumn("haploid", f.lit(None).cast("binary"))
    for name in TALLY_SUMS:
        wider = wider.withColumn(name, f.lit(0))

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            # Blocks of one length together: the last one may be shorter.
            lengths = np.array([len(calls) for calls in batch.column("calls").to_pylist()])
            for length in np.unique(lengths).tolist():
                part = batch.filter(pa.array(lengths == length))
                yield with_blocks(part, Wide.of(part, 4 * length))

    return wider.mapInArrow(work, wider.schema)


def _genotypes_2(rows: DataFrame) -> DataFrame:
    """Version 2 kept nothing beside the calls."""
    return _with_nothing(rows, "dosage", "phase")


def _genotypes_3(rows: DataFrame) -> DataFrame:
    """Version 3 kept neither depths nor qualities."""
    return _with_nothing(rows, "conditionalQuality", "depth", "alleleDepths")


def _with_nothing(rows: DataFrame, *columns: str) -> DataFrame:
    return rows.withColumns({name: f.lit(None).cast("binary") for name in columns})


def _without_summaries(rows: DataFrame) -> DataFrame:
    """Version 1 said nothing of depths and qualities; stages of quality control that are run again do."""
    return rows.withColumns({name: f.lit(None).cast("double") for name in SUMMARIES})


def _without_likelihoods(rows: DataFrame) -> DataFrame:
    """Version 1 kept qualities alone."""
    return rows.withColumn("phredLikelihoods", f.lit(None).cast("array<int>"))


def _without_figures(rows: DataFrame) -> DataFrame:
    """Version 2 knew neither of these; `ingest-reads` that is run again does."""
    doubles = rows.withColumns({name: f.lit(None).cast("double") for name in ("duplicateShare", "errorRate", "contamination")})
    return doubles.withColumn("medianInsertBp", f.lit(None).cast("int"))


def _without_errors(rows: DataFrame) -> DataFrame:
    """Version 3 took base qualities as they are, and did not know how reads err: they count as of usual quality."""
    doubles = rows.withColumns({name: f.lit(None).cast("double") for name in ("reportedQuality", "empiricalQuality")})
    return _with_nothing(doubles, "errorProfile")


def _without_profile(rows: DataFrame) -> DataFrame:
    """Version 4 counted other positions where a strand errs: how reads err is not known."""
    return _with_nothing(rows, "errorProfile")


def _by_hudson(rows: DataFrame) -> DataFrame:
    """Version 1 knew one estimator."""
    return rows.withColumn("method", f.lit("hudson"))


MIGRATIONS: dict[tuple[str, int], Callable[[DataFrame], DataFrame]] = {
    ("samples", 1): _samples_1,
    ("genotypes", 1): _genotypes_1,
    ("genotypes", 2): _genotypes_2,
    ("genotypes", 3): _genotypes_3,
    ("variantQuality", 1): _without_summaries,
    ("sampleQuality", 1): _without_summaries,
    ("populationFst", 1): _by_hudson,
    ("variantCalls", 1): _without_likelihoods,
    ("readQuality", 2): _without_figures,
    ("readQuality", 3): _without_errors,
    ("readQuality", 4): _without_profile,
    **{(name, 1): _as_it_is for name in ("expression", "phenotypes", "covariates", "pedigree", "readQuality")},
}
"""From a table and its version to the next version."""
