"""Neighbour voting by hand, curves against scikit-learn, and the metrics table against the scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from support import Cohort

from genospark.models.bundle import load
from genospark.tasks.bundles import last_version
from genospark.tasks.curves import Ranking
from genospark.tasks.function import FunctionModel, Neighbours
from genospark.training.function import areas
from genospark.training.neighbours import fit


def test_areas_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    scores = random.integers(0, 12, (3, 200)).astype(float)
    labels = (random.random((3, 200)) < 0.3).astype(float)
    weights = random.integers(0, 4, 200).astype(float)
    labels[0, :40] = np.nan
    found = Ranking(scores, labels).areas(weights)
    plain = Ranking(scores, labels).areas()
    for head in range(3):
        known = ~np.isnan(labels[head])
        truth, ranked = labels[head, known], scores[head, known]
        assert plain[0][head] == pytest.approx(roc_auc_score(truth, ranked))
        assert plain[1][head] == pytest.approx(average_precision_score(truth, ranked))
        assert found[0][head] == pytest.approx(roc_auc_score(truth, ranked, sample_weight=weights[known]))
        assert found[1][head] == pytest.approx(average_precision_score(truth, ranked, sample_weight=weights[known]))
    assert np.isnan(Ranking(scores, np.zeros((3, 200))).areas()).all()


def test_macro_and_micro_areas() -> None:
    random = np.random.default_rng(2)
    scores, labels = random.random((90, 4)), (random.random((90, 4)) < 0.3).astype(float)
    labels[:, 3] = 0
    values, ends = areas(scores, labels)
    assert values[0] == pytest.approx(np.mean([roc_auc_score(labels[:, term], scores[:, term]) for term in range(3)]))
    assert values[1] == pytest.approx(average_precision_score(labels.ravel(), scores.ravel()))
    assert (ends[:, 0] < values).all()
    assert (values < ends[:, 1]).all()


def test_votes_by_hand() -> None:
    """Five genes in a plane; the fifth is voted on. Cosines with it: 1, 0.8, 0.6, 0."""
    places = np.array([[2, 0], [0.8, 0.6], [0.6, -0.8], [0, 1]], np.float32)
    labels = np.array([[1, 0], [0, 1], [1, np.nan], [1, 1]], np.float32)
    voters = Neighbours(("a", "b", "c", "d"), places, labels, 3, 1.0)
    prevalence = np.array([0.5, 0.25])
    asked = np.array([[5, 0]], np.float32)
    # The third neighbour's second label is not known; the prevalence has one vote.
    expected = [(1 + 0.6 + 0.5) / (1 + 0.8 + 0.6 + 1), (0.8 + 0.25) / (1 + 0.8 + 1)]
    assert voters.votes(["e"], asked, prevalence)[0] == pytest.approx(expected)
    # A gene has no vote on itself: of a's, b and c and d are left, and d's cosine is 0.
    expected = [(0.6 + 0.5) / (0.8 + 0.6 + 1), (0.8 + 0.25) / (0.8 + 1)]
    assert voters.votes(["a"], asked, prevalence)[0] == pytest.approx(expected)
    alike = Neighbours(("a", "b", "c", "d"), places, labels, 2, 0.0)
    assert alike.votes(["e"], asked, prevalence)[0] == pytest.approx([(1 + 0.5) / 3, (1 + 0.25) / 3])


def test_the_vote_is_chosen_on_validation_genes() -> None:
    """One neighbour of each kind is near; the many that follow say the opposite."""
    training = (
        tuple("abcdefgh"),
        np.repeat(np.array([[1, 0.2], [-0.2, 1]], np.float32), [2, 6], axis=0),
        np.repeat([[1.0], [0.0]], [2, 6], axis=0).astype(np.float32),
    )
    validation = (("x", "y"), np.array([[1, 0.2], [0, 1]], np.float32), np.array([[1], [0]], np.float32))
    chosen = fit(training, validation, np.array([0.25]), [8, 2], [0.0])
    assert (chosen.count, chosen.power) == (2, 0.0)


def test_metrics_are_those_of_the_scores(cohort: Cohort) -> None:
    warehouse = cohort.warehouse
    sides = warehouse.read("functionExamples").select("geneId", "split").toPandas()
    genes = warehouse.read("geneFunctions").toPandas().merge(sides)
    columns = {"network": "networkProbability", "baseline": "baselineScore", "default": "probability"}
    metrics: pd.DataFrame = warehouse.read("metrics/function").toPandas()
    assert len(metrics) == 12
    for row in metrics.itertuples():
        here = genes[genes["split"] == row.split]
        truth = here["isAnnotated"].astype(float)
        if row.metric == "micro AUPRC":
            assert row.value == pytest.approx(average_precision_score(truth, here[columns[row.model]]), abs=1e-9)
        elif not np.isnan(row.value):
            by_term = [(group["isAnnotated"].astype(float), group[columns[row.model]]) for _, group in here.groupby("termId")]
            assert row.value == pytest.approx(np.mean([roc_auc_score(*pair) for pair in by_term if pair[0].nunique() == 2]), abs=1e-9)
        assert row.n == here["geneId"].nunique()
        assert row.nPositive == truth.sum()


def test_the_bundle_keeps_the_model(cohort: Cohort) -> None:
    bundle = load(cohort.path / "bundles" / last_version(cohort.warehouse, "function"), "function")
    model = FunctionModel.of(bundle)
    assert model.bundle().version == bundle.version
    training = cohort.warehouse.read("functionExamples").where("split = 'train'").select("geneId").orderBy("geneId").collect()
    # Only training genes vote.
    assert list(model.neighbours.genes) == [row[0] for row in training]
    assert len(bundle.lineage["losses"]) == 4
