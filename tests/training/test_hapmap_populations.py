"""Populations of the public HapMap 3 genotypes as classes, by nested cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from genospark.core.storage import Warehouse
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes
from genospark.ingest.variants_plink import IngestPlinkConfig, ingest_plink
from genospark.quality.kinship import QcKinshipConfig, qc_kinship
from genospark.training.evaluate_risk import EvaluateRiskConfig, evaluate

SETTINGS: dict[str, Any] = {
    "folds": 3,
    "features": {"targets": [{"name": "population", "source": "populations"}], "variants": 400, "row_groups": 4},
    "training": {
        "epochs": 5,
        "network": {"hidden": [16], "members": 2},
        "regression": {"l1_ratios": [0.2], "shares": [0.3, 0.1, 0.03], "across_targets": False, "pairs": 0},
    },
}


@pytest.mark.slow
def test_populations_are_told(shared_data: Path, spark: SparkSession, tmp_path: Path) -> None:
    folder = shared_data / "hapmap3-plink"
    warehouse = str(tmp_path / "w")
    ingest_plink(IngestPlinkConfig(warehouse=warehouse, inputs=[str(folder / "data.bed")]), spark)
    known = pd.read_csv(folder / "relationships_w_pops_121708.txt", sep="\t")
    fam = pd.read_csv(folder / "data.fam", sep=r"\s+", header=None)
    known = known[known["IID"].isin(fam[1])].rename(columns={"IID": "sampleId"})
    known[["sampleId", "population"]].to_csv(tmp_path / "p.tsv", sep="\t", index=False)
    ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=[f"populations={tmp_path / 'p.tsv'}"]), spark)
    qc_kinship(QcKinshipConfig(warehouse=warehouse), spark)
    evaluate(EvaluateRiskConfig.model_validate(SETTINGS | {"warehouse": warehouse}), spark)
    tables = Warehouse(spark, warehouse)
    found = tables.read("evaluations").where("fold is null").toPandas().set_index(["target", "metric", "model"])
    accuracy = found.loc[("population", "accuracy")]
    assert (accuracy["n"] == len(fam)).all()
    assert accuracy.loc["default", "value"] > 0.7
    assert accuracy.loc["default", "value"] >= accuracy.loc["baseline", "value"] - 0.02
    of_one = found.xs("AUC", level="metric").xs("default", level="model")["value"]
    assert sorted(of_one.index) == sorted(f"population: {name}" for name in known["population"].unique())
    assert of_one.min() > 0.8
    assert np.isfinite(found["value"]).all()
