"""Blocks of people of a variant, put together where they stand next to each other: the same as by their keys."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.quality.adjacent import stand_together, together
from genospark.quality.cohort import LOCUS, LOCUS_DDL

BLOCKS = (0, 1, 4)
SCHEMA = f"{LOCUS_DDL}, sampleBlock int, calls binary"
# The second has the position of the first, the third also its reference.
VARIANTS = [("1", 10, "A", "C"), ("1", 10, "AT", "C"), ("1", 10, "AT", "G"), *(("2", start, "G", "T") for start in range(20))]
ROWS = [
    (contig, start, start + len(reference), reference, [alternate], block, bytes([number, block]))
    for number, (contig, start, reference, alternate) in enumerate(VARIANTS)
    for block in BLOCKS
]


def _frame(spark: SparkSession, parts: list[list[tuple[object, ...]]]) -> DataFrame:
    """Rows, those of each part in a partition."""
    one = spark.sparkContext.parallelize(parts, len(parts)).flatMap(lambda part: part)
    return spark.createDataFrame(one, SCHEMA)


@pytest.mark.parametrize("rows_a_batch", [1, 4, 1000])
def test_blocks_are_put_together(spark: SparkSession, rows_a_batch: int) -> None:
    rows = _frame(spark, [ROWS[:9], [], ROWS[9:]])
    # Batches have at least 16 rows where their bytes are bounded.
    with bounded_batches(spark, 1 << 30):
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(rows_a_batch))
        assert stand_together(rows, BLOCKS)
        found = together(rows, len(BLOCKS), ["sampleBlock", "calls"]).collect()
    by_key = rows.groupBy(*LOCUS).agg(f.sort_array(f.collect_list(f.struct("sampleBlock", "calls"))).alias("blocks")).collect()
    assert len(found) == len(VARIANTS)
    assert sorted(map(str, found)) == sorted(map(str, by_key))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([ROWS[:10], ROWS[10:]], id="a variant on both sides of a border"),
        pytest.param([ROWS[:-1]], id="a block less"),
        pytest.param([[ROWS[1], ROWS[0], *ROWS[2:]]], id="another order of blocks"),
        pytest.param([[*ROWS[:4], ROWS[7], *ROWS[5:7], ROWS[4], *ROWS[8:]]], id="blocks of two variants changed places"),
    ],
)
def test_what_does_not_stand_together_is_told(spark: SparkSession, parts: list[list[tuple[object, ...]]]) -> None:
    assert not stand_together(_frame(spark, parts), BLOCKS)
