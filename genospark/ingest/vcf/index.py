"""The index of a bgzipped VCF or BCF (``.tbi``, ``.csi``): where records of a region lie.

Formats: the tabix and CSI specifications of hts-specs.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import numpy.typing as npt

from genospark.core.paths import place
from genospark.errors import InputError
from genospark.ingest.vcf import bgzf

Offsets = npt.NDArray[np.uint64]
Place = tuple[int, int]
"""Byte of a BGZF block, and a place in its inflated bytes."""
Range = tuple[Place, Place]
"""Where its first record begins, and where its last one ends."""
_TABIX_BYTES, _TILE_SHIFT, _DEPTH = 28, 14, 5
_MOST_LEVELS = 10
# Compressed bytes, of a block or so, that take less time to read than to leave out.
_NEAR = 1 << 14


@dataclass(frozen=True)
class _Contig:
    """Of each bin the virtual offsets from and to which its records lie, (k, 2), and before which none that reaches into it begins."""

    chunks: dict[int, Offsets]
    firsts: dict[int, int]


@dataclass(frozen=True)
class RecordIndex:
    """An index.

    Attributes:
        path: Its file.
        names: Contigs by their numbers; none where the file itself has their order (BCF).
        min_shift: Of the smallest bins, the bits of a position within.
        depth: Levels of bins below the one of all positions.
        contigs: What is known of each.
    """

    path: str
    names: tuple[str, ...]
    min_shift: int
    depth: int
    contigs: tuple[_Contig, ...]

    def starts(self) -> list[Place]:
        """Where records begin, in the order of the file; many of them."""
        found = {int(offset) for contig in self.contigs for chunks in contig.chunks.values() for offset in chunks[:, 0]}
        return [_place(offset) for offset in sorted(found)]

    def ranges(self, contig: int, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Virtual offsets from and to which the records lie that may overlap regions of a contig: starts and ends in order, apart."""
        known, ends = self.contigs[contig], [end for _, end in spans]
        for number, chunks in known.chunks.items():
            # Levels above a bin have (8 ** level - 1) / 7 bins together.
            level = ((7 * number + 1).bit_length() - 1) // 3
            shift = self.min_shift + 3 * (self.depth - level)
            begin = number - ((1 << 3 * level) - 1) // 7 << shift
            at = bisect_right(ends, begin)
            if at == len(spans) or spans[at][0] >= begin + (1 << shift):
                continue
            # What the first region of a bin needs, later ones need too.
            first = self._first(known, spans[at][0])
            yield from ((max(a, first), b) for a, b in chunks.tolist() if b > first)

    def _first(self, known: _Contig, start: int) -> int:
        """The offset before which no record that overlaps a position or a later one begins: of the bin before it that is there."""
        number = ((1 << 3 * self.depth) - 1) // 7 + (start >> self.min_shift)
        while number and number not in known.firsts:
            number = number - 1 if (number - 1) % 8 else (number - 1) >> 3
        return known.firsts.get(number, 0)

    def check(self, path: str) -> None:
        """Checks that nothing comes behind the last record that the index knows of.

        Raises:
            InputError: It does: the index is of another file, or of an earlier one.
        """
        last = max((int(chunks.max()) for contig in self.contigs for chunks in contig.chunks.values()), default=None)
        if last is None:
            return
        at, skip = _place(last)
        size = place(path).stat().st_size
        try:
            rest = [len(text) for _, text in islice(bgzf.blocks(path, at), 2)] if at < size else [-1]
        except InputError:
            rest = [-1]
        if sum(rest) != skip:
            raise InputError(
                f"{self.path}: the index of another or an earlier file: the records of {path} do not end where it says", _again(path)
            )


def find_index(path: str) -> RecordIndex | None:
    """The index beside a file; None where there is none.

    Raises:
        InputError: It is damaged, or of another file.
    """
    for suffix, read in ((".tbi", _tbi), (".csi", _csi)):
        if place(path + suffix).is_file():
            data = b"".join(text for _, text in bgzf.blocks(path + suffix, 0))
            try:
                found = read(path + suffix, data)
            except (struct.error, ValueError, OverflowError) as error:
                raise InputError(f"{path}{suffix}: not an index, or cut short ({error})", _again(path)) from None
            found.check(path)
            return found
    return None


def cuts(index: RecordIndex, wanted: Mapping[int, Sequence[tuple[int, int]]], target_bytes: int) -> list[tuple[Range, ...]]:
    """Ranges of a file in which the records of regions lie, in order, those together that one process reads.

    Args:
        index: Its index.
        wanted: By the number of a contig, regions: starts and ends in order, apart.
        target_bytes: Compressed bytes that are read together at most, if there are places between records to cut at.

    Returns:
        Places of the first record of each range, and behind the last; none in one piece where there are none.
    """
    joined: list[list[int]] = []
    for begin, end in sorted(one for contig, spans in wanted.items() for one in index.ranges(contig, spans)):
        if joined and begin >> 16 <= (joined[-1][1] >> 16) + _NEAR:
            joined[-1][1] = max(end, joined[-1][1])
        else:
            joined.append([begin, end])
    starts = index.starts()
    found: list[tuple[Range, ...]] = []
    together: list[Range] = []
    size = 0
    for first, last in ((_place(begin), _place(end)) for begin, end in joined):
        places = [first]
        for start in starts[bisect_right(starts, first) : bisect_left(starts, last)]:
            if start[0] - places[-1][0] >= target_bytes:
                places.append(start)
        for one in pairwise([*places, last]):
            # The block in which a range ends is read, too.
            own = one[1][0] - one[0][0] + (_NEAR if one[1][1] else 0)
            if together and size + own > target_bytes:
                found.append(tuple(together))
                together, size = [], 0
            together.append(one)
            size += own
    return [*found, tuple(together)]


def _place(offset: int) -> Place:
    return offset >> 16, offset & 0xFFFF


def _again(path: str) -> str:
    return f"make the index anew: `bcftools index -f '{path}'`"


def _names(data: bytes, size: int) -> tuple[str, ...]:
    return tuple(name.decode() for name in data[:size].split(b"\0")[:-1])


def _tbi(path: str, data: bytes) -> RecordIndex:
    magic, n_contigs, *_, size = struct.unpack_from("<4s8i", data)
    if magic != b"TBI\1":
        raise ValueError("it does not begin with TBI")
    at = 8 + _TABIX_BYTES
    names = _names(data[at:], size)
    at += size
    contigs = []
    for _ in range(n_contigs):
        chunks, _, at = _bins(data, at, _DEPTH, 0)
        (n_tiles,) = struct.unpack_from("<i", data, at)
        tiles = np.frombuffer(data, "<u8", n_tiles, at + 4)
        at += 4 + 8 * n_tiles
        first = ((1 << 3 * _DEPTH) - 1) // 7
        contigs.append(_Contig(chunks, {first + tile: int(offset) for tile, offset in enumerate(tiles.tolist()) if offset}))
    return RecordIndex(path, names, _TILE_SHIFT, _DEPTH, tuple(contigs))


def _csi(path: str, data: bytes) -> RecordIndex:
    magic, min_shift, depth, auxiliary = struct.unpack_from("<4s3i", data)
    if magic != b"CSI\1":
        raise ValueError("it does not begin with CSI")
    if not 0 <= depth <= _MOST_LEVELS:
        raise ValueError(f"{depth} levels of bins")
    names: tuple[str, ...] = ()
    if auxiliary >= _TABIX_BYTES:
        names = _names(data[16 + _TABIX_BYTES :], struct.unpack_from("<i", data, 12 + _TABIX_BYTES)[0])
    at = 16 + auxiliary
    (n_contigs,) = struct.unpack_from("<i", data, at)
    at += 4
    contigs = []
    for _ in range(n_contigs):
        chunks, firsts, at = _bins(data, at, depth, 8)
        contigs.append(_Contig(chunks, firsts))
    return RecordIndex(path, names, min_shift, depth, tuple(contigs))


def _bins(data: bytes, at: int, depth: int, first_bytes: int) -> tuple[dict[int, Offsets], dict[int, int], int]:
    """Bins of a contig but the one that holds counts, the offsets that CSI has with them, and where they end."""
    (n_bins,) = struct.unpack_from("<i", data, at)
    at += 4
    after = ((1 << 3 * (depth + 1)) - 1) // 7
    chunks, firsts = {}, {}
    for _ in range(n_bins):
        (number,) = struct.unpack_from("<I", data, at)
        first = struct.unpack_from("<Q", data, at + 4)[0] if first_bytes else 0
        (n_chunks,) = struct.unpack_from("<i", data, at + 4 + first_bytes)
        at += 8 + first_bytes
        if number < after:
            chunks[number] = np.frombuffer(data, "<u8", 2 * n_chunks, at).reshape(-1, 2)
            if first_bytes:
                firsts[number] = first
        at += 16 * n_chunks
    return chunks, firsts, at
