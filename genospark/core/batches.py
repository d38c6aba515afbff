"""How many rows an Arrow batch has in Spark's Python workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

# What the values of one Arrow batch may take in a Python worker.
_BATCH_BYTES = 32 << 20


@contextmanager
def bounded_batches(spark: SparkSession, row_bytes: int) -> Iterator[None]:
    """Arrow batches of so few rows that a worker's memory is bounded; for the actions inside, and for what is persisted inside."""
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(key) or "10000"
    spark.conf.set(key, str(max(16, min(10_000, _BATCH_BYTES // max(row_bytes, 1)))))
    try:
        yield
    finally:
        spark.conf.set(key, before)
