"""A warehouse over another: reads fall through, writes stay above."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from genospark.core.config import StageConfig
from genospark.core.runlog import run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError


def _write(warehouse: Warehouse, part: str, *people: str) -> None:
    rows = warehouse.spark.createDataFrame([(person, "train") for person in people], "sampleId string, split string")
    run_stage("divide", StageConfig(warehouse=warehouse.path), warehouse, lambda run: run.write(part, rows), facts={part: str(people)})
    warehouse.refresh()


def _people(warehouse: Warehouse, name: str = "splits") -> list[str]:
    return sorted(row["sampleId"] for row in warehouse.read(name).collect())


def test_what_is_written_above_hides_what_is_below(spark: SparkSession, tmp_path: Path) -> None:
    below = Warehouse(spark, str(tmp_path / "w"))
    _write(below, "splits/a", "Ann")
    _write(below, "splits/b", "Bob")
    above = Warehouse.lay_over(below, str(tmp_path / "w" / "evaluations" / "1"))
    assert _people(above) == ["Ann", "Bob"]
    assert len(above.files("splits")) == 2
    _write(above, "splits/b", "Cid", "Dan")
    # Also for whoever opens it by its path, as stages do.
    again = Warehouse(spark, above.path)
    assert _people(again) == ["Ann", "Cid", "Dan"]
    assert (again.holds("splits/a"), again.holds("splits/b")) == (False, True)
    assert _people(Warehouse(spark, below.path)) == ["Ann", "Bob"]
    _write(below, "splits/a", "Eve")
    again.refresh()
    assert _people(again) == ["Cid", "Dan", "Eve"]
    with pytest.raises(TableError, match="no table `samples` yet"):
        again.read("samples")
