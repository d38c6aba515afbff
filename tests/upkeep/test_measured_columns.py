"""A gVCF with depths and qualities: blocks stay blocks, and what is kept comes back and is summed up as `bcftools query` has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pysam.bcftools
import pytest
from batches import write_vcf
from pyspark.sql import SparkSession
from support import people

from genospark.core.storage import Warehouse
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.quality.measured import LowConfig
from genospark.quality.samples import QcSamplesConfig, qc_samples
from genospark.quality.variants import QcVariantsConfig, qc_variants
from genospark.upkeep.compact import CompactConfig, compact
from genospark.upkeep.export import ExportConfig, export
from genospark.upkeep.withdraw import WithdrawConfig, withdraw

NAMES = ["a", "b", "c"]
HEAD = """##fileformat=VCFv4.2
##contig=<ID=1,length=100000>
##ALT=<ID=NON_REF,Description="any other allele">
##INFO=<ID=END,Number=1,Type=Integer,Description="end of the block">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"""
RECORDS = [
    "1\t10\t.\tA\t<NON_REF>\t.\t.\tEND=99\tGT:DP:GQ:MIN_DP\t0/0:31:93:28\t0/0:8:20:5\t./.:0:0:0",
    "1\t100\trs1\tC\tG,<NON_REF>\t50\tPASS\t.\tGT:AD:DP:GQ\t0/1:10,9,0:19:99\t1|1:0,33,1:34\t.",
    "1\t101\t.\tG\t<NON_REF>\t.\t.\tEND=5000\tGT:DP:GQ:MIN_DP\t0/0:25:75:20\t.:.:.:.\t0/0:3:9:2",
    "1\t5001\t.\tACT\tA,AC,<NON_REF>\t50\tPASS\t.\tGT:AD:GQ\t1/2:1,5,6,0:40\t0/0:12,.,0,0:.\t0/3:.:7",
    "1\t6000\t.\tT\tC\t50\tPASS\t.\tGT\t0/1\t0|0\t./.",
]
QUERY = "%CHROM %POS %INFO/END %REF %ALT[\t%GT %AD %DP %GQ]\n"


def _said(path: Path) -> list[str]:
    # The order of alleles without phase is not stored. Of a field that nobody has bcftools says a list of dots where another record has it.
    text = pysam.bcftools.query("-u", "-f", QUERY, str(path)).replace("1/0", "0/1").replace(" .,. ", " . ")
    return sorted(text.splitlines())


@pytest.fixture(scope="module")
def gvcf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gvcf") / "a.g.vcf"
    path.write_text(HEAD + "\t".join(NAMES) + "\n" + "\n".join(RECORDS) + "\n")
    pysam.bcftools.norm("-m-", "-o", f"{path}.split", str(path), catch_stdout=False)
    return path


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, gvcf: Path) -> str:
    where = str(gvcf.parent / "w")
    ingest_vcf(IngestVcfConfig(warehouse=where, inputs=[str(gvcf)], keep=["phase", "GQ", "DP", "AD"]), spark)
    return where


def _export(spark: SparkSession, warehouse: str, out: Path) -> Path:
    export(ExportConfig(warehouse=warehouse, out=str(out), format="vcf", crosswalk=f"{warehouse}-crosswalk"), spark)
    return out / "genotypes.vcf.gz"


def test_blocks_stay_blocks_and_come_back(spark: SparkSession, warehouse: str, gvcf: Path, tmp_path: Path) -> None:
    rows = Warehouse(spark, warehouse).read("variants").where("alternateAlleles[0] = '<NON_REF>'").orderBy("start").collect()
    assert [(row["start"], row["end"]) for row in rows] == [(9, 99), (99, 100), (100, 5000), (5000, 5003)]
    assert _said(_export(spark, warehouse, tmp_path / "out")) == _said(Path(f"{gvcf}.split"))


def test_summaries_are_those_of_the_values(spark: SparkSession, warehouse: str, gvcf: Path) -> None:
    low = LowConfig(depth=20, quality=21)
    qc_variants(QcVariantsConfig(warehouse=warehouse, low=low), spark)
    qc_samples(QcSamplesConfig(warehouse=warehouse, low=low), spark)
    lines = pysam.bcftools.query("-u", "-f", "%POS0 %REF %ALT[\t%DP %GQ]\n", f"{gvcf}.split").splitlines()
    fields = [line.split("\t") for line in lines]
    values = {key: [[np.nan if one == "." else float(one) for one in text.split()] for text in texts] for key, *texts in fields}
    columns = [("meanDepth", "lowDepthShare", 0, 20), ("meanConditionalQuality", "lowConditionalQualityShare", 1, 21)]
    found: pd.DataFrame = Warehouse(spark, warehouse).read("variantQuality").toPandas()
    found.index = pd.Index(f"{start} {ref} {alt[0]}" for start, ref, alt in found[["start", "referenceAllele", "alternateAlleles"]].values)
    of_people: pd.DataFrame = Warehouse(spark, warehouse).read("sampleQuality").toPandas().set_index("sampleId").loc[people(*NAMES)]
    for mean, share, place, limit in columns:
        table = np.array([[one[place] for one in values[key]] for key in found.index])
        for axis, rows in ((1, found), (0, of_people)):
            n = (~np.isnan(table)).sum(axis=axis)
            n = np.where(n > 0, n, np.nan)
            np.testing.assert_allclose(rows[mean].astype(float), np.nansum(table, axis=axis) / n)
            np.testing.assert_allclose(rows[share].astype(float), (table < limit).sum(axis=axis) / n)


def test_they_go_where_the_calls_go(spark: SparkSession, warehouse: str, gvcf: Path, tmp_path: Path) -> None:
    other = write_vcf(tmp_path / "b.vcf", ["d", "e"], [4000, 4500], 1)
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(other)], batch="other"), spark)
    compact(CompactConfig(warehouse=warehouse, retention_hours=0), spark)
    (tmp_path / "ids").write_text("b\n")
    withdraw(WithdrawConfig(warehouse=warehouse, samples=str(tmp_path / "ids")), spark)
    out = _export(spark, warehouse, tmp_path / "out")
    for name, path in (("theirs", f"{gvcf}.split"), ("ours", str(out))):
        pysam.bcftools.view("-s", "a,c", "-I", "-o", str(tmp_path / name), path, catch_stdout=False)
    assert [line for line in _said(tmp_path / "ours") if line.split()[1] not in ("4000", "4500")] == _said(tmp_path / "theirs")
    # Nothing of somebody who was taken out is left.
    depths = Warehouse(spark, warehouse).read("genotypes").where("start = 9").select("depth").collect()
    assert [np.frombuffer(row[0], "<u2")[:3].tolist() for row in depths if row[0]] == [[31, 65535, 0]]
