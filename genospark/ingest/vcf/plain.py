"""Genotypes of lines that have nothing else: decoded some lines at a time, while their text is in the processor's cache, and then dropped.

A plain line has the FORMAT ``GT`` and diploid calls of the alleles 0 and 1, all phased or all not, but for missing ones. Each genotype and
the byte after it make one 32-bit word. To read text from memory once more takes longer than all that is done with these words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genospark.core.calls import ALTERNATE_FIRST, MISSING, PHASED, Bytes, pack, packed_bytes
from genospark.ingest.vcf import chunks
from genospark.ingest.vcf.chunks import TAIL, Chunk, PlainCalls, read_chunks, whole_lines
from genospark.ingest.vcf.splits import Split

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint32]
MIN_PEOPLE = 32
"""People from which looking at a line as a whole is faster than looking up each genotype."""
SLAB_BYTES = 1 << 19
"""Text that is decoded together: with its words it fits a core's cache."""
_TAB = ord("\t")
_BEFORE = b"\tGT\t"
_PHASED, _UNPHASED = (np.uint32(int.from_bytes(word, "little")) for word in (b"0|0\t", b"0/0\t"))
_MISSING = tuple(np.uint32(int.from_bytes(word, "little")) for word in (b"./.\t", b".|.\t"))
_ALLELE_BITS = np.uint32(0x00010001)


def _packed_table() -> Bytes:
    """Packed calls of four people from the lowest bits of the bytes of their words; a person without a tab is missing."""
    nibbles = np.arange(1 << 16)[:, None] >> np.arange(0, 16, 4)
    codes = np.where(nibbles >> 3 & 1, (nibbles & 1) + (nibbles >> 2 & 1), MISSING)
    return pack(codes.astype(np.uint8))[:, 0]


_PACKED = _packed_table()


def read_shortened(split: Split) -> Iterator[Chunk]:
    """As ``read_chunks``, but that plain lines are decoded and their genotypes are not in the text, unless the first lines have none.

    Memory: as there, and ``SLAB_BYTES`` of text.
    """
    if split.n_samples < MIN_PEOPLE or not _begins_plain(split):
        yield from read_chunks(split)
        return
    slabs: list[_Slab] = []
    marks: list[tuple[int, int]] = []
    read, size, ended = 0, 0, True
    for parts, own_marks, ended in whole_lines(split, min(SLAB_BYTES, chunks.CHUNK_BYTES)):
        slab = _slab(b"".join(parts), split)
        slabs.append(slab)
        marks += [(read + position, offset) for position, offset in own_marks]
        read, size = read + slab.read, size + slab.size
        if size >= chunks.CHUNK_BYTES:
            yield _joined(slabs, split, marks, ended)
            slabs, marks, read, size = [], [], 0, 0
    if slabs:
        yield _joined(slabs, split, marks, ended)


def _begins_plain(split: Split) -> bool:
    """Whether a plain line is among the first: elsewhere looking for them would cost more than there is to gain."""
    first = next(whole_lines(split, min(SLAB_BYTES, chunks.CHUNK_BYTES)), None)
    return first is not None and bool(_slab(b"".join(first[0]), split).plain.any())


@dataclass(frozen=True)
class _Slab:
    """Some whole lines.

    Attributes:
        text: What is left of them.
        read: Bytes that they have in the file.
        starts: (lines,) where they begin there.
        plain: (lines,) which are plain.
        packed: (plain lines, ceil(n / 4)) their calls.
        phase: (plain lines, ceil(n / 4)) as in ``genotypes.Calls``.
    """

    text: bytes
    read: int
    starts: Ints
    plain: Bools
    packed: Bytes
    phase: Bytes

    @property
    def size(self) -> int:
        return len(self.text) + self.packed.size + self.phase.size


def _joined(slabs: list[_Slab], split: Split, marks: list[tuple[int, int]], ended: bool) -> Chunk:
    buffer = np.frombuffer(b"".join([*(slab.text for slab in slabs), bytes(TAIL)]), np.uint8)
    before = np.cumsum([0, *(slab.read for slab in slabs)])
    starts = np.concatenate([slab.starts + first for slab, first in zip(slabs, before.tolist(), strict=False)])
    packed, phase = (np.concatenate(parts) for parts in ([slab.packed for slab in slabs], [slab.phase for slab in slabs]))
    return Chunk(buffer, split, marks, ended, PlainCalls(np.concatenate([slab.plain for slab in slabs]), starts, packed, phase))


def _slab(text: bytes, split: Split) -> _Slab:
    n, at = split.n_samples, np.frombuffer(text, np.uint8)
    newlines = _newlines(text)
    starts = np.concatenate([[0], newlines[:-1] + 1])
    # Of the first genotype, where all have three characters.
    begins = newlines - (at[newlines - 1] == ord("\r")) - (4 * n - 1)
    lines = [
        line
        for line, (start, begin) in enumerate(zip(starts.tolist(), begins.tolist(), strict=True))
        if begin > start + len(_BEFORE) and text.startswith(_BEFORE, begin - len(_BEFORE))
    ]
    # Places beyond the last person, up to a whole byte of packed calls, have no tab.
    words = np.empty((len(lines), 4 * packed_bytes(n)), np.uint32)
    words[:, n:] = 0
    rows = words.view(np.uint8)
    for row, begin in zip(rows, begins[lines].tolist(), strict=True):
        row[: 4 * n] = at[begin : begin + 4 * n]
    rows[:, 4 * n - 1] = _TAB
    forms, gone = _forms(words[:, :n])
    fits = forms != 0
    if not fits.all():
        words, forms, gone = words[fits], forms[fits], gone[fits]
    plain = np.zeros(len(starts), bool)
    plain[lines] = fits
    return _Slab(_without(text, plain, begins, newlines), len(text), starts, plain, *_codes(words, forms, gone, "phase" in split.keep))


def _newlines(text: bytes) -> Ints:
    found = []
    at = text.find(b"\n")
    while at >= 0:
        found.append(at)
        at = text.find(b"\n", at + 1)
    return np.array(found, np.int64)


def _forms(words: Words) -> tuple[Words, Bools]:
    """Tells what the words (lines, n) of lines have in common; those of missing genotypes become others.

    Returns:
        (lines,) the word of the reference homozygote in a plain line, 0 in another; and (lines, n) which genotypes are missing.
    """
    forms, gone = _forms_but(words, _MISSING[0])
    others = np.flatnonzero(forms == 0)
    if len(others):
        own = words[others]
        forms[others], more = _forms_but(own, _MISSING[1])
        words[others], gone[others] = own, gone[others] | more
    return forms, gone


def _forms_but(words: Words, missing: np.uint32) -> tuple[Words, Bools]:
    gone: Bools = words == missing
    if gone.any():
        # They take the form of the first genotype that is not missing.
        first = words[np.arange(len(words)), (~gone).argmax(axis=1)] & ~_ALLELE_BITS
        np.copyto(words, np.where(first == _PHASED, _PHASED, _UNPHASED)[:, None], where=gone)
    # In a plain line all words have the same bits but for the last ones of the alleles.
    ones, zeros = (reduce(words, axis=1) & ~_ALLELE_BITS for reduce in (np.bitwise_or.reduce, np.bitwise_and.reduce))
    plain = (ones == zeros) & ((ones == _PHASED) | (ones == _UNPHASED))
    return np.where(plain, ones, np.uint32(0)), gone


def _codes(words: Words, forms: Words, gone: Bools, keep_phase: bool) -> tuple[Bytes, Bytes]:
    """Packed calls and, where it is kept, packed phase of plain lines."""
    bits = np.packbits(words.view(np.uint8) & np.uint8(1), axis=1, bitorder="little")
    packed = _PACKED.take(bits.view("<u2"))
    if gone.any():
        packed |= pack(gone.view(np.uint8) * np.uint8(MISSING))
    if not keep_phase:
        return packed, np.zeros((len(words), 0), np.uint8)
    own = words[:, : gone.shape[1]]
    turned = (own & ~(own >> 16) & np.uint32(1)).astype(np.uint8) * np.uint8(ALTERNATE_FIRST)
    return packed, pack((turned | np.uint8(PHASED)) * ((forms == _PHASED)[:, None] & ~gone))


def _without(text: bytes, plain: Bools, begins: Ints, newlines: Ints) -> bytes:
    """The text of lines; of plain ones without the genotypes and the tab before them."""
    if not plain.any():
        return text
    kept, at = [], 0
    for begin, newline in zip(begins[plain].tolist(), newlines[plain].tolist(), strict=True):
        kept += [text[at : begin - 1], b"\n"]
        at = newline + 1
    return b"".join([*kept, text[at:]])
