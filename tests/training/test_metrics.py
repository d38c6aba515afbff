from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from genospark.training.metrics import auc, f1_interval, interval


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(1, 3)), min_size=2, max_size=40))
def test_auc_equals_scikit_learns_with_ties_and_weights(rows: list[tuple[int, int, int]]) -> None:
    scores, labels, weights = (np.array(column, float) for column in zip(*rows, strict=True))
    if len(set(labels)) < 2:
        assert np.isnan(auc(scores, labels))
    else:
        assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
        assert auc(scores, labels, weights) == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights))


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(1)
    truth = 0.76025  # normal scores one standard deviation apart: Phi(1 / sqrt(2))
    covered = 0
    for trial in range(60):
        labels = (random.random(200) < 0.3).astype(float)
        scores = random.normal(size=200) + labels
        low, high = interval(scores, labels, np.arange(200).astype(str), resamples=200, seed=trial)
        covered += low <= truth <= high
    assert covered >= 51


def test_families_widen_the_interval() -> None:
    random = np.random.default_rng(2)
    labels = np.repeat((random.random(60) < 0.4).astype(float), 5)
    scores = np.repeat(random.normal(size=60), 5) + labels
    alone = interval(scores, labels, np.arange(300).astype(str))
    together = interval(scores, labels, np.repeat(np.arange(60), 5).astype(str))
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_nothing_wrong_is_no_certainty() -> None:
    counts = np.array([[40, 0, 0], [52, 0, 0]])
    exact = binomtest(92, 92).proportion_ci(method="exact")
    assert f1_interval(counts) == pytest.approx((exact.low, exact.high))
    low, high = f1_interval(np.vstack([counts, [[0, 1, 1]]]))
    assert low < 92 / 93 < high
