"""Parquet files that Spark has written, as a version of a Delta table; and the files of a version for Spark.

Spark reads and writes plain Parquet, and delta-rs the transaction log: the same tables as by Delta's Spark connector, which takes a second
or more for each read and write of its own, however small.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import Schema
from deltalake.transaction import AddAction, RemoveAction
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from genospark.core import ledger, paths, stores

# Longer strings are no good for telling files apart.
_LONGEST = 32
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def by_folder(files: list[str]) -> dict[str, list[str]]:
    """Paths of files by the folder in which their folders of partitions begin."""
    folders: dict[str, list[str]] = {}
    for path in files:
        folder = path.rpartition("/")[0]
        while "=" in folder.rpartition("/")[2]:
            folder = folder.rpartition("/")[0]
        folders.setdefault(folder, []).append(path)
    return folders


def publish(location: str, files: list[str], columns: str, partitions: tuple[str, ...]) -> tuple[int, int]:
    """Makes files a table's newest version, in the place of what it held.

    Args:
        location: Folder of the table.
        files: Parquet files in folders below it, in folders of partitions (`name=value`).
        columns: The table's columns, as the JSON of a Spark type.
        partitions: Partition columns.

    Returns:
        The version, and its rows.
    """
    table = ledger.opened(location)
    actions: list[AddAction | RemoveAction] = []
    rows = 0
    for path in sorted(files):
        action, count = _added(path[len(location) + 1 :], paths.place(path), partitions)
        # Spark writes a file without rows where a table has none.
        if count:
            actions.append(action)
            rows += count
    table.create_write_transaction(actions, "overwrite", Schema.from_json(columns), list(partitions) or None)
    # Nobody else writes meanwhile: a stage holds the lock of its tables.
    table.update_incremental()
    return table.version(), rows


def rows(spark: SparkSession, files: list[str], schema: StructType) -> DataFrame:
    """Rows of a table's files.

    Args:
        spark: Session.
        files: Parquet files, in folders of partitions.
        schema: Columns of the table.
    """
    reader = spark.read.schema(schema)
    parts = [
        reader.option("basePath", stores.for_hadoop(folder)).parquet(*map(for_reader, found)).select(schema.names)
        for folder, found in by_folder(files).items()
    ]
    return reduce(DataFrame.unionByName, parts) if parts else spark.createDataFrame([], schema)


def _added(name: str, path: Path, partitions: tuple[str, ...]) -> tuple[AddAction, int]:
    with paths.open_bytes(path) as file:
        footer = pq.read_metadata(file)
    values = partition_values(name)
    stat = path.stat()
    action = AddAction(
        path=name,
        size=stat.st_size,
        partition_values={name: values[name] for name in partitions},
        modification_time=int(stat.st_mtime * 1000),
        data_change=True,
        stats=json.dumps(_statistics(footer)),
    )
    return action, footer.num_rows


def partition_values(path: str) -> dict[str, str | None]:
    """What the folders of a file say of all its rows."""
    folders = [part.partition("=") for part in path.split("/")[:-1] if "=" in part]
    return {name: None if value == _NO_VALUE else unquote(value) for name, _, value in folders}


def batches(path: str, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Rows of a file as Arrow, for tasks to which the JVM has nothing to add.

    Args:
        path: Parquet file of a table.
        columns: Its columns, those of partitions included.
        rows: Of a batch, at most.
    """
    values = partition_values(path)
    with paths.open_bytes(path) as stream:
        for batch in pq.ParquetFile(stream).iter_batches(rows, columns=[name for name in columns if name not in values]):
            found = {name: pa.repeat(pa.scalar(values[name], pa.string()), len(batch)) for name in columns if name in values}
            yield pa.RecordBatch.from_pydict({name: found[name] if name in found else batch.column(name) for name in columns})


def _statistics(footer: pq.FileMetaData) -> dict[str, Any]:
    """Rows, and smallest and largest value of columns of whole numbers and short text."""
    found: dict[str, Any] = {"numRecords": footer.num_rows}
    if not footer.num_rows:
        return found
    groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
    least, most = {}, {}
    for index in range(footer.num_columns):
        column = footer.schema.column(index)
        if "." in column.path:
            continue
        parts = [group.column(index).statistics for group in groups]
        if any(part is None or not part.has_min_max for part in parts):
            continue
        low, high = min(part.min for part in parts), max(part.max for part in parts)
        whole = isinstance(low, int) and not isinstance(low, bool)
        text = isinstance(low, str) and len(low) <= _LONGEST and len(high) <= _LONGEST
        if whole or text:
            least[column.name], most[column.name] = low, high
    return found | {"minValues": least, "maxValues": most}


def for_reader(path: str) -> str:
    """A path as Spark's readers take it, which look for wildcards in paths."""
    return re.sub(r"([\\\[\]{}*?])", r"\\\1", stores.for_hadoop(path))
