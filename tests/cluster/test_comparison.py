"""The comparison of a cluster's tables with local ones sees what differs, and how much."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from support import ROOT


@pytest.fixture(scope="module")
def comparison() -> ModuleType:
    found = importlib.util.spec_from_file_location("cluster_comparison", ROOT / "benchmarks" / "cluster.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)

    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


@dataclass
class Tables:
    """A warehouse of one table."""

    rows: DataFrame

    def read(self, _: str) -> DataFrame:
        return self.rows


def _scores(spark: SparkSession, *rows: tuple[str, float, str]) -> Tables:
    columns = "sampleId string, riskProbability double, modelVersion string"
    return Tables(spark.createDataFrame(list(rows), columns).selectExpr("*", "'d' AS disease", "'case' AS class", "modelVersion AS runId"))


def test_rows_are_the_same_whoever_wrote_them_and_in_any_order(comparison: Any, spark: SparkSession) -> None:
    local = _scores(spark, ("a", 0.25, "m1"), ("b", 0.5, "m1"))
    assert comparison.compare_tables(local, _scores(spark, ("b", 0.5, "m2"), ("a", 0.25, "m2")), "riskScores").words.endswith(
        "exactly the same"
    )
    near = comparison.compare_tables(local, _scores(spark, ("a", 0.25 + 1e-12, "m2"), ("b", 0.5, "m2")), "riskScores")
    assert near.same
    assert "riskProbability in 1 rows by up to 1.0e-12" in near.words


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("a", 0.25, "m1")], "2 rows locally, 1 on the cluster"),
        ([("a", 0.25, "m1"), ("b", 0.5 + 1e-6, "m1")], "riskProbability in 1 rows by up to 1.0e-06"),
        ([("a", 0.25, "m1"), ("c", 0.5, "m1")], "3 rows, differing"),
        ([("a", 0.25, "m1"), ("b", None, "m1")], "riskProbability in 1 rows"),
    ],
)
def test_other_rows_are_seen(comparison: Any, spark: SparkSession, rows: list[Any], says: str) -> None:
    found = comparison.compare_tables(_scores(spark, ("a", 0.25, "m1"), ("b", 0.5, "m1")), _scores(spark, *rows), "riskScores")
    assert not found.same
    assert says in found.words


def _metrics(spark: SparkSession, value: float | None, low: float | None, high: float | None) -> Tables:
    columns = "value double, valueLow double, valueHigh double"
    key = "'risk' AS task", "'d' AS target", "'AUC' AS metric", "'network' AS model", "'test' AS split"
    return Tables(spark.createDataFrame([(value, low, high)], columns).selectExpr(*key, "*"))


@pytest.mark.parametrize(
    ("value", "low", "high", "same"),
    [(0.7, 0.6, 0.8, True), (0.72, 0.62, 0.82, True), (0.85, 0.75, 0.95, False), (0.79, 0.75, 0.83, False), (None, None, None, False)],
)
def test_measurements_agree_within_both_intervals(
    comparison: Any, spark: SparkSession, value: float | None, low: float | None, high: float | None, same: bool
) -> None:
    found = comparison.compare_metrics(_metrics(spark, 0.7, 0.6, 0.8), _metrics(spark, value, low, high), "metrics")
    assert found.same is same, found.words
