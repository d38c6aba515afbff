"""Which version of each table counts: the table ``runs``, read and written without Spark (by delta-rs), so that it costs milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema, write_deltalake

Run = dict[str, Any]
"""A row of ``runs``; where it stands for one of the tables that it wrote, with that table's `version`."""


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
        """For every table the run that committed it last."""
        return {output["table"]: row | {"version": output["version"]} for row in self.runs() for output in row["outputs"]}

    def commit(self, run: Run, schema: pa.Schema) -> None:
        """Adds a run; from then on readers see what it wrote."""
        rows = pa.Table.from_pylist([run], schema)
        write_deltalake(self.location("runs"), rows, mode="append", schema_mode="merge")


def exists(location: str) -> bool:
    """Whether a Delta table is there."""
    return Path(location, "_delta_log").is_dir()


def create(location: str, columns: str, partitions: list[str]) -> None:
    """Makes an empty table, so that writers keep to its columns and to which of them may be null.

    Args:
        location: Folder.
        columns: As the JSON of a Spark type, which is what Delta writes too.
        partitions: Partition columns.
    """
    DeltaTable.create(location, schema=Schema.from_json(columns), partition_by=partitions or None)


def schema(location: str, version: int | None = None) -> str:
    """Columns of a version, the newest by default, as the JSON of a Spark type."""
    return str(DeltaTable(location, version=version).schema().to_json())


def live_files(location: str, version: int | None = None) -> list[str]:
    """Paths of the Parquet files of a version, the newest by default."""
    return sorted(DeltaTable(location, version=version).file_uris())


def written_version(location: str, mark: str) -> tuple[int, int]:
    """The version whose writer left a mark, and its number of rows."""
    history = DeltaTable(location).history(20)
    # Not simply the newest version: that may be another writer's. Nothing replaced by nothing makes no version.
    entry = next((entry for entry in history if entry.get("userMetadata") == mark), history[0])
    # Delta leaves the count out where there are no rows.
    return int(entry["version"]), int(entry.get("operationMetrics", {}).get("numOutputRows", 0))
