"""The whole main job on public data, by its own configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support import ROOT

from genospark.core.config import load
from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, run_stages


@pytest.mark.slow
def test_the_main_job_runs_on_1000_genomes(shared_data: Path, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its AUCs against a plain cross-validated fit on expression alone. Sex, too, shows in the expression of chromosome 22."""
    files = shared_data / "cohort-1000g-chr22"
    bed = pd.read_csv(files / "expression.lcl.chr22.bed.gz", sep="\t")
    expression = np.log1p(bed.iloc[:, 6:].T.to_numpy(float))
    people = pd.read_csv(files / "samples.ped", sep="\t").set_index("Individual ID").loc[bed.columns[6:]]
    monkeypatch.chdir(ROOT)
    config = load(PipelineConfig, ROOT / "conf" / "cohort-1000g.yaml", [], {"warehouse": str(tmp_path)})
    run_stages(spark, config)
    warehouse = Warehouse(spark, str(tmp_path))
    assert warehouse.read("riskExamples").count() == 358
    scores = warehouse.read("riskScores")
    assert scores.count() == 3 * 2504
    assert scores.where("expressionCoverage > 0").select("sampleId").distinct().count() == 358
    assert scores.where("variantCoverage < 1 or riskProbability not between 0 and 1").count() == 0
    metrics = {(row["target"], row["model"]): row for row in warehouse.read("metrics").where("split = 'test'").collect()}
    for disease, is_case in (("finnish", people["Population"] == "FIN"), ("female", people["Gender"] == 2)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, l1_ratio=1.0, solver="liblinear"))
        folds = StratifiedKFold(10, shuffle=True, random_state=0)
        expected = cross_val_score(model, expression, is_case, cv=folds, scoring="roc_auc").mean()
        found = metrics[disease, "default"]
        assert expected > 0.7
        assert found["valueLow"] < expected < found["valueHigh"]
