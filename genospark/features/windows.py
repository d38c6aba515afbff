"""Windows of reads beside what is known of their sample's errors."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.storage import Warehouse


def with_profiles(warehouse: Warehouse) -> DataFrame:
    """Rows of ``readWindows`` (sampleId, contigName, start, pileup, indels) with `errorProfile` of ``readQuality``."""
    profiles = warehouse.read("readQuality").select("sampleId", "errorProfile")
    windows = warehouse.read("readWindows").drop("runId", "regionQuality")
    return windows.join(f.broadcast(profiles), "sampleId", "left")
