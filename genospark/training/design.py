"""Standardised vectors of many people as one matrix, for models that are fitted on the driver: packed where it would be large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genospark.models.spec import FeatureSpec
from genospark.tasks.risk import dense, dense_columns

Matrix = NDArray[np.float32]

# A matrix up to this is widened once; a larger one block by block, each time.
_WIDENED_BYTES = 1 << 30
_BLOCK_BYTES = 64 << 20


class Design(Protocol):
    """A matrix [people, features] that is never asked for whole."""

    @property
    def shape(self) -> tuple[int, int]:
        """People and features."""

    def columns(self, which: NDArray[np.int64]) -> Matrix:
        """Some features, [people, which]."""

    def blocks(self) -> Iterator[tuple[slice, Matrix]]:
        """All features in order, some at a time."""


class Dense:
    """A matrix in memory."""

    def __init__(self, values: Matrix) -> None:
        self._values = values

    @property
    def shape(self) -> tuple[int, int]:
        return self._values.shape[0], self._values.shape[1]

    def columns(self, which: NDArray[np.int64]) -> Matrix:
        return self._values[:, which]

    def blocks(self) -> Iterator[tuple[slice, Matrix]]:
        yield slice(0, self.shape[1]), self._values


class Packed:
    """Fused vectors as they stand in ``riskExamples``: calls of 2 bits and standardised measurements.

    Args:
        spec: Features.
        calls: [people, call bytes].
        measurements: [people, measurements], NaN for missing.
    """

    def __init__(self, spec: FeatureSpec, calls: NDArray[np.uint8], measurements: Matrix) -> None:
        self._spec, self._calls, self._measurements = spec, calls, measurements

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._calls), len(self._spec.variants) + self._spec.n_measurements

    def columns(self, which: NDArray[np.int64]) -> Matrix:
        return dense_columns(self._spec, self._calls, self._measurements, which)

    def blocks(self) -> Iterator[tuple[slice, Matrix]]:
        people, width = self.shape
        # Whole bytes of calls.
        step = max(4, _BLOCK_BYTES // (4 * max(people, 1)) // 4 * 4)
        for first in range(0, width, step):
            block = slice(first, min(first + step, width))
            yield block, self.columns(np.arange(block.start, block.stop))


def design(spec: FeatureSpec, calls: NDArray[np.uint8], measurements: Matrix) -> Design:
    """The matrix of some people: in memory where it is small, else packed; arguments as of ``Packed``."""
    packed = Packed(spec, calls, measurements)
    people, width = packed.shape
    return Dense(dense(spec, calls, measurements)) if 4 * people * width <= _WIDENED_BYTES else packed


def cross(matrix: Design, right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix' transpose times `right` [people, k]: [features, k]."""
    return np.asarray(np.concatenate([block.T @ right.astype(np.float32) for _, block in matrix.blocks()]), np.float64)


def times(matrix: Design, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix times `weights` [features, k]: [people, k]; only features with a weight are read."""
    used = np.flatnonzero(weights.any(axis=1))
    found = np.zeros((matrix.shape[0], weights.shape[1]))
    step = max(1, _BLOCK_BYTES // (4 * max(matrix.shape[0], 1)))
    for first in range(0, len(used), step):
        some = used[first : first + step]
        found += matrix.columns(some) @ weights[some].astype(np.float32)
    return found
