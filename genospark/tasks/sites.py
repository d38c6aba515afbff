"""Networks look at sites with evidence of a variant and their surroundings alone; elsewhere a formula says how sure 0/0 is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.core.pileup import INDEX, WINDOW_BP
from genospark.core.sites import alternates, n_beside, side_by_side, surroundings

Compute = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From windows [windows, 1000, channels] to logits [windows, 1000, heads, genotypes]."""
# What goes through a network at once.
_CHUNK = 64
_PHRED_OF_HALF = 10 * np.log10(2)
_PHRED_OF_THIRD = 10 * np.log10(3)


def reference_quality(pileup: NDArray[np.uint8], base_error: float, rates: tuple[float, float]) -> NDArray[np.float32]:
    """Phred-scaled chance that a position without evidence is heterozygous, by the Bayesian caller: [..., channels] -> [..., heads].

    Args:
        pileup: Windows.
        base_error: Least chance that a base is wrong.
        rates: Shares of heterozygous positions: SNVs, indels.
    """
    counts, depth = alternates(pileup)
    quality = INDEX["quality_A"]
    surest = np.minimum(pileup[..., quality : quality + 4], -10 * np.log10(base_error))
    against = (counts * (surest + _PHRED_OF_THIRD - _PHRED_OF_HALF)).sum(axis=-1)
    spanning = pileup[..., INDEX["spanning_forward"]].astype(np.int64) + pileup[..., INDEX["spanning_reverse"]]
    snv = _PHRED_OF_HALF * (depth - counts.sum(axis=-1)) - against - 10 * np.log10(rates[0])
    indel = _PHRED_OF_HALF * spanning - 10 * np.log10(rates[1])
    both: NDArray[np.float32] = np.stack([snv, indel], axis=-1).astype(np.float32)
    return both


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
    beside = n_beside(radius)
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
    length, beside = 2 * radius + 1, n_beside(radius)
    packed = side_by_side(surroundings(pileup, window, offset, radius))
    logits = compute(packed)[:, : beside * length]
    found: NDArray[np.float32] = logits.reshape(len(packed) * beside, length, *logits.shape[2:])[: len(window), radius]
    return found
