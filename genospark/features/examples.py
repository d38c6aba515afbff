"""Rows of examples as files: so many of each split, whatever ranks share them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as f


def spread(rows: DataFrame, files: int, *key: str) -> DataFrame:
    """Rows in partitions of which each becomes a file of each split, sorted within.

    Args:
        rows: Examples, with a column `split`.
        files: Partitions.
        key: Columns that name an example.
    """
    # Not by the key itself: after a join by it Spark would leave the join's own partitions where these are as many, and merge small ones.
    return rows.repartition(files, f.xxhash64(*key)).sortWithinPartitions(*key)
