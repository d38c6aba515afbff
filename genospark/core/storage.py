"""Delta tables of a warehouse: checked against the dictionary when written, read at the version that a run committed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from uuid import uuid4

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType, _parse_datatype_string

from genospark.core import ledger, paths, stores
from genospark.core.environment import command
from genospark.core.session import prepare
from genospark.errors import TableError
from genospark.schema import TABLES, Table, table


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

    def location(self, name: str) -> str:
        return self._ledger.location(name)

    @property
    def bundles(self) -> Path:
        return paths.place(self.path) / "bundles"

    @cached_property
    def _committed(self) -> dict[str, ledger.Run]:
        return self._ledger.committed()

    def committed(self) -> dict[str, ledger.Run]:
        """For every table, or part of one, the run that committed it last."""
        return dict(self._committed)

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
            return self._load(name, None)
        parts = self.parts(name)
        if not parts:
            raise TableError(f"{self.path}: no table `{name}` yet", f"run the stage that writes it first (`{table(name).stage}`)")
        return self.read_parts(parts)

    def read_parts(self, parts: list[str]) -> DataFrame:
        """The committed rows of some parts of a table, as ``parts`` names them.

        Raises:
            TableError: An older version of the dictionary wrote one.
        """
        for part in parts:
            found = ledger.schema_version(self.location(part), self._committed[part]["version"])
            if found != table(part).version:
                problem = f"{self.location(part)}: version {found} of the table; this program has version {table(part).version}"
                raise TableError(problem, f"run `{command()} migrate --warehouse {self.path}`")
        return reduce(DataFrame.unionByName, (self.read_as_is(part) for part in parts))

    def read_as_is(self, part: str) -> DataFrame:
        """The committed rows of a table or part, whichever version of the dictionary wrote them."""
        return self._load(part, self._committed[part]["version"])

    def written(self, entry: Written) -> DataFrame:
        """What a run under way has written."""
        return self._load(entry.table, entry.version)

    def _load(self, name: str, version: int | None) -> DataFrame:
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        try:
            return reader.load(stores.for_hadoop(self.location(name)))
        except AnalysisException as error:
            raise TableError(f"{self.location(name)}: cannot be read ({str(error).splitlines()[0]})", "check the warehouse") from None

    def files(self, name: str, condition: str = "true") -> list[str]:
        """URLs of the live Parquet files of a table that hold rows of the partitions that fit `condition` (SQL)."""
        return sorted(stores.canonical(url) for url in self.read(name).where(condition).inputFiles())

    def other_parts(self, part: str) -> list[str]:
        """The committed parts of the table of a part (`name/part`) but this one."""
        return [other for other in self.parts(table(part).name) if other != part]

    def write(self, name: str, rows: DataFrame, run_id: str) -> Written:
        """Replaces the rows of a table or of a part. They are seen once the run is committed.

        Raises:
            TableError: Columns differ from the dictionary's.
        """
        entry = table(name)
        rows = _conform(rows.withColumn("runId", f.lit(run_id)), entry)
        location = self.location(name)
        self._create(entry, location)
        # Tables that an older version of the dictionary made are made anew.
        outdated = _types(StructType.fromJson(json.loads(ledger.schema(location)))) != _types(spark_schema(entry))
        if ledger.schema_version(location) != entry.version:
            ledger.set_schema_version(location, entry.version)
        mark = uuid4().hex
        writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", outdated).option("userMetadata", mark)
        writer.save(stores.for_hadoop(location))
        return Written(name, *ledger.written_version(location, mark))

    def commit(self, run: ledger.Run) -> None:
        """Adds the one row of ``runs`` that makes a run's tables visible."""
        entry = table("runs")
        self._create(entry, self.location("runs"))
        self._ledger.commit(run, to_arrow_schema(spark_schema(entry)))
        self.refresh()

    def refresh(self) -> None:
        """Looks anew which runs were committed."""
        self.__dict__.pop("_committed", None)

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


def spark_schema(entry: Table) -> StructType:
    """A table's columns as Spark types; needs a running session."""
    schema = _parse_datatype_string(entry.ddl)
    assert isinstance(schema, StructType)
    return schema


def _types(schema: StructType) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in schema}


def _conform(rows: DataFrame, entry: Table) -> DataFrame:
    wanted, found = _types(spark_schema(entry)), _types(rows.schema)
    if set(wanted) != set(found):
        raise TableError(
            f"`{entry.name}`: columns {sorted(set(wanted) ^ set(found))} differ from the dictionary",
            "this is a mistake in genospark: please report it",
        )
    return rows.select(*(f.col(name).cast(kind).alias(name) for name, kind in wanted.items()))
