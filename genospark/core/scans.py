"""Files of tables that Spark's tasks read themselves, as Arrow: for work that takes less time than a way through the JVM."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType, _parse_datatype_string

from genospark.core import paths

_TASKS_PER_CORE = 4
# A task costs some fifty milliseconds before it does anything: of what it then reads.
_TASK_BYTES = 32 << 20
_ONE_TASK_BYTES = 1 << 20
Work = Callable[[int, list[str]], Iterator[pa.RecordBatch]]
"""What a task makes of its files, given its number."""


def over_files(spark: SparkSession, files: list[str], work: Work, schema: str) -> DataFrame:
    """Deals files to tasks, neighbours together.

    Args:
        spark: Session.
        files: Paths, as of ``Warehouse.live_files``.
        work: What becomes of them.
        schema: Of the rows that it makes, as DDL.
    """
    dealt = deal(spark, files)

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column("id").to_pylist():
                yield from work(number, dealt[number])

    return spark.range(0, len(dealt), 1, len(dealt)).mapInArrow(run, schema)


def collected(spark: SparkSession, files: list[str], work: Work, schema: str) -> pd.DataFrame:
    """The same rows on the driver, which reads a few small files itself: sooner than a job of Spark's begins."""
    if _bytes(spark, files) >= _ONE_TASK_BYTES:
        found: pd.DataFrame = over_files(spark, files, work, schema).toPandas()
        return found
    kind = _parse_datatype_string(schema)
    assert isinstance(kind, StructType)
    return pa.Table.from_batches(work(0, files), to_arrow_schema(kind)).to_pandas()


def deal(spark: SparkSession, files: list[str]) -> list[list[str]]:
    """Files of each of some tasks, neighbours together: as many to a core as there is work for, up to a few."""
    size, cores = _bytes(spark, files), spark.sparkContext.defaultParallelism
    n = 1 if size < _ONE_TASK_BYTES else cores * min(max(1, round(size / (cores * _TASK_BYTES))), _TASKS_PER_CORE)
    return [own.tolist() for own in np.array_split(np.array(files, object), max(1, min(len(files), n)))]


def _bytes(spark: SparkSession, files: list[str]) -> int:
    """About how much all files hold: those of a table are of about one size, and far away each costs a request."""
    some = files[:: max(1, len(files) // (_TASKS_PER_CORE * spark.sparkContext.defaultParallelism))]
    return sum(paths.place(path).stat().st_size for path in some) * len(files) // max(len(some), 1)


def groups_within(file: pq.ParquetFile, wanted: Callable[[int, int], bool]) -> list[int]:
    """Row groups of a file that are to be read, by their least and largest `start`; those that do not say it are.

    Args:
        file: Of a table of variants.
        wanted: Whether something is, between two starts, both of which count.
    """

    def may_hold(number: int) -> bool:
        group = file.metadata.row_group(number)
        columns = (group.column(place) for place in range(group.num_columns))
        found = next((column.statistics for column in columns if column.path_in_schema == "start"), None)
        return found is None or not found.has_min_max or wanted(found.min, found.max)

    return [number for number in range(file.num_row_groups) if may_hold(number)]
