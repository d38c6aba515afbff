"""Which version of each table counts: the table ``runs``, read and written without Spark (by delta-rs), so that it costs milliseconds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema, write_deltalake

from genospark.core import paths, stores

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
        rows = [row for file in _contents(live_files(self.location("runs"))) for row in pq.read_table(file).to_pylist()]
        return sorted(rows, key=lambda row: row["finishedAt"])

    def committed(self) -> dict[str, Run]:
        """For every table, or part of one, the run that committed it last; tables that a run removed are left out."""
        last = {output["table"]: row | {"version": output["version"]} for row in self.runs() for output in row["outputs"]}
        return {name: run for name, run in last.items() if run["version"] != REMOVED}

    def commit(self, run: Run, schema: pa.Schema) -> None:
        """Adds a run; from then on readers see what it wrote."""
        rows = pa.Table.from_pylist([run], schema)
        write_deltalake(opened(self.location("runs")), rows, mode="append", schema_mode="merge")


def exists(location: str) -> bool:
    """Whether a Delta table is there."""
    if paths.is_url(location):
        return DeltaTable.is_deltatable(location, stores.delta_options(location))
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
    DeltaTable.create(
        location,
        schema=Schema.from_json(columns),
        partition_by=partitions or None,
        description=description,
        storage_options=stores.delta_options(location),
    )


def schema_version(location: str, version: int | None = None) -> int:
    """Version in the dictionary of the table that a Delta version was written as; 1 where it does not say."""
    return int((opened(location, version).metadata().description or "").removeprefix(_VERSION) or 1)


def update(location: str, columns: str, version: int) -> None:
    """Makes what is written from now on follow a version of the dictionary's table; where columns differ, by a version without rows.

    Args:
        location: Folder.
        columns: As the JSON of a Spark type.
        version: Version of the table in the dictionary.
    """
    if json.loads(schema(location)) != json.loads(columns):
        empty = pa.schema(Schema.from_json(columns).to_arrow()).empty_table()
        write_deltalake(opened(location), empty, mode="overwrite", schema_mode="overwrite")
    if schema_version(location) != version:
        opened(location).alter.set_table_description(f"{_VERSION}{version}")


def schema(location: str, version: int | None = None) -> str:
    """Columns of a version, the newest by default, as the JSON of a Spark type."""
    return str(opened(location, version).schema().to_json())


def opened(location: str, version: int | None = None) -> DeltaTable:
    """A version of a table, the newest by default."""
    return DeltaTable(location, version=version, storage_options=stores.delta_options(location))


def _contents(files: list[str]) -> Iterator[Any]:
    """What pyarrow reads files from: their paths, or the content of those behind URLs, fetched all at once."""
    if files and paths.is_url(files[0]):
        found = paths.file_system(files[0]).cat(files)
        # Of one file without its name.
        yield from map(pa.BufferReader, found.values() if isinstance(found, dict) else [found])
    else:
        yield from files


def live_files(location: str, version: int | None = None, **partition: str) -> list[str]:
    """Paths of the Parquet files of a version, the newest by default; of one partition where it is named."""
    location = str(paths.absolute(location))
    chosen = [(name, "=", value) for name, value in partition.items()]
    found = opened(location, version).file_uris(chosen or None)
    # delta-rs escapes the table's folder in them, and nothing behind it.
    depth = len(location.split("/"))
    return sorted("/".join([location, *path.split("/")[depth:]]) for path in found)


def tables(folder: str) -> list[str]:
    """Names of all tables in a folder, committed or not, with slashes where they lie in folders of their own."""
    base = paths.absolute(folder)
    return sorted({str(path.parent.parent)[len(str(base)) + 1 :] for path in base.glob("**/_delta_log/*.json")})


def make_newest(location: str, version: int) -> int:
    """Puts a version on top of those that came after it, and returns the number it then has."""
    table = opened(location)
    if table.version() != version:
        table.restore(version)
    return table.version()


def join_files(location: str) -> int:
    """Puts small files of the newest version together, and returns the version that this makes."""
    table = opened(location)
    table.optimize.compact()
    return table.version()


def clean(location: str, retention_hours: int) -> None:
    """Removes files that the newest version does not need, once they are older than that."""
    # A vacuum of delta-rs's own makes new versions, to which no run points.
    for name in opened(location).vacuum(retention_hours, dry_run=True, enforce_retention_duration=False, full=True):
        (paths.place(location) / name).unlink(missing_ok=True)
    _sweep(paths.place(location))


def _sweep(folder: Path) -> None:
    """Removes what writers that were killed had begun, checksums of files that are gone, and folders without files."""
    for unfinished in folder.glob("*/_temporary"):
        for path in unfinished.rglob("*"):
            if path.is_file():
                path.unlink()
    if paths.is_url(folder):
        # Stores have no folders, and no files of checksums.
        return
    for path in folder.rglob(".*.crc"):
        if not path.with_name(path.name[1:-4]).exists():
            path.unlink()
    for path in sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def forget(location: str) -> None:
    """Removes every file and log entry that the newest version does not need."""
    clean(location, 0)
    table = opened(location)
    table.create_checkpoint()
    # Entries of older versions hold the smallest and largest values of their files. Readers begin at the checkpoint.
    for path in (paths.place(location) / "_delta_log").iterdir():
        number = path.name.lstrip(".").partition(".")[0]
        if number.isdigit() and int(number) < table.version():
            path.unlink()


def remove(location: str) -> None:
    """Removes a table's files; tables in folders below stay."""
    if paths.is_url(location):
        _remove_objects(location)
        return
    for path in Path(location).glob("*"):
        if path.name == "_delta_log" or (path.is_dir() and not any(path.rglob("_delta_log"))):
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


def _remove_objects(location: str) -> None:
    files = paths.file_system(location)
    found = [files.unstrip_protocol(name).removeprefix(f"{location}/") for name in files.find(location)]
    below = {name.partition("/_delta_log/")[0] for name in found if "/_delta_log/" in name}
    mine = [f"{location}/{name}" for name in found if not any(name.startswith(f"{table}/") for table in below)]
    if mine:
        files.rm(mine)
