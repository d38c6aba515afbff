"""Variant features of a model as columns: a million of them are no million Python objects, in memory, on the way to workers or stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True)
class Variant:
    """A variant feature: copies of the alternate allele. `start` is 0-based."""

    contig_name: str
    start: int
    reference_allele: str
    alternate_allele: str
    mean: float
    standard_deviation: float
    p_value: float


SCHEMA = pa.schema(
    [
        ("contig_name", pa.string()),
        ("start", pa.int64()),
        ("reference_allele", pa.string()),
        ("alternate_allele", pa.string()),
        ("mean", pa.float64()),
        ("standard_deviation", pa.float64()),
        ("p_value", pa.float64()),
    ]
)
_AT_ONCE = 1 << 14
_PREFIX = "variants."


class Variants(Sequence[Variant]):
    """Variants in an order, each as a row of ``SCHEMA``.

    Args:
        columns: The columns, of one length.
    """

    def __init__(self, columns: pa.RecordBatch) -> None:
        if columns.schema != SCHEMA:
            columns = pa.record_batch([columns.column(entry.name).cast(entry.type) for entry in SCHEMA], schema=SCHEMA)
        self.columns = columns

    @classmethod
    def of(cls, variants: Iterable[Variant]) -> Variants:
        """Columns of variants; they themselves where they are such columns."""
        if isinstance(variants, Variants):
            return variants
        rows = [tuple(vars(variant).values()) for variant in variants]
        values = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
        return cls(pa.record_batch([pa.array(value, entry.type) for value, entry in zip(values, SCHEMA, strict=True)], schema=SCHEMA))

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> Variants:
        """Of the rows of a frame, whose columns stand in the order of ``SCHEMA``."""
        columns = [pa.array(frame[name], entry.type) for name, entry in zip(frame, SCHEMA, strict=True)]
        return cls(pa.record_batch(columns, schema=SCHEMA))

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers."""
        found: NDArray[Any] = self.columns.column(name).to_numpy()
        return found

    def __len__(self) -> int:
        return len(self.columns)

    @overload
    def __getitem__(self, index: int) -> Variant: ...
    @overload
    def __getitem__(self, index: slice) -> Variants: ...
    def __getitem__(self, index: int | slice) -> Variant | Variants:
        if isinstance(index, slice):
            return Variants(self.columns.take(pa.array(np.arange(len(self))[index])))
        place = range(len(self))[index]
        return Variant(*(column[place].as_py() for column in self.columns))

    def __iter__(self) -> Iterator[Variant]:
        for first in range(0, len(self), _AT_ONCE):
            yield from map(Variant, *(column.to_pylist() for column in self.columns.slice(first, _AT_ONCE)))

    def __eq__(self, other: object) -> bool:
        return self.columns.equals(other.columns) if isinstance(other, Variants) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns as arrays of numbers, by name; text as its bytes and where each ends."""
        found: dict[str, NDArray[Any]] = {}
        for entry, column in zip(SCHEMA, self.columns, strict=True):
            if entry.type == pa.string():
                lengths = pc.binary_length(column).to_numpy().astype(np.int64)
                found[f"{_PREFIX}{entry.name}"] = np.frombuffer("".join(column.to_pylist()).encode(), np.uint8)
                found[f"{_PREFIX}{entry.name}.ends"] = np.cumsum(lengths).astype(np.int32)
            else:
                found[f"{_PREFIX}{entry.name}"] = column.to_numpy()
        return found

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Variants:
        """The inverse of ``arrays``."""
        columns = []
        for entry in SCHEMA:
            values = np.ascontiguousarray(arrays[f"{_PREFIX}{entry.name}"])
            if entry.type == pa.string():
                ends = np.concatenate([[0], arrays[f"{_PREFIX}{entry.name}.ends"]]).astype(np.int32)
                columns.append(pa.StringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(values)))
            else:
                columns.append(pa.array(values, entry.type))
        return cls(pa.record_batch(columns, schema=SCHEMA))
