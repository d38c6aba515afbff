"""The whole main job on public data, by its own configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from support import ROOT

from genospark.core.config import load
from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, run_stages


@pytest.mark.slow
def test_the_main_job_runs_on_1000_genomes(shared_data: Path, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = load(PipelineConfig, ROOT / "conf" / "cohort-1000g.yaml", [], {"warehouse": str(tmp_path)})
    run_stages(spark, config)
    warehouse = Warehouse(spark, str(tmp_path))
    assert warehouse.read("examples").count() == 358
    scores = warehouse.read("riskScores")
    assert scores.count() == 3 * 2504
    assert scores.where("expressionCoverage > 0").select("sampleId").distinct().count() == 358
    assert scores.where("variantCoverage < 1 or riskProbability not between 0 and 1").count() == 0
    metrics = {(row["disease"], row["model"]): row for row in warehouse.read("metrics").where("split = 'test'").collect()}
    # Expression batches differ between the five populations' laboratories: origin is learnt, sex from chromosome 22 is not.
    assert metrics["finnish", "default"]["aucLow"] > 0.5
    assert metrics["female", "default"]["aucLow"] <= 0.5 <= metrics["female", "default"]["aucHigh"]
