"""Two real Horovod ranks against one, and against arithmetic."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import ranks
from support import ROOT, Cohort

from genospark.errors import TrainingError
from genospark.features.specification import from_tables
from genospark.models.bundle import load
from genospark.tasks.risk import Pairs, RiskProblem
from genospark.training.launch import launch, same_weights
from genospark.training.worker import RankResult


@pytest.fixture
def run_ranks(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[list[np.ndarray]]]:
    """Starts Horovod processes that can import this folder's modules."""
    import horovod

    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    return lambda count: horovod.run(ranks.gradients_of_rank, np=count, use_gloo=True)


def test_two_ranks_make_the_gradients_of_one_on_the_joint_batch(run_ranks: Callable[[int], list[list[np.ndarray]]]) -> None:
    first, second = run_ranks(2)
    (alone,) = run_ranks(1)
    for one, other, joint in zip(first, second, alone, strict=True):
        assert (one == other).all()
        assert np.allclose(one, joint, atol=1e-6)
    assert any(np.abs(gradient).max() > 0.01 for gradient in alone)


def test_gradients_are_those_of_the_masked_mean_loss(run_ranks: Callable[[int], list[list[np.ndarray]]]) -> None:
    """One rank's gradient of the skip's bias, by hand: mean of (probability - label) over the labels that a member learns from."""
    network = ranks.untrained()
    calls, measurements, labels, draw = ranks.batch(slice(0, 24))
    probability = 1 / (1 + np.exp(-network({"calls": calls, "measurements": measurements}).numpy().astype(float)))
    # The first of two members leaves even draws out, the second odd ones; heads of the first come first.
    known = ~np.isnan(labels)[:, None, :] & (draw[:, :, None] % 2 != np.arange(2)[:, None])
    rest = np.where(known, probability - np.nan_to_num(labels)[:, None, :], 0).sum(axis=0)
    expected = (rest / np.maximum(known.sum(axis=0), 1)).ravel()
    names = [variable.name for variable in network.trainable_variables]
    (alone,) = run_ranks(1)
    assert alone[names.index("skip/bias:0")] == pytest.approx(expected, abs=1e-6)
    assert expected[2] == expected[5] == 0


def test_the_feed_gives_every_person_once_whatever_the_ranks(cohort: Cohort) -> None:
    from genospark.training.feed import Feed

    problem = RiskProblem(from_tables(cohort.warehouse), {}, Pairs.none(), ranks.START, ())
    files = cohort.warehouse.files("riskExamples", split="train")
    truth = cohort.warehouse.read("riskExamples").where("split = 'train'").toPandas()
    expected = sorted(zip(truth["calls"], truth["measurements"], truth["labels"], strict=True))
    for size, shuffle in ((1, None), (2, 3)):
        for passes in range(2):
            found = []
            for rank in range(size):
                feed = Feed(files, problem, 16, rank, size, shuffle)
                for _ in range(passes):
                    _drain(feed)
                found += _drain(feed)
                feed.close()
            assert sorted(found) == expected


def test_the_feed_of_people_without_measurements(tmp_path: Path) -> None:
    """Vectors of no width once ended a rank with a segmentation fault."""
    from genospark.training.feed import Feed

    spec = dataclasses.replace(ranks.spec(), covariates=(), targets=ranks.spec().targets[:1])
    calls = np.random.default_rng(2).integers(0, 256, (20, spec.call_bytes)).astype(np.uint8)
    labels, ones = np.arange(20, dtype="<f4"), np.ones(1, "<f4").tobytes()
    columns = {"calls": [row.tobytes() for row in calls], "measurements": [b""] * 20, "labels": [label.tobytes() for label in labels]}
    pd.DataFrame(columns | {"weights": [ones] * 20, "draw": [b"\0"] * 20}).to_parquet(tmp_path / "a.parquet", index=False)
    feed = Feed([f"file://{tmp_path}/a.parquet"], RiskProblem(spec, {}, Pairs.none(), ranks.START, ()), 8, 0, 1, shuffle=1)
    found: dict[float, bytes] = {}
    for (inputs, known), examples in feed.epoch():
        if not examples:
            break
        assert inputs["measurements"].shape == (examples, 0)
        found |= dict(zip(known["labels"].numpy()[:, 0].tolist(), (row.tobytes() for row in inputs["calls"].numpy()), strict=True))
    feed.close()
    assert found == dict(zip(labels.tolist(), columns["calls"], strict=True))


def test_the_files_of_the_splits_hold_disjoint_families(cohort: Cohort) -> None:
    seen: dict[str, set[str]] = {}
    for side in ("train", "validation", "test"):
        files = cohort.warehouse.files("riskExamples", split=side)
        rows = pd.concat([pd.read_parquet(url.removeprefix("file://"), columns=["familyId"]) for url in files])
        seen[side] = set(rows["familyId"])
    assert all(seen.values())
    assert not seen["train"] & seen["validation"]
    assert not (seen["train"] | seen["validation"]) & seen["test"]


def _drain(feed: object) -> list[tuple[bytes, bytes, bytes]]:
    rows = []
    for (inputs, labels), people in feed.epoch():  # type: ignore[attr-defined]
        if people == 0:
            return rows
        parts = (inputs["calls"], inputs["measurements"], labels["labels"])
        rows += [tuple(row.tobytes() for row in person) for person in zip(*(part.numpy() for part in parts), strict=True)]
    return rows


def test_training_lowers_the_validation_loss(cohort: Cohort) -> None:
    losses = load(cohort.bundle, "risk").lineage["losses"]
    assert len(losses) == 4
    assert min(losses) < losses[0]


def test_ranks_that_disagree_are_refused() -> None:
    with pytest.raises(TrainingError, match="rank 1 bbb"):
        same_weights([RankResult(0, "aaa", [], 0), RankResult(1, "bbb", [], 0)])


def test_too_few_slots_are_said_at_once(cohort: Cohort) -> None:
    with pytest.raises(TrainingError, match="64 ranks need as many task slots"):
        launch(cohort.warehouse.spark, None, 64)  # type: ignore[arg-type]


def test_metrics_are_those_of_the_scores(cohort: Cohort) -> None:
    """The metrics table against scikit-learn on what score wrote for the same people."""
    from sklearn.metrics import roc_auc_score

    warehouse = cohort.warehouse
    sides = warehouse.read("riskExamples").select("sampleId", "split").toPandas()
    scores = warehouse.read("riskScores").toPandas()
    labels = warehouse.read("phenotypes").select("sampleId", "disease", "label").toPandas()
    people = scores.merge(labels).merge(sides)
    columns = {"network": "networkProbability", "baseline": "logisticProbability", "default": "riskProbability"}
    metrics: pd.DataFrame = warehouse.read("metrics/risk").toPandas()
    whole = metrics[(metrics["metric"] == "AUC") & metrics["target"].isin(set(labels["disease"]))]
    assert len(whole) == 12
    for row in whole.itertuples():
        here = people[(people["disease"] == row.target) & (people["split"] == row.split)]
        assert row.value == pytest.approx(roc_auc_score(here["label"], here[columns[row.model]]), abs=1e-9)
        assert row.nPositive == here["label"].sum()
