"""Predicted expression of people with and without measurements, and what risk makes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core import crosswalk
from genospark.core.storage import Warehouse
from genospark.errors import CoverageError, TableError
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.scoring.expression import ScoreExpressionConfig, score, untransformed
from genospark.scoring.risk import ScoreRiskConfig
from genospark.scoring.risk import score as score_risk
from genospark.tasks.bundles import last_version

KEY = ["sampleId", "disease"]
PROBABILITIES = ["riskProbability", "networkProbability", "logisticProbability"]


def _bundle(cohort: Cohort) -> str:
    return str(cohort.path / "bundles" / last_version(cohort.warehouse, "expression"))


def _risk(warehouse: Warehouse) -> pd.DataFrame:
    return warehouse.read("riskScores").toPandas().set_index(KEY).sort_index()


@pytest.fixture(scope="module")
def fresh(cohort: Cohort, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """People of whom only genotypes and covariates are known."""
    path = str(tmp_path_factory.mktemp("fresh") / "warehouse")
    files = cohort.files / "fresh"
    ingest_vcf(IngestVcfConfig(warehouse=path, inputs=[str(files / "genotypes.vcf.gz")]), spark)
    ingest_phenotypes(
        IngestPhenotypesConfig(warehouse=path, inputs=[f"phenotypes={files}/phenotypes.tsv", f"covariates={files}/covariates.tsv"]), spark
    )
    score(ScoreExpressionConfig(warehouse=path, bundle=_bundle(cohort)), spark)
    return Warehouse(spark, path)


def test_people_without_expression_are_predicted_from_variants(cohort: Cohort, fresh: Warehouse) -> None:
    found = fresh.read("expressionPredictions").toPandas()
    assert len(found) == 60 * 3 * 2 * 12
    assert (found["panelCoverage"] == 0).all()
    assert (found["variantCoverage"] == 1).all()
    assert np.isfinite(found["predictedExpression"]).all()
    assert (found["predictedExpression"] >= 0).all()
    truth = pd.read_csv(cohort.files / "fresh" / "expression.tsv.gz", sep="\t").melt(["sampleId", "cellType", "state"], var_name="geneId")
    found["sampleId"] = found["sampleId"].map(crosswalk.read(f"{fresh.path}-crosswalk"))
    both = found.merge(truth.dropna())
    both["measured"] = np.log1p(both["value"])
    r = [np.corrcoef(g["measured"], g["predictedTransformed"])[0, 1] for _, g in both.groupby(["geneId", "cellType", "state"])]
    assert np.mean(r) > 0.2


def test_measured_people_have_their_panel(cohort: Cohort) -> None:
    found = cohort.warehouse.read("expressionPredictions").toPandas()
    assert len(found) == 240 * 3 * 2 * 12
    assert (found["panelCoverage"] > 0.5).all()
    assert np.allclose(found["predictedExpression"], np.maximum(np.expm1(found["predictedTransformed"]), 0))
    means = found.groupby(["geneId", "cellType", "state"])["predictedTransformed"].mean()
    raw = cohort.warehouse.read("expression").toPandas().assign(value=lambda rows: np.log1p(rows["expressionValue"]))
    assert np.corrcoef(means, raw.groupby(["geneId", "cellType", "state"])["value"].mean().loc[means.index])[0, 1] > 0.95


def test_the_transform_is_undone() -> None:
    values = np.array([0.0, np.log(3.0), -0.5])
    assert untransformed(values, "log1p") == pytest.approx([0, 2, 0])
    assert untransformed(values, "none") == pytest.approx(values)


def test_risk_takes_predictions_for_people_without_measurements(cohort: Cohort, fresh: Warehouse, spark: SparkSession) -> None:
    settings = {"warehouse": fresh.path, "bundle": str(cohort.bundle)}
    score_risk(ScoreRiskConfig(**settings), spark)
    without = _risk(Warehouse(spark, fresh.path))
    score_risk(ScoreRiskConfig(**settings, predicted_expression=True), spark)
    found = _risk(Warehouse(spark, fresh.path))
    assert (without["predictedExpressionShare"] == 0).all()
    assert (found["expressionCoverage"] == 0).all()
    features = cohort.warehouse.read("riskFeatures").where("kind = 'expression'").select("geneId").toPandas()["geneId"]
    targets = set(fresh.read("expressionPredictions").select("geneId").distinct().toPandas()["geneId"])
    assert 0 < features.isin(targets).mean() < 1
    assert np.allclose(found["predictedExpressionShare"], features.isin(targets).mean())
    assert found["riskProbability"].between(0, 1).all()
    assert (found["networkProbability"] != without["networkProbability"]).all()


def test_risk_of_measured_people_stays(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    shutil.copytree(cohort.path, tmp_path / "warehouse", ignore=shutil.ignore_patterns("input"))
    path = str(tmp_path / "warehouse")
    score_risk(ScoreRiskConfig(warehouse=path, bundle=str(cohort.bundle), predicted_expression=True), spark)
    found, before = _risk(Warehouse(spark, path)), _risk(cohort.warehouse)
    assert (found[PROBABILITIES] == before[PROBABILITIES]).all().all()
    assert (found["predictedExpressionShare"] == 0).all()


def test_what_is_not_there_is_said(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no bundle was trained for expression here"):
        score(ScoreExpressionConfig(warehouse=str(tmp_path)), spark)
    path = str(tmp_path / "warehouse")
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tp1\n"
    (tmp_path / "other.vcf").write_text(f"{header}chrZ\t5\t.\tA\tC\t.\t.\t.\tGT\t0/1\n")
    ingest_vcf(IngestVcfConfig(warehouse=path, inputs=[str(tmp_path / "other.vcf")]), spark)
    with pytest.raises(CoverageError, match="0 of the model's"):
        score(ScoreExpressionConfig(warehouse=path, bundle=_bundle(cohort)), spark)
    with pytest.raises(TableError, match="no table `expressionPredictions`"):
        score_risk(ScoreRiskConfig(warehouse=path, bundle=str(cohort.bundle), predicted_expression=True), spark)
