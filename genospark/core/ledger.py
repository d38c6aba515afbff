"""Which version of each table counts: the table ``runs``, read and written without Spark (by delta-rs), so that it costs milliseconds."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema, write_deltalake

Run = dict[str, Any]
"""A row of ``runs``; where it stands for one of the tables that it wrote, with that table's `version`."""


REMOVED = -1
"""Stands for a version where a run took a table away."""
# Of a table's description; delta-rs takes no properties of our own.
_VERSION = "version "


@dataclass(frozen=True)
class Ledger:
    """The runs of the warehouse in a folder."""

    path: str

    def location(self, name: str) -> str:
        """Folder of a table, or of a part of one (`name/part`)."""
        return f"{self.path}/tables/{name}"

    def runs(self) -> list[Run]:
        """All runs, the earliest first."""
        if not exists(self.location("runs")):
            return []
        rows = [row for path in live_files(self.location("runs")) for row in pq.read_table(path).to_pylist()]
        return sorted(rows, key=lambda row: row["finishedAt"])

    def committed(self) -> dict[str, Run]:
        """For every table, or part of one, the run that committed it last; tables that a run removed are left out."""
        last = {output["table"]: row | {"version": output["version"]} for row in self.runs() for output in row["outputs"]}
        return {name: run for name, run in last.items() if run["version"] != REMOVED}

    def commit(self, run: Run, schema: pa.Schema) -> None:
        """Adds a run; from then on readers see what it wrote."""
        rows = pa.Table.from_pylist([run], schema)
        write_deltalake(DeltaTable(self.location("runs")), rows, mode="append", schema_mode="merge")


def exists(location: str) -> bool:
    """Whether a Delta table is there."""
    return Path(location, "_delta_log").is_dir()


def create(location: str, columns: str, partitions: list[str], schema_version: int) -> None:
    """Makes an empty table, so that writers keep to its columns and to which of them may be null.

    Args:
        location: Folder.
        columns: As the JSON of a Spark type, which is what Delta writes too.
        partitions: Partition columns.
        schema_version: Version of the table in the dictionary.
    """
    description = f"{_VERSION}{schema_version}"
    DeltaTable.create(location, schema=Schema.from_json(columns), partition_by=partitions or None, description=description)


def schema_version(location: str, version: int | None = None) -> int:
    """Version in the dictionary of the table that a Delta version was written as; 1 where it does not say."""
    return int((DeltaTable(location, version=version).metadata().description or "").removeprefix(_VERSION) or 1)


def update(location: str, columns: str, version: int) -> None:
    """Makes what is written from now on follow a version of the dictionary's table; where columns differ, by a version without rows.

    Args:
        location: Folder.
        columns: As the JSON of a Spark type.
        version: Version of the table in the dictionary.
    """
    if json.loads(schema(location)) != json.loads(columns):
        empty = pa.schema(Schema.from_json(columns).to_arrow()).empty_table()
        write_deltalake(DeltaTable(location), empty, mode="overwrite", schema_mode="overwrite")
    if schema_version(location) != version:
        DeltaTable(location).alter.set_table_description(f"{_VERSION}{version}")


def schema(location: str, version: int | None = None) -> str:
    """Columns of a version, the newest by default, as the JSON of a Spark type."""
    return str(DeltaTable(location, version=version).schema().to_json())


def live_files(location: str, version: int | None = None, **partition: str) -> list[str]:
    """Paths of the Parquet files of a version, the newest by default; of one partition where it is named."""
    chosen = [(name, "=", value) for name, value in partition.items()]
    found = DeltaTable(location, version=version).file_uris(chosen or None)
    # delta-rs escapes the table's folder in them, and nothing behind it.
    depth = len(location.rstrip("/").split("/"))
    return sorted("/".join([location.rstrip("/"), *path.split("/")[depth:]]) for path in found)


def make_newest(location: str, version: int) -> int:
    """Puts a version on top of those that came after it, and returns the number it then has."""
    table = DeltaTable(location)
    if table.version() != version:
        table.restore(version)
    return table.version()


def join_files(location: str) -> int:
    """Puts small files of the newest version together, and returns the version that this makes."""
    table = DeltaTable(location)
    table.optimize.compact()
    return table.version()


def clean(location: str, retention_hours: int) -> None:
    """Removes files that the newest version does not need, once they are older than that."""
    # A vacuum of delta-rs's own makes new versions, to which no run points.
    for name in DeltaTable(location).vacuum(retention_hours, dry_run=True, enforce_retention_duration=False, full=True):
        Path(location, name).unlink(missing_ok=True)


def forget(location: str) -> None:
    """Removes every file and log entry that the newest version does not need."""
    clean(location, 0)
    table = DeltaTable(location)
    table.create_checkpoint()
    # Entries of older versions hold the smallest and largest values of their files. Readers begin at the checkpoint.
    for path in Path(location, "_delta_log").iterdir():
        number = path.name.lstrip(".").partition(".")[0]
        if number.isdigit() and int(number) < table.version():
            path.unlink()


def remove(location: str) -> None:
    """Removes a table's files; tables in folders below stay."""
    for path in Path(location).glob("*"):
        if path.name == "_delta_log" or (path.is_dir() and not any(path.rglob("_delta_log"))):
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
