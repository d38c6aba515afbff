"""The index of a BAM (.bai or .csi): where the first read that can overlap a position lies. SAM specification, section 5."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genospark.core.paths import place
from genospark.errors import InputError
from genospark.ingest.vcf import bgzf


@dataclass(frozen=True)
class Marks:
    """Where the reads of a contig lie.

    Attributes:
        positions: Ascending positions, 0-based.
        offsets: For each the virtual offset of the first read that reaches beyond it.
        first: Virtual offset of the first read; None without reads.
        after: Virtual offset after the last read; None without reads.
    """

    positions: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.uint64]
    first: int | None
    after: int | None


MAKE = "make the index anew: `samtools index FILE`"
_BAI_TILE_BP = 1 << 14
_BINS = 37449
"""Bins of positions; the number after them is that of counts."""
_MOST_LEVELS = 10


def find_index(path: str) -> Path:
    """The index file of a BAM.

    Raises:
        InputError: There is none.
    """
    places = [place(path + ".bai"), place(path).with_suffix(".bai"), place(path + ".csi")]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise InputError(f"{path}: no index ({places[0].name} or {places[2].name}) beside it", f"make it: `samtools index {path}`")
    return found


def first_offset(path: str, contig: int, start: int) -> int | None:
    """Virtual offset from which to read all reads of a contig that overlap positions from ``start`` (0-based) on.

    Args:
        path: BAM file.
        contig: Number of the contig in the header.
        start: Position.

    Returns:
        Offset of the BGZF block times 65,536, plus the place in the inflated block; None where no such read exists.

    Raises:
        InputError: The index is absent or damaged.
    """
    contigs = load_index(path)
    if contig >= len(contigs):
        raise InputError(f"{find_index(path)}: the index has {len(contigs)} contigs, fewer than the BAM", MAKE)
    marks = contigs[contig]
    if not len(marks.positions):
        return None
    # A mark says where the reads from its position on begin, so the last one at or before the start is near enough.
    return int(marks.offsets[max(int(np.searchsorted(marks.positions, start, side="right")) - 1, 0)])


def load_index(path: str) -> list[Marks]:
    """The index of a BAM, contig by contig.

    Raises:
        InputError: The index is absent or damaged.
    """
    index = find_index(path)
    return _load(str(index), index.stat().st_mtime)


@lru_cache(maxsize=8)
def _load(index: str, _modified: float) -> list[Marks]:
    try:
        if index.endswith(".csi"):
            return _csi(b"".join(piece for _, piece in bgzf.blocks(index, 0)))
        return _bai(place(index).read_bytes())
    except (struct.error, ValueError, OverflowError, OSError, InputError) as error:
        raise InputError(f"{index}: not an index of a BAM, or truncated ({error})", MAKE) from error


def _bai(data: bytes) -> list[Marks]:
    magic, n_contigs = struct.unpack_from("<4sI", data)
    if magic != b"BAI\1":
        raise ValueError("it does not begin with BAI")
    at = 8
    contigs = []
    for _ in range(n_contigs):
        (n_bins,) = struct.unpack_from("<I", data, at)
        at += 4
        chunks = []
        for _ in range(n_bins):
            number, n_chunks = struct.unpack_from("<2I", data, at)
            if number < _BINS:
                chunks.append(np.frombuffer(data, "<u8", 2 * n_chunks, at + 8))
            at += 8 + 16 * n_chunks
        (n_tiles,) = struct.unpack_from("<I", data, at)
        offsets = np.frombuffer(data, "<u8", n_tiles, at + 4)
        at += 4 + 8 * n_tiles
        used = np.flatnonzero(offsets)
        contigs.append(Marks(used * _BAI_TILE_BP, offsets[used], *_ends(chunks)))
    return contigs


def _csi(data: bytes) -> list[Marks]:
    magic, min_shift, depth, aux_bytes = struct.unpack_from("<4s3I", data)
    if magic != b"CSI\1":
        raise ValueError("it does not begin with CSI")
    if depth > _MOST_LEVELS:
        raise ValueError(f"{depth} levels of bins")
    (n_contigs,) = struct.unpack_from("<I", data, 16 + aux_bytes)
    at = 20 + aux_bytes
    # Bins are numbered level by level, from the one that spans everything to the smallest ones.
    firsts = [((1 << 3 * level) - 1) // 7 for level in range(depth + 2)]
    contigs = []
    for _ in range(n_contigs):
        (n_bins,) = struct.unpack_from("<I", data, at)
        at += 4
        marks: dict[int, int] = {}
        chunks = []
        for _ in range(n_bins):
            number, offset, n_chunks = struct.unpack_from("<IQI", data, at)
            if number < firsts[-1]:
                chunks.append(np.frombuffer(data, "<u8", 2 * n_chunks, at + 16))
            at += 16 + 16 * n_chunks
            for level, (first, after) in enumerate(pairwise(firsts)):
                if first <= number < after and offset:
                    position = (number - first) << (min_shift + 3 * (depth - level))
                    marks[position] = min(marks.get(position, offset), offset)
        offsets = np.array([marks[position] for position in sorted(marks)], np.uint64)
        contigs.append(Marks(np.array(sorted(marks), np.int64), offsets, *_ends(chunks)))
    return contigs


def _ends(chunks: list[npt.NDArray[np.uint64]]) -> tuple[int | None, int | None]:
    """Begin of the first chunk, and end of the last one."""
    both = np.concatenate([np.zeros(0, np.uint64), *chunks])
    return (int(both.min()), int(both.max())) if len(both) else (None, None)
