"""BAM records of a contig, read in batches: the fields of all records of a batch as arrays. SAM specification, section 4.2."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genospark.errors import InputError
from genospark.ingest.reads.header import BROKEN, inflate

Ints = npt.NDArray[np.int64]
BATCH_BYTES = 2 << 20
"""Inflated bytes read together: few enough that arrays of their bases stay near the processor."""
PAD = 512
"""Zero bytes after the records, so that blocks of bytes can be read from any of their bytes on."""
MISSING_QUALITY = 255

_FIXED = np.dtype(
    {
        "names": ["size", "contig", "start", "name_bytes", "mapping_quality", "n_ops", "flag", "n_bases", "template"],
        "formats": ["<u4", "<i4", "<i4", "u1", "u1", "<u2", "<u2", "<u4", "<i4"],
        "offsets": [0, 4, 8, 12, 13, 16, 18, 20, 32],
        "itemsize": 36,
    }
)
_TAG_BYTES = {b"A": 1, b"c": 1, b"C": 1, b"s": 2, b"S": 2, b"i": 4, b"I": 4, b"f": 4}
_SKIP, _SOFT_CLIP = 3, 4


@dataclass(frozen=True)
class Records:
    """Records of one contig in the order of the file; arrays of length ``records``, positions of bytes in ``buffer``.

    Attributes:
        path: BAM file.
        buffer: (bytes + PAD,) uint8: the records as they are in the file.
        at: First byte of the record.
        after: First byte after the record.
        start: Leftmost aligned position, 0-based.
        flag: FLAG.
        mapping_quality: MAPQ.
        name: First byte of the read's name.
        name_bytes: Length of the name without its end mark.
        cigar: First byte of the CIGAR operations.
        n_ops: Number of CIGAR operations.
        bases: First byte of the bases, two in a byte.
        qualities: First byte of the base qualities.
        n_bases: Length of the read.
        template_bp: Length of the template that the pair is of (TLEN); negative for the read that begins later.
    """

    path: str
    buffer: npt.NDArray[np.uint8]
    at: Ints
    after: Ints
    start: Ints
    flag: Ints
    mapping_quality: Ints
    name: Ints
    name_bytes: Ints
    cigar: Ints
    n_ops: Ints
    bases: Ints
    qualities: Ints
    n_bases: Ints
    template_bp: Ints

    def __len__(self) -> int:
        return len(self.at)

    def name_of(self, record: int) -> str:
        """Name of a read, for messages."""
        begin = int(self.name[record])
        return bytes(self.buffer[begin : begin + int(self.name_bytes[record])]).decode(errors="replace")


class RecordStream:
    """Reads the records of a contig that begin before a position.

    Args:
        path: BAM file.
        offset: Virtual offset of the first record to read.
        contig: Number of the contig in the header.
        end: Position (0-based) from which on reads are not wanted.
    """

    def __init__(self, path: str, offset: int, contig: int, end: int) -> None:
        self.path = path
        self.contig = contig
        self.end = end
        self.finished = False
        self._skip = offset & 0xFFFF
        self._blocks = inflate(path, offset >> 16)
        self._rest = b""
        self._last_start = 0

    def read(self, carried: bytes) -> Records:
        """Read the next batch, and set ``finished`` if it is the last one.

        Args:
            carried: Whole records that are put before those read.

        Raises:
            InputError: The file is truncated, damaged or not sorted.
        """
        buffer = bytearray(carried) + self._rest
        stop = len(buffer) + BATCH_BYTES
        offsets: list[int] = []
        at = _walk(buffer, 0, offsets)
        n_carried = len(offsets)
        while len(buffer) < stop and not self.finished:
            _, piece = next(self._blocks, (0, b""))
            if not piece:
                if at != len(buffer):
                    raise InputError(f"{self.path}: the file is truncated within a record", BROKEN)
                self.finished = True
            buffer += memoryview(piece)[self._skip :]
            self._skip = 0
            at = _walk(buffer, at, offsets)
            if offsets:
                contig, start = struct.unpack_from("<Ii", buffer, offsets[-1] + 4)
                # Reads without a place come last: their contig is -1, the largest number without a sign.
                self.finished |= contig > self.contig or (contig == self.contig and start >= self.end)
        self._rest = bytes(buffer[at:])
        del buffer[at:]
        return self._records(buffer, np.array([*offsets, at], np.int64), n_carried)

    def _records(self, data: bytearray, offsets: Ints, n_carried: int) -> Records:
        data += bytes(PAD)
        buffer = np.frombuffer(data, np.uint8)
        fixed = np.ndarray((len(buffer) - _FIXED.itemsize + 1,), _FIXED, data, strides=(1,))[offsets[:-1]]
        here = fixed["contig"] == self.contig
        self._check_order(fixed["start"][n_carried:][here[n_carried:]])
        wanted = here & (fixed["start"] < self.end)
        at, after, fixed = offsets[:-1][wanted], offsets[1:][wanted], fixed[wanted]
        name = at + _FIXED.itemsize
        cigar = name + fixed["name_bytes"]
        n_ops, n_bases = fixed["n_ops"].astype(np.int64), fixed["n_bases"].astype(np.int64)
        bases = cigar + 4 * n_ops
        qualities = bases + (n_bases + 1) // 2
        if (qualities + n_bases > after).any() or (fixed["name_bytes"] == 0).any():
            raise InputError(f"{self.path}: the file is damaged: a record is shorter than its fields", BROKEN)
        records = Records(
            path=self.path,
            buffer=buffer,
            at=at,
            after=after,
            start=fixed["start"].astype(np.int64),
            flag=fixed["flag"].astype(np.int64),
            mapping_quality=fixed["mapping_quality"].astype(np.int64),
            name=name,
            name_bytes=fixed["name_bytes"].astype(np.int64) - 1,
            cigar=cigar,
            n_ops=n_ops,
            bases=bases,
            qualities=qualities,
            n_bases=n_bases,
            template_bp=fixed["template"].astype(np.int64),
        )
        _find_long_cigars(records)
        return records

    def _check_order(self, start: npt.NDArray[np.int32]) -> None:
        if (np.diff(start, prepend=self._last_start) < 0).any():
            raise InputError(
                f"{self.path}: the reads are not sorted by coordinate, whatever the header says",
                "sort and index the file: `samtools sort -o sorted.bam FILE`, then `samtools index sorted.bam`",
            )
        self._last_start = int(start[-1]) if len(start) else self._last_start


def _walk(buffer: bytearray, at: int, offsets: list[int]) -> int:
    """Append the offset of each whole record from ``at`` on; returns the offset after the last one."""
    size_at, append, stop = struct.Struct("<I").unpack_from, offsets.append, len(buffer) - 4
    while at <= stop:
        after: int = at + 4 + size_at(buffer, at)[0]
        if after > stop + 4:
            break
        append(at)
        at = after
    return at


def _find_long_cigars(records: Records) -> None:
    """CIGARs of more than 65,535 operations stand in the tag CG, and a soft clip and a skip in their place."""
    for record in np.flatnonzero(records.n_ops == 2).tolist():
        place = int(records.cigar[record])
        clip, skip = np.frombuffer(records.buffer[place : place + 8].tobytes(), "<u4").tolist()
        if clip != int(records.n_bases[record]) << 4 | _SOFT_CLIP or skip & 15 != _SKIP:
            continue
        tags = int(records.qualities[record] + records.n_bases[record])
        found = _find_tag(records.buffer[tags : int(records.after[record])].tobytes(), b"CGBI")
        if found is not None:
            at, count = found
            records.cigar[record], records.n_ops[record] = tags + at, count


def _find_tag(tags: bytes, wanted: bytes) -> tuple[int, int] | None:
    """Offset of the first value of an array tag, and the number of values."""
    at = 0
    while at + 3 < len(tags):
        kind = tags[at + 2 : at + 3]
        if kind == b"B":
            count = int.from_bytes(tags[at + 4 : at + 8], "little")
            if tags[at : at + 4] == wanted:
                return at + 8, count
            at += 8 + count * _TAG_BYTES.get(tags[at + 3 : at + 4], 1)
        elif kind in (b"Z", b"H"):
            at = tags.index(b"\0", at) + 1
        else:
            at += 3 + _TAG_BYTES.get(kind, 1)
    return None
