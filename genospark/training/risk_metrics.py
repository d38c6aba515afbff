"""How good predictions of diseases, classes and quantities are; each measure for many weightings of the people at once.

A weighting is a row of `times` [draws, people]; the first one counts everyone by the label's own weight, the others resample families.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from genospark.models.targets import Target, sigmoid

Floats = NDArray[np.float64]
Measure = Callable[[Floats, Floats, Floats], Floats]
"""From responses [people, heads], labels [people] and times to one value a draw."""

_BINS = 10
_LEAST = 1e-7


def draws(families: NDArray[np.str_], weights: Floats, resamples: int, seed: int = 0) -> Floats:
    """Times that people count, [1 + resamples, people]: bootstrap over families, since relatives are not independent."""
    _, family = np.unique(families, return_inverse=True)
    n = int(family.max(initial=-1)) + 1
    random = np.random.default_rng(seed)
    drawn = random.multinomial(n, np.full(n, 1 / n), resamples) if n else np.zeros((resamples, 0), int)
    return np.asarray(np.concatenate([np.ones((1, len(family))), drawn[:, family]]) * weights, np.float64)


def interval(values: Floats) -> tuple[float, float, float]:
    """Value and the ends of its 95% interval, of a measure's values; NaN where there is none."""
    resampled = values[1:][~np.isnan(values[1:])]
    if not len(resampled):
        return float(values[0]), float("nan"), float("nan")
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(values[0]), float(low), float(high)


def measures(target: Target) -> dict[str, Measure]:
    """The measures of a kind of target, by name."""
    if target.kind == "continuous":
        return {"R2": _r2, "Pearson r": _pearson}
    if target.kind == "multiclass":
        return {"accuracy": _accuracy, "log loss": _log_loss, "macro AUC": _macro_auc}
    found: dict[str, Measure] = {"AUC": _auc, "AUPRC": _auprc, "Brier": _brier, "calibration slope": _slope, "ECE": _ece}
    prevalence = target.prevalence

    def liability(p: Floats, labels: Floats, times: Floats) -> Floats:
        return _liability_r2(p, labels, times, prevalence)

    return found | {"top-decile odds ratio": _top_decile, "liability R2": liability}


def _share(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(denominator > 0, numerator / denominator, np.nan))


def _ranked(scores: Floats, labels: Floats, times: Floats) -> tuple[Floats, Floats]:
    """Cases and controls of each distinct score, falling, [draws, scores]."""
    order = np.argsort(-scores, kind="stable")
    firsts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) != 0]))
    counted = times[:, order]
    cases = np.add.reduceat(counted * labels[order], firsts, axis=1)
    return cases, np.add.reduceat(counted, firsts, axis=1) - cases


def _auc(p: Floats, labels: Floats, times: Floats) -> Floats:
    """Area under the ROC curve, ties counting half."""
    if not len(labels):
        return np.full(len(times), np.nan)
    cases, controls = _ranked(p[:, 0], labels, times)
    below = controls.sum(axis=1, keepdims=True) - np.cumsum(controls, axis=1)
    return _share((cases * (below + controls / 2)).sum(axis=1), cases.sum(axis=1) * controls.sum(axis=1))


def _auprc(p: Floats, labels: Floats, times: Floats) -> Floats:
    """Average precision."""
    if not len(labels):
        return np.full(len(times), np.nan)
    cases, controls = _ranked(p[:, 0], labels, times)
    found = np.cumsum(cases, axis=1)
    precision = found / np.maximum(found + np.cumsum(controls, axis=1), 1e-12)
    return _share((cases * precision).sum(axis=1), cases.sum(axis=1))


def _brier(p: Floats, labels: Floats, times: Floats) -> Floats:
    return _share(times @ (p[:, 0] - labels) ** 2, times.sum(axis=1))


def _ece(p: Floats, labels: Floats, times: Floats) -> Floats:
    """Expected calibration error over ten bins of as many people (Naeini et al. 2015)."""
    order = np.argsort(p[:, 0], kind="stable")
    bins = np.zeros((len(order), _BINS))
    bins[order, np.arange(len(order)) * _BINS // max(len(order), 1)] = 1
    gaps = times @ (bins * (p[:, 0] - labels)[:, None])
    return _share(np.abs(gaps).sum(axis=1), times.sum(axis=1))


def _slope(p: Floats, labels: Floats, times: Floats) -> Floats:
    """Slope of a logistic regression of the label on the prediction's logit: 1 where risks are neither too extreme nor too alike."""
    clipped = np.clip(p[:, 0], _LEAST, 1 - _LEAST)
    logits = np.log(clipped) - np.log1p(-clipped)
    found = np.stack([np.ones(len(times)), np.zeros(len(times))], axis=1)
    known = (times @ labels > 0) & (times @ (1 - labels) > 0) & (np.ptp(logits) > 0 if len(logits) else False)
    for _ in range(12):
        means = sigmoid(found[:, :1] * logits + found[:, 1:])
        rest, curvature = times * (labels - means), np.maximum(times * means * (1 - means), 1e-12)
        a, b, c = curvature @ logits**2, curvature @ logits, curvature.sum(axis=1)
        by_slope, by_intercept = rest @ logits, rest.sum(axis=1)
        determinant = np.maximum(a * c - b * b, 1e-12)
        step = np.stack([c * by_slope - b * by_intercept, a * by_intercept - b * by_slope], axis=1) / determinant[:, None]
        found += np.clip(step, -2, 2)
        if np.abs(step[known]).max(initial=0) < 1e-6:
            break
    return np.where(known, found[:, 0], np.nan)


def _top_decile(p: Floats, labels: Floats, times: Floats) -> Floats:
    """Odds of disease in the tenth of highest risk, as a multiple of the odds in the rest; half a person in each cell."""
    if not len(labels):
        return np.full(len(times), np.nan)
    top = np.zeros(len(labels))
    top[np.argsort(-p[:, 0], kind="stable")[: max(1, len(labels) // 10)]] = 1
    cells = [times @ (side * who) + 0.5 for side in (top, 1 - top) for who in (labels, 1 - labels)]
    return np.asarray(cells[0] * cells[3] / (cells[1] * cells[2]))


def _liability_r2(p: Floats, labels: Floats, times: Floats, prevalence: float | None) -> Floats:
    """Share of the variance of liability (Lee et al. 2012, Genet Epidemiol 36:214)."""
    r = _correlation(p[:, 0], labels, times)
    share = _share(times @ labels, times.sum(axis=1))
    k = share if prevalence is None else np.full(len(times), prevalence)
    with np.errstate(divide="ignore", invalid="ignore"):
        height = norm.pdf(norm.ppf(1 - k))
        c = (k * (1 - k)) ** 2 / (height**2 * share * (1 - share))
        m = height / k
        shift = (share - k) / (1 - k)
        threshold = norm.ppf(1 - k)
        theta = m * shift * (m * shift - threshold)
        return np.asarray(r**2 * c / (1 + r**2 * theta * c))


def _correlation(said: Floats, truth: Floats, times: Floats) -> Floats:
    total = np.maximum(times.sum(axis=1), 1e-12)
    means, true_means = times @ said / total, times @ truth / total
    covariance = times @ (said * truth) / total - means * true_means
    variances = (times @ said**2 / total - means**2) * (times @ truth**2 / total - true_means**2)
    return _share(covariance, np.sqrt(np.maximum(variances, 0)))


def _r2(said: Floats, labels: Floats, times: Floats) -> Floats:
    total = np.maximum(times.sum(axis=1), 1e-12)
    variance = times @ labels**2 / total - (times @ labels / total) ** 2
    return 1 - _share(times @ (said[:, 0] - labels) ** 2 / total, variance)


def _pearson(said: Floats, labels: Floats, times: Floats) -> Floats:
    return _correlation(said[:, 0], labels, times)


def _accuracy(p: Floats, labels: Floats, times: Floats) -> Floats:
    return _share(times @ (p.argmax(axis=1) == labels), times.sum(axis=1))


def _log_loss(p: Floats, labels: Floats, times: Floats) -> Floats:
    right = p[np.arange(len(labels)), labels.astype(int)]
    return _share(times @ -np.log(np.maximum(right, _LEAST)), times.sum(axis=1))


def _macro_auc(p: Floats, labels: Floats, times: Floats) -> Floats:
    """Mean over the classes of the AUC of each against all others."""
    return np.asarray(np.mean([_auc(p[:, [place]], (labels == place) * 1.0, times) for place in range(p.shape[1])], axis=0))
