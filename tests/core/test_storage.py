from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError

SCHEMA = "sampleId string, sampleIndex int, batch string"


def _write(run: Run, names: list[str]) -> None:
    rows = [(name, index, "main") for index, name in enumerate(names)]
    run.write("samples", run.warehouse.spark.createDataFrame(rows, SCHEMA))


def test_readers_see_only_what_a_run_has_committed(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = Warehouse(spark, str(tmp_path))
    config = StageConfig(warehouse=str(tmp_path))
    with pytest.raises(TableError, match="no table `samples` yet"):
        warehouse.read("samples")
    run_stage("one", config, warehouse, lambda run: _write(run, ["a", "b"]))
    assert warehouse.read("samples").count() == 2

    def dies(run: Run) -> None:
        _write(run, ["a", "b", "c"])
        raise RuntimeError("killed before its commit")

    with pytest.raises(RuntimeError, match="killed"):
        run_stage("two", config, warehouse, dies)
    fresh = Warehouse(spark, str(tmp_path))
    assert fresh.read("samples").count() == 2
    assert all(spark.read.parquet(url).count() for url in fresh.files("samples"))


def test_the_same_run_twice_does_nothing_and_a_new_one_replaces(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = Warehouse(spark, str(tmp_path))
    calls = []

    def body(run: Run) -> None:
        calls.append(run.run_id)
        _write(run, [f"p{len(calls)}"])

    config = StageConfig(warehouse=str(tmp_path))
    first = run_stage("stage", config, warehouse, body)
    assert run_stage("stage", config, warehouse, body) == first
    assert len(calls) == 1
    run_stage("stage", config.model_copy(update={"rerun": True}), warehouse, body)
    assert [row["sampleId"] for row in warehouse.read("samples").collect()] == ["p2"]
    assert run_stage("stage", config, warehouse, body, facts={"model": "other"}) != first


def test_rows_that_are_not_the_dictionarys_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = Warehouse(spark, str(tmp_path))
    with pytest.raises(TableError, match="sampleIndex"):
        warehouse.write("samples", spark.createDataFrame([("a",)], "sampleId string"), "run")
