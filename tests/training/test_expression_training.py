"""Linear models and metrics of the task expression against scikit-learn, and the metrics table against the scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import MultiTaskElasticNet
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.metrics import r2_score
from support import Cohort

from genospark.features.expression_specification import from_tables
from genospark.models.bundle import load
from genospark.tasks.bundles import last_version
from genospark.training.elastic_net import Penalty, Solver, own_ridge, rotated
from genospark.training.r2 import r2_and_r


def _data(n: int, features: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(n + features)
    x = random.normal(size=(n, features)).astype(np.float32)
    weights = random.normal(size=(features, targets)) * (random.random((features, 1)) < 0.3)
    return x, (x @ weights + random.normal(size=(n, targets))).astype(np.float32)


@pytest.mark.parametrize(("n", "features", "targets"), [(80, 20, 6), (30, 50, 6), (25, 10, 40)])
def test_solvers_agree_with_scikit_learn(n: int, features: int, targets: int) -> None:
    x, y = _data(n, features, targets)
    solver = Solver(x)
    ridge = SklearnRidge(alpha=0.3 * n, fit_intercept=False).fit(x, y)
    assert np.allclose(solver.ridge(y, 0.3), ridge.coef_.T, atol=1e-3)
    for share, l1_ratio in ((0.3, 0.9), (0.1, 0.5)):
        weights, l2, rows = solver.solve(y, Penalty(share, l1_ratio))
        alpha = l2 + rows
        assert rows / alpha == pytest.approx(l1_ratio)
        theirs = MultiTaskElasticNet(alpha=alpha, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-8, max_iter=20_000).fit(x, y).coef_.T

        def objective(w: np.ndarray, l2: float = l2, rows: float = rows) -> float:
            return float(((y - x @ w) ** 2).sum() / (2 * n) + rows * np.linalg.norm(w, axis=1).sum() + l2 / 2 * (w**2).sum())

        assert objective(weights) == pytest.approx(objective(theirs), rel=1e-3)
        assert np.abs(weights - theirs).max() < 0.03 * np.abs(theirs).max()
        assert ((np.abs(weights).sum(axis=1) > 1e-3) == (np.abs(theirs).sum(axis=1) > 1e-3)).mean() > 0.9
    zeros, *_ = solver.solve(y, Penalty(1.001, 0.9))
    assert np.abs(zeros).max() == 0


def test_more_targets_than_rows_are_rotated() -> None:
    _, y = _data(25, 10, 40)
    short, back = rotated(y)
    assert back is not None
    assert short.shape == (25, 25)
    assert np.allclose(short @ back, y, atol=1e-4)
    assert np.allclose(back @ back.T, np.eye(25), atol=1e-5)


def test_own_variants_are_fitted_target_by_target() -> None:
    x, y = _data(60, 8, 3)
    near = np.array([[0, 2], [5, -1], [-1, -1]], np.int32)
    weights = own_ridge(x, near, y, 0.1)
    for target, variants in enumerate(([0, 2], [5], [])):
        if variants:
            expected = SklearnRidge(alpha=0.1 * 60, fit_intercept=False).fit(x[:, variants], y[:, target]).coef_
            assert np.allclose(weights[target, : len(variants)], expected, atol=1e-4)
        assert (weights[target, len(variants) :] == 0).all()


def test_r2_and_r_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(3)
    measured = random.normal(5, 2, (60, 7)).astype(np.float32)
    predicted = (0.5 * measured + random.normal(1, 1, measured.shape)).astype(np.float32)
    measured[random.random(measured.shape) < 0.2] = np.nan
    measured[:, 6] = np.nan
    families = np.array([f"F{number // 3}" for number in range(60)])
    r2, r, n = r2_and_r(predicted, measured, families)
    known = [~np.isnan(column) for column in measured.T][:6]
    pairs = [(measured[rows, g], predicted[rows, g]) for g, rows in enumerate(known)]
    assert r2.value == pytest.approx(np.mean([r2_score(*pair) for pair in pairs]), abs=1e-6)
    assert r.value == pytest.approx(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]), abs=1e-6)
    assert n == sum(rows.sum() for rows in known)
    assert r2.low < r2.value < r2.high
    assert r.low < r.value < r.high
    nothing = r2_and_r(predicted[:0], measured[:0], families[:0])[0]
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_metrics_are_those_of_the_predictions(cohort: Cohort) -> None:
    """The metrics table against scikit-learn on what score wrote for the same people: training and serving agree."""
    warehouse = cohort.warehouse
    spec = from_tables(warehouse)
    sides = warehouse.read("expressionExamples").select("sampleId", "split").distinct().toPandas()
    predictions = warehouse.read("expressionPredictions").drop("runId").toPandas()
    raw = warehouse.read("expression").select("sampleId", "geneId", "cellType", "state", "expressionValue").toPandas()
    rows = predictions.merge(raw).merge(sides)
    rows["measured"] = np.log1p(rows["expressionValue"])
    columns = {"network": "networkTransformed", "baseline": "baselineTransformed", "default": "predictedTransformed"}
    metrics: pd.DataFrame = warehouse.read("metrics/expression").toPandas()
    per_context = metrics[(metrics["metric"] == "R2") & ~metrics["target"].str.startswith("all")]
    assert len(per_context) == 2 * 3 * len(spec.cell_types) * len(spec.states)
    for row in per_context.itertuples():
        cell_type, state = row.target.split("/")
        here = rows[(rows["cellType"] == cell_type) & (rows["state"] == state) & (rows["split"] == row.split)]
        values = [r2_score(gene["measured"], gene[columns[row.model]]) for _, gene in here.groupby("geneId")]
        assert len(values) == len(spec.targets)
        assert row.value == pytest.approx(np.mean(values), abs=1e-4)
        assert row.n == len(here)
    overall = metrics[(metrics["metric"] == "R2") & (metrics["split"] == "test")].set_index(["model", "target"])["value"]
    for model in columns:
        parts = per_context[(per_context["model"] == model) & (per_context["split"] == "test")]["value"]
        assert overall[model, "all"] == pytest.approx(parts.mean(), abs=1e-6)
        assert overall[model, "all"] > overall[model, "all, without panel"] > 0


def test_the_network_starts_at_the_best_linear_model(cohort: Cohort) -> None:
    """The ranks' first validation loss is the linear models' error, with the panel (weight .8) and without (.2)."""
    lineage = load(cohort.path / "bundles" / last_version(cohort.warehouse, "expression"), "expression").lineage
    with_panel, alone = lineage["linearModels"]
    errors = [entry["validationError"] for entry in with_panel]
    assert len(errors) == 6
    assert errors == sorted(errors)
    assert errors[0] < alone[0]["validationError"] < 1
    assert len(lineage["losses"]) == 3
    # Heads are two states, each with both losses; its mean is taken over heads.
    assert lineage["losses"][0] == pytest.approx((0.8 * errors[0] + 0.2 * alone[0]["validationError"]) / 2, rel=0.02)
