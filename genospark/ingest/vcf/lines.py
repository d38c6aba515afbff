"""Where the lines of a chunk and their columns begin and end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genospark.ingest.vcf.chunks import Chunk
from genospark.ingest.vcf.faults import BadLinesError, Wrong

Ints = npt.NDArray[np.int64]
_COLUMNS = "wrong number of columns"


@dataclass(frozen=True)
class Lines:
    """The records of a chunk, every one with the columns that the header states.

    Attributes:
        chunk: Text.
        starts: (lines,) position of the first byte.
        ends: (lines,) position after the last byte, without the line end.
        tabs: (lines, columns - 1) positions of the tabs.
        numbers: (lines,) number of the line in the chunk, from 0.
    """

    chunk: Chunk
    starts: Ints
    ends: Ints
    tabs: Ints
    numbers: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def column(self, index: int) -> pa.StringArray:
        """Text of a column, counted from 0."""
        begin = self.starts if index == 0 else self.tabs[:, index - 1] + 1
        end = self.tabs[:, index] if index < self.tabs.shape[1] else self.ends
        return spans(self.chunk.buffer, begin, end)

    def wrong(self, index: int, column: str, reason: str, next_step: str, detail: str = "") -> Wrong:
        """What is wrong with a line; `detail` is the reason where it is not given."""
        return Wrong(int(self.starts[index]), int(self.numbers[index]), column, reason, detail or reason, next_step)

    def refuse(self, wrong: npt.NDArray[np.bool_], column: str, reason: str, next_step: str) -> None:
        """Refuse the lines marked in ``wrong``, a (lines,) mask.

        Raises:
            BadLinesError: There are some.
        """
        if wrong.any():
            raise BadLinesError([self.wrong(index, column, reason, next_step) for index in np.flatnonzero(wrong).tolist()])

    def without(self, wrong: list[Wrong]) -> Lines:
        """The other lines."""
        good = ~np.isin(self.numbers, [entry.number for entry in wrong])
        return Lines(self.chunk, self.starts[good], self.ends[good], self.tabs[good], self.numbers[good])


def spans(text: npt.NDArray[np.uint8], begin: Ints, end: Ints) -> pa.StringArray:
    """Parts of a text, each from its ``begin`` to the byte before its ``end``; they ascend and do not overlap."""
    # An array that reads the text in place has the parts at its even positions and what is between them at the odd ones.
    offsets = np.zeros(max(2 * len(begin), 1), np.int32)
    offsets[: 2 * len(begin) : 2], offsets[1::2] = begin, end
    in_place = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text))
    even = np.arange(0, 2 * len(begin), 2)
    parts: pa.StringArray = in_place.take(pa.Array.from_buffers(pa.int64(), len(even), [None, pa.py_buffer(even)]))
    return parts


def find_lines(chunk: Chunk) -> tuple[Lines, list[Wrong], int]:
    """Find the lines and columns of a chunk; empty lines at the end are left out.

    Returns:
        The lines with as many columns as the header states, what is wrong with the others, and the number of all lines.
    """
    text = chunk.text
    newlines = np.flatnonzero(text == ord("\n"))
    starts = np.concatenate([[0], newlines[:-1] + 1])
    # chunk.buffer[-1] is a zero byte: it stands for the byte before the text.
    ends = newlines - (chunk.buffer[newlines - 1] == ord("\r"))
    # Empty lines are tolerated after the records only: elsewhere they are lines without columns.
    n = int(np.flatnonzero(ends > starts).max(initial=-1)) + 1
    starts, ends, numbers = starts[:n], ends[:n], np.arange(n)
    tabs = np.flatnonzero(text == ord("\t"))
    expected = chunk.split.n_columns
    wrong: list[Wrong] = []
    if len(tabs) != n * (expected - 1) or not _evenly_spread(tabs, starts, ends, expected - 1):
        found = np.diff(np.searchsorted(tabs, starts), append=len(tabs)) + 1
        good = found == expected
        tabs = tabs[np.repeat(good, found - 1)]
        for line in np.flatnonzero(~good).tolist():
            detail = f"{_COLUMNS} (expected {expected}, found {found[line]})"
            wrong.append(Wrong(int(starts[line]), line, "", _COLUMNS, detail, "correct the line, or make the file anew"))
        starts, ends, numbers = starts[good], ends[good], numbers[good]
    return Lines(chunk, starts, ends, tabs.reshape(len(starts), expected - 1), numbers), wrong, len(newlines)


def _evenly_spread(tabs: Ints, starts: Ints, ends: Ints, each: int) -> bool:
    rows = tabs.reshape(len(starts), each)
    return bool((rows[:, 0] >= starts).all() and (rows[:, -1] < ends).all())
