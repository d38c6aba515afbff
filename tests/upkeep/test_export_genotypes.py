"""Genotypes written back as VCF and PLINK files are those that came in, as bcftools and plink2 read them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pysam
import pysam.bcftools
import pytest
from batches import merged_by_bcftools, write_vcf
from pyspark.sql import SparkSession
from support import people

from genospark.errors import ConfigError
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.ingest.variants_plink import IngestPlinkConfig, ingest_plink
from genospark.upkeep.export import ExportConfig, export

SITE_AND_CALLS = "%CHROM\t%POS\t%REF\t%ALT[\t%GT]\n"


def _exported(spark: SparkSession, warehouse: Path, kind: str, crosswalk: bool = True) -> Path:
    out = warehouse.parent / f"{kind}-{crosswalk}"
    named = f"{warehouse}-crosswalk" if crosswalk else None
    export(ExportConfig(warehouse=str(warehouse), out=str(out), format=kind, crosswalk=named), spark)
    return out


def _text(path: Path) -> list[str]:
    return sorted(pysam.bcftools.query("-f", SITE_AND_CALLS, str(path)).splitlines())


def test_a_real_vcf_comes_back_as_bcftools_splits_it(shared_data: Path, spark: SparkSession, tmp_path: Path) -> None:
    path = shared_data / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[str(path)]), spark)
    out = _exported(spark, tmp_path / "w", "vcf")
    split = tmp_path / "split.vcf.gz"
    pysam.bcftools.norm("-m-", "-Oz", "-o", str(split), str(path), catch_stdout=False)
    ours, theirs = _text(out / "genotypes.vcf.gz"), _text(split)
    assert len(theirs) > 9_750
    assert ours == [line.replace("|", "/").replace("1/0", "0/1") for line in theirs]
    names = [list(pysam.VariantFile(str(file)).header.samples) for file in (out / "genotypes.vcf.gz", path)]
    assert names[0] == names[1]
    # The index leads to where records are.
    with pysam.VariantFile(str(out / "genotypes.vcf.gz")) as file:
        assert sum(1 for _ in file.fetch("22", 16_100_000, 16_200_000)) > 100
    assert {entry.name for entry in out.iterdir()} == {"genotypes.vcf.gz", "genotypes.vcf.gz.tbi"}


def test_phase_that_is_kept_comes_back(shared_data: Path, spark: SparkSession, tmp_path: Path) -> None:
    whole = shared_data / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
    path, split = tmp_path / "some.vcf.gz", tmp_path / "split.vcf.gz"
    pysam.bcftools.view("-r", "22:16050000-16120000", "-Oz", "-o", str(path), str(whole), catch_stdout=False)
    pysam.bcftools.norm("-m-", "-Oz", "-o", str(split), str(path), catch_stdout=False)
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[str(path)], keep=["phase"]), spark)
    theirs = _text(split)
    assert any("1|0" in line for line in theirs)
    assert _text(_exported(spark, tmp_path / "w", "vcf") / "genotypes.vcf.gz") == theirs


def test_batches_come_back_as_one_file(spark: SparkSession, tmp_path: Path) -> None:
    first, second = [f"a{i}" for i in range(9)], [f"b{i}" for i in range(7)]
    a, b = write_vcf(tmp_path / "a.vcf", first, [10, 20, 30], 1), write_vcf(tmp_path / "b.vcf", second, [20, 40], 2)
    for batch, path in (("one", a), ("two", b)):
        ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[str(path)], batch=batch), spark)
    plain = _exported(spark, tmp_path / "w", "vcf", crosswalk=False) / "genotypes.vcf.gz"
    with pysam.VariantFile(str(plain)) as file:
        assert list(file.header.samples) == people(*first, *second)
    named = _exported(spark, tmp_path / "w", "vcf") / "genotypes.vcf.gz"
    everyone = [*first, *second]
    expected = merged_by_bcftools([a, b], everyone, tmp_path)
    shutil.copy(named, f"{tmp_path}/back.vcf.gz")
    back = merged_by_bcftools([tmp_path / "back.vcf.gz"], everyone, tmp_path)
    assert back.equals(expected)
    with pytest.raises(ConfigError, match="takes no tables"):
        export(ExportConfig(warehouse=str(tmp_path / "w"), out=str(tmp_path / "x"), format="vcf", tables=["samples"]), spark)


def test_a_real_bed_comes_back_byte_by_byte(shared_data: Path, spark: SparkSession, tmp_path: Path) -> None:
    source = shared_data / "hapmap3-plink" / "data.bed"
    ingest_plink(IngestPlinkConfig(warehouse=str(tmp_path / "w"), inputs=[str(source)]), spark)
    out = _exported(spark, tmp_path / "w", "plink")

    def of(prefix: Path) -> dict[str, tuple[bytes, list[str]]]:
        """Bytes and alleles of each variant."""
        lines = [line.split() for line in Path(f"{prefix}.bim").read_text().splitlines()]
        data = Path(f"{prefix}.bed").read_bytes()
        width = (len(data) - 3) // len(lines)
        assert data[:3] == b"\x6c\x1b\x01"
        return {words[1]: (data[3 + width * at :][:width], words[3:]) for at, words in enumerate(lines)}

    ours, theirs = of(out / "genotypes"), of(source.with_suffix(""))
    assert len(ours) == 14_389
    assert ours == theirs
    columns = [[line.split()[1] for line in path.read_text().splitlines()] for path in (out / "genotypes.fam", source.with_suffix(".fam"))]
    assert columns[0] == columns[1]
    if not shutil.which("plink2"):
        pytest.skip("plink2 is not installed")
    counts = []
    for prefix in (out / "genotypes", source.with_suffix("")):
        words = ["plink2", "--bfile", prefix, "--autosome", "--geno-counts", "cols=chrom,pos,ref,alt,homref,refalt,altxy,missing"]
        subprocess.run([*map(str, words), "--out", str(tmp_path / "c")], check=True, capture_output=True)
        counts.append((tmp_path / "c.gcount").read_text())
    assert counts[0] == counts[1]
