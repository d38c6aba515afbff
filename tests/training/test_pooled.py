"""Measures over folds beside scikit-learn's, and what of them the intervals say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from genospark.training.pooled import Auc, pooled


@pytest.fixture
def outcomes() -> pd.DataFrame:
    """A disease and a trait of 300 people in families of three, told by a good model, a worse baseline and a useless one."""
    random = np.random.default_rng(1)
    n = 300
    risk = random.normal(size=n)
    label = (risk + random.normal(size=n) > 0.5).astype(float)
    label[::20] = np.nan
    people = pd.DataFrame({"sampleId": [f"p{i}" for i in range(n)], "familyId": [f"f{i // 3}" for i in range(n)]})
    people["fold"] = [str(i // 3 % 4) for i in range(n)]
    parts = []
    for model, noise in (("default", 0.3), ("linear", 1.0), ("none", 30.0)):
        # Models of different folds have scores of different scales.
        score = (risk + noise * random.normal(size=n)) * (1 + people["fold"].astype(int)) + 5 * people["fold"].astype(int)
        parts.append(people.assign(target="d", metric="AUC", model=model, method=f"m {model}", score=score.round(1), label=label))
        guess = risk + noise * random.normal(size=n) / 3
        parts.append(people.assign(target="t", metric="R2", model=model, method=f"m {model}", score=guess, label=risk))
    return pd.concat(parts).assign(weight=1.0)


def test_values_are_those_of_the_folds(outcomes: pd.DataFrame) -> None:
    rows = {(row.target, row.metric, row.model): row for row in pooled(outcomes, resamples=200)}
    for model in ("default", "linear", "none"):
        mine = outcomes[(outcomes["model"] == model) & (outcomes["target"] == "d")].dropna()
        folds = [part for _, part in mine.groupby("fold")]
        pairs = [part["label"].sum() * (1 - part["label"]).sum() for part in folds]
        expected = np.average([roc_auc_score(part["label"], part["score"]) for part in folds], weights=pairs)
        found = rows["d", "AUC", model]
        assert found.value == pytest.approx(expected, abs=1e-12)
        assert found.low < found.value < found.high
        assert (found.n, found.n_positive) == (285, int(mine["label"].sum()))
        trait = outcomes[(outcomes["model"] == model) & (outcomes["target"] == "t")]
        parts = [part for _, part in trait.groupby("fold")]
        spreads = [((part["label"] - part["label"].mean()) ** 2).sum() for part in parts]
        expected = np.average([r2_score(part["label"], part["score"]) for part in parts], weights=spreads)
        assert rows["t", "R2", model].value == pytest.approx(expected, abs=1e-9)
    better = rows["d", "AUC difference", "default"]
    assert better.value == pytest.approx(rows["d", "AUC", "default"].value - rows["d", "AUC", "linear"].value)
    # The draws are the same, so the difference is known better than both.
    assert better.low > 0
    assert better.method == "m default, less m linear"
    assert ("d", "AUC difference", "linear") not in rows


def test_a_person_who_counts_twice_is_two() -> None:
    random = np.random.default_rng(2)
    scores, labels, folds = random.normal(size=60).round(1), random.integers(0, 2, 60).astype(float), random.integers(0, 3, 60)
    times = random.integers(0, 4, 60)
    again = np.repeat(np.arange(60), times)
    expected = Auc(scores[again], labels[again], folds[again]).of(np.ones(len(again)))
    assert Auc(scores, labels, folds).of(times.astype(float)) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(Auc(scores, np.zeros(60), folds).of(np.ones(60)))
