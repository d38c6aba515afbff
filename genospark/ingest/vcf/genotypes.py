"""From the text of genotypes to packed calls.

Lines with nothing but plain calls are decoded before (``plain``). In others the common genotype, ``a/b`` or ``a|b`` with one-digit
alleles, and the byte after it make one 32-bit word, so a line becomes an array of words. A translation table turns their bytes into
classes, which tells at once whether all words have this form, and masks out all but the alleles. Genotypes of another form (haploid,
two-digit alleles ...) are read character by character, all together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from genospark.core.calls import ALTERNATE_FIRST, MISSING, PHASED, Bytes, pack, packed_bytes, unpack
from genospark.ingest.vcf.faults import BadLinesError, Wrong
from genospark.ingest.vcf.irregular import ABSENT, ALLELE_CODES, END, NO_CALL, OTHER, SEPARATOR, WORST_ALLELE, read_irregular
from genospark.ingest.vcf.lines import Ints, Lines

Words = npt.NDArray[np.uint32]
BLOCK_GENOTYPES = 1 << 16
"""Genotypes decoded together: their words fit a core's cache."""
POLYPLOID = "a genotype of more than two alleles (ploidy above 2), for which packed calls have no room, is kept as missing"

_LOW_BITS = np.uint8(0b01010101)
# The lowest bits of the first and third byte are the alleles; all other bits say of which class the four bytes are.
_VALUE_BITS = np.uint32(0x000F000F)
_CLASS_BITS = np.uint32(0xFF80FF80)
_IS_ALLELE, _IS_SEPARATOR, _IS_END = 0x80, 0x40, 0x20
# One allele of one digit, and the byte after it.
_HAPLOID_BITS, _HAPLOID = np.uint32(0xFF80), np.uint32(_IS_ALLELE | _IS_END << 8)
_REGULAR = np.uint32(_IS_ALLELE | _IS_SEPARATOR << 8 | _IS_ALLELE << 16 | _IS_END << 24)


def _class_table() -> bytes:
    classes = {END: _IS_END, SEPARATOR: _IS_SEPARATOR, OTHER: 0}
    return bytes(classes.get(code, _IS_ALLELE | code) for code in ALLELE_CODES)


_CLASSES = _class_table()
_CODES = np.frombuffer(ALLELE_CODES, np.uint8)


@dataclass(frozen=True)
class Calls:
    """Calls of the split records of a chunk, in the order of the file.

    Attributes:
        packed: (rows, ceil(n / 4)) uint8, as in ``core.calls``. Calls that are missing in part (``./1``), or of more than two alleles,
            are missing.
        haploid_rows: (k,) rows that have calls of one allele, missing ones (``.``) included, in order.
        haploid_bits: (k, ceil(n / 8)) uint8: whose these are, lowest bit first.
        numbers: By column of ``core.calls.NUMBERS``, (rows, n) of its type; those that are kept.
        phase: (rows, ceil(n / 4)) uint8, 2 bits a person as in ``core.calls``: ``PHASED``, and ``ALTERNATE_FIRST`` of a call such as
            ``1|0``; 0 for calls without phase, missing ones and those of one allele; where it is kept.
        warnings: What was not kept as it stands in the file, counted.
    """

    packed: Bytes
    haploid_rows: Ints
    haploid_bits: Bytes
    phase: Bytes | None = None
    numbers: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)


def decode_calls(lines: Lines, n_alternates: Ints, has_genotypes: npt.NDArray[np.bool_]) -> Calls:
    """Decode all genotypes of a chunk; other alternate alleles count as the reference, as in ``bcftools norm -m-``.

    Args:
        lines: Records.
        n_alternates: (lines,) alternate alleles; a record has as many rows, but at least one.
        has_genotypes: (lines,) whether there are genotypes; if not, all calls are missing.

    Raises:
        BadLinesError: Genotypes cannot be read, or have an allele their record does not have.
    """
    return _Decoder(lines, n_alternates).decode(has_genotypes)


class _Decoder:
    def __init__(self, lines: Lines, n_alternates: Ints) -> None:
        self.lines = lines
        self.n_alternates = n_alternates
        self.n = lines.chunk.split.n_samples
        self.refused: dict[int, Wrong] = {}
        self.n_polyploid = 0
        row_stops = np.cumsum(np.maximum(n_alternates, 1))
        self.first_row = row_stops - np.maximum(n_alternates, 1)
        rows = int(row_stops[-1])
        self.packed = np.full((rows, packed_bytes(self.n)), 0xFF, np.uint8)
        self.phase = np.zeros_like(self.packed) if "phase" in lines.chunk.split.keep else None
        self.haploid: list[tuple[Ints, Bytes]] = [(np.zeros(0, np.int64), np.zeros((0, -(-self.n // 8)), np.uint8))]
        buffer = lines.chunk.buffer
        # The four bytes from each position of the text on, without a copy.
        self.words_at: Words = np.ndarray((len(buffer) - 3,), "<u4", buffer, strides=(1,))

    def decode(self, has_genotypes: npt.NDArray[np.bool_]) -> Calls:
        if self.n:
            self._take_plain(np.flatnonzero(self.lines.plain))
            for block in self._blocks(has_genotypes & ~self.lines.plain):
                self._decode_words(block)
        if self.refused:
            raise BadLinesError(list(self.refused.values()))
        rows, bits = (np.concatenate(parts) for parts in zip(*self.haploid, strict=True))
        order = np.argsort(rows)
        warnings = {POLYPLOID: self.n_polyploid} if self.n_polyploid else {}
        return Calls(self.packed, rows[order], bits[order], phase=self.phase, warnings=warnings)

    def _blocks(self, mask: npt.NDArray[np.bool_]) -> Iterator[Ints]:
        which = np.flatnonzero(mask)
        step = max(1, BLOCK_GENOTYPES // self.n)
        return (which[i : i + step] for i in range(0, len(which), step))

    def _take_plain(self, block: Ints) -> None:
        """Takes over the calls of lines that are decoded already."""
        known = self.lines.chunk.plain
        if known is None or not len(block):
            return
        packed, phase = known.packed[self.lines.row[block]], known.phase[self.lines.row[block]]
        n_alternates = self.n_alternates[block]
        for line in block[n_alternates == 0].tolist():
            codes = unpack(known.packed[self.lines.row[[line]]], self.n)[0]
            if ((codes == 1) | (codes == 2)).any():
                self._refuse_allele(line, int(((codes == 1) | (codes == 2)).argmax()), 1)
        self.packed[self.first_row[block]] = packed
        missing = packed & packed >> np.uint8(1) & _LOW_BITS
        for allele in range(2, int(n_alternates.max()) + 1):
            use = n_alternates >= allele
            self.packed[self.first_row[block[use]] + allele - 1] = missing[use] * np.uint8(MISSING)
            if self.phase is not None:
                self.phase[self.first_row[block[use]] + allele - 1] = phase[use] & _LOW_BITS
        if self.phase is not None:
            self.phase[self.first_row[block]] = phase

    def _decode_words(self, block: Ints) -> None:
        words = self.words_at[self.lines.genotype_tabs(block) + 1]
        classes = np.frombuffer(words.tobytes().translate(_CLASSES), np.uint32).reshape(words.shape)
        alleles = classes & _VALUE_BITS
        irregular = (classes & _CLASS_BITS) != _REGULAR
        some_irregular = bool(irregular.any())
        if some_irregular:
            haploid = (classes & _HAPLOID_BITS) == _HAPLOID
            alleles[haploid] = alleles[haploid] & np.uint32(0xFFFF) | np.uint32(ABSENT << 16)
            row, person = np.nonzero(irregular & ~haploid)
            alleles[row, person], n_polyploid = read_irregular(self.lines, block[row], person, self.refused)
            self.n_polyploid += n_polyploid
        pairs = alleles.view(np.uint16).reshape(len(block), self.n, 2)
        n_alternates = self.n_alternates[block]
        self._check_alleles(pairs, block)
        missing = (pairs == NO_CALL).view(np.uint16)[..., 0] != 0
        phased = _phased(words) if self.phase is not None else missing
        for allele in range(1, max(1, int(n_alternates.max())) + 1):
            use: slice | Ints = slice(None)
            if allele > 1:
                use = np.flatnonzero(n_alternates >= allele)
            # Two booleans, one for each allele of a pair, seen as one number: its low byte plus its high byte is the dosage.
            equal = (pairs[use] == allele + 1).view(np.uint16)[..., 0]
            codes = (equal + (equal >> 8)).astype(np.uint8) | missing[use].view(np.uint8) * np.uint8(MISSING)
            self._store(self.first_row[block[use]] + allele - 1, codes)
            if self.phase is not None:
                turned = ((equal & 0xFF) > (equal >> 8)).astype(np.uint8) * np.uint8(ALTERNATE_FIRST)
                two = phased[use] & (pairs[use][..., 1] != ABSENT) & ~missing[use]
                self.phase[self.first_row[block[use]] + allele - 1] = pack((turned | np.uint8(PHASED)) * two)
            if some_irregular:
                one = pairs[use][..., 1] == ABSENT
                some = one.any(axis=1)
                rows = self.first_row[block[use]] + allele - 1
                self.haploid.append((rows[some], np.packbits(one[some], axis=1, bitorder="little")))

    def _check_alleles(self, pairs: npt.NDArray[np.uint16], block: Ints) -> None:
        # One more turns ABSENT, the highest number, into 0.
        highest = (pairs + np.uint16(1)).max(axis=(1, 2)).astype(np.int64) - 2
        for at in np.flatnonzero(highest > self.n_alternates[block]).tolist():
            line, allele = int(block[at]), int(highest[at])
            person = int((pairs[at] == allele + 1).any(axis=1).argmax())
            self._refuse_allele(line, person, allele)

    def _refuse_allele(self, line: int, person: int, allele: int) -> None:
        what = f"allele {allele}" if allele < WORST_ALLELE else f"an allele above {WORST_ALLELE - 1}"
        detail = f"the genotype of sample {person + 1} (column {person + 10}) has {what} but ALT has {self.n_alternates[line]}"
        step = "correct the genotype or ALT, or leave the record out"
        reason = "a genotype has an allele that ALT has not"
        self.refused.setdefault(line, self.lines.wrong(line, str(person + 10), reason, step, detail))

    def _store(self, rows: Ints, codes: Bytes) -> None:
        self.packed[rows] = pack(codes)


def _phased(words: Words) -> npt.NDArray[np.bool_]:
    """Whether genotypes have a bar among their first four characters, so before an allele of four digits."""
    characters = words.view(np.uint8).reshape(*words.shape, 4)
    bars = characters == ord("|")
    # Not those of the next person.
    ended = np.logical_or.accumulate(_CODES[characters] == END, axis=-1)
    found: npt.NDArray[np.bool_] = (bars & ~ended).any(axis=-1)
    return found
