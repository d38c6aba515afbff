"""The command: output, exit codes, compression, what it imports; and files that bcftools writes."""

import gzip
import subprocess
import sys
from pathlib import Path

import pysam
import pytest
from check_cases import record, vcf, write
from pysam import bcftools

from genospark.cli import main
from genospark.ingest.vcf.check import check_file

HEAVY = "tensorflow pyspark pandas pydantic scipy deltalake fsspec"
SHARED = Path(__file__).resolve().parents[4].parent / "shared" / "data"
COHORT = SHARED / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"


def test_exit_codes_and_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path / "good.vcf", vcf(record()))
    warned = write(tmp_path / "warned.vcf", vcf(record(filter="x")))
    bad = write(tmp_path / "bad.vcf", vcf(record(qual="x")))
    assert main(["check-vcf", str(good), str(warned)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{good}: valid (VCF 4.3, 1 records, 2 samples): 0 errors, 0 warnings",
        f"{warned}:{vcf(record()).count(chr(10))}:FILTER: warning [filter-undeclared] the filter 'x' is not declared in the header",
        f"{warned}: valid (VCF 4.3, 1 records, 2 samples): 0 errors, 1 warnings",
    ]
    assert main(["check-vcf", str(bad), str(good)]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(":QUAL: error [qual] QUAL 'x' is not a number from 0 up")
    assert lines[1] == f"{bad}: not valid (VCF 4.3, 1 records, 2 samples): 1 errors, 0 warnings"
    assert main(["check-vcf", "--limit", "0", str(bad)]) == 3
    assert "1 findings, of which the first 0 are shown" in capsys.readouterr().out


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-vcf", str(tmp_path / "none.vcf"), str(write(tmp_path / "a.vcf", vcf()))]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert "error [file-readable] cannot be opened" in lines[0]
    assert lines[-1].startswith(f"{tmp_path / 'a.vcf'}: valid")


def test_it_imports_little(tmp_path: Path) -> None:
    code = f"import sys; from genospark.cli import main; main(sys.argv[1:]); print([m for m in '{HEAVY}'.split() if m in sys.modules])"
    path = write(tmp_path / "a.vcf", vcf(record()))
    run = subprocess.run([sys.executable, "-c", code, "check-vcf", str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
    assert not run.stderr


def bgzf(folder: Path, text: str) -> bytes:
    pysam.tabix_compress(str(write(folder / "plain.vcf", text)), str(folder / "packed.vcf.gz"), force=True)
    return (folder / "packed.vcf.gz").read_bytes()


def test_compressed_alike(tmp_path: Path) -> None:
    text = vcf(*(record(pos=str(i), info=f"DP={i}") for i in range(1, 900)), record(pos="900", s1="0/2"))
    found = [check_file(str(write(tmp_path / "a.vcf", data))) for data in (text, bgzf(tmp_path, text), gzip.compress(text.encode()))]
    assert [[(f.line, f.column, f.rule) for f in report.findings if f.line] for report in found] == 3 * [
        [(text.count("\n"), "11", "gt-allele")]
    ]
    assert [set(report.counts) - {"gt-allele"} for report in found] == [set(), set(), {"file-gzip"}]


def test_truncated_bgzf(tmp_path: Path) -> None:
    whole = bgzf(tmp_path, vcf(*(record(pos=str(i)) for i in range(1, 900))))
    assert check_file(str(write(tmp_path / "a.vcf.gz", whole))).counts == {}
    assert set(check_file(str(write(tmp_path / "a.vcf.gz", whole[:-28]))).counts) == {"file-bgzf-end"}
    cut = check_file(str(write(tmp_path / "a.vcf.gz", whole[:-60])))
    assert {"file-bgzf-end", "file-readable"} <= set(cut.counts)
    assert "truncated" in next(f.message for f in cut.findings if f.rule == "file-readable")


COMMANDS = [
    ("view", ["-Ov"]),
    ("view", ["-Oz"]),
    ("view", ["-G"]),
    ("view", ["-s", "b", "-a"]),
    ("norm", ["-m-"]),
    ("norm", ["-m+"]),
    ("annotate", ["-x", "INFO", "-I", "%CHROM\\_%POS"]),
    ("filter", ["-e", "INFO/DP>5", "-s", "deep", "-S", "."]),
    ("sort", []),
]


@pytest.mark.parametrize("command, options", COMMANDS, ids=lambda value: " ".join(value) if isinstance(value, list) else value)
def test_what_bcftools_writes_is_accepted(tmp_path: Path, command: str, options: list[str]) -> None:
    text = vcf(
        record(info="DP=3;AC=3;AN=4;DB"),
        record(pos="7", ref="AC", alt="A,*,ACT", info="DP=9", format="GT:DP:PL", s0="0/3:7", s1="1|.:.:."),
        record(pos="9", alt="A]2:5]", format="GT:GL", s0="0:-1,-2", s1="./."),
        record(chrom="2", filter="q10", qual="3.5e2", format="GT:GQ:PL", s0="0/1:3:1,2,3", s1="1/1:.:0,7,9"),
        version="4.2",
    )
    path, out = write(tmp_path / "a.vcf", text), tmp_path / "b.vcf"
    getattr(bcftools, command)(*options, "-o", str(out), str(path), catch_stdout=False)
    report = check_file(str(out))
    assert report.records >= 4
    assert not [finding for finding in report.findings if finding.severity == "error"]


@pytest.mark.skipif(not COHORT.is_file(), reason=f"{COHORT} is absent")
def test_cohort_is_valid() -> None:
    report = check_file(str(COHORT))
    assert (report.errors, report.records, report.samples) == (0, 9750, 2504)
    # 4.1 knows five types of symbolic alleles; these files have CN0 to CN124.
    assert report.counts == {"meta-alt-first": 125}
