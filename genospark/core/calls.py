"""The 2-bit format of genotype calls: 0, 1 or 2 copies of the alternate allele, 3 for missing; lowest bits first, padded with 3."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]
MISSING = 3
DOSAGE_UNITS, NO_DOSAGE = 1 << 14, 0xFFFF
"""Of a copy of the alternate allele, as PLINK 2 has them; and what stands where there is no dosage."""
PHASED, ALTERNATE_FIRST = 1, 2
"""Bits of what is kept of phase."""
NUMBERS: dict[str, np.dtype[Any]] = {
    "dosage": np.dtype("<u2"),
    "conditionalQuality": np.dtype("u1"),
    "depth": np.dtype("<u2"),
    "alleleDepths": np.dtype("<u4"),
}
"""Columns of ``genotypes`` with a number a person, and its type; all its bits are set where nothing is known."""
SAMPLE_BLOCK = 16384
"""People of one binary."""
_EACH = 21
"""Bits for each of the three counts that are summed in one 64-bit integer: enough for two million people."""

_COUNTED_BYTES = 1 << 16
"""Of packed calls that are counted together: what is looked up of them fits a core's cache."""


def _count_table() -> Counts:
    codes = np.arange(1 << 16)[:, None] >> np.arange(0, 16, 2) & 3
    counts: Counts = np.zeros(1 << 16, np.int64)
    for code in (1, 2, 3):
        counts += (codes == code).sum(axis=1) << (code - 1) * _EACH
    return counts


_COUNTS = _count_table()
"""Of each two bytes, the people with code 1, 2 and 3, each count in ``_EACH`` bits."""
_CALLS = (np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3).astype(np.uint8).view("<u4")[:, 0]
"""The four calls of each byte, as one word."""


def packed_bytes(n: int) -> int:
    """Bytes that hold the calls of ``n`` people."""
    return -(-n // 4)


def nothing(column: str) -> int:
    """What stands in one of ``NUMBERS`` where nothing is known."""
    return int(np.iinfo(NUMBERS[column]).max)


def pack(codes: Bytes) -> Bytes:
    """Pack calls.

    Args:
        codes: (rows, n) uint8 in 0..3.

    Returns:
        (rows, ceil(n / 4)) uint8.
    """
    rows, n = codes.shape
    if n % 4:
        padded = np.full((rows, 4 * packed_bytes(n)), MISSING, np.uint8)
        padded[:, :n] = codes
        codes = padded
    words = np.ascontiguousarray(codes).view("<u4")
    # The sum of four shifts, written as a product, brings the lowest two bits of each byte together in the highest byte.
    return (words * np.uint32(1 << 24 | 1 << 18 | 1 << 12 | 1 << 6) >> np.uint32(24)).astype(np.uint8)


def unpack(packed: Bytes, n: int) -> Bytes:
    """Undo ``pack``: (rows, ceil(n / 4)) uint8 to (rows, n) uint8."""
    codes: Bytes = _CALLS[np.ascontiguousarray(packed)].view(np.uint8).reshape(len(packed), 4 * packed.shape[1])
    return codes[:, :n]


def packed_rows(values: list[bytes]) -> Bytes:
    """Equally long packed binaries as an array (rows, bytes)."""
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)


def by_person(packed: Bytes) -> Bytes:
    """Bytes of four people's calls of a variant, to bytes of a person's calls of four variants.

    Args:
        packed: (variants, bytes), variants a multiple of four.

    Returns:
        (variants / 4, 4, bytes): the person of place 4 x byte + i stands in the plane i.
    """
    width = packed.shape[1]
    words = np.pad(packed, ((0, 0), (0, -width % 8))).reshape(-1, 4, width + -width % 8).view("<u8")
    # Eight matrices of 4 x 4 calls in four words are transposed by two exchanges (Warren, Hacker's Delight, chapter 7).
    for near, shift, mask in ((1, 2, 0x3333333333333333), (2, 4, 0x0F0F0F0F0F0F0F0F)):
        for one in (0, 2) if near == 1 else (0, 1):
            low, high = words[:, one], words[:, one + near]
            other = (low >> np.uint64(shift)) ^ high
            other &= np.uint64(mask)
            high ^= other
            other <<= np.uint64(shift)
            low ^= other
    return words.view(np.uint8)[:, :, :width]


def count_codes(packed: Bytes, n: int) -> Counts:
    """Count the people with code 1, 2 and 3.

    Args:
        packed: (rows, ceil(n / 4)) uint8.
        n: People; at most two million.

    Returns:
        (rows, 3) int64.
    """
    odd = packed.shape[1] % 2
    sums = np.empty(len(packed), np.int64)
    step = max(1, _COUNTED_BYTES // max(1, packed.shape[1]))
    for i in range(0, len(packed), step):
        part = packed[i : i + step]
        part = np.pad(part, ((0, 0), (0, odd)), constant_values=0xFF) if odd else np.ascontiguousarray(part)
        sums[i : i + step] = _COUNTS[part.view("<u2")].sum(axis=1)
    counts: Counts = sums[:, None] >> np.arange(3) * _EACH & (1 << _EACH) - 1
    counts[:, 2] -= 4 * (packed.shape[1] + odd) - n
    return counts
