"""Pieces of text by where they begin and end, cut at separators all together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Spans:
    """Pieces of a text.

    Attributes:
        text: (m,) uint8; at least four bytes follow the last piece.
        begin: (n,) first byte of each piece.
        end: (n,) byte after its last.
        marks: (n, parts + 1) where all pieces have as many commas: the positions before each part, and after the last; None where commas
            are still to be found.
    """

    text: npt.NDArray[np.uint8]
    begin: Ints
    end: Ints
    marks: Ints | None = None

    def __len__(self) -> int:
        return len(self.begin)

    @property
    def missing(self) -> Bools:
        """(n,) whether a piece is empty or a dot."""
        size = self.end - self.begin
        missing: Bools = (size == 0) | ((size == 1) & (self.text.take(self.begin) == ord(".")))
        return missing

    def take(self, which: Ints | Bools) -> Spans:
        """Some of them."""
        return Spans(self.text, self.begin[which], self.end[which])

    def strings(self) -> pa.StringArray:
        """Their text; not checked to be UTF-8."""
        # An array that reads the text in place has the pieces at its even positions and what is between them at the odd ones.
        offsets = np.empty(2 * len(self) + 1, np.int32)
        offsets[:-1:2], offsets[1::2] = self.begin, self.end
        offsets[-1] = offsets[-2] if len(self) else 0
        in_place = pa.StringArray.from_buffers(2 * len(self), pa.py_buffer(offsets), pa.py_buffer(self.text))
        found: pa.StringArray = in_place.take(pa.array(np.arange(0, 2 * len(self), 2)))
        return found


def spans_of(column: pa.StringArray) -> Spans:
    """The values of a column without nulls as spans of a text of their own."""
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    data = column.buffers()[2]
    text = np.zeros(int(offsets[-1]) + 4, np.uint8)
    if data is not None:
        text[: offsets[-1]] = np.frombuffer(data, np.uint8)[: offsets[-1]]
    return Spans(text, offsets[:-1], offsets[1:])


def cut(spans: Spans, separators: bytes) -> tuple[Ints, Spans]:
    """Cut spans at every separator; they must ascend and not overlap.

    Args:
        spans: (n,) pieces.
        separators: Bytes that separate.

    Returns:
        (n + 1,) number of the first part of each span, and all parts. A span has one part more than separators.
    """
    n = len(spans)
    if not n:
        return np.zeros(1, np.int64), spans
    base = int(spans.begin[0])
    region = spans.text[base : int(spans.end[-1])]
    is_separator = region == separators[0]
    for separator in separators[1:]:
        is_separator |= region == separator
    at = np.flatnonzero(is_separator) + base
    before = np.zeros(len(region) + 1, np.int32)
    np.cumsum(is_separator, out=before[1:])
    first = before[spans.begin - base].astype(np.int64)
    count = before[spans.end - base] - first
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(count + 1, out=offsets[1:])
    begin, end = np.empty((2, int(offsets[-1])), np.int64)
    inner = np.ones(len(begin), bool)
    inner[offsets[:-1]] = False
    # Separators between two spans belong to none.
    inside = at if len(at) == int(count.sum()) else at[np.repeat(first - np.cumsum(count) + count, count) + np.arange(int(count.sum()))]
    begin[offsets[:-1]] = spans.begin
    begin[inner] = inside + 1
    end[offsets[1:] - 1] = spans.end
    end[np.flatnonzero(inner) - 1] = inside
    return offsets, Spans(spans.text, begin, end)
