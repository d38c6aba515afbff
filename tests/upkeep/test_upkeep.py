"""People withdrawn, batches joined, tables copied and migrated: what is left says the same as files made by bcftools."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from batches import merged_by_bcftools, of_warehouse, same, write_subset, write_vcf
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core import crosswalk
from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse, Written
from genospark.errors import ConfigError, InputError, TableError
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.schema import TABLES
from genospark.sql import duck
from genospark.upkeep.compact import CompactConfig, compact
from genospark.upkeep.export import ExportConfig, export
from genospark.upkeep.migrate import MigrateConfig, migrate
from genospark.upkeep.withdraw import WithdrawConfig, withdraw

FIRST, SECOND = [f"a{i}" for i in range(9)], [f"b{i}" for i in range(7)]


def _two_batches(spark: SparkSession, folder: Path) -> tuple[Path, Path, str]:
    a, b = write_vcf(folder / "a.vcf", FIRST, [10, 20, 30], 1), write_vcf(folder / "b.vcf", SECOND, [20, 40], 2)
    for batch, path in (("one", a), ("two", b)):
        ingest_vcf(IngestVcfConfig(warehouse=str(folder / "w"), inputs=[str(path)], batch=batch), spark)
    return a, b, str(folder / "w")


def test_batches_joined_say_the_same_in_one_block(spark: SparkSession, tmp_path: Path) -> None:
    a, b, warehouse = _two_batches(spark, tmp_path)
    compact(CompactConfig(warehouse=warehouse, retention_hours=0), spark)
    found = Warehouse(spark, warehouse)
    everyone = [*FIRST, *SECOND]
    same(of_warehouse(found, everyone), merged_by_bcftools([a, b], everyone, tmp_path))
    names = crosswalk.read(f"{warehouse}-crosswalk")
    assert sorted(row[0] for row in found.read("samples").select("sampleIndex").collect()) == list(range(len(everyone)))
    assert {(names[row["sampleId"]][0], row["batch"]) for row in found.read("samples").collect()} == {("a", "one"), ("b", "two")}
    assert found.parts("genotypes") == ["genotypes/compacted"]
    # People of a batch that was joined are still taken out as before, calls of one allele counted right.
    (tmp_path / "ids").write_text("a0\nb1\n")
    withdraw(WithdrawConfig(warehouse=warehouse, samples=str(tmp_path / "ids")), spark)
    left = [person for person in everyone if person not in ("a0", "b1")]
    rest = [write_subset(a, FIRST[1:], tmp_path / "a2.vcf"), write_subset(b, [p for p in SECOND if p != "b1"], tmp_path / "b2.vcf")]
    expected = merged_by_bcftools(rest, left, tmp_path)
    whole = merged_by_bcftools([a, b], everyone, tmp_path)
    private = (expected["alleleCount"] == 0) & (whole["alleleCount"] > 0)
    same(of_warehouse(Warehouse(spark, warehouse), left), expected[~private].reset_index(drop=True))


def _bytes_with(folder: Path, words: list[bytes]) -> list[Path]:
    """Files under a folder that hold one of the words, in their bytes or, where Parquet, in their values."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += pd.read_parquet(path).to_csv().encode()
            if any(word in content for word in words):
                found.append(path)
    return found


def test_people_withdrawn_are_in_no_table_and_no_file(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    copy = tmp_path / "w"
    shutil.copytree(cohort.path, copy, ignore=shutil.ignore_patterns("input", "*.vcf.gz*"))
    pedigree = cohort.warehouse.read("pedigree").toPandas()
    child = pedigree[pedigree["fatherId"].notna()].iloc[0]
    with_reads = cohort.warehouse.read("readQuality").select("sampleId").first()
    assert with_reads is not None
    people = sorted({child["fatherId"], with_reads[0]})
    # One by the original id, the other by the name in the tables.
    listed = [cohort.names[child["fatherId"]], with_reads[0], "nobody"]
    (tmp_path / "ids").write_text("\n".join(listed) + "\n")
    words = [person.encode() for person in people]
    assert _bytes_with(copy / "tables", words)
    assert _bytes_with(copy / "crosswalk", words)
    settings = {"warehouse": str(copy), "samples": str(tmp_path / "ids"), "crosswalk": str(copy / "crosswalk")}
    withdraw(WithdrawConfig(**settings), spark)
    assert not _bytes_with(copy / "crosswalk", words)
    assert len(crosswalk.read(str(copy / "crosswalk"))) == len(cohort.names) - len(people)
    # Names of input files, which are the user's, stay in `runs`.
    assert {path.relative_to(copy / "tables").parts[0] for path in _bytes_with(copy / "tables", words)} <= {"runs"}
    left = Warehouse(spark, str(copy))
    for name in ("samples", "expression", "riskScores", "variantCalls", "riskExamples", "readWindows", "phenotypes"):
        before, after = cohort.warehouse.read(name), left.read(name)
        assert after.count() == before.where(~before["sampleId"].isin(people)).count() < before.count()
    orphan = left.read("pedigree").where(f"sampleId = '{child['sampleId']}'").collect()[0]
    assert orphan["fatherId"] is None
    with duck.connect(str(copy)) as connection:
        assert connection.sql("SELECT count(*) FROM samples").fetchone() == (left.read("samples").count(),)
    run = left.producer("samples/main")
    assert run is not None
    assert '"people_not_found": 1' in run["notes"]
    for made in ("train risk", "score risk", cohort.bundle.name):
        assert made in run["notes"]
    with pytest.raises(InputError, match="none of its 3 people"):
        withdraw(WithdrawConfig(**settings, rerun=True), spark)
    with pytest.raises(ConfigError, match="no people are given"):
        withdraw(WithdrawConfig(warehouse=str(copy)), spark)


def test_what_killed_stages_left_goes_and_what_was_committed_stays(spark: SparkSession, tmp_path: Path) -> None:
    _, _, warehouse = _two_batches(spark, tmp_path)
    (tmp_path / "ids").write_text("a0\n")
    config = WithdrawConfig(warehouse=warehouse, samples=str(tmp_path / "ids"))
    withdraw(config, spark)
    tables = Warehouse(spark, warehouse)
    before = sorted(row[0] for row in tables.read("samples").select("sampleId").collect())
    for part in ("samples/one", "samples/three"):
        tables.write(part, tables.read("samples").limit(1).drop("runId"), "killed")
    withdraw(config, spark)
    after = Warehouse(spark, warehouse)
    assert sorted(row[0] for row in after.read("samples").select("sampleId").collect()) == before
    assert not list(Path(warehouse, "tables", "samples", "three").rglob("*.parquet"))


def test_people_are_withdrawn_from_the_crosswalk_that_ingest_was_told(spark: SparkSession, tmp_path: Path) -> None:
    path, place = write_vcf(tmp_path / "a.vcf", FIRST, [10, 20], 1), str(tmp_path / "elsewhere")
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[str(path)], crosswalk=place), spark)
    (tmp_path / "ids").write_text("a0\n")
    assert sorted(crosswalk.read(place).values()) == sorted(FIRST)
    withdraw(WithdrawConfig(warehouse=str(tmp_path / "w"), samples=str(tmp_path / "ids")), spark)
    assert sorted(crosswalk.read(place).values()) == sorted(FIRST[1:])


def test_a_plain_copy_holds_what_the_tables_hold(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    config = ExportConfig(warehouse=str(cohort.path), out=str(tmp_path / "out"), tables=["riskScores", "genotypes", "metrics"])
    export(config, spark)
    for name in config.tables:
        theirs = spark.read.parquet(str(tmp_path / "out" / name))
        ours = cohort.warehouse.read(name).select(*theirs.columns)
        assert theirs.exceptAll(ours).isEmpty()
        assert ours.exceptAll(theirs).isEmpty()
    with pytest.raises(TableError, match="holds files already"):
        export(config, spark)
    with pytest.raises(ConfigError, match="no table riskScore"):
        export(config.model_copy(update={"tables": ["riskScore"]}), spark)


def test_tables_of_version_1_become_those_of_today(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    """Version 1 had no batches, no counts in ``genotypes``, no depths, no second estimator of Fst, and no mark of its version."""
    path = str(tmp_path / "w")
    warehouse = Warehouse(spark, path)
    measured = ["meanDepth", "lowDepthShare", "meanConditionalQuality", "lowConditionalQualityShare"]
    dropped = {
        "samples": ["batch"],
        "genotypes": ["haploid", "nCalled", "nHet", "nHomAlt", "nHaploid", "nHaploidAlt"],
        "expression": [],
        "variantQuality": measured,
        "sampleQuality": measured,
        "populationFst": ["method"],
    }
    for name, columns in dropped.items():
        rows = cohort.warehouse.read(name).drop(*columns)
        rows.write.format("delta").partitionBy(*TABLES[name].partitions).save(f"{path}/tables/{name}")
    rows = {name: cohort.warehouse.read(name).count() for name in dropped}

    def publish(run: Run) -> None:
        run.outputs.extend(Written(name, 0, rows[name]) for name in dropped)

    run_stage("ingest", StageConfig(warehouse=path), warehouse, publish)
    with pytest.raises(TableError, match="version 1 of the table"):
        Warehouse(spark, path).read("samples")
    with pytest.raises(TableError, match="genospark migrate"):
        duck.connect(path)
    migrate(MigrateConfig(warehouse=path), spark)
    migrated = Warehouse(spark, path)
    for name in dropped:
        ours, theirs = (one.read(name).drop("runId") for one in (cohort.warehouse, migrated))
        assert ours.exceptAll(theirs).isEmpty()
        assert theirs.count() == rows[name]
    assert migrated.parts("samples") == ["samples/main"]
    assert migrate(MigrateConfig(warehouse=path), spark) == ""
