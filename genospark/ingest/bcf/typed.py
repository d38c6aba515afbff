"""Typed values of BCF records at many places of a text at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genospark.core.calls import Bytes
from genospark.ingest.vcf.lines import Ints

SIZES = np.array([0, 1, 2, 4, 0, 4, 0, 1] + [0] * 8)
"""Bytes of a value of each type: 1 to 3 whole numbers, 5 float, 7 character."""
FLOAT = 5
_LONG = 15


@dataclass(frozen=True)
class Typed:
    """Vectors of values: where they begin and end, how many values they have, and of which type."""

    begin: Ints
    end: Ints
    count: Ints
    kind: Ints


class Text:
    """The inflated text of records.

    Args:
        data: Text.
    """

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        # Whatever is looked up beyond the end is a zero.
        self.bytes: Bytes = np.frombuffer(data + bytes(8), np.uint8)
        self._words: NDArray[np.uint32] = np.ndarray((len(data) + 5,), "<u4", self.bytes, strides=(1,))

    def words(self, at: Ints) -> Ints:
        """Four bytes as a number without sign."""
        return self._words[np.clip(at, 0, self.size)].astype(np.int64)

    def signed(self, at: Ints) -> Ints:
        """Four bytes as a number with sign."""
        return self._words[np.clip(at, 0, self.size)].view(np.int32).astype(np.int64)

    def integers(self, at: Ints, kind: Ints) -> Ints:
        """Whole numbers of types 1 to 3."""
        words = self.signed(at)
        shift = 32 - 8 * np.minimum(SIZES[kind], 4)
        return np.where(shift < 32, words << 32 + shift >> 32 + shift, 0)

    def typed(self, at: Ints) -> Typed:
        """The vectors whose descriptors begin at some places."""
        descriptor = self.words(at) & 0xFF
        kind, count, begin = descriptor & 15, descriptor >> 4, at + 1
        long = count == _LONG
        if long.any():
            inner = self.words(begin) & 15
            count = np.where(long, self.integers(begin + 1, inner), count)
            begin = np.where(long, begin + 1 + SIZES[inner], begin)
        return Typed(begin, begin + np.maximum(count, 0) * SIZES[kind], count, kind)

    def strings(self, begin: Ints, end: Ints) -> pa.StringArray:
        """Pieces of the text, which must follow one another."""
        offsets = np.empty(2 * len(begin), np.int32)
        offsets[::2], offsets[1::2] = begin, end
        if not len(begin):
            return pa.array([], pa.string())
        in_place = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(self.bytes))
        found: pa.StringArray = in_place.take(pa.array(np.arange(0, len(offsets), 2)))
        return found
