"""Inputs that are fine each on its own and do not fit each other: other people, other names of contigs, a model of another build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from genospark.errors import TableError
from genospark.features import expression, risk
from genospark.features.builds import check_shared, too_few
from genospark.features.expression_config import BuildExpressionFeaturesConfig
from genospark.models.spec import Variant


@dataclass
class Tables:
    """Tables that stand in for those of a warehouse."""

    tables: dict[str, DataFrame]
    path: str = "W"

    def read(self, name: str) -> DataFrame:
        return self.tables[name]

    def producer(self, name: str) -> Any:
        return self.tables.get(name)


@pytest.fixture
def tables(spark: SparkSession) -> Any:
    def rows(columns: str, *values: tuple[object, ...]) -> DataFrame:
        return spark.createDataFrame(list(values), columns)

    return Tables(
        {
            "samples": rows("sampleId string, sampleIndex int", ("Ann", 0)),
            "phenotypes": rows("sampleId string, disease string, label tinyint", ("Bob", "d", 1)),
            "expression": rows("sampleId string, geneId string", ("Cid", "G1")),
            "variants": rows("contigName string", ("chr22",)),
            "genotypes": rows("contigName string", ("chr22",)),
            "genes": rows("contigName string", ("22",)),
            "readWindows": rows("contigName string", ("7",)),
        }
    )


def test_other_people(tables: Any) -> None:
    with pytest.raises(TableError, match="none of the 1 people with labels is among the 1 with genotypes") as caught:
        risk._people(tables, risk.BuildRiskFeaturesConfig(warehouse="W"))
    assert caught.value.exit_code == 4
    with pytest.raises(TableError, match="nobody has both genotypes and expression") as caught:
        expression._people(tables, BuildExpressionFeaturesConfig(warehouse="W"))
    assert not [name for name in ("Ann", "Bob", "Cid") if name in str(caught.value)]


def test_other_contigs(tables: Any) -> None:
    said = r"no contig of `genes` \(22 ...\) is one of `variants` \(chr22 ...\) \(they differ by the prefix chr\)"
    with pytest.raises(TableError, match=said) as caught:
        check_shared(tables, "genes", "variants")
    assert "rename-chrs" in caught.value.next_step
    with pytest.raises(TableError, match=r"no contig of `readWindows` \(7 ...\) is one of `genotypes`") as caught:
        check_shared(tables, "readWindows", "genotypes")
    assert "prefix" not in caught.value.problem
    check_shared(tables, "variants", "genotypes")


def test_a_model_of_another_build(tables: Any) -> None:
    error = too_few(tables, [Variant("22", 5, "A", "C", 0.5, 0.5, 0.1)], 0, 0.75)
    assert error.exit_code == 5
    assert "0 of the model's 1 variants are there (0%), at least 75% are needed (they differ by the prefix chr)" in error.problem
