"""What is kept beside the calls goes where the calls go: other orders of people, batches joined, people taken out, older tables."""

from __future__ import annotations

from pathlib import Path

import pysam.bcftools
import pytest
from pyspark.sql import SparkSession
from support import people

from genospark.core import ledger
from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse, Written
from genospark.errors import TableError
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.upkeep.compact import CompactConfig, compact
from genospark.upkeep.export import ExportConfig, export
from genospark.upkeep.migrate import MigrateConfig, migrate
from genospark.upkeep.withdraw import WithdrawConfig, withdraw

HEAD = '##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n'
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"


def _vcf(path: Path, names: list[str], rows: dict[int, list[str]]) -> str:
    lines = [f"1\t{position}\t.\tA\tC\t.\t.\t.\tGT\t" + "\t".join(calls) for position, calls in rows.items()]
    path.write_text(HEAD + COLUMNS + "\t".join(names) + "\n" + "\n".join(lines) + "\n")
    return str(path)


def _calls(spark: SparkSession, warehouse: str, out: Path) -> dict[str, dict[str, str]]:
    """Calls of each person at each position, as the tables are written."""
    export(ExportConfig(warehouse=warehouse, out=str(out), format="vcf", crosswalk=f"{warehouse}-crosswalk"), spark)
    text = pysam.bcftools.query("-f", "[%SAMPLE %POS %GT\n]", str(out / "genotypes.vcf.gz"))
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        sample, position, call = line.split()
        found.setdefault(position, {})[sample] = call
    return found


def test_phase_goes_where_the_calls_go(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = str(tmp_path / "w")
    one = _vcf(tmp_path / "one.vcf", ["a", "b", "c"], {10: ["0|1", "1|0", "1|1"]})
    # The same people in another order.
    two = _vcf(tmp_path / "two.vcf", ["c", "b", "a"], {20: ["0|1", "1|0", "0/1"], 30: ["0|0", "1/1", ".|."]})
    other = _vcf(tmp_path / "other.vcf", ["d", "e"], {10: ["1|0", "0/1"], 40: ["1|0", "0|0"]})
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[one, two], keep=["phase"], batch="first"), spark)
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[other], keep=["phase"], batch="second"), spark)
    nobody = {"d": "./.", "e": "./."}
    expected = {
        "10": {"a": "0|1", "b": "1|0", "c": "1|1", "d": "1|0", "e": "0/1"},
        "20": {"c": "0|1", "b": "1|0", "a": "0/1"} | nobody,
        "30": {"c": "0|0", "b": "1/1", "a": "./."} | nobody,
        "40": {"a": "./.", "b": "./.", "c": "./.", "d": "1|0", "e": "0|0"},
    }
    assert _calls(spark, warehouse, tmp_path / "apart") == expected
    compact(CompactConfig(warehouse=warehouse, retention_hours=0), spark)
    assert _calls(spark, warehouse, tmp_path / "joined") == expected
    (tmp_path / "ids").write_text("b\n")
    withdraw(WithdrawConfig(warehouse=warehouse, samples=str(tmp_path / "ids")), spark)
    assert people("b")[0] not in [row[0] for row in Warehouse(spark, warehouse).read("samples").select("sampleId").collect()]
    left = {position: {name: call for name, call in row.items() if name != "b"} for position, row in expected.items() if position != "30"}
    assert _calls(spark, warehouse, tmp_path / "left") == left
    # Nothing of somebody who was taken out is left in the bits.
    phases = [row[0] for row in Warehouse(spark, warehouse).read("genotypes").where("start = 19").select("phase").collect()]
    assert [bytes(value)[0] for value in phases] == [0b00_01_00_00]


def test_tables_without_them_are_brought_up_to_date(spark: SparkSession, tmp_path: Path) -> None:
    source = str(tmp_path / "w")
    path = _vcf(tmp_path / "one.vcf", ["a", "b", "c"], {10: ["0|1", "1|0", "1|1"]})
    ingest_vcf(IngestVcfConfig(warehouse=source, inputs=[path]), spark)
    later = ["dosage", "phase", "conditionalQuality", "depth", "alleleDepths"]
    rows = Warehouse(spark, source).read("genotypes").drop(*later)
    older = str(tmp_path / "older")
    warehouse = Warehouse(spark, older)
    location = warehouse.location("genotypes/main")
    ledger.create(location, rows.schema.json(), ["contigName"], 2)
    rows.write.format("delta").mode("append").save(location)

    def publish(run: Run) -> None:
        run.outputs.append(Written("genotypes/main", 1, rows.count()))

    run_stage("ingest", StageConfig(warehouse=older), warehouse, publish)
    with pytest.raises(TableError, match="version 2 of the table"):
        Warehouse(spark, older).read("genotypes")
    migrate(MigrateConfig(warehouse=older), spark)
    (row,) = Warehouse(spark, older).read("genotypes").collect()
    assert [row[name] for name in later] == [None] * 5
    assert bytes(row["calls"]) == b"\xe5"
