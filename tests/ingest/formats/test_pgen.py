"""PLINK 2 files give what the VCFs give that plink2 made them of, or makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pysam.bcftools
import pytest
from format_helpers import assert_same, of_vcf, rows, run, small_plink, vcf_by_plink
from pyspark.sql import SparkSession

from genospark.core.blocks import numbers
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest.plink import read_pgen_header
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.ingest.variants_plink import IngestPlinkConfig, ingest_plink
from genospark.ingest.vcf import read_header

pytest.importorskip("pgenlib", reason="the package pgenlib is not installed")


@pytest.mark.parametrize("compressed", [[], ["vzs"]])
def test_real_genotypes_with_many_alleles_and_phase(shared_data: Path, tmp_path: Path, compressed: list[str]) -> None:
    path = shared_data / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
    run("plink2", "--vcf", path, "--make-pgen", *compressed, "--out", tmp_path / "a")
    ours = rows(read_pgen_header(tmp_path / "a.pgen"), 1 << 20)
    assert_same(ours, of_vcf(path))
    # PLINK keeps the phase of two different alleles, so equal ones are written without it.
    some, vcf = tmp_path / "some", tmp_path / "some.vcf"
    run(
        "plink2",
        "--pfile",
        tmp_path / "a",
        *compressed,
        "--from-bp",
        "16050000",
        "--to-bp",
        "16120000",
        "--chr",
        "22",
        "--make-pgen",
        "--out",
        some,
    )
    text = pysam.bcftools.view("-r", "22:16050000-16120000", str(path))
    for allele in range(9):
        text = text.replace(f"\t{allele}|{allele}", f"\t{allele}/{allele}").replace(f"\t{allele}|{allele}", f"\t{allele}/{allele}")
    vcf.write_text(text)
    phased = rows(read_pgen_header(f"{some}.pgen", keep=("phase",)), 1 << 20)
    theirs = rows(replace(read_header(vcf), keep=("phase",)), 1 << 30)
    assert phased["blocks"].combine_chunks().flatten().field("phase").null_count < phased.num_rows
    two = np.array(phased["splitFromMultiAllelic"].to_pylist())
    # Divided calls such as 1|2 become 1|1 or 0|0 of an allele only where these are equal in the file too.
    assert_same(phased.filter(~two), theirs.filter(~two))


def test_calls_of_one_allele(tmp_path: Path) -> None:
    prefix = small_plink(tmp_path, "--make-pgen")
    assert_same(rows(read_pgen_header(f"{prefix}.pgen"), 3), of_vcf(vcf_by_plink(prefix, "--pfile")))


def test_dosages_of_two_alleles_and_of_one(tmp_path: Path) -> None:
    head = '##fileformat=VCFv4.2\n##FORMAT=<ID=DS,Number=1,Type=Float,Description="x">\n'
    columns = "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", "m", "f", "u"])
    lines = ["1\t5\t.\tA\tC\t.\t.\t.\tGT:DS\t./.:0.25\t./.:1.5\t.", "X\t5000000\t.\tA\tC\t.\t.\t.\tGT:DS\t.:0.5\t./.:1.5\t./.:2"]
    (tmp_path / "a.vcf").write_text(head + "\n".join([columns, *lines]) + "\n")
    (tmp_path / "a.psam").write_text("#IID\tSEX\nm\t1\nf\t2\nu\tNA\n")
    run("plink2", "--vcf", tmp_path / "a.vcf", "dosage=DS", "--psam", tmp_path / "a.psam", "--make-pgen", "--out", tmp_path / "a")
    table = rows(read_pgen_header(tmp_path / "a.pgen", keep=("dosage",)), 1)
    found = numbers(table["blocks"].combine_chunks().flatten().field("dosage"), 3, "dosage")
    assert found.tolist() == [[4096, 24576, 65535], [8192, 24576, 32768]]


def test_the_tables_are_those_of_the_vcf(spark: SparkSession, tmp_path: Path) -> None:
    prefix = small_plink(tmp_path, "--make-pgen")
    vcf = vcf_by_plink(prefix, "--pfile")
    ingest_plink(IngestPlinkConfig(warehouse=str(tmp_path / "w"), inputs=[f"{prefix}.pgen"], split_bytes=12), spark)
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "v"), inputs=[str(vcf)]), spark)
    for name in ("variants", "genotypes", "samples"):
        a, b = (Warehouse(spark, str(tmp_path / one)).read(name).drop("runId") for one in ("w", "v"))
        assert (a.count(), a.exceptAll(b).count()) == (b.count(), 0)
    with pytest.raises(ConfigError, match="holds neither dosages nor phase"):
        bed = small_plink(tmp_path)
        ingest_plink(IngestPlinkConfig(warehouse=str(tmp_path / "w"), inputs=[f"{bed}.bed"], keep=["dosage"]), spark)


def test_files_that_do_not_fit_say_why(tmp_path: Path) -> None:
    prefix = small_plink(tmp_path, "--make-pgen")
    pgen, pvar, psam = (Path(f"{prefix}.{suffix}") for suffix in ("pgen", "pvar", "psam"))
    whole, lines, people = pgen.read_bytes(), pvar.read_text(), psam.read_text()

    def says(words: str) -> None:
        with pytest.raises(InputError, match=words):
            rows(read_pgen_header(pgen), 4)
        pgen.write_bytes(whole), pvar.write_text(lines), psam.write_text(people)

    pgen.write_bytes(b"no pgen file at all")
    says("small.pgen: cannot be read")
    pgen.write_bytes(whole[:-20])
    says("small.pgen: ")
    psam.write_text(people.rpartition("u1")[0])
    says("cannot be read with 2 people")
    pvar.write_text(lines.rpartition("MT")[0])
    says("23 variants")
    pvar.write_text(lines.replace("5000001\tv1", "x\tv1", 1))
    says("small.pvar, line 3 .*: POS is not a positive integer")
    pvar.write_text(lines.replace("\tA\tCT", "\tA", 1))
    says("wrong number of columns")
    pvar.write_text(lines.replace("REF", "FER"))
    says("no column REF")
    pvar.write_text(lines.replace("5000001\tv1", "x\tv1", 1))
    assert rows(read_pgen_header(pgen), 4, quarantine=True).num_rows == 23
