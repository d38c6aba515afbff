"""Measures over the people of all folds of a cross-validation, each told by a model that others made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

Doubles = NDArray[np.float64]
OURS = ("default", "network")
"""Models that are no baselines."""


class Pooled(NamedTuple):
    """A row of ``evaluations``, of all folds."""

    target: str
    metric: str
    model: str
    method: str
    value: float
    low: float
    high: float
    n: int
    n_positive: int | None


class Measure(ABC):
    """A measure of one model's scores; what does not depend on how often people count is made once.

    Args:
        scores: [people].
        labels: [people].
        folds: Number of each person's fold, [people]. Scores of different folds are of different models and never compared.
    """

    @abstractmethod
    def __init__(self, scores: Doubles, labels: Doubles, folds: NDArray[np.int64]) -> None: ...

    @abstractmethod
    def of(self, times: Doubles) -> float:
        """Its value where each person counts so many times, [people]; NaN where there is none."""


class Auc(Measure):
    """Share of the pairs of a case and a control of the same fold in which the case scores higher, ties counting half."""

    def __init__(self, scores: Doubles, labels: Doubles, folds: NDArray[np.int64]) -> None:
        self._labels = labels
        self._places = np.zeros(len(scores), np.int64)
        begins, size = [], 0
        for fold in np.unique(folds):
            mine = folds == fold
            ranks = rankdata(scores[mine], "dense").astype(int) - 1
            begins.append(size)
            self._places[mine] = size + ranks
            size += int(ranks.max()) + 1
        self._begins, self._size = np.array(begins, np.int64), size

    def of(self, times: Doubles) -> float:
        cases = np.bincount(self._places, times * self._labels, self._size)
        controls = np.bincount(self._places, times * (1 - self._labels), self._size)
        before = np.cumsum(controls) - controls
        below = before - np.repeat(before[self._begins], np.diff(np.append(self._begins, self._size)))
        pairs = (np.add.reduceat(cases, self._begins) * np.add.reduceat(controls, self._begins)).sum()
        return float((cases * (below + controls / 2)).sum() / pairs) if pairs else float("nan")


class R2(Measure):
    """1 less the squared errors over the squares around each fold's mean."""

    def __init__(self, scores: Doubles, labels: Doubles, folds: NDArray[np.int64]) -> None:
        self._errors, self._labels = (labels - scores) ** 2, labels
        self._folds = np.unique(folds, return_inverse=True)[1]

    def of(self, times: Doubles) -> float:
        n, total, squares = (np.bincount(self._folds, times * part) for part in (1.0, self._labels, self._labels**2))
        spread = (squares - total**2 / np.maximum(n, 1e-12)).sum()
        return float(1 - (times * self._errors).sum() / spread) if spread > 0 else float("nan")


class Accuracy(Measure):
    """Share of the people whose class is told; scores and labels are places of classes."""

    def __init__(self, scores: Doubles, labels: Doubles, folds: NDArray[np.int64]) -> None:
        self._right = (scores == labels).astype(float)

    def of(self, times: Doubles) -> float:
        total = times.sum()
        return float(times @ self._right / total) if total else float("nan")


MEASURES: dict[str, type[Measure]] = {"AUC": Auc, "R2": R2, "accuracy": Accuracy}


def pooled(outcomes: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> Iterator[Pooled]:
    """Measures of each target and model, and how far our models are from the best baseline.

    Intervals are of a bootstrap over families, of differences on the same draws.

    Args:
        outcomes: sampleId, familyId, fold, target, metric (of ``MEASURES``), model, method, score, label (NaN where not known) and weight,
            how much the person counts.
        resamples: Draws.
        seed: Of the draws.
    """
    known = outcomes[outcomes["label"].notna()]
    for (target, metric), rows in known.groupby(["target", "metric"], sort=True):
        methods = rows.groupby("model")["method"].first().to_dict()
        scores = rows.pivot(index="sampleId", columns="model", values="score")
        people = rows.drop_duplicates("sampleId").set_index("sampleId").loc[scores.index]
        labels, folds = people["label"].to_numpy(float), pd.factorize(people["fold"], sort=True)[0]
        _, family = np.unique(people["familyId"].to_numpy(str), return_inverse=True)
        measures = {str(model): MEASURES[str(metric)](scores[model].to_numpy(float), labels, folds) for model in scores}
        weights = people["weight"].to_numpy(float)
        values = {model: measure.of(weights) for model, measure in measures.items()}
        random, n_families = np.random.default_rng(seed), int(family.max()) + 1
        draws = (random.multinomial(n_families, np.full(n_families, 1 / n_families))[family] * weights for _ in range(resamples))
        drawn = pd.DataFrame([{model: measure.of(times) for model, measure in measures.items()} for times in draws])
        counts = len(labels), int(labels.sum()) if metric == "AUC" else None
        for model, value in values.items():
            yield Pooled(str(target), str(metric), model, str(methods[model]), value, *_interval(drawn[model]), *counts)
        baselines = {model: value for model, value in values.items() if model not in OURS and not np.isnan(value)}
        if not baselines:
            continue
        best = max(baselines, key=lambda model: baselines[model])
        for model in (model for model in OURS if model in values):
            ends = _interval(drawn[model] - drawn[best])
            method = f"{methods[model]}, less {methods[best]}"
            yield Pooled(str(target), f"{metric} difference", model, method, values[model] - values[best], *ends, *counts)


def _interval(values: pd.Series[float]) -> tuple[float, float]:
    there = values.dropna()
    if there.empty:
        return float("nan"), float("nan")
    low, high = np.quantile(there, [0.025, 0.975])
    return float(low), float(high)
