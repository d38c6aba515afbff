"""How well scores rank cases above controls, with intervals over families."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def auc(scores: NDArray[np.float64], labels: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> float:
    """Area under the ROC curve: the chance that a case scores above a control, ties counting half.

    Args:
        scores: [people].
        labels: 0 or 1, [people].
        weights: Times that each person counts; once by default.

    Returns:
        NaN where cases or controls are missing.
    """
    if weights is None:
        weights = np.ones(len(scores))
    places = (rankdata(scores, "dense") - 1).astype(int)
    cases = np.bincount(places, weights * labels)
    controls = np.bincount(places, weights * (1 - labels), len(cases))
    pairs = cases.sum() * controls.sum()
    below = np.cumsum(controls) - controls
    return float((cases * (below + controls / 2)).sum() / pairs) if pairs else float("nan")


def interval(
    scores: NDArray[np.float64], labels: NDArray[np.float64], families: NDArray[np.str_], resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95% interval of the AUC: bootstrap over families, since relatives are not independent.

    Returns:
        Lower and upper end; NaN where cases or controls are missing.
    """
    _, family = np.unique(families, return_inverse=True)
    random = np.random.default_rng(seed)
    n_families = family.max(initial=-1) + 1
    draws = (random.multinomial(n_families, np.full(n_families, 1 / n_families)) for _ in range(resamples if n_families else 0))
    values = np.array([auc(scores, labels, times[family].astype(float)) for times in draws])
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def f1_score(true_positives: float, false_positives: float, false_negatives: float) -> float:
    """Harmonic mean of precision and recall; NaN where there is nothing to find and nothing found."""
    whole = 2 * true_positives + false_positives + false_negatives
    return float(2 * true_positives / whole) if whole else float("nan")


def f1_interval(counts: NDArray[np.int64], resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95% interval of F1: bootstrap over units.

    Where nothing is wrong a bootstrap has no width: it is then the exact interval of a share (Clopper and Pearson 1934).

    Args:
        counts: True positives, false positives and false negatives of each unit (such as a window), [units, 3].
        resamples: Draws.
        seed: Of the draws.

    Returns:
        Lower and upper end; NaN without units.
    """
    if not counts.any():
        return float("nan"), float("nan")
    right, *wrong = counts.sum(axis=0)
    if not any(wrong):
        return float(0.025 ** (1 / right)), 1.0
    random = np.random.default_rng(seed)
    draws = random.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), resamples) @ counts
    whole = 2 * draws[:, 0] + draws[:, 1] + draws[:, 2]
    low, high = np.quantile(2 * draws[whole > 0, 0] / whole[whole > 0], [0.025, 0.975])
    return float(low), float(high)
