"""Whether an index is that of its BAM: one of another file, or of an earlier state, would hide reads without a word."""

from __future__ import annotations

import struct

from genospark.errors import InputError
from genospark.ingest.reads.header import AlignmentHeader, inflate
from genospark.ingest.reads.index import MAKE, find_index, load_index

_FIXED_BYTES = 36
_LOOKED_AT = 500
"""Marks that are looked at, about; of each contig at least one."""


def check_index(header: AlignmentHeader) -> None:
    """Checks that reads begin where the index says, contig by contig, and that no placed read comes after the last that it knows.

    Raises:
        InputError: They do not.
    """
    if header.is_cram:
        # What its index names was looked at with the header.
        return
    path = header.path
    contigs = load_index(path)
    index = find_index(path)
    if len(contigs) != len(header.contigs):
        raise InputError(f"{index}: the index has {len(contigs)} contigs, the BAM {len(header.contigs)}", MAKE)
    each = max(1, _LOOKED_AT // max(1, len(contigs)))
    for number, (name, marks) in enumerate(zip(header.contigs, contigs, strict=True)):
        if marks.first is not None and _contig_at(path, marks.first) != number:
            raise InputError(f"{index}: not the index of this BAM: no read of {name} begins where it says", MAKE)
        starts = [int(offset) for offset in marks.offsets[:: max(1, len(marks.offsets) // each)][:each]]
        if any(_contig_at(path, offset) != number for offset in starts):
            raise InputError(f"{index}: not the index of this BAM: not all reads of {name} begin where it says", MAKE)
    after = max((marks.after for marks in contigs if marks.after is not None), default=header.first_read)
    if _contig_at(path, after) not in (None, -1):
        raise InputError(f"{index}: not the index of this BAM: reads come after the last one that it knows", MAKE)


def _contig_at(path: str, offset: int) -> int | None:
    """Number of the contig of the record that begins at a virtual offset: None at the end of the file, -2 where no record begins."""
    skip, data = offset & 0xFFFF, b""
    try:
        for _, piece in inflate(path, offset >> 16):
            data += piece
            if len(data) >= skip + _FIXED_BYTES:
                break
    except (InputError, OSError):
        return -2
    if len(data) <= skip:
        return None if len(data) == skip else -2
    if len(data) < skip + _FIXED_BYTES:
        return -2
    size, contig, start, name_bytes, _, _, n_ops, _, n_bases = struct.unpack_from("<IiiBBHHHI", data, skip)
    # What each record must have room for.
    fits = size + 4 >= _FIXED_BYTES + name_bytes + 4 * n_ops + n_bases + (n_bases + 1) // 2
    return contig if fits and name_bytes and start >= -1 and contig >= -1 else -2
