"""Each rule finds its fault, on its line, and says nothing of the file's valid twin."""

from pathlib import Path

import pytest
from check_cases import CASES, Case, document, good_twin, record, vcf, write

from genospark.ingest.vcf.check import Report, check_file
from genospark.ingest.vcf.check.rules import RULES, VERSIONS

ROOT = Path(__file__).resolve().parents[4]
WITHOUT_CASE = {"file-bgzf-end"}


def rules(report: Report) -> set[str]:
    return set(report.counts)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(tmp_path: Path, case: Case) -> None:
    bad = check_file(str(write(tmp_path / "bad.vcf", case.bad)))
    assert case.rule in rules(bad)
    assert rules(bad) <= {case.rule, *case.also}
    assert case.line is None or case.line in {finding.line for finding in bad.findings if finding.rule == case.rule}
    good = check_file(str(write(tmp_path / "good.vcf", good_twin(case))))
    assert case.rule not in rules(good)
    assert not good.errors


def test_every_rule_has_a_case() -> None:
    assert set(RULES) == {case.rule for case in CASES} | WITHOUT_CASE


def test_page() -> None:
    assert (ROOT / "docs" / "check-vcf.md").read_text() == document()


@pytest.mark.parametrize("version", VERSIONS)
def test_severity_follows_the_version(tmp_path: Path, version: str) -> None:
    report = check_file(str(write(tmp_path / "a.vcf", vcf(record(id="a;a"), version=version))))
    assert report.version == version
    assert (report.errors, report.warnings) == ((1, 0) if version >= "4.3" else (0, 1))


def test_limit_counts_all(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", vcf(*(record(pos=str(i), qual="x") for i in range(1, 31))))
    report = check_file(str(path), limit=7)
    assert report.counts == {"qual": 30}
    assert len(report.findings) == 7
    assert f"{path}: [qual] 30 findings, of which the first 7 are shown (--limit)" in list(report.text())


def test_samples_among_many(tmp_path: Path) -> None:
    """Faults in a few columns of a wide file, whose other lines are taken as a whole."""
    names = "\t".join(f"s{i}" for i in range(300))
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + names
    site = "1\t{}\t.\tA\tC\t.\tPASS\t.\tGT:DP\t"
    lines = [site.format(i) + "\t".join(["0|0:7"] * 300) for i in range(1, 60)]
    lines[40] = lines[40].replace("0|0:7", "0|2:7", 3).replace("0|2:7", "0|0:7", 1)
    lines[50] = lines[50][:-1] + "x"
    text = vcf(*lines, columns=columns)
    report = check_file(str(write(tmp_path / "a.vcf", text)))
    header = text.count("\n") - 59
    found = [(finding.line - header, finding.column, finding.rule) for finding in report.findings]
    assert found == [(41, "11", "gt-allele"), (41, "12", "gt-allele"), (51, "309", "sample-type")]


def test_what_spans_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order, contigs and repeated variants are followed over the borders of chunks, and lines are counted on."""
    monkeypatch.setattr("genospark.ingest.vcf.chunks.CHUNK_BYTES", 1)
    monkeypatch.setattr("genospark.ingest.vcf.chunks._PLAIN_BYTES", 64)
    text = vcf(record(), record(), record(chrom="2"), record(chrom="2", pos="4"), "", record(pos="9"))
    report = check_file(str(write(tmp_path / "a.vcf", text)))
    last = text.count("\n")
    assert {(finding.line - last, finding.rule) for finding in report.findings} == {
        (-4, "variant-repeated"),
        (-2, "pos-order"),
        (-1, "file-empty-line"),
        (0, "chrom-contiguous"),
    }


def test_nobody_is_shown(tmp_path: Path) -> None:
    secret = "SECRET"
    columns = f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{secret}\t{secret}"
    meta = f"##SAMPLE=<ID={secret} {secret}>\n##PEDIGREE=<ID={secret},{secret}>\n##SAMPLE=<ID={secret} {secret}>"
    shifted = record(format="0/1", s0="1|1:SECRET", s1=f"{secret}:{secret}")
    text = vcf(record(s0=secret, s1="0/7"), shifted, record(format="GT:DP", s0=f"0/1:{secret}"), meta=meta, columns=columns, version="4.2")
    report = check_file(str(write(tmp_path / "a.vcf", text)))
    assert {"sample-repeated", "meta-id", "meta-structure", "gt", "sample-type", "format-key"} <= rules(report)
    shown = "\n".join(report.text())
    assert secret not in shown
    assert "0/1" not in shown and "1|1" not in shown and "0/7" not in shown
