"""Areas under ROC and precision-recall curves, sorted once and summed for as many weights as wanted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 400


class Ranking:
    """Scores in order.

    Args:
        scores: [heads, items].
        labels: 1, 0, or NaN for not known, [heads, items].
    """

    def __init__(self, scores: Floats, labels: Floats) -> None:
        self._order = np.argsort(-scores, axis=1, kind="stable")
        ranked = np.take_along_axis(scores, self._order, axis=1)
        self._labels = np.take_along_axis(labels, self._order, axis=1)
        # Items of equal score are one threshold: from the place of the first to that of the last.
        places = np.arange(ranked.shape[1])
        starts = np.concatenate([np.ones((len(ranked), 1), bool), ranked[:, 1:] != ranked[:, :-1]], axis=1)
        ends = np.concatenate([starts[:, 1:], np.ones((len(ranked), 1), bool)], axis=1)
        self._first = np.maximum.accumulate(np.where(starts, places, 0), axis=1)
        self._last = np.minimum.accumulate(np.where(ends, places, ranked.shape[1])[:, ::-1], axis=1)[:, ::-1]

    def areas(self, weights: Floats | None = None) -> tuple[Floats, Floats]:
        """Area under the ROC curve, and average precision, of each head.

        Args:
            weights: Times that each item counts, [items]; once by default.

        Returns:
            Each [heads]; NaN where a head has no positive or, for the former, no negative item.
        """
        known = ~np.isnan(self._labels)
        counted = known.astype(float) if weights is None else np.where(known, weights[self._order], 0.0)
        positive = np.where(self._labels == 1, counted, 0.0)
        hits, misses = np.cumsum(positive, axis=1), np.cumsum(counted - positive, axis=1)
        n_positive, n_negative = hits[:, -1], misses[:, -1]
        hits, through = (np.take_along_axis(sums, self._last, axis=1) for sums in (hits, misses))
        above = np.where(self._first > 0, np.take_along_axis(misses, np.maximum(self._first - 1, 0), axis=1), 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            average = (positive * np.nan_to_num(hits / (hits + through))).sum(axis=1) / n_positive
            # Of each positive, the negatives below it and half of those beside it.
            area = (positive * (n_negative[:, None] - (above + through) / 2)).sum(axis=1) / (n_positive * n_negative)
        return area, average


def interval(figure: Callable[[Floats], Floats], units: int, seed: int = 0) -> Floats:
    """95% intervals by bootstrap over units.

    Args:
        figure: From the times that each unit counts [units] to figures [figures].
        units: Units, such as genes.
        seed: Of the draws.

    Returns:
        Lower and upper ends, [figures, 2]; NaN where a figure is never defined.
    """
    random = np.random.default_rng(seed)
    draws = np.array([figure(random.multinomial(units, np.full(units, 1 / units)).astype(float)) for _ in range(RESAMPLES)])
    return np.array(
        [np.quantile(values[~np.isnan(values)], [0.025, 0.975]) if not np.isnan(values).all() else [np.nan] * 2 for values in draws.T]
    )
