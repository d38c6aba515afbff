"""Sites with evidence of a variant: networks look at these and their surroundings alone, since at most positions no read differs twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.core.pileup import INDEX, UNKNOWN_BASE, WINDOW_BP, base_counts

Compute = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From windows [windows, 1000, channels] to logits [windows, 1000, heads, genotypes]."""
_SUPPORT, _SHARE, _LONE_SHARE = 2, 0.05, 1 / 7
# What goes through a network at once.
_CHUNK = 64
_PHRED_OF_HALF = 10 * np.log10(2)
_PHRED_OF_THIRD = 10 * np.log10(3)


def evident(pileup: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where an indel is a candidate, or another base is shown twice, or once where reads are few; [..., channels] -> [...]."""
    counts, depth = _alternates(pileup)
    best = counts.max(axis=-1)
    several = (best >= _SUPPORT) & (best >= _SHARE * depth)
    lone = (best > 0) & (best >= _LONE_SHARE * depth)
    found: NDArray[np.bool_] = several | lone | (pileup[..., INDEX["indel1_length"]] > 0)
    return found


def reference_quality(pileup: NDArray[np.uint8], base_error: float, rates: tuple[float, float]) -> NDArray[np.float32]:
    """Phred-scaled chance that a position without evidence is heterozygous, by the Bayesian caller: [..., channels] -> [..., heads].

    Args:
        pileup: Windows.
        base_error: Least chance that a base is wrong.
        rates: Shares of heterozygous positions: SNVs, indels.
    """
    counts, depth = _alternates(pileup)
    quality = INDEX["quality_A"]
    surest = np.minimum(pileup[..., quality : quality + 4], -10 * np.log10(base_error))
    against = (counts * (surest + _PHRED_OF_THIRD - _PHRED_OF_HALF)).sum(axis=-1)
    spanning = pileup[..., INDEX["spanning_forward"]].astype(np.int64) + pileup[..., INDEX["spanning_reverse"]]
    snv = _PHRED_OF_HALF * (depth - counts.sum(axis=-1)) - against - 10 * np.log10(rates[0])
    indel = _PHRED_OF_HALF * spanning - 10 * np.log10(rates[1])
    return np.stack([snv, indel], axis=-1).astype(np.float32)


def _alternates(pileup: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reads that show each base, 0 for the reference's, and reads that show any."""
    counts = base_counts(pileup)
    depth = counts.sum(axis=-1)
    counts[pileup[..., INDEX["reference"], None] == np.arange(4)] = 0
    return counts, depth


def at_sites(
    pileup: NDArray[np.uint8], window: NDArray[np.int64], offset: NDArray[np.int64], radius: int, compute: Compute
) -> NDArray[Any]:
    """Logits at some positions, [positions, heads, genotypes].

    Each position is computed with its surroundings, many of them side by side in one window. Where a window has so many that these would be
    more than it, it is computed itself.

    Args:
        pileup: Windows.
        window: Window of each position, ascending.
        offset: Its place there.
        radius: Positions on either side that the network sees; those outside the window count as nothing.
        compute: The network.
    """
    crowded = np.bincount(window, minlength=len(pileup)) * (2 * radius + 1) > WINDOW_BP
    whole = crowded[window]
    parts = np.zeros((len(window), 0), np.float32)
    if whole.any():
        which = np.flatnonzero(crowded)
        dense = np.concatenate([compute(pileup[which[at : at + _CHUNK]]) for at in range(0, len(which), _CHUNK)])
        parts = np.zeros((len(window), *dense.shape[2:]), np.float32)
        parts[whole] = dense[np.searchsorted(which, window[whole]), offset[whole]]
    alone = np.flatnonzero(~whole)
    length = 2 * radius + 1
    beside = max(1, WINDOW_BP // length)
    for at in range(0, len(alone), _CHUNK * beside):
        some = alone[at : at + _CHUNK * beside]
        found = _side_by_side(pileup, window[some], offset[some], radius, compute)
        if not parts.shape[1]:
            parts = np.zeros((len(window), *found.shape[1:]), np.float32)
        parts[some] = found
    return parts


def _side_by_side(
    pileup: NDArray[np.uint8], window: NDArray[np.int64], offset: NDArray[np.int64], radius: int, compute: Compute
) -> NDArray[np.float32]:
    length = 2 * radius + 1
    beside = WINDOW_BP // length
    place = offset[:, None] + np.arange(-radius, radius + 1)
    rows = -(-len(window) // beside)
    nothing = np.zeros(pileup.shape[2], np.uint8)
    nothing[INDEX["reference"]] = UNKNOWN_BASE
    pieces = np.empty((rows * beside, length, len(nothing)), np.uint8)
    pieces[: len(window)] = pileup[window[:, None], np.clip(place, 0, WINDOW_BP - 1)]
    pieces[: len(window)][(place < 0) | (place >= WINDOW_BP)] = nothing
    pieces[len(window) :] = nothing
    packed = np.empty((rows, WINDOW_BP, len(nothing)), np.uint8)
    packed[:, : beside * length] = pieces.reshape(rows, beside * length, -1)
    packed[:, beside * length :] = nothing
    logits = compute(packed)[:, : beside * length]
    found: NDArray[np.float32] = logits.reshape(rows * beside, length, *logits.shape[2:])[: len(window), radius]
    return found
