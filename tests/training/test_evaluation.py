"""Nested cross-validation on the small cohort: who is tested by whom, and that a killed one goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from support import ROOT, Cohort

from genospark.core.storage import Warehouse
from genospark.training.evaluate_risk import EvaluateRiskConfig, evaluate

REGRESSION = {"l1_ratios": [1.0], "shares": [0.5, 0.2], "across_targets": False, "pairs": 0}
SETTINGS: dict[str, Any] = {
    "folds": 3,
    "features": {"variants": 40, "expression": 0, "row_groups": 4},
    "training": {"epochs": 2, "network": {"hidden": [4], "members": 2}, "regression": REGRESSION},
}


def _copy(cohort: Cohort, folder: Path) -> str:
    shutil.copytree(cohort.path, folder / "w", ignore=shutil.ignore_patterns("input", "bundles"))
    return str(folder / "w")


def _rows(spark: SparkSession, warehouse: str) -> pd.DataFrame:
    key = ["target", "metric", "model", "fold"]
    return Warehouse(spark, warehouse).read("evaluations").toPandas().drop(columns="runId").sort_values(key, ignore_index=True)


@pytest.mark.slow
def test_everyone_is_tested_once(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    warehouse = _copy(cohort, tmp_path)
    before = Warehouse(spark, warehouse).committed()
    evaluate(EvaluateRiskConfig.model_validate(SETTINGS | {"warehouse": warehouse}), spark)
    found = _rows(spark, warehouse)
    labels = cohort.table("phenotypes")
    labels = labels[labels["sampleId"].isin(cohort.table("samples")["sampleId"])]
    whole = found[found["fold"].isna()]
    for disease, known in labels.groupby("disease"):
        rows = found[(found["target"] == disease) & (found["metric"] == "AUC")]
        assert set(rows["model"]) == {"default", "network", "baseline"}
        for _, mine in rows.groupby("model"):
            folds, (all_of_them,) = mine[mine["fold"].notna()], mine[mine["fold"].isna()].itertuples()
            assert folds["fold"].tolist() == ["1", "2", "3"]
            assert folds["n"].sum() == all_of_them.n == len(known)
            assert folds["nPositive"].sum() == all_of_them.nPositive == known["label"].sum()
            # Cases are spread evenly.
            assert folds["nPositive"].max() - folds["nPositive"].min() <= 0.1 * len(known)
            pairs = folds["nPositive"] * (folds["n"] - folds["nPositive"])
            assert all_of_them.value == pytest.approx(np.average(folds["value"], weights=pairs), abs=1e-9)
            assert all_of_them.valueLow < all_of_them.value < all_of_them.valueHigh
        rows = whole[(whole["target"] == disease)].set_index(["metric", "model"])["value"]
        assert rows["AUC difference", "network"] == pytest.approx(rows["AUC", "network"] - rows["AUC", "baseline"], abs=1e-9)
    # What the folds have written is gone, and nothing else has changed.
    assert not list(Path(warehouse, "evaluations").iterdir())
    after = Warehouse(spark, warehouse).committed()
    assert {name: run for name, run in after.items() if name != "evaluations/risk"} == before


def _command(warehouse: str) -> list[str]:
    words = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    return [str(Path(sys.executable).with_name("genospark")), "evaluate", "risk", "--warehouse", warehouse, *words]


@pytest.mark.slow
@pytest.mark.parametrize("until", ["fold 2 has features", "fold 1 is trained"])
def test_a_killed_evaluation_goes_on(cohort: Cohort, spark: SparkSession, tmp_path: Path, until: str) -> None:
    undisturbed = _copy(cohort, tmp_path / "a")
    evaluate(EvaluateRiskConfig.model_validate(SETTINGS | {"warehouse": undisturbed}), spark)
    warehouse = _copy(cohort, tmp_path / "b")
    there = "*/2/tables/riskExamples/_delta_log" if "features" in until else "*/1/bundles/checkpoints/*.json"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(_command(warehouse), cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 300
        while not list(Path(warehouse, "evaluations").glob(there)) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert "evaluations/risk" not in Warehouse(spark, warehouse).committed()
    again = subprocess.run(_command(warehouse), cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert again.returncode == 0, again.stderr[-2000:]
    assert "build-features risk: nothing to do" in again.stderr
    pd.testing.assert_frame_equal(_rows(spark, warehouse), _rows(spark, undisturbed))
