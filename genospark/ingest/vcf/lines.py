"""Where the lines of a chunk and their columns begin and end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genospark.ingest.vcf.chunks import Chunk

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lines:
    """The records of a chunk, every one with the columns that the header states.

    Attributes:
        chunk: Text.
        starts: (lines,) position of the first byte.
        ends: (lines,) position after the last byte, without the line end.
        tabs: (lines, columns - 1) positions of the tabs.
    """

    chunk: Chunk
    starts: Ints
    ends: Ints
    tabs: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def column(self, index: int) -> pa.StringArray:
        """Text of a column, counted from 0."""
        begin = self.starts if index == 0 else self.tabs[:, index - 1] + 1
        end = self.tabs[:, index] if index < self.tabs.shape[1] else self.ends
        # An array that reads the text in place has the columns at its even positions and what is between them at the odd ones.
        offsets = np.empty(2 * len(self), np.int32)
        offsets[::2], offsets[1::2] = begin, end
        in_place = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(self.chunk.buffer))
        column: pa.StringArray = in_place.take(pa.array(np.arange(0, len(offsets), 2)))
        return column

    def refuse(self, wrong: npt.NDArray[np.bool_], reason: str, next_step: str) -> None:
        """Refuse the first line marked in ``wrong``, a (lines,) mask, if there is one."""
        if wrong.any():
            self.chunk.fail(int(self.starts[wrong.argmax()]), reason, next_step)


def find_lines(chunk: Chunk) -> Lines:
    """Find the lines and columns of a chunk and check the number of columns of each; empty lines at the end are left out.

    Raises:
        InputError: A line has too few or too many columns.
    """
    text = chunk.text
    newlines = np.flatnonzero(text == ord("\n"))
    starts = np.concatenate([[0], newlines[:-1] + 1])
    # chunk.buffer[-1] is a zero byte: it stands for the byte before the text.
    ends = newlines - (chunk.buffer[newlines - 1] == ord("\r"))
    # Empty lines are tolerated after the records only: elsewhere they are lines without columns.
    n = int(np.flatnonzero(ends > starts).max(initial=-1)) + 1
    starts, ends = starts[:n], ends[:n]
    tabs = np.flatnonzero(text == ord("\t"))
    expected = chunk.split.n_columns
    if len(tabs) != len(starts) * (expected - 1) or not _evenly_spread(tabs, starts, ends, expected - 1):
        found = np.diff(np.searchsorted(tabs, starts), append=len(tabs)) + 1
        line = int((found != expected).argmax())
        reason = f"wrong number of columns (expected {expected}, found {found[line]})"
        chunk.fail(int(starts[line]), reason, "correct the line, or make the file anew")
    return Lines(chunk, starts, ends, tabs.reshape(len(starts), expected - 1))


def _evenly_spread(tabs: Ints, starts: Ints, ends: Ints, each: int) -> bool:
    rows = tabs.reshape(len(starts), each)
    return bool((rows[:, 0] >= starts).all() and (rows[:, -1] < ends).all())
