"""Where the lines of a chunk and their columns begin and end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genospark.ingest.vcf.chunks import Chunk
from genospark.ingest.vcf.faults import BadLinesError, Wrong

Ints = npt.NDArray[np.int64]
SITE_TABS = 9
"""Tabs before the genotypes of a record."""
_COLUMNS = "wrong number of columns"
_TAB = ord("\t")


@dataclass(frozen=True)
class Lines:
    """The records of a chunk, every one with the columns that the header states.

    Attributes:
        chunk: Text.
        starts: (lines,) position of the first byte.
        ends: (lines,) position after the last byte, without the line end.
        site_tabs: (lines, columns - 1 or 9) positions of the tabs before genotypes; that before decoded ones is not there, and stands for
            the end of its line.
        numbers: (lines,) number of the line in the chunk, from 0.
        tabs: (lines whose genotypes are in the text, columns - 1) positions of the tabs.
        row: (lines,) row of the line in `tabs` or, where its genotypes are not in the text, in ``Chunk.plain``.
        plain: (lines,) whether they are not.
    """

    chunk: Chunk
    starts: Ints
    ends: Ints
    site_tabs: Ints
    numbers: Ints
    tabs: Ints
    row: Ints
    plain: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.starts)

    def column(self, index: int) -> pa.StringArray:
        """Text of a column before the genotypes, counted from 0."""
        begin = self.starts if index == 0 else self.site_tabs[:, index - 1] + 1
        end = self.site_tabs[:, index] if index < self.site_tabs.shape[1] else self.ends
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
        return self.only(~np.isin(self.numbers, [entry.number for entry in wrong]))

    def only(self, which: Ints | npt.NDArray[np.bool_] | slice) -> Lines:
        """Some of the lines."""
        plain, row = self.plain[which], self.row[which].copy()
        tabs = self.tabs[row[~plain]]
        row[~plain] = np.arange(len(tabs))
        own = (self.starts[which], self.ends[which], self.site_tabs[which], self.numbers[which])
        return Lines(self.chunk, *own, tabs, row, plain)

    def genotype_tabs(self, which: Ints) -> Ints:
        """(len(which), people) positions of the tabs before the genotypes of some lines, all in the text."""
        return np.asarray(self.tabs[self.row[which], SITE_TABS - 1 :])


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
    newlines = np.flatnonzero(chunk.text == ord("\n"))
    starts = np.concatenate([[0], newlines[:-1] + 1])
    # chunk.buffer[-1] is a zero byte: it stands for the byte before the text.
    ends = newlines - (chunk.buffer[newlines - 1] == ord("\r"))
    # Empty lines are tolerated after the records only: elsewhere they are lines without columns.
    n = int(np.flatnonzero(ends > starts).max(initial=-1)) + 1
    starts, ends, numbers = starts[:n], ends[:n], np.arange(n)
    plain = np.zeros(n, bool) if chunk.plain is None else chunk.plain.lines[:n]
    row = np.where(plain, np.cumsum(plain), np.cumsum(~plain)) - 1
    tabs = np.flatnonzero(chunk.text == _TAB)
    each = np.where(plain, SITE_TABS - 1, chunk.split.n_columns - 1)
    wrong: list[Wrong] = []
    if len(tabs) != each.sum() or not _evenly_spread(tabs, starts, ends, each):
        found = np.diff(np.searchsorted(tabs, starts), append=len(tabs))
        good = found == each
        tabs = tabs[np.repeat(good, found)]
        more = found - each + chunk.split.n_columns
        wrong = [_wrong_columns(starts[line], line, chunk.split.n_columns, more[line]) for line in np.flatnonzero(~good).tolist()]
        starts, ends, numbers, each, row, plain = (of_all[good] for of_all in (starts, ends, numbers, each, row, plain))
        row[~plain] = np.arange(int((~plain).sum()))
    lines = _lines(chunk, starts, ends, numbers, tabs, each, row, plain)
    return lines, wrong, len(newlines)


def _lines(chunk: Chunk, starts: Ints, ends: Ints, numbers: Ints, tabs: Ints, each: Ints, row: Ints, plain: npt.NDArray[np.bool_]) -> Lines:
    if not plain.any():
        rows = tabs.reshape(len(starts), chunk.split.n_columns - 1)
        return Lines(chunk, starts, ends, rows[:, :SITE_TABS], numbers, rows, row, plain)
    shortened = np.repeat(plain, each)
    rows = tabs[~shortened].reshape(-1, chunk.split.n_columns - 1)
    site_tabs = np.empty((len(starts), SITE_TABS), np.int64)
    site_tabs[~plain] = rows[:, :SITE_TABS]
    site_tabs[plain] = np.column_stack([tabs[shortened].reshape(-1, SITE_TABS - 1), ends[plain]])
    return Lines(chunk, starts, ends, site_tabs, numbers, rows, row, plain)


def _wrong_columns(start: int, line: int, expected: int, found: int) -> Wrong:
    detail = f"{_COLUMNS} (expected {expected}, found {found})"
    return Wrong(int(start), int(line), "", _COLUMNS, detail, "correct the line, or make the file anew")


def _evenly_spread(tabs: Ints, starts: Ints, ends: Ints, each: Ints) -> bool:
    stops = np.cumsum(each)
    return bool((tabs[stops - each] >= starts).all() and (tabs[stops - 1] < ends).all())
