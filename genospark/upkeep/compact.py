"""``compact``: small batches put together, small files too, and versions that nobody reads removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from genospark.core import ledger
from genospark.core.calls import SAMPLE_BLOCK
from genospark.core.config import StageConfig
from genospark.core.locks import writing
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse, Written
from genospark.ingest.blocks import KEY, repacked
from genospark.ingest.vcf.parse import KEPT
from genospark.schema import TABLES, table
from genospark.upkeep.history import settle


class CompactConfig(StageConfig):
    """Settings of ``compact``.

    Attributes:
        into: Name of the batch that small ones become part of.
        people: Batches of fewer people are small.
        retention_hours: Older versions of tables are kept so long, for queries under way.
    """

    into: str = Field("compacted", pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")
    people: int = Field(SAMPLE_BLOCK, ge=1)
    retention_hours: int = Field(168, ge=0)


def compact(config: CompactConfig, spark: SparkSession) -> str:
    """Puts small batches and small files together; what tables say stays the same.

    ``samples`` still says which batch brought a person. A batch that became part of another is not replaced by its name any more:
    ingest its people with `on_overlap` replace.

    Returns:
        The run's id.
    """
    warehouse = Warehouse(spark, config.warehouse)
    run_id = run_stage("compact", config, warehouse, lambda run: _compact(run, config), tables=sorted({*_names(warehouse)}), alone=True)
    with writing(warehouse.path, "compact", alone=True), step("compact: removing older versions"):
        for part in Warehouse(spark, config.warehouse).committed():
            ledger.clean(warehouse.location(part), config.retention_hours)
    return run_id


def _names(warehouse: Warehouse) -> list[str]:
    return [table(part).name for part in warehouse.committed()]


def _compact(run: Run, config: CompactConfig) -> None:
    warehouse = run.warehouse
    genotypes = _small(warehouse, "samples", config.people)
    if len(genotypes) > 1:
        _join_genotypes(run, [part.partition("/")[2] for part in genotypes], config.into)
    for name in (name for name, entry in TABLES.items() if entry.parts == "batch" and name not in ("samples", "genotypes")):
        small = _small(warehouse, name, config.people)
        if len(small) > 1:
            run.write(f"{name}/{config.into}", warehouse.read_parts(small).drop("runId"))
            for part in small:
                if part != f"{name}/{config.into}":
                    run.remove(part)
    settle(run)
    versions = {entry.table: entry for entry in run.outputs}
    for part, committed in warehouse.committed().items():
        mine = versions.get(part)
        before = mine.version if mine else committed["version"]
        if before == ledger.REMOVED:
            continue
        version = ledger.join_files(warehouse.location(part))
        if version != before:
            rows = mine.rows if mine else next(output["rows"] for output in committed["outputs"] if output["table"] == part)
            run.outputs = [*(entry for entry in run.outputs if entry.table != part), Written(part, version, rows)]
    run.note(batches_joined=len(genotypes) if len(genotypes) > 1 else 0, tables=len(run.outputs))


def _small(warehouse: Warehouse, name: str, people: int) -> list[str]:
    """Parts of a table with fewer people than that."""
    found = warehouse.parts(name)
    if len(found) < 2:
        return []
    return [part for part in found if warehouse.read_parts([part]).select("sampleId").distinct().count() < people]


def _join_genotypes(run: Run, batches: list[str], into: str) -> None:
    warehouse = run.warehouse
    kept = [part for part in warehouse.parts("samples") if part.partition("/")[2] not in batches]
    last = warehouse.read_parts(kept).agg(f.max("sampleIndex")).collect()[0][0] if kept else -1
    first = 0 if last < 0 else int(last) // SAMPLE_BLOCK + 1
    people: pd.DataFrame = warehouse.read_parts([f"samples/{batch}" for batch in batches]).drop("runId").toPandas()
    people = people.sort_values("sampleIndex")
    columns = people["sampleIndex"].to_numpy(np.int64)
    people["sampleIndex"] = np.arange(len(people)) + first * SAMPLE_BLOCK
    genotypes = warehouse.read_parts([f"genotypes/{batch}" for batch in batches]).drop("runId")
    run.write(f"genotypes/{into}", _repack(genotypes, columns, first))
    run.write(f"samples/{into}", warehouse.spark.createDataFrame(people))
    for batch in batches:
        if batch != into:
            run.remove(f"genotypes/{batch}")
            run.remove(f"samples/{batch}")


def _repack(genotypes: DataFrame, columns: NDArray[np.int64], first: int) -> DataFrame:
    """Rows of ``genotypes`` with the people of `columns` in full blocks from `first` on."""
    schema = to_arrow_schema(genotypes.schema)
    entries = f.collect_list(f.struct("sampleBlock", "calls", "haploid", *KEPT)).alias("blocks")
    whole = genotypes.groupBy(*KEY).agg(f.first("end").alias("end"), entries)

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from repacked(batch, columns, first, schema)

    made = whole.mapInArrow(work, from_arrow_schema(schema))
    return made.repartitionByRange("contigName", "start").sortWithinPartitions("contigName", "start")
