"""What a column and a table are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column. ``type`` is Spark SQL DDL (``string``, ``bigint``, ``array<string>``, ``binary``)."""

    name: str
    type: str
    meaning: str
    nullable: bool = False

    @property
    def ddl(self) -> str:
        return f"`{self.name}` {self.type}" + ("" if self.nullable else " NOT NULL")


@dataclass(frozen=True)
class Table:
    """One table: its grain (what a row is), key, partition columns and schema version."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partitions: tuple[str, ...] = ()
    version: int = 1

    @property
    def ddl(self) -> str:
        return ", ".join(column.ddl for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)
