"""Stacked ridge scores beside a regression of our own, and through the stages."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.calls import pack
from genospark.core.storage import Warehouse
from genospark.features.matching import match
from genospark.features.ridge_fit import RidgeConfig, fit
from genospark.features.risk import BuildRiskFeaturesConfig, build_features
from genospark.features.specification import from_tables
from genospark.models.spec import Variant
from genospark.scoring.risk import ScoreRiskConfig, score
from genospark.training.risk import TrainRiskConfig, train

REDUCTION, REGRESSION, BLOCK, PARTS = [20.0, 200.0], [1.0, 30.0], 100, 3


def _ridge(x: np.ndarray, y: np.ndarray, fixed: int, alpha: float) -> np.ndarray:
    penalty = np.r_[np.ones(fixed), np.full(x.shape[1] - fixed, alpha)]
    coefficients: np.ndarray = np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ y)
    return coefficients


def _by_hand(copies: np.ndarray, contigs: np.ndarray, labels: np.ndarray, x: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Weights of each copy in the model without each part, [parts, variants, labels]; columns of `copies` are variants."""
    scaled = (copies - copies.mean(axis=0)) / copies.std(axis=0, ddof=1)
    y = (labels - labels.mean(axis=0)) / labels.std(axis=0, ddof=1)
    fixed = np.column_stack([np.ones(len(y)), (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)])
    blocks = [
        np.flatnonzero(contigs == name)[i : i + BLOCK] for name in pd.unique(contigs) for i in range(0, (contigs == name).sum(), BLOCK)
    ]
    designs = [np.column_stack([fixed, scaled[:, block]]) for block in blocks]
    first = [
        [np.column_stack([_ridge(z[part != p], y[part != p], fixed.shape[1], alpha) for alpha in REDUCTION]) for z in designs]
        for p in range(PARTS)
    ]
    reduced = np.zeros((len(y), len(blocks), len(REDUCTION) * y.shape[1]))
    for p in range(PARTS):
        for b, design in enumerate(designs):
            reduced[part == p, b] = design[part == p] @ first[p][b]
    deviations = np.stack([reduced[part == p].std(axis=0) for p in range(PARTS)])
    means = np.stack([reduced[part == p].mean(axis=0) for p in range(PARTS)])
    alike = (reduced - means[part]) / deviations[part]
    found = np.zeros((PARTS, copies.shape[1], y.shape[1]))
    for label in range(y.shape[1]):
        mine = [a * y.shape[1] + label for a in range(len(REDUCTION))]
        z = np.column_stack([fixed, alike[:, :, mine].reshape(len(y), -1)])
        fits = {alpha: [_ridge(z[part != p], y[part != p, label], fixed.shape[1], alpha) for p in range(PARTS)] for alpha in REGRESSION}

        def quality(alpha: float, z: np.ndarray = z, fits: dict = fits, label: int = label) -> float:
            left = [((z[part == p] @ fits[alpha][p] - y[part == p, label]) ** 2).sum() for p in range(PARTS)]
            spread = [((y[part == p, label] - y[part == p, label].mean()) ** 2).sum() for p in range(PARTS)]
            return float(np.mean([1 - one / other for one, other in zip(left, spread, strict=True)]))

        best = max(REGRESSION, key=quality)
        for p in range(PARTS):
            second = fits[best][p][fixed.shape[1] :].reshape(len(blocks), -1) / deviations.mean(axis=0)[:, mine]
            for b, block in enumerate(blocks):
                found[p, block, label] = first[p][b][fixed.shape[1] :, mine] @ second[b]
    return found / copies.std(axis=0, ddof=1)[:, None]


def test_weights_are_those_of_a_regression_by_hand(cohort: Cohort, spark: SparkSession) -> None:
    people = cohort.warehouse.read("samples").orderBy("sampleIndex").toPandas()[10:200].reset_index(drop=True)
    random = np.random.default_rng(4)
    labels = pd.DataFrame({"a": random.normal(size=len(people)), "b": random.integers(0, 2, len(people)).astype(float)})
    covariates = pd.DataFrame({"x": random.normal(size=len(people))})
    config = RidgeConfig(block_variants=BLOCK, people_blocks=PARTS, reduction_alphas=REDUCTION, regression_alphas=REGRESSION)
    ridge = fit(cohort.warehouse.read("genotypes"), people, labels, covariates, config, 0.9, 10)
    sites = [Variant(*site, 0.0, 1.0, 1.0) for site in ridge.scores.sites]
    calls = match(cohort.warehouse, sites).rows.toPandas().set_index("sampleId").loc[people["sampleId"], "calls"]
    packed = np.stack([np.frombuffer(row, np.uint8) for row in calls])
    copies = (packed[:, :, None] >> np.arange(0, 8, 2) & 3).reshape(len(people), -1)[:, : len(sites)].astype(float)
    copies[copies == 3] = np.nan
    means = np.nanmean(copies, axis=0)
    np.testing.assert_allclose(ridge.scores.means, means, rtol=1e-12)
    filled = np.where(np.isnan(copies), means, copies)
    part = np.array([ridge.parts[name] for name in people["sampleId"]])
    contigs = np.array([site[0] for site in ridge.scores.sites])
    assert len(sites) > 150
    assert len(set(contigs)) > 1
    expected = _by_hand(filled, contigs, labels.to_numpy(), covariates.to_numpy(), part)
    np.testing.assert_allclose(ridge.of_parts, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ridge.scores.weights, expected.mean(axis=0), rtol=1e-6, atol=1e-9)
    values = ridge.values(people["sampleId"].tolist(), packed)
    np.testing.assert_allclose(values, np.einsum("pv,pvl->pl", filled - means, expected[part]), rtol=1e-6, atol=1e-9)
    stranger = ridge.values(["x"], pack(np.full((1, len(sites)), 3, np.uint8)))
    np.testing.assert_allclose(stranger, np.zeros((1, 2)))


@pytest.mark.slow
def test_scores_are_features_of_a_bundle(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    """Test people have in training what they are scored with; training people have not."""
    warehouse = str(tmp_path / "w")
    shutil.copytree(cohort.path, warehouse, ignore=shutil.ignore_patterns("input", "bundles"))
    ridge = {"use": True, "block_variants": 200, "people_blocks": 3}
    build_features(BuildRiskFeaturesConfig.model_validate({"warehouse": warehouse, "variants": 20, "expression": 0, "ridge": ridge}), spark)
    found = Warehouse(spark, warehouse)
    spec = from_tables(found)
    assert spec.ridge is not None
    assert [entry.name for entry in spec.covariates[-2:]] == ["ridge: common", "ridge: rarer"]
    examples = found.read("riskExamples").toPandas().set_index("sampleId")
    kept = np.stack([np.frombuffer(row, "<f4") for row in examples["measurements"]])[:, -2:]
    training = (examples["split"] == "train").to_numpy()
    np.testing.assert_allclose(kept[training].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(kept[training].std(axis=0), 1, atol=1e-4)
    rows = (
        match(found, [Variant(*site, 0.0, 1.0, 1.0) for site in spec.ridge.sites]).rows.toPandas().set_index("sampleId").loc[examples.index]
    )
    scale = spec.measurement_scale()
    alone = spec.ridge.of(np.stack([np.frombuffer(row, np.uint8) for row in rows["calls"]]))
    alone = (alone - scale[0][-2:]) / scale[1][-2:]
    np.testing.assert_allclose(kept[~training], alone[~training], atol=1e-4)
    assert np.abs(kept[training] - alone[training]).max() > 0.1
    train(TrainRiskConfig.model_validate({"warehouse": warehouse, "epochs": 1, "regression": {"pairs": 0, "shares": [0.5]}}), spark)
    score(ScoreRiskConfig(warehouse=warehouse), spark)
    assert (
        Warehouse(spark, warehouse).read("riskScores").where("riskProbability between 0 and 1").count() == 2 * found.read("samples").count()
    )
