"""Array types and random streams that the room shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """A generator of its own for each purpose, so that changing one part of a simulation leaves the others as they were."""
    return np.random.default_rng([seed, *"/".join(map(str, purpose)).encode()])


def standardise(values: Floats, variance: float | Floats, fit: slice) -> Floats:
    """Shift and scale columns to mean 0 and the given variance.

    Args:
        values: Columns to scale, [people, ...].
        variance: Variance wanted, broadcast over the columns.
        fit: People over whom mean and variance are measured; constant columns become 0.
    """
    deviation = values[fit].std(axis=0)
    scale = np.divide(np.sqrt(variance), deviation, out=np.zeros_like(deviation), where=deviation > 1e-12)
    scaled: Floats = (values - values[fit].mean(axis=0)) * scale
    return scaled
