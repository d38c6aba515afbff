"""Two real Horovod ranks against one, and against arithmetic."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import Cohort

from genospark.errors import TrainingError
from genospark.features.specification import from_tables
from genospark.training.launch import launch, same_weights
from genospark.training.worker import RankJob, RankResult

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
HERE = str(Path(__file__).parent)


def _ranks(count: int) -> list[list[np.ndarray]]:
    import horovod
    import ranks

    paths = os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")])
    return horovod.run(ranks.gradients_of_rank, np=count, use_gloo=True, env=os.environ | {"PYTHONPATH": paths})


@pytest.fixture(scope="module", autouse=True)
def _importable() -> None:
    import sys

    sys.path.insert(0, HERE)


def test_two_ranks_make_the_gradients_of_one_on_the_joint_batch() -> None:
    first, second = _ranks(2)
    (alone,) = _ranks(1)
    for one, other, joint in zip(first, second, alone, strict=True):
        assert (one == other).all()
        assert np.allclose(one, joint, atol=1e-6)
    assert any(np.abs(gradient).max() > 0.01 for gradient in alone)


def test_gradients_are_those_of_the_masked_mean_loss() -> None:
    """One rank's gradient of the skip's bias: mean over known labels of (probability - label), by hand."""
    import ranks

    network = ranks.untrained()
    calls, measurements, labels = ranks.batch(slice(0, 24))
    probability = 1 / (1 + np.exp(-network([calls, measurements]).numpy().astype(float)))
    known = ~np.isnan(labels)
    expected = np.where(known, probability - np.nan_to_num(labels), 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    names = [variable.name for variable in network.trainable_variables]
    (alone,) = _ranks(1)
    assert alone[names.index("skip/bias:0")] == pytest.approx(expected, abs=1e-6)
    assert expected[2] == 0


def test_the_feed_gives_every_person_once_whatever_the_ranks(cohort: Cohort) -> None:
    from genospark.training.feed import Feed

    spec = from_tables(cohort.warehouse)
    files = cohort.warehouse.files("examples", "split = 'train'")
    truth = cohort.warehouse.read("examples").where("split = 'train'").toPandas()
    expected = sorted(zip(truth["calls"], truth["measurements"], truth["labels"], strict=True))
    for ranks, shuffle in ((1, None), (2, 3)):
        for passes in range(2):
            found = []
            for rank in range(ranks):
                feed = Feed(files, spec, 16, rank, ranks, shuffle)
                for _ in range(passes):
                    _drain(feed)
                found += _drain(feed)
                feed.close()
            assert sorted(found) == expected


def _drain(feed: object) -> list[tuple[bytes, bytes, bytes]]:
    rows = []
    for batch, people in feed.epoch():  # type: ignore[attr-defined]
        if people == 0:
            return rows
        rows += [tuple(row.tobytes() for row in person) for person in zip(*(part.numpy() for part in batch), strict=True)]
    return rows


def test_a_training_repeats_itself_bit_for_bit_and_its_ranks_agree(cohort: Cohort, tmp_path: Path) -> None:
    """Equal weights on both ranks are checked by launch; the same job again ends with the same weights."""
    spec = from_tables(cohort.warehouse)
    n_features = len(spec.variants) + spec.n_measurements
    files = {side: cohort.warehouse.files("examples", f"split = '{side}'") for side in ("train", "validation")}
    job = RankJob(
        spec=spec.to_json(),
        network={"hidden": (8,), "dropout": 0.5, "trunk_l2": 0.01},
        skip=(np.zeros((n_features, 2)), np.zeros(2)),
        skip_l1=[0.01, 0.01],
        training_files=files["train"],
        validation_files=files["validation"],
        checkpoint=str(tmp_path / "checkpoint.npz"),
        batch_size=16,
        epochs=4,
        patience=10,
        learning_rate=0.01,
        seed=3,
    )
    first = launch(cohort.warehouse.spark, job, 2)
    again = launch(cohort.warehouse.spark, job, 2)
    assert first.digest == again.digest
    assert first.losses == again.losses
    assert len(first.losses) == 5
    assert min(first.losses) < first.losses[0]


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
    sides = warehouse.read("examples").select("sampleId", "split").toPandas()
    scores = warehouse.read("riskScores").toPandas()
    labels = warehouse.read("phenotypes").select("sampleId", "disease", "label").toPandas()
    people = scores.merge(labels).merge(sides)
    columns = {"network": "networkProbability", "logistic": "logisticProbability", "default": "riskProbability"}
    metrics: pd.DataFrame = warehouse.read("metrics").toPandas()
    assert len(metrics) == 12
    for row in metrics.itertuples():
        here = people[(people["disease"] == row.disease) & (people["split"] == row.split)]
        assert row.auc == pytest.approx(roc_auc_score(here["label"], here[columns[row.model]]), abs=1e-9)
        assert row.nCases == here["label"].sum()
