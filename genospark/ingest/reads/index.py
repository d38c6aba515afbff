"""The index of a BAM (.bai or .csi): where the first read that can overlap a position lies. SAM specification, section 5."""

from __future__ import annotations

import struct
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genospark.errors import InputError
from genospark.ingest.vcf import bgzf

Marks = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]
"""Ascending positions (0-based) of a contig, and for each the virtual offset of the first read that reaches beyond it."""
_MAKE = "make the index anew: `samtools index FILE`"
_BAI_TILE_BP = 1 << 14


def find_index(path: str) -> Path:
    """The index file of a BAM.

    Raises:
        InputError: There is none.
    """
    places = [Path(path + ".bai"), Path(path).with_suffix(".bai"), Path(path + ".csi")]
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
    index = find_index(path)
    contigs = _load(str(index), index.stat().st_mtime_ns)
    if contig >= len(contigs):
        raise InputError(f"{index}: the index has {len(contigs)} contigs, fewer than the BAM", _MAKE)
    positions, offsets = contigs[contig]
    if not len(positions):
        return None
    # A mark says where the reads from its position on begin, so the last one at or before the start is near enough.
    return int(offsets[max(int(np.searchsorted(positions, start, side="right")) - 1, 0)])


@lru_cache(maxsize=8)
def _load(index: str, _modified: int) -> list[Marks]:
    try:
        if index.endswith(".csi"):
            return _csi(b"".join(piece for _, piece in bgzf.blocks(index, 0)))
        return _bai(Path(index).read_bytes())
    except (struct.error, ValueError, InputError) as error:
        raise InputError(f"{index}: not an index of a BAM, or truncated ({error})", _MAKE) from error


def _bai(data: bytes) -> list[Marks]:
    magic, n_contigs = struct.unpack_from("<4sI", data)
    if magic != b"BAI\1":
        raise ValueError("it does not begin with BAI")
    at = 8
    contigs = []
    for _ in range(n_contigs):
        (n_bins,) = struct.unpack_from("<I", data, at)
        at += 4
        for _ in range(n_bins):
            at += 8 + 16 * int.from_bytes(data[at + 4 : at + 8], "little")
        (n_tiles,) = struct.unpack_from("<I", data, at)
        offsets = np.frombuffer(data, "<u8", n_tiles, at + 4)
        at += 4 + 8 * n_tiles
        used = np.flatnonzero(offsets)
        contigs.append((used * _BAI_TILE_BP, offsets[used]))
    return contigs


def _csi(data: bytes) -> list[Marks]:
    magic, min_shift, depth, aux_bytes = struct.unpack_from("<4s3I", data)
    if magic != b"CSI\1":
        raise ValueError("it does not begin with CSI")
    (n_contigs,) = struct.unpack_from("<I", data, 16 + aux_bytes)
    at = 20 + aux_bytes
    # Bins are numbered level by level, from the one that spans everything to the smallest ones.
    firsts = [((1 << 3 * level) - 1) // 7 for level in range(depth + 2)]
    contigs = []
    for _ in range(n_contigs):
        (n_bins,) = struct.unpack_from("<I", data, at)
        at += 4
        marks: dict[int, int] = {}
        for _ in range(n_bins):
            number, offset, n_chunks = struct.unpack_from("<IQI", data, at)
            at += 16 + 16 * n_chunks
            for level, (first, after) in enumerate(pairwise(firsts)):
                if first <= number < after and offset:
                    position = (number - first) << (min_shift + 3 * (depth - level))
                    marks[position] = min(marks.get(position, offset), offset)
        contigs.append((np.array(sorted(marks), np.int64), np.array([marks[position] for position in sorted(marks)], np.uint64)))
    return contigs
