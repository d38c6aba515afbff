"""Sites with evidence of a variant, and their surroundings: at most positions no read differs twice, and nobody need look there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genospark.core.pileup import INDEX, UNKNOWN_BASE, WINDOW_BP, base_counts

_SUPPORT, _SHARE, _LONE_SHARE = 2, 0.05, 1 / 7


def evident(pileup: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where an indel is a candidate, or another base is shown twice, or once where reads are few; [..., channels] -> [...]."""
    counts, depth = alternates(pileup)
    best = counts.max(axis=-1)
    several = (best >= _SUPPORT) & (best >= _SHARE * depth)
    lone = (best > 0) & (best >= _LONE_SHARE * depth)
    found: NDArray[np.bool_] = several | lone | (pileup[..., INDEX["indel1_length"]] > 0)
    return found


def alternates(pileup: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reads that show each base, 0 for the reference's, and reads that show any."""
    counts = base_counts(pileup)
    depth = counts.sum(axis=-1)
    counts[pileup[..., INDEX["reference"], None] == np.arange(4)] = 0
    return counts, depth


def n_beside(radius: int) -> int:
    """Sites that have room side by side in a window, with so many positions on either side of each."""
    return max(1, WINDOW_BP // (2 * radius + 1))


def surroundings(pileup: NDArray[np.uint8], window: NDArray[np.int64], offset: NDArray[np.int64], radius: int) -> NDArray[np.uint8]:
    """What lies around some positions, [positions, 2 radius + 1, channels]; outside of their windows is nothing.

    Args:
        pileup: Windows.
        window: Window of each position.
        offset: Its place there.
        radius: Positions on either side.
    """
    place = offset[:, None] + np.arange(-radius, radius + 1)
    pieces: NDArray[np.uint8] = pileup[window[:, None], np.clip(place, 0, WINDOW_BP - 1)]
    pieces[(place < 0) | (place >= WINDOW_BP)] = nothing(pileup.shape[2])
    return pieces


def side_by_side(pieces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Surroundings [positions, length, channels] in windows, ``n_beside`` in each; the rest is nothing."""
    n, length, channels = pieces.shape
    beside = n_beside(length // 2)
    rows = -(-n // beside)
    packed = np.empty((rows, WINDOW_BP, channels), np.uint8)
    packed[:] = nothing(channels)
    whole = np.concatenate([pieces, np.broadcast_to(nothing(channels), (rows * beside - n, length, channels))])
    packed[:, : beside * length] = whole.reshape(rows, beside * length, channels)
    return packed


def nothing(channels: int) -> NDArray[np.uint8]:
    """The channels of a position outside of everything."""
    none = np.zeros(channels, np.uint8)
    none[INDEX["reference"]] = UNKNOWN_BASE
    return none
