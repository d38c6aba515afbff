"""Cells that all have the same separators, as most of a VCF have: all their whole numbers are read at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genospark.ingest.vcf.full.declared import Declared
from genospark.ingest.vcf.full.spans import Bools, Ints, Spans
from genospark.ingest.vcf.lines import SITE_TABS, Lines

_COLON, _COMMA, _TAB, _BEFORE_DIGITS = ord(":"), ord(","), ord("\t"), ord("-")
# By bytes of a word, how its digits become a number: two make one of two digits, and so on.
_STEPS = {
    4: [(10, 8, 0x00FF00FF), (100, 16, 0xFFFF)],
    8: [(10, 8, 0x00FF00FF00FF00FF), (100, 16, 0x0000FFFF0000FFFF), (10000, 32, 0xFFFFFFFF)],
}


@dataclass(frozen=True)
class Alike:
    """Cells of some lines, cut.

    Attributes:
        text: (m,) uint8.
        marks: (cells, parts + 1) positions before each part of a cell, and after the last.
        places: By field, its first part and its parts; no parts where cells end before.
        numbers: (cells, parts) what is a whole number.
        known: (parts,) whether all cells have one there.
    """

    text: npt.NDArray[np.uint8]
    marks: Ints
    places: dict[str, tuple[int, int]]
    numbers: npt.NDArray[np.int32]
    known: Bools

    def spans(self, name: str) -> Spans:
        """Text of a field in each cell."""
        first, parts = self.places[name]
        if not parts:
            end = self.marks[:, -1]
            return Spans(self.text, end, end)
        own = self.marks[:, first : first + parts + 1]
        return Spans(self.text, own[:, 0] + 1, own[:, -1], own)

    def integers(self, field: Declared) -> pa.Array | None:
        """(cells,) values of a field, of the type that the header declares; None where they are not all whole numbers."""
        first, parts = self.places[field.name]
        which = slice(first, first + parts)
        if field.type != "Integer" or not parts or not self.known[which].all() or (parts > 1 and not field.is_list):
            return None
        values = pa.array(self.numbers[:, which].ravel())
        return pa.ListArray.from_arrays(list_offsets(len(self.marks), parts), values) if field.is_list else values


def list_offsets(n: int, size: int) -> pa.Array:
    """Offsets of ``n`` lists of ``size`` values each."""
    return pa.array(np.arange(0, n * size + 1, size, dtype=np.int32))


def cut_alike(lines: Lines, names: Sequence[str]) -> Alike | None:
    """Cut the cells of some lines.

    Args:
        lines: Records, all with their genotypes in the text.
        names: Fields of their FORMAT.

    Returns:
        None where cells differ in their separators, or have more fields than FORMAT.
    """
    people, text = lines.chunk.split.n_samples, lines.chunk.buffer
    before = lines.tabs[:, SITE_TABS - 1 :]
    base, first_end = int(before[0, 0]), int(before[0, 1]) if people > 1 else int(lines.ends[0])
    region = text[base : int(lines.ends[-1]) + 1]
    # Commas, tabs and line ends are before digits; signs, spaces and what else is there are no separators, and their cells are not alike.
    separates = region < _BEFORE_DIGITS
    separates |= region == _COLON
    at = np.flatnonzero(separates)
    at += base
    within = text[at[1 : np.searchsorted(at, first_end)]]
    fields = within.tobytes().split(b":")
    if len(fields) > len(names) or not np.isin(within, (_COLON, _COMMA)).all():
        return None
    parts = len(within) + 1
    each = people * parts + 1
    starts = np.searchsorted(at, before[:, 0])
    if starts[-1] + each > len(at):
        return None
    rows = np.stack([at[start : start + each] for start in starts.tolist()])
    if not (np.array_equal(rows[:, :-1:parts], before) and np.array_equal(rows[:, -1], lines.ends)):
        return None
    ends = np.ascontiguousarray(rows[:, 1:])
    separators = text.take(ends)
    separators[:, -1] = _TAB
    if not (separators == np.tile(np.append(within, np.uint8(_TAB)), people)).all():
        return None
    # Cells share the mark between them.
    row_step, step = rows.strides
    marks = np.lib.stride_tricks.as_strided(rows, (len(lines), people, parts + 1), (row_step, parts * step, step)).reshape(-1, parts + 1)
    places, place = {}, 0
    for index, name in enumerate(names):
        n = len(fields[index]) + 1 if index < len(fields) else 0
        places[name] = (place, n)
        place += n
    numbers, known = _numbers(text, ends, ends - rows[:, :-1] - 1)
    return Alike(text, marks, places, numbers.reshape(-1, parts), known.reshape(-1, parts).all(axis=0))


def _numbers(text: npt.NDArray[np.uint8], ends: Ints, sizes: Ints) -> tuple[npt.NDArray[np.int32], Bools]:
    """What parts of lines (lines, parts) are as numbers of up to eight digits without a sign, and in which places all are such."""
    least, most = sizes.min(axis=0), sizes.max(axis=0)
    width = 4 if most.max() <= 4 else 8
    kind = np.dtype(f"<u{width}").type
    # The bytes before an end are a word, the last digit its highest byte.
    words = np.ndarray((len(text) - width + 1,), kind, text, strides=(1,))[ends - width]
    own = np.array([(1 << 8 * width) - (1 << 8 * (width - size)) for size in range(width + 1)], kind)
    words ^= kind(int("30" * width, 16))
    words &= own[np.minimum(sizes, width) if most.max() > width else sizes]
    other = words + kind(int("76" * width, 16))
    other |= words
    known = np.bitwise_or.reduce(other, axis=0) & kind(int("80" * width, 16)) == 0
    for factor, shift, mask in _STEPS[width]:
        high = words >> kind(shift)
        words *= kind(factor)
        words += high
        words &= kind(mask)
    return words.astype(np.int32), known & (least > 0) & (most <= width)
