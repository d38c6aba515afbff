"""Tables of reads that an older release wrote: migrated where that can be, else refused with the stages to run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pysam
import pytest
from pyspark.sql import SparkSession

from genospark.core import ledger
from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse, Written
from genospark.errors import InputError, TableError
from genospark.features.variants import BuildVariantFeaturesConfig, build_features
from genospark.ingest.alignments import IngestReadsConfig, ingest_reads
from genospark.schema import TABLES
from genospark.sql import duck
from genospark.upkeep.migrate import MIGRATIONS, MigrateConfig, migrate

REFERENCE = "ACGTTGCA" * 250
QUALITY = {"sampleId": "ann", "nReads": 9, "dropped": {"duplicate": 2}, "nLowQualityBases": 3, "nOverlappingBases": 4, "meanDepth": 1.5}
CALL = {
    **{"sampleId": "ann", "contigName": "c", "start": 7, "end": 8, "referenceAllele": "A", "alternateAlleles": ["G"], "calls": [0, 1]},
    **{"conditionalQuality": 40, "depth": 9, "alleleDepths": [4, 5], "modelVersion": "variants-x"},
}
WINDOW = {"sampleId": "ann", "contigName": "c", "start": 0, "pileup": bytearray(1000), "indels": []}
EXAMPLE = {
    **{"sampleId": "ann", "contigName": "c", "start": 0, "split": "train", "pileup": bytearray(1000)},
    **{"snv": bytearray(1000), "indel": bytearray(1000), "nMissedSnv": 0, "nMissedIndel": 0},
}


def write_old(spark: SparkSession, path: Path, version: int, part: str, row: dict[str, Any]) -> None:
    """Publishes one row of a part as a release wrote it that had that version of the table, with the columns that the row has."""
    entry, location = TABLES[part.partition("/")[0]], f"{path}/tables/{part}"
    columns = [column for column in entry.columns if column.name in {*row, "runId"}]
    ddl = ", ".join(column.ddl for column in columns)
    rows = spark.createDataFrame([{**row, "runId": "old"}], ddl)
    ledger.create(location, rows.schema.json(), list(entry.partitions), version)
    rows.write.format("delta").mode("append").partitionBy(*entry.partitions).save(location)
    assert ledger.schema_version(location) == version

    def publish(run: Run) -> None:
        run.outputs.append(Written(part, 1, 1))

    run_stage(f"old {part.replace('/', ' ')}", StageConfig(warehouse=str(path)), Warehouse(spark, str(path)), publish)


def migrated(spark: SparkSession, path: Path) -> Warehouse:
    assert migrate(MigrateConfig(warehouse=str(path)), spark)
    assert migrate(MigrateConfig(warehouse=str(path)), spark) == ""
    return Warehouse(spark, str(path))


def test_every_older_version_has_a_way_or_is_made_anew() -> None:
    ways = {(name, step) for name, entry in TABLES.items() for step in range(entry.since, entry.version)}
    assert set(MIGRATIONS) == ways
    assert {name: entry.since for name, entry in TABLES.items() if entry.since > 1} == {
        "readWindows": 3,
        "variantExamples": 4,
        "riskTargets": 2,
        "riskExamples": 2,
        "riskScores": 2,
    }


@pytest.mark.parametrize(
    ("version", "part"), [(1, "readQuality"), (2, "readQuality/main"), (3, "readQuality/main"), (4, "readQuality/main")]
)
def test_read_quality(spark: SparkSession, tmp_path: Path, version: int, part: str) -> None:
    shares: dict[str, object] = {"referenceShare": 0.9}
    if version >= 3:
        shares |= {"duplicateShare": 0.1, "medianInsertBp": 300, "errorRate": 0.01, "contamination": None}
    # Version 4 had a profile of other counts.
    profile = {"errorProfile": bytearray(b"1234")} if version == 4 else {}
    shares |= {"reportedQuality": 30.0, "empiricalQuality": 28.0} if version == 4 else {}
    write_old(spark, tmp_path, version, part, {**QUALITY, **shares, **profile})
    with pytest.raises(TableError, match=f"version {version} of the table; this program has version") as caught:
        Warehouse(spark, str(tmp_path)).read("readQuality")
    assert "genospark migrate" in caught.value.next_step
    warehouse = migrated(spark, tmp_path)
    assert warehouse.parts("readQuality") == ["readQuality/main"]
    (row,) = warehouse.read("readQuality").drop("runId").collect()
    assert row.asDict() == dict.fromkeys(row.asDict()) | QUALITY | shares
    assert {*row.asDict(), "runId"} == set(TABLES["readQuality"].names)
    with duck.connect(str(tmp_path)) as connection:
        assert connection.sql("SELECT nReads, contamination FROM readQuality").fetchall() == [(9, None)]


def test_variant_calls(spark: SparkSession, tmp_path: Path) -> None:
    write_old(spark, tmp_path, 1, "variantCalls", CALL)
    (row,) = migrated(spark, tmp_path).read("variantCalls").drop("runId").collect()
    assert row.asDict() == {**CALL, "phredLikelihoods": None}


def test_windows_of_other_channels_are_refused_and_all_else_is_migrated(spark: SparkSession, tmp_path: Path) -> None:
    write_old(spark, tmp_path, 2, "readWindows/main", WINDOW)
    write_old(spark, tmp_path, 1, "variantExamples", EXAMPLE)
    write_old(spark, tmp_path, 1, "variantCalls", CALL)
    step = "run `ingest-reads` again (every batch), then the stages that read `readWindows`, trainings among them"
    config = BuildVariantFeaturesConfig(warehouse=str(tmp_path))
    for read in (lambda: Warehouse(spark, str(tmp_path)).read("readWindows"), lambda: build_features(config, spark)):
        with pytest.raises(TableError, match="readWindows/main: version 2 of the table; this program has version 3, whose rows") as caught:
            read()
        assert caught.value.next_step == step
    with pytest.raises(TableError, match="readWindows/main: version 2 of the table"):
        duck.connect(str(tmp_path))
    with pytest.raises(TableError) as caught:
        Warehouse(spark, str(tmp_path)).read("variantExamples")
    assert caught.value.next_step.startswith("run `build-features variants` again, then the stages that read `variantExamples`")
    for _ in range(2):
        with pytest.raises(TableError, match="into `readWindows`, `variantExamples`; the other tables are up to date") as caught:
            migrate(MigrateConfig(warehouse=str(tmp_path)), spark)
        stages, tables = "`ingest-reads` and `build-features variants`", "`readWindows` and `variantExamples`"
        assert f"run {stages} again (every batch), then the stages that read {tables}" in caught.value.next_step
        assert Warehouse(spark, str(tmp_path)).read("variantCalls").count() == 1


def test_a_table_of_a_newer_release(spark: SparkSession, tmp_path: Path) -> None:
    newer = TABLES["variantCalls"].version + 1
    write_old(spark, tmp_path, newer, "variantCalls", {**CALL, "phredLikelihoods": None})
    for read in (
        lambda: Warehouse(spark, str(tmp_path)).read("variantCalls"),
        lambda: migrate(MigrateConfig(warehouse=str(tmp_path)), spark),
    ):
        with pytest.raises(TableError, match=f"version {newer} of the table; .*: a newer release wrote it"):
            read()


def _bam(path: Path, person: str) -> Path:
    header = pysam.AlignmentHeader.from_text(f"@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:c\tLN:{len(REFERENCE)}\n@RG\tID:1\tSM:{person}\n")
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for start in range(0, 1900, 8):
            fields = [f"r{start}", 0, "c", start + 1, 60, "40M", "*", 0, 0, REFERENCE[start : start + 40], "I" * 40]
            file.write(pysam.AlignedSegment.fromstring("\t".join(map(str, fields)), header))
    pysam.index(str(path))
    return path


def test_old_batches_are_made_anew_one_after_the_other(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "reference.fa").write_text(f">c\n{REFERENCE}\n")
    pysam.faidx(str(tmp_path / "reference.fa"))
    warehouse = tmp_path / "w"
    for batch in ("one", "two"):
        write_old(spark, warehouse, 2, f"readWindows/{batch}", WINDOW | {"sampleId": batch})
    contigs = {"contigName": "c", "contigIndex": 0, "lengthBp": len(REFERENCE)}
    write_old(spark, warehouse, 1, "referenceContigs", contigs)

    def ingest(person: str, batch: str, **settings: str) -> None:
        path = _bam(tmp_path / f"{batch}.bam", person)
        config = IngestReadsConfig.model_validate(
            {"warehouse": str(warehouse), "inputs": [str(path)], "reference": str(tmp_path / "reference.fa"), "batch": batch, **settings}
        )
        ingest_reads(config, spark)

    ingest("Ann", "one")
    with pytest.raises(TableError, match="readWindows/two: version 2"):
        Warehouse(spark, str(warehouse)).read("readWindows")
    ingest("Bob", "two")
    assert Warehouse(spark, str(warehouse)).read("readWindows").groupBy("sampleId").count().toPandas()["count"].tolist() == [2, 2]
    with pytest.raises(InputError, match="another batch has values of 1 of these people"):
        ingest("Ann", "two")
