"""What a column and a table are, and the columns that many tables have."""

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
    """One table: its grain (what a row is), key, partition columns, schema version and the stage that writes it.

    `parts` says what each part is of that is stored and replaced alone: a task, or a batch of input files. `since` is the oldest version
    whose rows ``migrate`` can make those of today of; what is older its stage has to make anew.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partitions: tuple[str, ...] = ()
    version: int = 1
    stage: str = ""
    parts: str = ""
    since: int = 1

    @property
    def ddl(self) -> str:
        return ", ".join(column.ddl for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


RUN_ID = Column("runId", "string", "run that wrote the row: hash of inputs, configuration and code version")
MODEL_VERSION = Column("modelVersion", "string", "bundle that made the row")
SAMPLE_ID = Column("sampleId", "string", "person: a keyed hash of the id in the input files")

LOCUS = (
    Column("contigName", "string", "contig, as written in the VCF"),
    Column("start", "bigint", "first base of the reference allele, 0-based"),
    Column("end", "bigint", "end of the reference allele, exclusive (start + its length, or INFO END where present)"),
    Column("referenceAllele", "string", "reference allele (REF)"),
    Column("alternateAlleles", "array<string>", "the one alternate allele (ALT) of the split record"),
)
