"""Tables as other programs read them: Delta's own Spark connector, at every version."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core import ledger
from genospark.core.storage import Warehouse
from genospark.ingest.vcf.parse import KEPT

CONTIGS = ["chr1", "HLA*01:01=a", "a b%2F", "é"]
COLUMNS = "contigName string, start bigint, end bigint, referenceAllele string, alternateAlleles array<string>, sampleBlock int"


@pytest.fixture
def warehouse(spark: SparkSession, tmp_path: Path) -> Warehouse:
    return Warehouse(spark, str(tmp_path / "a b"))


def _genotypes(spark: SparkSession, starts: range) -> DataFrame:
    rows = spark.createDataFrame(
        [(contig, start, start + 1, "A", ["C"], 0) for contig in CONTIGS for start in starts], f"{COLUMNS}"
    ).withColumns({"calls": f.lit(b"x"), **{name: f.lit(None).cast("binary") for name in ("haploid", *KEPT)}})
    counts = ("nCalled", "nHet", "nHomAlt", "nHaploid", "nHaploidAlt")
    return rows.withColumns({name: f.lit(1) for name in counts})


def test_deltas_connector_reads_every_version(spark: SparkSession, warehouse: Warehouse) -> None:
    location = warehouse.location("genotypes/main")
    written = [warehouse.write("genotypes/main", _genotypes(spark, range(count)), "run") for count in (3, 5)]
    assert [entry.rows for entry in written] == [12, 20]
    for entry in written:
        theirs = spark.read.format("delta").option("versionAsOf", entry.version).load(location)
        ours = warehouse.written(entry)
        assert ours.schema.names == theirs.schema.names
        assert {row["contigName"] for row in theirs.collect()} == set(CONTIGS)
        assert theirs.count() == entry.rows
        assert ours.exceptAll(theirs).isEmpty()
        assert theirs.exceptAll(ours).isEmpty()
    chosen = spark.read.format("delta").load(location).where("contigName = 'HLA*01:01=a' and start >= 4")
    assert [row["start"] for row in chosen.collect()] == [4]


def test_the_log_says_what_files_hold(spark: SparkSession, warehouse: Warehouse) -> None:
    warehouse.write("genotypes/main", _genotypes(spark, range(7)), "run")
    actions = pa.table(DeltaTable(warehouse.location("genotypes/main")).get_add_actions(flatten=True)).to_pydict()
    assert sum(actions["num_records"]) == 28
    assert min(actions["min.start"]) == 0
    assert max(actions["max.start"]) == 6
    assert set(actions["partition.contigName"]) == set(CONTIGS)


def test_a_table_of_other_columns_is_made_anew(spark: SparkSession, warehouse: Warehouse) -> None:
    location = warehouse.location("samples/main")
    old = {"type": "struct", "fields": [{"name": "sampleId", "type": "string", "nullable": False, "metadata": {}}]}
    ledger.create(location, json.dumps(old), [], 1)
    entry = warehouse.write(
        "samples/main", spark.createDataFrame([("a", 0, "main")], "sampleId string, sampleIndex int, batch string"), "run"
    )
    assert ledger.schema_version(location) == 2
    assert warehouse.written(entry).collect()[0].asDict() == {"sampleId": "a", "sampleIndex": 0, "batch": "main", "runId": "run"}
    assert spark.read.format("delta").load(location).count() == 1


def test_no_rows_are_a_table_too_and_a_null_is_refused(spark: SparkSession, warehouse: Warehouse) -> None:
    columns = "sampleId string, sampleIndex int, batch string"
    entry = warehouse.write("samples/main", spark.createDataFrame([], columns), "run")
    assert (entry.rows, warehouse.written(entry).count()) == (0, 0)
    with pytest.raises(Exception, match="sampleIndex is null"):
        warehouse.write("samples/main", spark.createDataFrame([("a", None, "main")], columns), "run")
