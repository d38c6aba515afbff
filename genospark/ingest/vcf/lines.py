"""Where the lines of a chunk and their columns begin and end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genospark.ingest.vcf.chunks import Chunk
from genospark.ingest.vcf.faults import BadLinesError, Wrong

Ints = npt.NDArray[np.int64]
SITE_TABS = 9
"""Tabs before the genotypes of a record."""
FIXED_MIN_PEOPLE = 32
"""People from which looking at a line as a whole is faster than looking up each genotype."""
_COLUMNS = "wrong number of columns"
_TAB = ord("\t")


@dataclass(frozen=True)
class Lines:
    """The records of a chunk, every one with the columns that the header states.

    Attributes:
        chunk: Text.
        starts: (lines,) position of the first byte.
        ends: (lines,) position after the last byte, without the line end.
        site_tabs: (lines, columns - 1 or 9) positions of the tabs before genotypes.
        numbers: (lines,) number of the line in the chunk, from 0.
        all_tabs: (lines, columns - 1) positions of the tabs; None where they are not looked for until somebody asks.
    """

    chunk: Chunk
    starts: Ints
    ends: Ints
    site_tabs: Ints
    numbers: Ints
    all_tabs: Ints | None = None

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def tabs(self) -> Ints:
        """(lines, columns - 1) positions of the tabs.

        Raises:
            BadLinesError: The widths of lines suggested as many columns as the header states, but some have others.
        """
        if self.all_tabs is not None:
            return self.all_tabs
        tabs = np.flatnonzero(self.chunk.text == _TAB)
        expected = self.chunk.split.n_columns
        first = np.searchsorted(tabs, self.starts)
        found = np.searchsorted(tabs, self.ends) - first + 1
        bad = np.flatnonzero(found != expected).tolist()
        if bad:
            raise BadLinesError([_wrong_columns(self.starts[line], self.numbers[line], expected, found[line]) for line in bad])
        return np.asarray(tabs[first[:, None] + np.arange(expected - 1)])

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
        own = (self.starts[which], self.ends[which], self.site_tabs[which], self.numbers[which])
        return Lines(self.chunk, *own, None if self.all_tabs is None else self.all_tabs[which])


def spans(text: npt.NDArray[np.uint8], begin: Ints, end: Ints) -> pa.StringArray:
    """Parts of a text, each from its ``begin`` to the byte before its ``end``; they ascend and do not overlap."""
    # An array that reads the text in place has the parts at its even positions and what is between them at the odd ones.
    offsets = np.zeros(max(2 * len(begin), 1), np.int32)
    offsets[: 2 * len(begin) : 2], offsets[1::2] = begin, end
    in_place = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text))
    even = np.arange(0, 2 * len(begin), 2)
    parts: pa.StringArray = in_place.take(pa.Array.from_buffers(pa.int64(), len(even), [None, pa.py_buffer(even)]))
    return parts


def find_lines(chunk: Chunk, by_width: bool = False) -> tuple[Lines, list[Wrong], int]:
    """Find the lines and columns of a chunk; empty lines at the end are left out.

    Args:
        chunk: The chunk.
        by_width: Where lines have nothing but genotypes of three characters, as far as their widths tell, leave it to the reader of
            genotypes to find that columns are too many or too few (``Lines.tabs``): looking for every tab takes longer than all the rest.

    Returns:
        The lines with as many columns as the header states, what is wrong with the others, and the number of all lines.
    """
    n_samples = chunk.split.n_samples
    newlines = _newlines(chunk) if n_samples >= FIXED_MIN_PEOPLE else np.flatnonzero(chunk.text == ord("\n"))
    starts = np.concatenate([[0], newlines[:-1] + 1])
    # chunk.buffer[-1] is a zero byte: it stands for the byte before the text.
    ends = newlines - (chunk.buffer[newlines - 1] == ord("\r"))
    # Empty lines are tolerated after the records only: elsewhere they are lines without columns.
    n = int(np.flatnonzero(ends > starts).max(initial=-1)) + 1
    starts, ends, numbers = starts[:n], ends[:n], np.arange(n)
    if by_width and n_samples >= FIXED_MIN_PEOPLE:
        site_tabs = _tabs_by_width(chunk, starts, ends - 4 * n_samples)
        if site_tabs is not None:
            return Lines(chunk, starts, ends, site_tabs, numbers), [], len(newlines)
    tabs = np.flatnonzero(chunk.text == _TAB)
    expected = chunk.split.n_columns
    wrong: list[Wrong] = []
    if len(tabs) != n * (expected - 1) or not _evenly_spread(tabs, starts, ends, expected - 1):
        found = np.diff(np.searchsorted(tabs, starts), append=len(tabs)) + 1
        good = found == expected
        tabs = tabs[np.repeat(good, found - 1)]
        wrong = [_wrong_columns(starts[line], line, expected, found[line]) for line in np.flatnonzero(~good).tolist()]
        starts, ends, numbers = starts[good], ends[good], numbers[good]
    rows = tabs.reshape(len(starts), expected - 1)
    return Lines(chunk, starts, ends, rows[:, :SITE_TABS], numbers, rows), wrong, len(newlines)


def _newlines(chunk: Chunk) -> Ints:
    """Positions of the ends of long lines."""
    content, found = chunk.content, []
    at = content.find(b"\n")
    while at >= 0:
        found.append(at)
        at = content.find(b"\n", at + 1)
    return np.array(found, np.int64)


def _tabs_by_width(chunk: Chunk, starts: Ints, last: Ints) -> Ints | None:
    """The tabs before genotypes, if these begin after ``last`` in all lines and are all that FORMAT names."""
    widths = last - starts + 1
    if (widths < SITE_TABS).any():
        return None
    at = np.repeat(last + 1 - np.cumsum(widths), widths) + np.arange(widths.sum())
    tabs = at[chunk.buffer[at] == _TAB]
    if len(tabs) != SITE_TABS * len(starts):
        return None
    rows = tabs.reshape(len(starts), SITE_TABS)
    letters = chunk.buffer[last[:, None] + [-2, -1]]
    fits = (rows[:, 0] > starts).all() and (rows[:, -1] == last).all() and (rows[:, -2] == last - 3).all()
    return rows if fits and (letters == np.frombuffer(b"GT", np.uint8)).all() else None


def _wrong_columns(start: int, line: int, expected: int, found: int) -> Wrong:
    detail = f"{_COLUMNS} (expected {expected}, found {found})"
    return Wrong(int(start), int(line), "", _COLUMNS, detail, "correct the line, or make the file anew")


def _evenly_spread(tabs: Ints, starts: Ints, ends: Ints, each: int) -> bool:
    rows = tabs.reshape(len(starts), each)
    return bool((rows[:, 0] >= starts).all() and (rows[:, -1] < ends).all())
