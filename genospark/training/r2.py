"""How well expression is predicted: R2 and correlation of each gene, averaged, with intervals over families."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A mean over genes, with the ends of its 95% interval."""

    value: float
    low: float
    high: float


def r2_and_r(
    predicted: NDArray[np.float32], measured: NDArray[np.float32], families: NDArray[np.str_], resamples: int = 500, seed: int = 0
) -> tuple[Figure, Figure, int]:
    """Mean over columns (genes, in one or more contexts) of R2 and of Pearson's r between prediction and measurement.

    R2 is about the mean of the people it is measured on. Intervals are a bootstrap over families, since relatives are not independent.

    Args:
        predicted: [people, columns].
        measured: The same, NaN where not measured.
        families: Family of each person, [people].
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        R2, r, and the number of values; columns without two people or without variance do not count.
    """
    _, family = np.unique(families, return_inverse=True)
    n_families = int(family.max(initial=-1)) + 1
    known = ~np.isnan(measured)
    x, y = np.where(known, predicted, 0).astype(float), np.where(known, measured, 0).astype(float)
    # Shifted near their means, so that differences of sums of squares keep their digits.
    x, y = (np.where(known, values - values.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0) for values in (x, y))
    shift = np.where(known, predicted, 0).sum(axis=0) - np.where(known, measured, 0).sum(axis=0)
    shift = shift / np.maximum(known.sum(axis=0), 1)
    parts = (known.astype(float), x, y, x * x, y * y, x * y)
    sums = [np.stack([np.bincount(family, column, n_families) for column in part.T], axis=1) for part in parts]
    value = _means([part.sum(axis=0)[None] for part in sums], shift)
    random = np.random.default_rng(seed)
    times = (
        random.multinomial(n_families, np.full(n_families, 1 / n_families), size=resamples).astype(float)
        if n_families
        else np.zeros((0, 0))
    )
    drawn = _means([times @ part for part in sums], shift)
    figures = [Figure(float(one[0]), *_ends(many)) for one, many in zip(value, drawn, strict=True)]
    return figures[0], figures[1], int(known.sum())


def _means(sums: list[Floats], shift: Floats) -> tuple[Floats, Floats]:
    """R2 and r of each draw [draws], from sums [draws, columns] of ones, x, y, x^2, y^2, xy of centred values; x lies `shift` too high.

    Draws keep the means of all people: centred anew, each would have less variance to explain than the people have.
    """
    n, x, y, xx, yy, xy = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = xx + yy - 2 * xy + 2 * shift * (x - y) + n * shift**2
        usable = (n >= 2) & (yy > 1e-9)
        r2 = np.where(usable, 1 - errors / yy, np.nan)
        r = np.where(xx > 1e-12, xy / np.sqrt(np.maximum(yy * xx, 1e-300)), 0.0)
    return _row_means(r2), _row_means(np.where(usable, r, np.nan))


def _row_means(values: Floats) -> Floats:
    there = ~np.isnan(values)
    counts = there.sum(axis=1)
    return np.where(counts > 0, np.where(there, values, 0).sum(axis=1) / np.maximum(counts, 1), np.nan)


def _ends(values: Floats) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
