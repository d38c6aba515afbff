"""Windows of reads beside what is known of their sample's errors."""

from __future__ import annotations

from contextlib import AbstractContextManager

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.core.pileup import CHANNELS, WINDOW_BP
from genospark.core.storage import Warehouse

# Callers count in 8 bytes what windows hold in one.
_WIDENED = 8


def some_windows(spark: SparkSession) -> AbstractContextManager[None]:
    """Arrow batches of so few windows that what callers make of them stays near a core; as ``bounded_batches``."""
    return bounded_batches(spark, _WIDENED * WINDOW_BP * len(CHANNELS))


def with_profiles(warehouse: Warehouse) -> DataFrame:
    """Rows of ``readWindows`` (sampleId, contigName, start, pileup, indels) with `errorProfile` of ``readQuality``."""
    profiles = warehouse.read("readQuality").select("sampleId", "errorProfile")
    windows = warehouse.read("readWindows").drop("runId", "regionQuality")
    return windows.join(f.broadcast(profiles), "sampleId", "left")
