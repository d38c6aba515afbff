"""DuckDB and Spark, two engines, over the same tables."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TableError
from genospark.schema import TABLES
from genospark.sql import duck


def _plain(value: object) -> object:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else f"{value:.9g}"
    if isinstance(value, bytearray | bytes):
        return bytes(value)
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return sorted(value.items())
    return value


@pytest.mark.parametrize("name", ["genotypes", "riskScores", "metrics", "variantCalls", "readQuality", "pedigree"])
def test_duckdb_sees_what_spark_sees(cohort: Cohort, name: str) -> None:
    columns = TABLES[name].names
    by_spark = [[_plain(value) for value in row] for row in cohort.warehouse.read(name).select(*columns).collect()]
    with duck.connect(str(cohort.path)) as connection:
        found = connection.sql(f'SELECT * FROM "{name}"')
        assert tuple(found.columns) == columns
        by_duckdb = [[_plain(value) for value in row] for row in found.fetchall()]
    assert by_spark
    assert sorted(map(repr, by_duckdb)) == sorted(map(repr, by_spark))


def test_duckdb_sees_committed_versions_only(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    from genospark.core.config import StageConfig
    from genospark.core.runlog import run_stage

    warehouse, schema = Warehouse(spark, str(tmp_path)), "sampleId string, sampleIndex int, batch string"

    def write(people: int) -> None:
        rows = spark.createDataFrame([(f"p{index}", index, "main") for index in range(people)], schema)
        run_stage(f"s{people}", StageConfig(warehouse=str(tmp_path)), warehouse, lambda run: run.write("samples", rows))

    write(2)
    warehouse.write("samples", spark.createDataFrame([("x", 0, "main")], schema), "never committed")
    with duck.connect(str(tmp_path)) as connection:
        assert connection.sql("SELECT count(*) FROM samples").fetchone() == (2,)


def test_queries_print_their_result_or_say_what_is_wrong(cohort: Cohort, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    duck.query(str(cohort.path), "SELECT stage, count(*) AS n FROM runs WHERE stage = 'train risk' GROUP BY stage", csv=True)
    assert capsys.readouterr().out.split() == ["stage,n", "train", "risk,1"]
    for wrong in ("SELECT nothing FROM riskScores", "SELEC 1"):
        with pytest.raises(ConfigError, match="the query is wrong"):
            duck.query(str(cohort.path), wrong)
    with pytest.raises(TableError, match="no tables there"):
        duck.connect(str(tmp_path / "nowhere"))
