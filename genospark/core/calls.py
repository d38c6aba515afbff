"""The 2-bit format of genotype calls: 0, 1 or 2 copies of the alternate allele, 3 for missing; lowest bits first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MISSING = 3
SAMPLE_BLOCK = 16384

_OF_BYTE = ((np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3).astype(np.uint8)


def pack(calls: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Packs calls along the last axis.

    Args:
        calls: Array [..., n] of 0 to 3.

    Returns:
        Array [..., ceil(n / 4)]; the bits behind the last call say missing.
    """
    short = -calls.shape[-1] % 4
    if short:
        edge = [(0, 0)] * (calls.ndim - 1) + [(0, short)]
        calls = np.pad(calls, edge, constant_values=MISSING)
    shifted = [calls[..., place::4] << np.uint8(2 * place) for place in range(4)]
    return shifted[0] | shifted[1] | shifted[2] | shifted[3]


def unpack(packed: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    """Unpacks the first `n` calls along the last axis: array [..., ceil(n / 4)] to [..., n]."""
    calls: NDArray[np.uint8] = _OF_BYTE[packed].reshape(*packed.shape[:-1], -1)
    return calls[..., :n]


def packed_rows(values: list[bytes]) -> NDArray[np.uint8]:
    """Equally long packed binaries as an array [rows, bytes]."""
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
