"""INFO and FORMAT fields as headers declare them, and the columns they become: those of Glow's VCF schema."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from genospark.errors import InputError

ALIASES = {
    "DP": "depth",
    "FT": "filters",
    "GL": "genotypeLikelihoods",
    "PL": "phredLikelihoods",
    "GP": "posteriorProbabilities",
    "GQ": "conditionalQuality",
    "HQ": "haplotypeQualities",
    "EC": "expectedAlleleCounts",
    "MQ": "mappingQuality",
    "AD": "alleleDepths",
}
"""What Glow calls FORMAT fields; others keep their names."""
OLD_MULTIALLELIC = "INFO_OLD_MULTIALLELIC"
"""Column that only divided records have: ``contig:POS:REF/ALT/ALT`` as they stood in the file."""
SITE_SCHEMA = pa.schema(
    [
        ("contigName", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("names", pa.list_(pa.string())),
        ("referenceAllele", pa.string()),
        ("alternateAlleles", pa.list_(pa.string())),
        ("qual", pa.float64()),
        ("filters", pa.list_(pa.string())),
        ("splitFromMultiAllelic", pa.bool_()),
    ]
)
_TYPES = {"Integer": pa.int32(), "Float": pa.float64(), "String": pa.string(), "Character": pa.string(), "Flag": pa.bool_()}
_STEP = "correct the header (`bcftools reheader`)"
Kind = Literal["INFO", "FORMAT"]


@dataclass(frozen=True)
class Declared:
    """A field that a header declares.

    Attributes:
        kind: Where it stands.
        name: Its ID.
        number: Values it has: a number, ``A``, ``R``, ``G``, or ``.`` for any.
        type: Integer, Float, String, Character or Flag.
        description: What the header says about it.
    """

    kind: Kind
    name: str
    number: str
    type: str
    description: str

    @property
    def column(self) -> str:
        """Name of its column, or of its field among the genotypes'."""
        return f"INFO_{self.name}" if self.kind == "INFO" else ALIASES.get(self.name, self.name)

    @property
    def value_type(self) -> pa.DataType:
        """Type of one value."""
        return _TYPES[self.type]

    @property
    def is_list(self) -> bool:
        """Whether it is an array: where it may have more than one value."""
        return self.type != "Flag" and self.number not in ("0", "1")

    @property
    def arrow_type(self) -> pa.DataType:
        """Type of its column."""
        return pa.list_(self.value_type) if self.is_list else self.value_type


def declared_fields(files: Iterable[tuple[str, Iterable[str]]]) -> tuple[Declared, ...]:
    """All fields of some files, in the order in which they come; GT is left out, as it becomes `phased` and `calls`.

    Args:
        files: Each with its path and the lines of its header.

    Raises:
        InputError: A declaration cannot be read, or two of one field differ in number or type.
    """
    fields: dict[tuple[str, str], Declared] = {}
    for path, lines in files:
        for line in lines:
            kind = next((kind for kind in ("INFO", "FORMAT") if line.startswith(f"##{kind}=<")), None)
            if kind is None:
                continue
            found = _declared(path, line, "INFO" if kind == "INFO" else "FORMAT")
            if (kind, found.name) == ("FORMAT", "GT"):
                continue
            before = fields.setdefault((kind, found.name), found)
            if (before.number, before.type) != (found.number, found.type):
                raise InputError(
                    f"{path}: the header declares {kind} {found.name} as Number={found.number}, Type={found.type}, but before (there or in "
                    f"another file) as Number={before.number}, Type={before.type}",
                    f"{_STEP}, or read the files one by one",
                )
    columns: dict[tuple[str, str], str] = {}
    for field in fields.values():
        # Spark takes columns for the same that differ in case only.
        other = columns.setdefault((field.kind, field.column.lower()), field.name)
        if other != field.name or (field.kind == "FORMAT" and field.column.lower() in ("sampleid", "phased", "calls")):
            other = other if other != field.name else "GT"
            raise InputError(f"{field.kind} {field.name} and {field.kind} {other} would be columns of the same name", _STEP)
    return tuple(fields.values())


def _declared(path: str, line: str, kind: Kind) -> Declared:
    values = {key: re.search(rf"[<,]{key}=([^,>]+)", line) for key in ("ID", "Number", "Type")}
    missing = [key for key, found in values.items() if found is None]
    if missing:
        raise InputError(f"{path}: a ##{kind} line of the header has no {' and no '.join(missing)}: {line[:200]}", _STEP)
    name, number, kind_of_value = (found[1].strip() for found in values.values() if found)
    if kind_of_value not in _TYPES or (kind == "FORMAT" and kind_of_value == "Flag"):
        raise InputError(f"{path}: {kind} {name} of the header has the type {kind_of_value}, which VCF has not there", _STEP)
    described = re.search(r'Description="((?:[^"\\]|\\.)*)"', line)
    if number.isdigit():
        number = str(int(number))
    elif number not in ("A", "R", "G"):
        number = "."
    return Declared(kind, name, number, kind_of_value, described[1] if described else "")


def genotype_type(fields: Iterable[Declared]) -> pa.StructType:
    """Type of one person's genotype."""
    own = [(field.column, field.arrow_type) for field in fields if field.kind == "FORMAT"]
    return pa.struct([("sampleId", pa.string()), ("phased", pa.bool_()), ("calls", pa.list_(pa.int32())), *own])


def full_schema(fields: Iterable[Declared], divide: bool) -> pa.Schema:
    """Columns of a VCF in Glow's schema.

    Args:
        fields: What the headers declare.
        divide: Whether multi-allelic records are divided.
    """
    fields = list(fields)
    old = [pa.field(OLD_MULTIALLELIC, pa.string())] if divide else []
    info = [pa.field(field.column, field.arrow_type) for field in fields if field.kind == "INFO"]
    info = [*(column for column in info if column.name not in [entry.name for entry in old]), *old]
    return pa.schema([*SITE_SCHEMA, *info, pa.field("genotypes", pa.list_(genotype_type(fields)))])
