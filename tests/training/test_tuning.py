"""Trials of settings: pruned, kept on disk, gone on with after a crash; and training with the best."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TableError
from genospark.models.bundle import load
from genospark.tasks.bundles import last_version
from genospark.training.risk import TrainRiskConfig, train
from genospark.training.tune_risk import TuneRiskConfig, tune

REGRESSION = {"l1_ratios": [1.0], "shares": [0.5, 0.2], "across_targets": False, "pairs": 0}
TRAINING: dict[str, Any] = {"epochs": 6, "patience": 6, "ranks": 1, "network": {"hidden": [8], "members": 2}, "regression": REGRESSION}
SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "log": True},
    "batch_size": {"choices": [16, 32]},
    "network.hidden": {"choices": [[8], [8, 4]]},
    "network.dropout": {"low": 0.0, "high": 0.6},
}


@pytest.fixture(scope="module")
def warehouse(cohort: Cohort, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("tuned") / "w")
    shutil.copytree(cohort.path, path, ignore=shutil.ignore_patterns("input"))
    return path


def _config(warehouse: str, trials: int) -> TuneRiskConfig:
    return TuneRiskConfig.model_validate(
        {"warehouse": warehouse, "trials": trials, "free": 3, "training": TRAINING, "space": SPACE, "seed": 2}
    )


def _trials(spark: SparkSession, warehouse: str) -> pd.DataFrame:
    return Warehouse(spark, warehouse).read("trials").toPandas().sort_values("trial", ignore_index=True)


@pytest.mark.slow
def test_trials_go_on_after_a_crash_and_train_takes_the_best(warehouse: str, spark: SparkSession) -> None:
    tune(_config(warehouse, 3), spark)
    first = _trials(spark, warehouse)
    assert first["state"].tolist() == ["complete"] * 3
    # The first trial is what `train` does anyway.
    usual = json.loads(first["settings"][0])
    assert usual == {"batch_size": 32, "learning_rate": 0.001, "network.dropout": 0.5, "network.hidden": [8]}
    assert first["isBest"].sum() == 1
    assert first["validationLoss"][first["isBest"]].item() == first["validationLoss"].min()
    train(TrainRiskConfig.model_validate(TRAINING | {"warehouse": warehouse}), spark)
    usual_bundle = _bundle(warehouse, spark)
    assert min(usual_bundle["losses"]) == pytest.approx(first["validationLoss"][0], abs=1e-5)

    # A trial whose process was killed never told how it ended.
    (journal,) = Path(warehouse, "studies").iterdir()
    import optuna

    optuna.load_study(study_name="study", storage=JournalStorage(JournalFileBackend(str(journal)))).ask()
    tune(_config(warehouse, 8), spark)
    found = _trials(spark, warehouse)
    assert len(found) == 8
    pd.testing.assert_frame_equal(found[:3].drop(columns=["isBest", "runId"]), first.drop(columns=["isBest", "runId"]))
    run = Warehouse(spark, warehouse).producer("trials/risk")
    assert run is not None
    assert json.loads(run["notes"])["trials_already_there"] == 3
    assert len(list(Path(warehouse, "studies").iterdir())) == 1
    assert set(found["state"]) <= {"complete", "pruned"}
    # Each is as long as it was trained.
    assert (found["epochs"][found["state"] == "complete"] == 6).all()
    assert (found["epochs"][found["state"] == "pruned"] <= 6).all()

    train(TrainRiskConfig.model_validate(TRAINING | {"warehouse": warehouse, "tuned": True}), spark)
    bundle = _bundle(warehouse, spark)
    best = found[found["isBest"]].iloc[0]
    settings = json.loads(best["settings"])
    configuration = bundle["configuration"]
    assert configuration["learning_rate"] == settings["learning_rate"]
    assert configuration["network"]["hidden"] == settings["network.hidden"]
    assert min(bundle["losses"]) == pytest.approx(best["validationLoss"], abs=1e-5)
    assert np.argmin(bundle["losses"]) == best["bestEpoch"]


def _bundle(warehouse: str, spark: SparkSession) -> dict[str, Any]:
    found = Warehouse(spark, warehouse)
    return load(found.bundles / last_version(found, "risk"), "risk").lineage


def test_what_does_not_fit_is_said(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    def refused(text: str, **settings: Any) -> None:
        values = _config(str(cohort.path), 2).model_dump() | settings
        with pytest.raises(ConfigError, match=text):
            tune(TuneRiskConfig.model_validate(values), spark)

    refused(r"no setting network\.width", space={"network.width": {"choices": [1, 2]}})
    refused(r"setting network\.dropout: .* less than 1", space={"network.dropout": {"low": 0.0, "high": 1.0}})
    refused("network.members decides what is fitted before", space={"network.members": {"choices": [1, 2]}})
    refused("no setting epoch\n.*did you mean epochs", training={"epoch": 3})
    with pytest.raises(ValueError, match="not below high"):
        TuneRiskConfig.model_validate({"warehouse": "w", "space": {"learning_rate": {"low": 1, "high": 1}}})
    with pytest.raises(TableError, match="no table `trials/risk` yet"):
        train(TrainRiskConfig(warehouse=str(cohort.path), tuned=True), spark)
