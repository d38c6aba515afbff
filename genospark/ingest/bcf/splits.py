"""Ranges of a BCF file, cut where its CSI index says that records begin. Format: the CSI specification of hts-specs."""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass

from genospark.core.paths import open_bytes, place
from genospark.errors import InputError
from genospark.ingest.bcf.header import BcfHeader
from genospark.ingest.vcf import bgzf

log = logging.getLogger("genospark.ingest.vcf")
_INDEX = "make it anew: `bcftools index -f`"
_FIRST_BYTES = 1 << 16


@dataclass(frozen=True)
class BcfSplit:
    """A range of records.

    Attributes:
        path: File.
        start: Byte of the BGZF block in which the first record begins.
        skip: Inflated bytes of it before that record.
        stop: Byte of the block in which the first record after the last begins; None at the end of the file.
        stop_skip: Inflated bytes of that block before it.
        n_samples: People.
        contig_names: As in ``BcfHeader``.
        strings: As there.
        keep: As there.
    """

    path: str
    start: int
    skip: int
    stop: int | None
    stop_skip: int
    n_samples: int
    contig_names: tuple[str, ...]
    strings: tuple[str, ...]
    keep: tuple[str, ...]


def plan_bcf(header: BcfHeader, target_bytes: int) -> list[BcfSplit]:
    """Cuts the records of a file into ranges of about ``target_bytes`` compressed bytes, or one where there is no index.

    Raises:
        InputError: The file is truncated, or its index is of another one.
    """
    if target_bytes < 1:
        raise InputError(f"a split cannot have {target_bytes} bytes", "give a positive number of bytes")
    bgzf.check_end(header.path)
    size = place(header.path).stat().st_size
    cuts = [(header.data_start, header.data_skip)]
    if place(f"{header.path}.csi").is_file():
        for start, skip in _record_starts(f"{header.path}.csi"):
            if start - cuts[-1][0] >= target_bytes and (start, skip) > cuts[0]:
                _check_block(header.path, start, size)
                cuts.append((start, skip))
    elif size > target_bytes:
        log.warning(
            "%s has no index: one process must read all of it. To read it in parallel: bcftools index '%s'", header.path, header.path
        )
    ends: list[tuple[int | None, int]] = [*cuts[1:], (None, 0)]
    return [
        BcfSplit(header.path, *cut, *end, len(header.sample_ids), header.contig_names, header.strings, header.keep)
        for cut, end in zip(cuts, ends, strict=True)
    ]


def _check_block(path: str, at: int, size: int) -> None:
    with open_bytes(path) as file:
        file.seek(min(at, size))
        if bgzf.block_bytes(file.read(_FIRST_BYTES)) is None:
            raise InputError(f"{path}.csi: the index of another or an earlier file: no block begins at byte {at}", _INDEX)


def _record_starts(path: str) -> list[tuple[int, int]]:
    """Block and place in it of records that the index knows of, in the order of the file."""
    data = b"".join(text for _, text in bgzf.blocks(path, 0))
    if data[:4] != b"CSI\1":
        raise InputError(f"{path}: not a CSI index", _INDEX)
    try:
        _, depth, auxiliary = struct.unpack_from("<3i", data, 4)
        at = 16 + auxiliary
        (n_contigs,) = struct.unpack_from("<i", data, at)
        at += 4
        # Beyond the bins there is one that holds counts.
        n_bins = ((1 << 3 * (depth + 1)) - 1) // 7
        found = set()
        for _ in range(n_contigs):
            (here,) = struct.unpack_from("<i", data, at)
            at += 4
            for _ in range(here):
                number, _, n_chunks = struct.unpack_from("<IQi", data, at)
                at += 16
                if number < n_bins:
                    found |= {struct.unpack_from("<Q", data, at + 16 * chunk)[0] for chunk in range(n_chunks)}
                at += 16 * n_chunks
    except struct.error:
        raise InputError(f"{path}: the index is cut short", _INDEX) from None
    return [(one >> 16, one & 0xFFFF) for one in sorted(found)]
