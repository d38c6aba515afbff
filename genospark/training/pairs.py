"""A screen of products of two features: the score test of each beside its own two features, for all pairs at once by matrix products.

Residuals of the additive regression are multiplied with every product x_i x_j from which 1, x_i and x_j are taken out, as moments of the
features say. So a pair costs a few multiplications a person, and none is made that does not pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from genospark.training.design import Design, Matrix

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_TILE = 256
# A product that its own features explain to this share is no feature of its own.
_LEAST_REST = 0.05


@dataclass(frozen=True)
class Found:
    """Pairs that passed, the strongest first.

    Attributes:
        pairs: Features of each, [pairs, 2].
        p_values: Smallest over the heads and their sum, corrected for this choice, [pairs].
        tests: Pairs that were tested.
    """

    pairs: Indices
    p_values: Floats
    tests: int


def screen(design: Design, residuals: Floats, curvature: Floats, candidates: Indices, near: int, false_share: float, most: int) -> Found:
    """Pairs of features whose product says what the features alone do not.

    Args:
        design: Standardised vectors of training people.
        residuals: Weighted label minus prediction of each person and head, 0 where not known, [people, heads].
        curvature: Weighted variance of each label by the prediction, [people, heads].
        candidates: Features of which all pairs are tested.
        near: Pairs of any feature with so many following ones are tested too (genes, stretches in linkage disequilibrium).
        false_share: Expected share of false ones among those that pass (Benjamini and Hochberg 1995).
        most: Pairs to return at most.
    """
    kept: list[tuple[Indices, Floats]] = []
    tests = 0
    limit = 1e-3

    def test(rows: Indices, columns: Indices, wanted: NDArray[np.bool_]) -> None:
        nonlocal tests
        p, varies = _p_values(design.columns(rows), design.columns(columns), residuals, curvature)
        wanted = wanted & varies
        tests += int(wanted.sum())
        places = np.argwhere(wanted & (p < limit))
        kept.append((np.stack([rows[places[:, 0]], columns[places[:, 1]]], axis=1), p[places[:, 0], places[:, 1]]))

    for first in range(0, len(candidates), _TILE):
        rows = candidates[first : first + _TILE]
        for other in range(first, len(candidates), _TILE):
            columns = candidates[other : other + _TILE]
            test(rows, columns, columns[None, :] > rows[:, None])
    chosen = np.zeros(design.shape[1], bool)
    chosen[candidates] = True
    if near and len(candidates) < design.shape[1]:
        step = max(_TILE // 4, near)
        for first in range(0, design.shape[1], step):
            rows = np.arange(first, min(first + step, design.shape[1]))
            columns = np.arange(first, min(first + step + near, design.shape[1]))
            gap = columns[None, :] - rows[:, None]
            test(rows, columns, (gap > 0) & (gap <= near) & ~(chosen[rows][:, None] & chosen[columns][None, :]))
    pairs = np.concatenate([found for found, _ in kept]) if kept else np.zeros((0, 2), np.int64)
    p_values = np.concatenate([p for _, p in kept]) if kept else np.zeros(0)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], p_values))
    pairs, p_values = pairs[order], p_values[order]
    passing = np.flatnonzero(p_values * tests <= false_share * (1 + np.arange(len(p_values))))
    count = min(most, int(passing[-1]) + 1 if len(passing) else 0)
    return Found(pairs[:count], p_values[:count], tests)


def _p_values(a: Matrix, b: Matrix, residuals: Floats, curvature: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Of each pair of a column of `a` and one of `b`, and whether the product varies by itself."""
    n = len(a)
    a2, b2 = a * a, b * b
    means_a, means_b = a.mean(axis=0, dtype=float)[:, None], b.mean(axis=0, dtype=float)[None, :]
    second_a, second_b = a2.mean(axis=0, dtype=float)[:, None], b2.mean(axis=0, dtype=float)[None, :]
    both = (a.T @ b).astype(float) / n
    # Covariances of the product with either feature, and its variance.
    with_a = (a2.T @ b).astype(float) / n - both * means_a
    with_b = (a.T @ b2).astype(float) / n - both * means_b
    variance = (a2.T @ b2).astype(float) / n - both**2
    var_a, var_b, covariance = second_a - means_a**2, second_b - means_b**2, both - means_a * means_b
    determinant = var_a * var_b - covariance**2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope_a = (with_a * var_b - with_b * covariance) / determinant
        slope_b = (with_b * var_a - with_a * covariance) / determinant
        rest = variance - slope_a * with_a - slope_b * with_b
        varies = (determinant > _LEAST_REST * var_a * var_b) & (rest > _LEAST_REST * variance)
        constant = both - slope_a * means_a - slope_b * means_b
        statistics = np.zeros((residuals.shape[1], *both.shape))
        for head in range(residuals.shape[1]):
            residual = residuals[:, head].astype(np.float32)
            score = ((a * residual[:, None]).T @ b).astype(float)
            score -= constant * residual.sum(dtype=float)
            score -= slope_a * (residual @ a).astype(float)[:, None] + slope_b * (residual @ b).astype(float)[None, :]
            statistics[head] = score**2 / np.maximum(curvature[:, head].sum() * rest, 1e-30)
    statistics = np.where(varies, statistics, 0)
    n_heads = len(statistics)
    single = chi2.sf(statistics.max(axis=0), 1) * n_heads
    if n_heads == 1:
        return np.minimum(single, 1.0), varies
    joint = chi2.sf(statistics.sum(axis=0), n_heads)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(single, joint))), varies


def unlike(products: Matrix, r2: float) -> Indices:
    """Of products in their order those that are not correlated with an earlier one that is kept: what linkage says many times once.

    Args:
        products: Standardised, [people, pairs].
        r2: Squared correlation above which a pair is left out.
    """
    near = (products.T @ products / np.float32(len(products))) ** 2 > r2
    kept: list[int] = []
    left = np.ones(len(near), bool)
    for place in range(len(near)):
        if left[place]:
            kept.append(place)
            left &= ~near[place]
    return np.array(kept, np.int64)


@dataclass(frozen=True)
class Products:
    """Products of features, standardised on training people.

    Attributes:
        pairs: Features of each, [pairs, 2].
        means, deviations: Of the products of standardised features, [pairs].
    """

    pairs: Indices
    means: NDArray[np.float32]
    deviations: NDArray[np.float32]

    @classmethod
    def of(cls, design: Design, pairs: Indices) -> Products:
        """Products with the means and deviations of some people."""
        values = _products(design, pairs)
        means, deviations = values.mean(axis=0, dtype=float), values.std(axis=0, dtype=float)
        return cls(pairs, means.astype(np.float32), np.maximum(deviations, 1e-6).astype(np.float32))

    def some(self, which: Indices) -> Products:
        """Some of the products."""
        return Products(self.pairs[which], self.means[which], self.deviations[which])

    def values(self, design: Design) -> Matrix:
        """[people, pairs]."""
        return (_products(design, self.pairs) - self.means) / self.deviations


def _products(design: Design, pairs: Indices) -> Matrix:
    used, places = np.unique(pairs, return_inverse=True)
    columns = design.columns(used)
    places = places.reshape(pairs.shape)
    return columns[:, places[:, 0]] * columns[:, places[:, 1]]
