"""BCF files give what the VCFs give that bcftools makes of them, or they of these."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pysam
import pysam.bcftools
import pytest
from format_helpers import assert_same, rows
from pyspark.sql import SparkSession

from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest.bcf import is_bcf, plan_bcf, read_bcf_header
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.ingest.vcf import read_header

KEEP = ("phase",)


def _bcf(vcf: Path, out: Path, index: bool = True) -> Path:
    pysam.bcftools.view("-Ob", "-o", str(out), str(vcf), catch_stdout=False)
    if index:
        pysam.bcftools.index(str(out))
    return out


def _compare(vcf: Path, bcf: Path, target_bytes: int = 1 << 30) -> None:
    ours = rows(replace(read_bcf_header(bcf), keep=KEEP), target_bytes)
    assert_same(ours, rows(replace(read_header(vcf), keep=KEEP), 1 << 30))


def test_real_genotypes_in_one_range_and_in_several(shared_data: Path, tmp_path: Path) -> None:
    vcf = shared_data / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
    bcf = _bcf(vcf, tmp_path / "a.bcf")
    assert is_bcf(bcf) and not is_bcf(vcf)
    assert len(plan_bcf(read_bcf_header(bcf), 1 << 18)) > 3
    _compare(vcf, bcf, 1 << 18)
    Path(f"{bcf}.csi").unlink()
    assert len(plan_bcf(read_bcf_header(bcf), 1 << 18)) == 1
    _compare(vcf, bcf)


def _everything(path: Path, records: int = 200, seed: int = 5) -> Path:
    """Records with all that a line can have: alleles of all kinds, calls of one allele, parts missing, filters, many alternate alleles."""
    drawn, n = random.Random(seed), 13
    head = [
        "##fileformat=VCFv4.2",
        *(f"##contig=<ID={name},length=100000>" for name in ("1", "X")),
        *(f'##FILTER=<ID={name},Description="x">' for name in ("q10", "s50")),
        '##INFO=<ID=END,Number=1,Type=Integer,Description="x">',
        '##INFO=<ID=AF,Number=A,Type=Float,Description="x">',
        *(f'##FORMAT=<ID={name},Number=1,Type={kind},Description="x">' for name, kind in (("GT", "String"), ("DP", "Integer"))),
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *(f"p{i}" for i in range(n))]),
    ]
    lines = []
    for number in range(records):
        k = drawn.choice([0, 1, 1, 1, 2, 3, 80 if number % 50 == 0 else 1])
        alternates = ["C" + "G" * i for i in range(k)] if k != 1 else [drawn.choice(["<DEL>", "*", "C", "ACGT" * 9])]
        calls = []
        for _ in range(n):
            alleles = [drawn.choice([".", *map(str, range(k + 1))]) for _ in range(drawn.choice([1, 2, 2, 2]) if number % 3 else 2)]
            calls.append(drawn.choice("/|").join(alleles) + f":{drawn.randint(0, 300)}")
        info = drawn.choice([".", f"END={100 + number + 50}", "AF=" + ",".join(["0.5"] * max(k, 1))])
        contig = "1" if number < records // 2 else "X"
        fields = [
            *(
                contig,
                100 + number,
                drawn.choice([".", "rs1", "rs1;rs2", "a-name-of-more-than-fifteen-letters"]),
                "A" * drawn.choice([1, 1, 20]),
            ),
            *(
                ",".join(alternates) or ".",
                drawn.choice([".", 30, 29.7, 1e-6, 3.14159]),
                drawn.choice([".", "PASS", "q10", "q10;s50"]),
                info,
            ),
        ]
        lines.append(
            "\t".join([*map(str, fields), "GT:DP" if number % 10 else "DP", *(c if number % 10 else c.split(":")[1] for c in calls)])
        )
    path.write_text("\n".join([*head, *lines]) + "\n")
    return path


def test_every_kind_of_record(tmp_path: Path) -> None:
    vcf = _everything(tmp_path / "a.vcf")
    _compare(vcf, _bcf(vcf, tmp_path / "a.bcf"))
    _compare(vcf, tmp_path / "a.bcf", 1)


def test_the_files_of_the_specification(shared_data: Path, tmp_path: Path) -> None:
    seen = 0
    for number, vcf in enumerate(sorted((shared_data / "vcf-conformance").rglob("passed/*.vcf"))):
        try:
            theirs = rows(replace(read_header(vcf), keep=KEEP), 1 << 30)
            bcf = _bcf(vcf, tmp_path / f"{number}.bcf", index=False)
            back = tmp_path / f"{number}.vcf"
            pysam.bcftools.view("-o", str(back), str(bcf), catch_stdout=False)
        except (InputError, pysam.SamtoolsError):
            # What one of the two does not take is no matter of BCF.
            continue
        seen += 1
        assert theirs.num_rows == rows(read_bcf_header(bcf), 1 << 30).num_rows
        _compare(back, bcf)
    assert seen > 10


def test_the_tables_are_those_of_the_vcf(spark: SparkSession, tmp_path: Path) -> None:
    vcf = _everything(tmp_path / "a.vcf", 40)
    bcf = _bcf(vcf, tmp_path / "a.bcf")
    for name, path in (("v", vcf), ("b", bcf)):
        ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / name), inputs=[str(path)], split_bytes=600), spark)
    for name in ("variants", "genotypes", "samples"):
        a, b = (Warehouse(spark, str(tmp_path / one)).read(name).drop("runId") for one in ("v", "b"))
        assert (a.count(), a.exceptAll(b).count()) == (b.count(), 0)


def test_files_that_do_not_fit_say_why(tmp_path: Path) -> None:
    vcf = _everything(tmp_path / "a.vcf", 3000)
    bcf = _bcf(vcf, tmp_path / "a.bcf")
    whole = bcf.read_bytes()

    def says(words: str, data: bytes = whole) -> None:
        bcf.write_bytes(data)
        with pytest.raises(InputError, match=words):
            rows(read_bcf_header(bcf), 20_000)

    says("the file is truncated", whole[:-10])
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    says("damaged", bytes(damaged))
    # Of other records from the first: an index whose places are, by chance, those of this file would be right for it.
    other = _bcf(_everything(tmp_path / "b.vcf", 3000, seed=6), tmp_path / "b.bcf")
    shutil.copy(f"{other}.csi", f"{bcf}.csi")
    says("index of another|its index gives")
    Path(f"{bcf}.csi").write_bytes(b"no index")
    says("no BGZF block")
    plain = tmp_path / "plain.bcf"
    plain.write_bytes(b"BCF\2\2" + bytes(100))
    with pytest.raises(InputError, match="BCF that is not compressed"):
        is_bcf(plain)


def test_wrong_genotypes_are_named_and_put_aside(tmp_path: Path) -> None:
    head = '##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n'
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tAnn\tBob\n"
    lines = ["0/1\t1/1", "0/2\t0/0", "0/0/1\t0/1", "0\t."]
    (tmp_path / "a.vcf").write_text(head + columns + "".join(f"1\t{5 + i}\t.\tA\tC\t.\t.\t.\tGT\t{w}\n" for i, w in enumerate(lines)))
    bcf = _bcf(tmp_path / "a.vcf", tmp_path / "a.bcf", index=False)
    with pytest.raises(InputError, match=r"1:6.*a genotype has an allele that ALT has not"):
        rows(read_bcf_header(bcf), 1 << 20)
    left = rows(read_bcf_header(bcf), 1 << 20, quarantine=True)
    assert left["start"].to_pylist() == [4, 6, 7]
    assert left["line"].to_pylist() == [0, 2, 3]
    assert left["blocks"].combine_chunks().flatten().field("haploid").to_pylist() == [None, None, b"\x03"]
