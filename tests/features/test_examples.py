"""Examples come in as many files as ranks were promised."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from genospark.features.examples import spread


@pytest.mark.parametrize("more", [0, 3])
def test_each_split_has_its_files_after_a_join_by_the_same_key(spark: SparkSession, tmp_path: Path, more: int) -> None:
    # As many as a join's own partitions, which Spark would keep and merge.
    files = int(spark.conf.get("spark.sql.shuffle.partitions") or 0) + more
    people = spark.range(200).selectExpr("cast(id as string) as sampleId", "if(id % 5 = 0, 'validation', 'train') as split")
    labels = spark.range(200).selectExpr("cast(id as string) as sampleId", "id as label")
    spread(people.hint("merge").join(labels, "sampleId"), files, "sampleId").write.partitionBy("split").parquet(str(tmp_path / "t"))
    for split, n in (("train", 160), ("validation", 40)):
        found = [pq.read_table(path)["sampleId"].to_pylist() for path in sorted((tmp_path / "t" / f"split={split}").glob("*.parquet"))]
        assert len(found) == files
        assert sum(map(len, found)) == len({name for names in found for name in names}) == n
        assert all(names == sorted(names) for names in found)


def test_files_of_tables_are_in_the_order_of_the_key(spark: SparkSession, tmp_path: Path) -> None:
    # In another order a seed trains another network.
    split = "element_at(array('test', 'train', 'validation'), int(id % 3 + 1)) as split"
    rows = spark.range(0, 2000, 1, 3).selectExpr("cast((id * 7919) % 2000 as string) as sampleId", split)
    # As tables are written, with a check of what may not be null: Spark would sort by the checked split, and drop the order before.
    checked = spread(rows, 4, "sampleId").selectExpr("sampleId", "coalesce(split, raise_error('null')) as split")
    checked.write.partitionBy("split").parquet(str(tmp_path / "t"))
    found = [pq.read_table(path)["sampleId"].to_pylist() for path in (tmp_path / "t").glob("*/*.parquet")]
    assert len(found) == 12
    assert all(names == sorted(names) for names in found)
