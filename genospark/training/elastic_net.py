"""Linear models of many targets at once: ridge for a whole path of penalties, and scikit-learn's MultiTaskElasticNet at scale.

Features and targets are standardised, so nothing here fits an intercept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Penalty:
    """Strength of a penalty, relative to the data.

    Attributes:
        share: Without L1 ratio (ridge), of the features' mean variance along the directions in which they vary; otherwise of the smallest
            strength at which all weights are zero.
        l1_ratio: Share of the rows' norms in the penalty; 0 for ridge.
    """

    share: float
    l1_ratio: float = 0.0


class Solver:
    """Fits of one set of rows of features to any targets, with any penalty.

    Minimises ||Y - XW||^2 / 2n + rows * sum of the norms of W's rows + l2 * ||W||^2 / 2: ridge, and scikit-learn's
    ``MultiTaskElasticNet(alpha, l1_ratio)``, where rows is alpha * l1_ratio and l2 is alpha * (1 - l1_ratio).

    Args:
        x: Features [rows, features]. The smaller side of it decides the cost.
    """

    def __init__(self, x: Matrix) -> None:
        self._x, self._n = x, len(x)
        self._wide = x.shape[1] > len(x)
        gram = (x @ x.T if self._wide else x.T @ x) / np.float32(self._n)
        self._gram = None if self._wide else gram
        values, self._vectors = np.linalg.eigh(gram.astype(float))
        self._values = np.maximum(values, 0)
        self._last: dict[float, Matrix] = {}

    def solve(self, y: Matrix, penalty: Penalty) -> tuple[Matrix, float, float]:
        """Weights [features, targets] for targets [rows, targets], and the strengths `l2` and `rows` that the penalty came to."""
        if not penalty.l1_ratio:
            l2 = penalty.share * float(self._values.sum() / max((self._values > 1e-9).sum(), 1))
            return self.ridge(y, l2), l2, 0.0
        short, back = rotated(y)
        alpha = penalty.share * float(np.linalg.norm(self._x.T @ short / self._n, axis=1).max() / penalty.l1_ratio)
        l2, rows = alpha * (1 - penalty.l1_ratio), alpha * penalty.l1_ratio
        start = self._last.get(penalty.l1_ratio)
        weights = self.elastic_net(short, l2, rows, start if start is not None and start.shape[1] == short.shape[1] else None)
        self._last[penalty.l1_ratio] = weights
        return np.asarray(weights @ back) if back is not None else weights, l2, rows

    def ridge(self, y: Matrix, l2: float) -> Matrix:
        """Weights without the rows' penalty."""
        right = y if self._wide else self._x.T @ y
        inner = (self._vectors @ ((self._vectors.T @ right) / (self._values + l2)[:, None] / self._n)).astype(np.float32)
        return np.asarray(self._x.T @ inner) if self._wide else inner

    def elastic_net(
        self, y: Matrix, l2: float, rows: float, start: Matrix | None = None, steps: int = 300, tolerance: float = 1e-3
    ) -> Matrix:
        """Weights by accelerated proximal gradients, from `start` on, until none changes by more than `tolerance` of the largest."""
        cross = self._x.T @ y / np.float32(self._n)
        curvature = np.float32(self._values[-1] + l2)
        threshold = np.float32(rows) / curvature
        weights = np.zeros_like(cross) if start is None else start
        ahead, momentum = weights, 1.0
        for _ in range(steps):
            moved = ahead - (self._product(ahead) - cross + np.float32(l2) * ahead) / curvature
            norms = np.sqrt(np.einsum("ij,ij->i", moved, moved))
            new = moved * np.maximum(0, 1 - threshold / np.maximum(norms, 1e-30))[:, None]
            change = new - weights
            if np.vdot(ahead - new, change) > 0:
                momentum = 1.0
            following = float((1 + np.sqrt(1 + 4 * momentum**2)) / 2)
            ahead = new + np.float32((momentum - 1) / following) * change
            weights, momentum = new, following
            if np.abs(change).max(initial=0) <= tolerance * np.abs(new).max(initial=0):
                break
        return np.asarray(weights)

    def _product(self, weights: Matrix) -> Matrix:
        if self._gram is not None:
            return self._gram @ weights
        return np.asarray(self._x.T @ (self._x @ weights) / np.float32(self._n))


def rotated(y: Matrix) -> tuple[Matrix, Matrix | None]:
    """Targets in fewer columns, Y = short @ back, where there are more targets than rows.

    The norms of rows of weights stay the same under `back`, whose rows are orthonormal, so an elastic net of `short` is one of Y.
    """
    if y.shape[1] <= y.shape[0]:
        return y, None
    u, values, back = np.linalg.svd(y, full_matrices=False)
    return np.asarray(u * values, np.float32), np.asarray(back, np.float32)


def own_ridge(variants: Matrix, near: NDArray[np.int32], y: Matrix, penalty: float) -> Matrix:
    """A ridge regression of each target on its own few variants.

    Args:
        variants: Standardised copies [rows, variants].
        near: Variants of each target, -1 where it has fewer, [targets, most].
        y: [rows, targets].
        penalty: As of ``Ridge``.

    Returns:
        Weights [targets, most], 0 where there is no variant.
    """
    n, most = len(variants), near.shape[1]
    weights = np.zeros(near.shape, np.float32)
    if not most or not n:
        return weights
    at_once = max(1, (32 << 20) // (n * most))
    for first in range(0, len(near), at_once):
        part = slice(first, first + at_once)
        there = near[part] >= 0
        copies = variants[:, np.maximum(near[part], 0)] * there
        gram = np.einsum("ntk,ntl->tkl", copies, copies, optimize=True) / n + penalty * np.eye(most)
        cross = np.einsum("ntk,nt->tk", copies, y[:, part], optimize=True) / n
        weights[part] = np.linalg.solve(gram, cross[..., None])[..., 0] * there
    return weights
