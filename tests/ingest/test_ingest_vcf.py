"""The variant tables in the warehouse against bcftools, on the simulated cohort and on public data."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pysam.bcftools
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.calls import packed_rows, unpack
from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf

KEY = ["contigName", "start", "referenceAllele", "alternateAllele"]


def _by_bcftools(vcf: Path, scratch: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Variants after splitting (sorted by key) and copies of the alternate allele, -1 for missing, by bcftools."""
    split = scratch / "split.bcf"
    pysam.bcftools.norm("-m-", "-Ob", "-o", str(split), str(vcf), catch_stdout=False)
    text = pysam.bcftools.query("-f", "%CHROM\t%POS\t%REF\t%ALT[\t%GT]\n", str(split))
    fields = [line.split("\t") for line in text.splitlines()]
    table = pd.DataFrame([(f[0], int(f[1]) - 1, f[2], f[3]) for f in fields], columns=KEY)
    kinds = sorted({call for row in fields for call in row[4:]})
    copies = {call: -1 if "." in call else sum(int(a) for a in call.replace("|", "/").split("/")) for call in kinds}
    dosages = np.array([[copies[call] for call in row[4:]] for row in fields], np.int8)
    order = table.sort_values(KEY).index
    return table.loc[order].reset_index(drop=True), dosages[order]


def _of_warehouse(warehouse: Warehouse) -> tuple[pd.DataFrame, np.ndarray]:
    people = warehouse.read("samples").count()
    key = ["contigName", "start", "referenceAllele", "alternateAlleles[0] as alternateAllele"]
    genotypes = warehouse.read("genotypes").selectExpr(*key, "calls").toPandas().sort_values(KEY)
    variants = warehouse.read("variants").selectExpr("*", key[-1]).toPandas().sort_values(KEY).reset_index(drop=True)
    dosages = unpack(packed_rows(list(genotypes["calls"])), people).astype(np.int8)
    assert (genotypes[KEY].reset_index(drop=True) == variants[KEY]).all(axis=None)
    return variants, np.where(dosages == 3, -1, dosages)


def _compare(vcf: Path, warehouse: Warehouse, scratch: Path) -> None:
    expected, theirs = _by_bcftools(vcf, scratch)
    found, ours = _of_warehouse(warehouse)
    assert (found[KEY] == expected).all(axis=None)
    assert (ours == theirs).all()
    known = theirs >= 0
    assert (found["alleleCount"] == np.where(known, theirs, 0).sum(axis=1)).all()
    assert (found["nAllelesCalled"] == 2 * known.sum(axis=1)).all()
    assert (found["nHet"] == (theirs == 1).sum(axis=1)).all()
    assert np.allclose(found["callRate"], known.mean(axis=1))
    # Per person: how many variants of each genotype.
    for code in (-1, 0, 1, 2):
        assert ((ours == code).sum(axis=0) == (theirs == code).sum(axis=0)).all()


def test_tables_equal_bcftools_on_the_simulated_cohort(cohort: Cohort, tmp_path: Path) -> None:
    vcf = cohort.files / "genotypes.vcf.gz"
    _compare(vcf, cohort.warehouse, tmp_path)
    with pysam.VariantFile(str(vcf)) as opened:
        names = list(opened.header.samples)
    samples = cohort.warehouse.read("samples").orderBy("sampleIndex").toPandas()
    assert list(samples["sampleId"].map(cohort.names)) == names
    assert cohort.warehouse.read("variants").where("splitFromMultiAllelic").count() > 0


def test_tables_equal_bcftools_on_1000_genomes(shared_data: Path, spark: SparkSession, tmp_path: Path) -> None:
    vcf = shared_data / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[str(vcf)], split_bytes=300_000), spark)
    warehouse = Warehouse(spark, str(tmp_path / "w"))
    assert warehouse.read("samples").count() == 2504
    _compare(vcf, warehouse, tmp_path)


def test_contigs_in_files_of_their_own_and_in_one_give_the_same(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    for contig in ("chr1", "chr2"):
        text = pysam.bcftools.view("-r", contig, str(cohort.files / "genotypes.vcf.gz"))
        (tmp_path / f"{contig}.vcf").write_text(text)
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[f"{tmp_path}/chr*.vcf"], split_bytes=20_000), spark)
    one, ours = _of_warehouse(cohort.warehouse)
    two, theirs = _of_warehouse(Warehouse(spark, str(tmp_path / "w")))
    assert (one[KEY] == two[KEY]).all(axis=None)
    assert (ours == theirs).all()


HEADER = (
    "##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID=GT,Number=1,Type=String,Description=x>\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
)


def _vcf(folder: Path, name: str, people: str, *lines: str) -> str:
    path = folder / name
    path.write_text("\n".join([HEADER + people, *lines, ""]))
    return str(path)


def test_bad_records_name_file_and_line_and_publish_nothing(spark: SparkSession, tmp_path: Path) -> None:
    path = _vcf(tmp_path, "short.vcf", "\ta\tb", "1\t5\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1|1", "1\t6\t.\tA\tC\t.\t.\t.\tGT\t0|1")
    config = IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[path])
    with pytest.raises(InputError, match=r"short\.vcf.*line 6") as caught:
        ingest_vcf(config, spark)
    assert "expected 11" in caught.value.problem or "11" in caught.value.problem
    assert Warehouse(spark, config.warehouse).producer("variants") is None


def test_files_of_other_people_and_variants_that_stand_twice_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    line = "1\t5\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1|1"
    one = _vcf(tmp_path, "a.vcf", "\ta\tb", line)
    other = _vcf(tmp_path, "b.vcf", "\tb\tc", line)
    again = _vcf(tmp_path, "c.vcf", "\ta\tb", line)
    with pytest.raises(InputError, match=r"b\.vcf: .* has 1 of its people, of columns 10"):
        ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[one, other]), spark)
    with pytest.raises(InputError, match="1:5 A>C: the variant stands 2 times"):
        ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[one, again]), spark)


def test_more_people_than_a_block_hold_their_places(spark: SparkSession, tmp_path: Path) -> None:
    """20,000 people make two blocks; person i has i mod 4 as their genotype, 3 meaning missing."""
    people = 20_000
    words = ["0/0", "0/1", "1/1", "./."]
    names = "".join(f"\tp{i}" for i in range(people))
    path = _vcf(tmp_path, "many.vcf", names, "1\t5\t.\tA\tC\t.\t.\t.\tGT\t" + "\t".join(words[i % 4] for i in range(people)))
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[path]), spark)
    rows = Warehouse(spark, str(tmp_path / "w")).read("genotypes").orderBy("sampleBlock").collect()
    assert [len(row["calls"]) for row in rows] == [4096, math.ceil((people - 16384) / 4)]
    assert all(set(row["calls"]) == {0b11_10_01_00} for row in rows)
