"""Every row against bcftools (`norm -m-`, then `query`)."""

import gzip
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pysam.bcftools as bcftools
import pytest
from vcf_helpers import SHARED, dosages, gt_code, read, vcf, write

COHORT = SHARED / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
needs_cohort = pytest.mark.skipif(not COHORT.exists(), reason=f"{COHORT} is absent: the shared data are not on this machine")
SITE_FORMAT = "%CHROM\t%POS0\t%END\t%ID\t%REF\t%ALT\t%QUAL\t%FILTER"


def by_bcftools(path: Path, more: str = "") -> list[list[str]]:
    split = path.with_name(path.name + ".split.bcf")
    bcftools.norm("-m-", "-Ob", "-o", str(split), str(path), catch_stdout=False)
    lines = bcftools.query("-f", SITE_FORMAT + more + "[\t%GT]\n", str(split), split_lines=False).splitlines()
    return [line.split("\t") for line in lines]


def sites(table: pa.Table) -> list[list[str]]:
    return [
        [
            row["contigName"],
            str(row["start"]),
            str(row["end"]),
            ";".join(row["names"]) or ".",
            row["referenceAllele"],
            ",".join(row["alternateAlleles"]) or ".",
            "." if row["qual"] is None else f"{row['qual']:g}",
            ";".join(row["filters"]) or ".",
        ]
        for row in table.drop(["blocks"]).to_pylist()
    ]


RECORDS = [
    "1\t1\trs1\tA\tG\t.\t.\t.\tGT\t0/0\t0/1\t1/1\t./.\t1|0",
    "1\t1\t.\tA\tAT\t12.5\tPASS\tDP=3\tGT\t0|0\t0/1\t1|1\t.|.\t1|0",
    "1\t5\ta;b\tACG\tA\t1e3\tq10;s50\tEND=7\tGT:DP\t0/1:3\t0/1\t.:4\t./.:.\t0|1:7",
    "1\t9\t.\tC\tT,G,*\t30\tPASS\tDP=3;END=20\tGT\t1/2\t0/3\t2|3\t./.\t1/1",
    "1\t10\t.\tn\t<DEL>\t30\tPASS\tEND=500;DP=2\tGT:AD\t1/1:3,4\t0/1:1,1\t0:1,1\t1:3,4\t.:.,.",
    "1\t11\t.\tA\t.\t30\tPASS\tBEND=7\tGT\t0/0\t0\t./.\t.\t0|0",
    "1\t12\t.\tA\tC\t30\tPASS\t.\tDP\t1\t2\t3\t4\t.",
    "1\t13\t.\tA\tC,G\t30\tPASS\tBEND=9\tGT\t./1\t2/.\t.|0\t.|.\t2/1",
    "1\t14\t.\tA\t" + ",".join("A" * k for k in range(2, 14)) + "\t30\tPASS\t.\tGT:DP\t10/2:3\t12|12\t0/11:4\t7/7:5\t./.",
    "1\t15\t.\tA\tC\t30\tPASS\t.\tGT\t0\t1\t.\t0/1\t1/1",
    "X\t0\t.\tN\t<DEL>\t.\t.\t.\tGT\t0\t1\t.\t0\t1",
    "X\t7\t%3B\tacgtn\tacgtnn,a\t0.001\tPASS\tDP=3\tGT\t0\t2\t1/2\t0|2\t1",
]  # fmt: skip


@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_written_records(tmp_path: Path, name: str, newline: str) -> None:
    text = vcf(RECORDS, 5)
    expected = by_bcftools(write(tmp_path / "unix.vcf", text))
    table = read(write(tmp_path / name, text.replace("\n", newline)))
    # bcftools writes reference alleles in the case of the file, and an END for symbolic alleles only by INFO END.
    assert sites(table) == [row[:8] for row in expected]
    calls = dosages(table, 5)
    assert calls.tolist() == [[gt_code(gt) for gt in row[8:]] for row in expected]
    for row, codes, genotypes in zip(table.to_pylist(), calls.tolist(), (r[8:] for r in expected), strict=True):
        full = [g.replace("|", "/").split("/") for g in genotypes if "." not in g]
        diploid = [g for g in full if len(g) == 2]
        assert row["nCalled"] == len(full) == sum(c != 3 for c in codes)
        assert row["callRate"] == pytest.approx(len(full) / 5)
        assert row["alleleCount"] == sum(g.count("1") for g in full)
        assert row["nAllelesCalled"] == sum(map(len, full))
        assert row["nHet"] == sum(g.count("1") == 1 for g in diploid)
        assert row["nHomAlt"] == sum(g.count("1") == 2 for g in diploid)
        if full:
            assert row["alleleFrequency"] == pytest.approx(row["alleleCount"] / row["nAllelesCalled"])
        else:
            assert row["alleleFrequency"] is None
        assert (row["pValueHwe"] is None) == (not diploid)
    multi = [r.split("\t")[4].count(",") for r in RECORDS]
    assert table["splitFromMultiAllelic"].to_pylist() == [m > 0 for m in multi for _ in range(m + 1)]


@pytest.mark.parametrize("n", [1, 3, 31, 32, 33, 64, 16383, 16384, 16385, 100_000])
@pytest.mark.parametrize("fields", ["GT", "GT:DP"])
def test_numbers_of_people(tmp_path: Path, n: int, fields: str) -> None:
    rng = np.random.default_rng(n)
    kinds = [
        ["0|0", "0|1", "1|1"],
        ["0/0", "1/0"],
        ["0/0", "0|1", "./.", "1/1", "./1"],
        ["0/2", "1|2", "2/2", "0/0"],
        ["0|10"],
        ["0", "0|12"],
    ]
    alts = ["C", "G", "T", "C,G", ",".join("A" * k for k in range(2, 14)), ",".join("C" * k for k in range(1, 15))]
    records = []
    for i, (kind, alt) in enumerate(zip(kinds, alts, strict=True)):
        genotypes = rng.choice(kind, n)
        if i == 5:
            # Three bytes on average, but columns and words of four bytes are not the same.
            genotypes = np.array(["0", "1", *(["0|1", "1|1", "0|0"] * n)[: max(n - 4, 0)], "12|12", "11|12"][:n])
        values = [g + ":7" if ":" in fields else g for g in genotypes]
        records.append(f"1\t{i + 1}\t.\tA\t{alt}\t.\t.\t.\t{fields}\t" + "\t".join(values))
    path = write(tmp_path / "a.vcf.gz", vcf(records, n))
    expected = by_bcftools(path)
    table = read(path)
    assert sites(table) == [row[:8] for row in expected]
    assert dosages(table, n).tolist() == [[gt_code(gt) for gt in row[8:]] for row in expected]


@needs_cohort
def test_cohort(tmp_path: Path) -> None:
    copy = tmp_path / "cohort.vcf.gz"
    shutil.copy(COHORT, copy)
    began = time.perf_counter()
    table = read(copy)
    seconds = time.perf_counter() - began
    expected = by_bcftools(copy, "\t%AC\t%AN")
    n = 2504
    assert len(table) == len(expected) == 9792
    assert sites(table) == [row[:8] for row in expected]
    assert table["alleleCount"].to_pylist() == [int(row[8]) for row in expected]
    assert table["nAllelesCalled"].to_pylist() == [int(row[9]) for row in expected]
    codes = {gt: gt_code(gt) for row in expected for gt in set(row[10:])}
    calls = dosages(table, n)
    for row, found in zip(expected, calls, strict=True):
        assert bytes(map(codes.__getitem__, row[10:])) == found.tobytes()
    assert seconds < 5


@needs_cohort
@pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed")
def test_cohort_hardy_weinberg(tmp_path: Path) -> None:
    subprocess.run(
        ["plink2", "--vcf", COHORT, "--hardy", "--max-alleles", "2", "--out", tmp_path / "p", "--set-all-var-ids", "@:#:$r:$a",
         "--new-id-max-allele-len", "1000", "--threads", "2"],
        check=True, capture_output=True,
    )  # fmt: skip
    lines = [line.split("\t") for line in (tmp_path / "p.hardy").read_text().splitlines()]
    at = lines[0].index("P")
    expected = {line[1]: float(line[at]) for line in lines[1:]}
    compared = 0
    for row in read(COHORT).drop(["blocks"]).to_pylist():
        key = f"{row['contigName']}:{row['start'] + 1}:{row['referenceAllele']}:{''.join(row['alternateAlleles'])}"
        if not row["splitFromMultiAllelic"] and key in expected:
            assert row["pValueHwe"] == pytest.approx(expected[key], rel=2e-5, abs=1e-300), key
            compared += 1
    assert compared > 9000


def test_bare_gzip(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = vcf(RECORDS, 5)
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert read(path, 10).equals(read(write(tmp_path / "a.vcf", text)))
    assert "bgzip" in caplog.text
