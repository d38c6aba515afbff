"""Delta tables of a warehouse: checked against the dictionary when written, read at the version that a run committed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pyarrow as pa
from deltalake.exceptions import DeltaError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from genospark.core import delta, ledger, paths, small_tables, stores
from genospark.core.columns import conform, spark_schema
from genospark.core.landing import Landing
from genospark.core.session import prepare
from genospark.core.versions import check_version
from genospark.errors import TableError
from genospark.schema import TABLES, Table, table

_BELOW = "below"
"""File in a warehouse's folder with the path of the one that it lies over."""


@dataclass(frozen=True)
class Written:
    """One table that a run has written: its Delta version and its rows."""

    table: str
    version: int
    rows: int


class Warehouse:
    """The tables under one folder.

    A stage's row in ``runs`` names the Delta versions that it wrote, and readers take exactly these: what an unfinished stage wrote is
    never seen. A table in parts is read whole by its name and one part by `name/part`, which is also how it is written.

    A warehouse may lie over another (``lay_over``): what it has not itself is read from there, and what is written stays in it.

    Args:
        spark: Session.
        path: Folder on a disk that driver and executors share, or a URL that Hadoop, delta-rs and fsspec know.

    Raises:
        SetupError: The URL's store cannot be reached or does not let us in, or Spark has no program for it.
    """

    def __init__(self, spark: SparkSession, path: str) -> None:
        self.spark = spark
        self.path = str(paths.absolute(path))
        if paths.is_url(self.path):
            paths.check_reachable(self.path)
            prepare(spark, self.path)
        self._ledger = ledger.Ledger(self.path)
        below = paths.place(self.path) / _BELOW
        self._below: Warehouse | None = Warehouse(spark, below.read_text()) if below.exists() else None

    @classmethod
    def lay_over(cls, below: Warehouse, path: str) -> Warehouse:
        """Makes a warehouse, or opens one that was made so, over another."""
        paths.write_whole(paths.place(path) / _BELOW, below.path.encode())
        return cls(below.spark, path)

    def location(self, name: str) -> str:
        return self._ledger.location(name)

    @property
    def bundles(self) -> Path:
        return paths.place(self.path) / "bundles"

    @cached_property
    def _own(self) -> dict[str, ledger.Run]:
        return self._ledger.committed()

    @property
    def _committed(self) -> dict[str, ledger.Run]:
        return (self._below._committed if self._below else {}) | self._own

    def holds(self, part: str) -> bool:
        """Whether a part, or a table without parts, is committed here, and not only in the warehouse below."""
        return part in self._own

    def _stands(self, part: str) -> str:
        """Where a committed part is."""
        return self._below._stands(part) if self._below and part not in self._own else self.location(part)

    def committed(self) -> dict[str, ledger.Run]:
        """For every table, or part of one, the run that committed it last."""
        return dict(self._committed)

    def runs(self) -> list[ledger.Run]:
        """All runs that were committed, the earliest first."""
        return self._ledger.runs()

    def producer(self, name: str) -> ledger.Run | None:
        """The run that committed the table, or the part of one, last; None where no run did."""
        return self._committed.get(name)

    def has(self, name: str) -> bool:
        """True where a run has committed the table, or a part of it."""
        return bool(self.parts(name))

    def parts(self, name: str) -> list[str]:
        """The committed parts of a table, as `name/part`; the name alone where it is not in parts."""
        return [part for part in sorted(self._committed) if part == name or part.startswith(f"{name}/")]

    def read(self, name: str) -> DataFrame:
        """The committed rows of a table.

        Raises:
            TableError: No run has written it.
        """
        if name == "runs":
            return self._load(self.location(name), None)
        return self._together(self.needed(name))

    def needed(self, name: str) -> list[str]:
        """The committed parts of a table that has to be there, as ``parts`` names them.

        Raises:
            TableError: No run has written it, or an older version of the dictionary wrote one.
        """
        if not (parts := self.parts(name)):
            raise self._missing(name)
        self._check_versions(parts)
        return parts

    def _missing(self, name: str) -> TableError:
        return TableError(f"{self.path}: no table `{name}` yet", f"run the stage that writes it first (`{table(name).stage}`)")

    def read_parts(self, parts: list[str]) -> DataFrame:
        """The committed rows of some parts of a table, as ``parts`` names them.

        Raises:
            TableError: An older version of the dictionary wrote one.
        """
        self._check_versions(parts)
        return self._together(parts)

    def _together(self, parts: list[str]) -> DataFrame:
        return reduce(DataFrame.unionByName, (self.read_as_is(part) for part in parts))

    def _check_versions(self, parts: list[str]) -> None:
        for part in parts:
            place = self._stands(part)
            check_version(table(part), place, ledger.schema_version(place, self._committed[part]["version"]), self.path)

    def read_as_is(self, part: str) -> DataFrame:
        """The committed rows of a table or part, whichever version of the dictionary wrote them."""
        return self._load(self._stands(part), self._committed[part]["version"])

    def written(self, entry: Written) -> DataFrame:
        """What a run under way has written."""
        return self._load(self.location(entry.table), entry.version)

    def _load(self, location: str, version: int | None) -> DataFrame:
        try:
            schema = StructType.fromJson(json.loads(ledger.schema(location, version)))
            return delta.rows(self.spark, ledger.live_files(location, version), schema)
        except (AnalysisException, DeltaError) as error:
            raise TableError(f"{location}: cannot be read ({str(error).splitlines()[0]})", "check the warehouse") from None

    def files(self, name: str, **partition: str) -> list[str]:
        """URLs of the live Parquet files of a partition of a table, for instance with ``split="train"``.

        Raises:
            TableError: No run has written the table.
        """
        return [path if paths.is_url(path) else f"file://{path}" for path in self.live_files(name, **partition)]

    def live_files(self, name: str, **partition: str) -> list[str]:
        """Paths of the same."""
        found = [ledger.live_files(self._stands(part), self._committed[part]["version"], **partition) for part in self.needed(name)]
        return sorted(path for files in found for path in files)

    def small(self, name: str, columns: list[str]) -> pd.DataFrame:
        """Columns of a table that the driver holds, which it reads itself: sooner than a job of Spark's begins."""
        return small_tables.read(self.live_files(name), columns)

    def small_arrow(self, name: str, columns: list[str]) -> pa.Table:
        """The same as Arrow: of a million rows these are no Python objects."""
        return small_tables.read_arrow(self.live_files(name), columns)

    def values(self, name: str, partition: str) -> list[str]:
        """What there is in a partition column of a table, by the names of its files."""
        return sorted({str(delta.partition_values(path)[partition]) for path in self.live_files(name)})

    def n_rows(self, name: str) -> int:
        """Rows of a table, as the runs say that wrote it."""
        parts = self.parts(name)
        return sum(output["rows"] for part in parts for output in self._committed[part]["outputs"] if output["table"] == part)

    def other_parts(self, part: str) -> list[str]:
        """The committed parts of the table of a part (`name/part`) but this one."""
        return [other for other in self.parts(table(part).name) if other != part]

    def write(self, name: str, rows: DataFrame, run_id: str) -> Written:
        """Replaces the rows of a table or of a part. They are seen once the run is committed.

        Raises:
            TableError: Columns differ from the dictionary's.
        """
        rows = conform(rows.withColumn("runId", f.lit(run_id)), table(name))
        folder = self._new_folder(name)
        writer = rows.write.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", False).partitionBy(*table(name).partitions)
        writer.parquet(stores.for_hadoop(folder))
        return self._publish(name, [str(path) for path in paths.place(folder).rglob("*.parquet")])

    def write_small(self, name: str, columns: dict[str, list[Any] | pa.Array], run_id: str) -> Written:
        """The same of rows that the driver holds, which it writes itself."""
        path = small_tables.write(self._new_folder(name), to_arrow_schema(spark_schema(table(name))), columns, run_id)
        return self._publish(name, [path])

    def landing(self, name: str, run_id: str) -> Landing:
        """A new folder for files of a table with one partition column, or of a part of one, that tasks write themselves."""
        (partition,) = table(name).partitions
        return Landing(name, self._new_folder(name), to_arrow_schema(spark_schema(table(name))), partition, run_id)

    def landed(self, landing: Landing, files: list[str]) -> DataFrame:
        """Rows of files that tasks have written."""
        return delta.rows(self.spark, files, spark_schema(table(landing.name)))

    def publish(self, landing: Landing, files: list[str]) -> Written:
        """Replaces the rows of a table or of a part by files that tasks have written. They are seen once the run is committed."""
        return self._publish(landing.name, files)

    def _new_folder(self, name: str) -> str:
        entry, location = table(name), self.location(name)
        self._create(entry, location)
        # Tables that an older version of the dictionary made are made anew.
        ledger.update(location, spark_schema(entry).json(), entry.version)
        return f"{location}/{uuid4().hex}"

    def _publish(self, name: str, files: list[str]) -> Written:
        entry = table(name)
        return Written(name, *delta.publish(self.location(name), files, spark_schema(entry).json(), entry.partitions))

    def commit(self, run: ledger.Run) -> None:
        """Adds the one row of ``runs`` that makes a run's tables visible."""
        entry = table("runs")
        self._create(entry, self.location("runs"))
        self._ledger.commit(run, to_arrow_schema(spark_schema(entry)))
        self.refresh()

    def refresh(self) -> None:
        """Looks anew which runs were committed."""
        self.__dict__.pop("_own", None)
        if self._below:
            self._below.refresh()

    def create_views(self) -> list[str]:
        """Makes every committed table a SQL view of its own name, and returns the names."""
        written = {part.partition("/")[0] for part in self._committed}
        names = [name for name in TABLES if name in written or name == "runs"] if written else []
        for name in names:
            self.read(name).createOrReplaceTempView(name)
        return names

    def _create(self, entry: Table, location: str) -> None:
        if not ledger.exists(location):
            ledger.create(location, spark_schema(entry).json(), list(entry.partitions), entry.version)
