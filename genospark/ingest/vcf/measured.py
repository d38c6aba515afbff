"""What VCF lines say of each genotype beside the call, as numbers: its quality (GQ) and how many reads it stands on (DP, AD).

All tabs, colons and commas of a block of lines are found at once, so that a value is what stands between two of them; up to eight digits
before a place are one 64-bit word, which a few multiplications turn into a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from genospark.core.calls import NUMBERS, nothing
from genospark.errors import InputError
from genospark.ingest.vcf.faults import BadLinesError, Wrong
from genospark.ingest.vcf.lines import SITE_TABS, Ints, Lines, spans

MEASURED = {"GQ": "conditionalQuality", "DP": "depth", "AD": "alleleDepths"}
"""Fields of FORMAT that may be kept, and their columns."""
OF_ALLELES = "AD"
"""The one of them with a value for each allele."""
UNKNOWN = -1
_BLOCK_GENOTYPES = 1 << 16
_NUMBERS_OF_AD = ("R", ".", "2")
_TAB, _COLON, _COMMA = 1, 2, 3
_KINDS = np.zeros(256, np.uint8)
_KINDS[[ord("\t"), ord(":"), ord(",")]] = _TAB, _COLON, _COMMA
_WIDE = 8
_ZEROS = np.uint64(0x3030303030303030)
# By width, the bytes of a word that are the value's.
_OWN = np.array([(1 << 64) - (1 << 64 - 8 * width) if width else 0 for width in range(_WIDE + 1)], np.uint64)
_MARKS, _ABOVE_NINE = np.uint64(0x8080808080808080), np.uint64(0x7676767676767676)
_STEPS = [(np.uint64(10), 8, 0x00FF00FF00FF00FF), (np.uint64(100), 16, 0x0000FFFF0000FFFF), (np.uint64(10000), 32, 0xFFFFFFFF)]


def most(name: str) -> int:
    """The highest value of a field that can be kept; higher ones are kept as this one."""
    return 0xFE if name == "GQ" else 0xFFFE


def no_whole_number(name: str) -> str:
    """What is wrong with a value."""
    return f"{name} of a genotype is not a number from 0 on" if name == "GQ" else f"{name} of a genotype is not a whole number from 0 on"


@dataclass
class Measured:
    """Numbers of the split records of a chunk, as of ``Calls``, and what was not kept as it stands, counted.

    Args:
        keep: What is to be kept; of it, the names of ``MEASURED``.
        n_alternates: (records,) alternate alleles; a record has as many rows, but at least one.
        n: People.
    """

    keep: tuple[str, ...]
    n_alternates: Ints
    n: int
    numbers: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    warnings: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        rows = np.maximum(self.n_alternates, 1)
        self._first_row = np.cumsum(rows) - rows
        for name in self.names:
            self.numbers[MEASURED[name]] = np.full((int(rows.sum()), self.n), nothing(MEASURED[name]), NUMBERS[MEASURED[name]])

    @property
    def names(self) -> tuple[str, ...]:
        """Fields that are kept."""
        return tuple(name for name in MEASURED if name in self.keep)

    def put(self, name: str, records: Ints, value: Callable[[int], Ints], has_all: npt.NDArray[np.bool_] | None = None) -> None:
        """Takes the values of some records.

        Args:
            name: Field.
            records: (k,) records.
            value: From a place in the field's list, 0 alone where it has one value, to the values of the records, (k, n); ``UNKNOWN``
                where there is none.
            has_all: (k, n) of a field with a value for each allele, whether it has as many.
        """
        column = self.numbers[MEASURED[name]]
        of_first = self._limited(name, value(0))
        if name != OF_ALLELES:
            for allele in range(1, max(1, int(self.n_alternates[records].max())) + 1):
                use = self.n_alternates[records] >= allele if allele > 1 else slice(None)
                column[self._first_row[records[use]] + allele - 1] = of_first[use]
            return
        assert has_all is not None
        none = np.int64(0xFFFF)
        reference = np.where(has_all, of_first, none)
        column[self._first_row[records]] = reference | none << 16
        for allele in range(1, int(self.n_alternates[records].max()) + 1):
            mine = np.where(has_all, self._limited(name, value(allele)), none)
            use = self.n_alternates[records] >= allele
            column[self._first_row[records[use]] + allele - 1] = (reference | mine << 16)[use]

    def _limited(self, name: str, values: Ints) -> Ints:
        """Values that the column's type can hold, ``UNKNOWN`` as its highest number."""
        high = values > most(name)
        if high.any():
            self.warnings[f"{name} of a genotype above {most(name)} is kept as {most(name)}"] += int(high.sum())
        return np.where(values < 0, most(name) + 1, np.minimum(values, most(name)))

    def not_kept(self, wrong: npt.NDArray[np.bool_]) -> None:
        """Counts genotypes with another number of values than alleles."""
        if wrong.any():
            self.warnings["AD of a genotype has another number of values than the record has alleles, and is not kept"] += int(wrong.sum())


def check_keep(path: str, declarations: tuple[str, ...], keep: tuple[str, ...]) -> None:
    """Checks that a field that is to be kept can be: AD has a value for each allele.

    Raises:
        InputError: The header says otherwise.
    """
    if OF_ALLELES not in keep:
        return
    for line in declarations:
        if line.startswith("##FORMAT=<ID=AD,") and (number := line.partition("Number=")[2].partition(",")[0]) not in _NUMBERS_OF_AD:
            raise InputError(
                f"{path}: FORMAT AD has Number={number}, so its values are not those of the alleles (Number=R)", "leave AD out of keep"
            )


def read_measured(lines: Lines, n_alternates: Ints) -> Measured:
    """Reads what is to be kept of GQ, DP and AD.

    Args:
        lines: Records, with as many columns as the header states.
        n_alternates: (lines,) alternate alleles.

    Raises:
        BadLinesError: A value is not a whole number from 0 on (of GQ also a fraction, which is rounded).
    """
    split = lines.chunk.split
    found = Measured(split.keep, n_alternates, split.n_samples)
    if not found.names or not split.n_samples:
        return found
    formats = lines.column(SITE_TABS - 1).dictionary_encode()
    fields = [text.split(":") for text in formats.dictionary.to_pylist()]
    places = np.array([[one.index(name) if name in one else -1 for name in found.names] for one in fields]).reshape(-1, len(found.names))
    slots = places[formats.indices.to_numpy()]
    refused: dict[int, Wrong] = {}
    with_some = np.flatnonzero((slots >= 0).any(axis=1))
    step = max(1, _BLOCK_GENOTYPES // split.n_samples)
    for at in range(0, len(with_some), step):
        block = with_some[at : at + step]
        tokens = _Tokens(lines, block)
        for name, slot in zip(found.names, slots[block].T, strict=True):
            has = slot >= 0
            if has.any():
                _read(tokens, found, name, slot, has, refused)
    if refused:
        raise BadLinesError(list(refused.values()))
    return found


class _Tokens:
    """What stands between the tabs, colons and commas of some lines."""

    def __init__(self, lines: Lines, block: Ints) -> None:
        self.lines, self.block = lines, block
        begin, n = int(lines.site_tabs[block[0], SITE_TABS - 1]), lines.chunk.split.n_samples
        kinds = _KINDS[lines.chunk.buffer[begin : int(lines.ends[block[-1]]) + 1]]
        # A line ends as a genotype does, whatever its end is.
        kinds[lines.ends[block] - begin] = _TAB
        marks = np.flatnonzero(kinds)
        found = kinds[marks]
        self._marks = marks + begin
        # Of the marks those at which a field begins, and of these those at which a person begins.
        self._fields = np.flatnonzero(found != _COMMA)
        people = np.flatnonzero(found[self._fields] == _TAB)
        first = np.searchsorted(self._marks[self._fields[people]], lines.site_tabs[block, SITE_TABS - 1])
        person = first[:, None] + np.arange(n)
        self._begins, self._ends = people[person], people[person + 1]

    def field(self, slot: Ints, has: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """The marks before and after a field of the lines that have it, (k, n) each; the same one where a person has not."""
        at = self._begins[has] + slot[has][:, None]
        there = at < self._ends[has]
        at = np.where(there, at, self._begins[has])
        return self._fields[at], self._fields[at + there]

    def span(self, mark: Ints, after: Ints) -> tuple[Ints, Ints]:
        """Where the text between two marks begins and ends."""
        begin = self._marks[mark] + 1
        return begin, np.maximum(self._marks[after], begin)


def _read(tokens: _Tokens, found: Measured, name: str, slot: Ints, has: npt.NDArray[np.bool_], refused: dict[int, Wrong]) -> None:
    before, after = tokens.field(slot, has)
    records = tokens.block[has]

    def values(begin: Ints, end: Ints) -> Ints:
        numbers, strange = _numbers(tokens.lines, begin, end)
        if strange.any():
            rows, people = np.nonzero(strange)
            numbers[rows, people] = again = _strange(tokens.lines, begin[strange], end[strange], fractions=name == "GQ")
            for at in np.flatnonzero(again < UNKNOWN)[::-1].tolist():
                line, column = int(records[rows[at]]), int(people[at]) + 10
                reason, step = no_whole_number(name), f"correct it, or leave {name} out of keep"
                detail = f"{reason}: sample {column - 9} (column {column})"
                refused[line] = tokens.lines.wrong(line, str(column), reason, step, detail)
        return numbers

    if name != OF_ALLELES:
        found.put(name, records, lambda _: values(*tokens.span(before, after)))
        return
    n_values = after - before
    begin, end = tokens.span(before, after)
    none = (end == begin) | ((end == begin + 1) & (tokens.lines.chunk.buffer[begin] == ord(".")))
    has_all = n_values == found.n_alternates[records][:, None] + 1
    found.not_kept(~has_all & ~none)

    def of_allele(allele: int) -> Ints:
        mark = np.minimum(before + allele, after)
        return values(*tokens.span(mark, np.minimum(mark + 1, after)))

    found.put(name, records, of_allele, has_all)


def _numbers(lines: Lines, begin: Ints, end: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Whole numbers of up to eight digits; ``UNKNOWN`` for a dot or nothing, and which are anything else."""
    buffer = lines.chunk.buffer
    words: npt.NDArray[np.uint64] = np.ndarray((len(buffer) - _WIDE + 1,), "<u8", buffer, strides=(1,))
    width = end - begin
    own = _OWN[np.minimum(width, _WIDE)]
    # Digits become their values, other bytes of ASCII more than nine; what is before the value becomes zeros.
    word = (words[end - _WIDE] ^ _ZEROS) & own
    other = ((word + _ABOVE_NINE) | word) & _MARKS != 0
    for factor, shift, mask in _STEPS:
        word = (word * factor + (word >> np.uint64(shift))) & np.uint64(mask)
    numbers = word.astype(np.int64)
    unknown = (width == 0) | ((width == 1) & (buffer[end - 1] == ord(".")))
    numbers[unknown] = UNKNOWN
    return numbers, (other | (width > _WIDE)) & ~unknown


def _strange(lines: Lines, begin: Ints, end: Ints, fractions: bool) -> Ints:
    """Numbers that are written otherwise; less than ``UNKNOWN`` where there is none."""
    text = spans(lines.chunk.buffer, begin, end)
    pattern = r"^([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$" if fractions else "^[0-9]+$"
    right = pc.match_substring_regex(text.cast("binary"), pattern)
    floats = pc.if_else(right, text.cast("binary"), b"-2").cast("string").cast("float64").to_numpy(zero_copy_only=False)
    numbers: Ints = np.rint(np.minimum(floats, 1 << 32)).astype(np.int64)
    return numbers
