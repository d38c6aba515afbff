"""The share of somebody else's reads that was mixed in, as the table of read quality has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from overstated_reads import Reads, write
from pyspark.sql import SparkSession
from support import people

from genospark.core.storage import Warehouse
from genospark.ingest.alignments import IngestReadsConfig, ingest_reads

# Some 300 homozygous alternate sites: the estimate's standard error is 0.005 at 5%.
TOLERANCE = 0.015


def test_reads_of_two_people_mixed(tmp_path: Path, spark: SparkSession) -> None:
    shares = {"Ann": 0.05, "Bob": 0.0}
    files = [
        write(tmp_path / name, Reads((30,), 0, bases=120_000, depth=30, spacing=40, contamination=share), name)
        for name, share in shares.items()
    ]
    config = {"inputs": [str(one.bam) for one in files], "reference": str(files[0].fasta), "warehouse": str(tmp_path / "w")}
    ingest_reads(IngestReadsConfig.model_validate(config), spark)
    found = {row["sampleId"]: row for row in Warehouse(spark, str(tmp_path / "w")).read("readQuality").collect()}
    assert len(found) == 2
    mixed, pure = (found[name] for name in people("Ann", "Bob"))
    assert mixed["contamination"] == pytest.approx(0.05, abs=TOLERANCE)
    assert 0 <= pure["contamination"] < 0.005
    assert pure["errorRate"] == pytest.approx(1e-3, rel=0.2)
