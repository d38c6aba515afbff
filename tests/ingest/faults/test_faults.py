"""Each fault of the table: message, exit code, and that nothing is published; and what a quarantine publishes."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_files import LINE, vcf, write
from fault_table import ENDS, FAULTS, Fault, document
from pyspark.sql import SparkSession
from support import ROOT, people

from genospark.cli import main
from genospark.core.progress import log
from genospark.core.storage import Warehouse

PEOPLE = ("Ann", "Bob", "Cid")


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """The command line sets handlers that write to what pytest closes after each test."""
    before = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:], log.level, log.propagate = before


def _run(capsys: pytest.CaptureFixture[str], warehouse: Path, words: list[object]) -> tuple[int, str]:
    code = main([*map(str, words), "--warehouse", str(warehouse)])
    return code, capsys.readouterr().err


def _modes(fault: Fault) -> list[list[str]]:
    # The other stages have no modes, and a stage that ends in both does so for the same reason.
    both = fault.quarantine == ENDS and fault.kind != "model" and not fault.slow
    return [[], ["--mode", "quarantine", "--max-bad", "0.9"]] if both else [[]]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}: {fault.fault}")
def test_fault(fault: Fault, spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = fault.words(tmp_path / "in")
    for mode in _modes(fault):
        started = time.monotonic()
        code, said = _run(capsys, tmp_path / "w", [*words, *(mode if "--max-bad" not in words else [])])
        assert code == fault.code, said
        error = said[said.index("error: ") :]
        assert fault.says.replace("{folder}", str(tmp_path / "in")) in error
        assert "next step: " in error
        assert "Traceback" not in said
        # Ids of people are neither in messages nor in logs.
        assert not [name for name in PEOPLE if name in said.replace(str(tmp_path), "")]
        assert Warehouse(spark, str(tmp_path / "w")).committed() == {}
        assert time.monotonic() - started < 60


def test_the_page_of_faults_is_made_from_the_table() -> None:
    assert (ROOT / "docs" / "faults.md").read_text() == document()


def _rows(warehouse: Warehouse, name: str, *columns: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in warehouse.read(name).select(*columns).collect())


def test_a_quarantine_publishes_what_the_file_without_its_bad_lines_holds(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [f"22\t{position}\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1|1" for position in range(10, 40)]
    bad = {
        "22\t7\t.\tA\tC": ("", "wrong number of columns", "22\t7\t.\tA\tC"),
        "22\tx\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1|1": (
            "POS",
            "POS is not a positive integer (or 0 for a telomere)",
            "22\tx\t.\tA\tC\t.\t.\t.\tGT",
        ),
        "22\t8\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1|2": ("11", "a genotype has an allele that ALT has not", "22\t8\t.\tA\tC\t.\t.\t.\tGT"),
        good[0]: ("", "a variant that stands on an earlier line too", "22\t10\t.\tA\tC"),
    }
    path = write(tmp_path, "bad.vcf", vcf(*good, *bad, "22\t9\t.\tA\tC\t.\t.\tEND=5\tGT\t0|1\t1|1"))
    # An index of a VCF is not read.
    write(tmp_path, "bad.vcf.tbi", b"no index")
    quarantine = ["--mode", "quarantine"]
    # Four of 35 lines are more than one in a thousand.
    code, said = _run(capsys, tmp_path / "w", ["ingest-vcf", "--input", path, *quarantine, "--set", "split_bytes=900"])
    assert (code, "bad.vcf: 4 of 35 records are bad (11.429%, at most 0.100% may be)" in said) == (3, True), said
    assert Warehouse(spark, str(tmp_path / "w")).committed() == {}
    assert (
        _run(capsys, tmp_path / "w", ["ingest-vcf", "--input", path, *quarantine, "--max-bad", "0.2", "--set", "split_bytes=900"])[0] == 0
    )
    found = Warehouse(spark, str(tmp_path / "w"))
    starts = range(8, 39)
    assert _rows(found, "variants", "start", "alleleCount") == [(start, 3) for start in starts]
    # Codes of one copy and of two, and no others in the byte.
    assert _rows(found, "genotypes", "start", "calls") == [(start, bytearray([0b11111001])) for start in starts]
    assert _rows(found, "samples", "sampleId") == sorted((name,) for name in people("Ann", "Bob"))
    lines = path.read_text().splitlines()
    put_aside = [("ingest-vcf", str(path), lines.index(line, 4) + 1, *what) for line, what in bad.items()]
    assert _rows(found, "quarantine", "stage", "path", "line", "columnName", "reason", "content") == sorted(put_aside)
    run = found.producer("quarantine/ingest-vcf/main")
    notes = json.loads(run["notes"])
    assert notes["quarantined"] == {reason: 1 for _, reason, _ in bad.values()}
    assert notes["warnings"] == {"INFO END lies before POS: the length of REF is used": 1}


def test_a_quarantine_of_phenotypes(spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "p.tsv", "sampleId\td\nAnn\t0\nBob\t1\nCid\t2\nAnn\t1\nDan\tyes\nEve\nFay\t1\n")
    code, said = _run(capsys, tmp_path / "w", ["ingest-phenotypes", "--input", path, "--mode", "quarantine", "--max-bad", "0.8"])
    assert code == 0, said
    warehouse = Warehouse(spark, str(tmp_path / "w"))
    assert _rows(warehouse, "phenotypes", "sampleId", "label") == sorted(zip(people("Ann", "Bob", "Fay"), (0, 1, 1), strict=True))
    assert _rows(warehouse, "quarantine", "line", "columnName", "reason", "content") == [
        (4, "d", "not 0, 1 or NA", "2"),
        (5, "", "the same sampleId as on an earlier line", ""),
        (6, "d", "not a finite number", "yes"),
        (7, "", "another number of columns than the first line", ""),
    ]
    # Once the file is mended, nothing is in quarantine any more.
    write(tmp_path, "p.tsv", "sampleId\td\nAnn\t0\nBob\t1\n")
    assert _run(capsys, tmp_path / "w", ["ingest-phenotypes", "--input", path])[0] == 0
    assert _rows(Warehouse(spark, str(tmp_path / "w")), "quarantine", "line") == []


@pytest.mark.slow
def test_both_modes_make_the_same_of_a_file_without_faults(spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "a.vcf", vcf(*(LINE.format(position) for position in range(10, 40))))
    for mode in ("strict", "quarantine"):
        assert _run(capsys, tmp_path / mode, ["ingest-vcf", "--input", path, "--mode", mode])[0] == 0
    strict, other = (Warehouse(spark, str(tmp_path / mode)) for mode in ("strict", "quarantine"))
    for name in ("variants", "genotypes", "samples"):
        ours, theirs = (warehouse.read(name).drop("runId") for warehouse in (strict, other))
        assert (ours.exceptAll(theirs).count(), theirs.exceptAll(ours).count()) == (0, 0)
    assert not strict.has("quarantine") and not other.has("quarantine")


@pytest.mark.slow
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.quarantine != ENDS], ids=lambda fault: f"{fault.kind}: {fault.fault}")
def test_every_fault_of_a_record_can_be_put_aside(
    fault: Fault, spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*fault.words(tmp_path / "in"), "--mode", "quarantine", "--max-bad", "0.9"]
    code, said = _run(capsys, tmp_path / "w", words)
    assert code == 0, said
    warehouse = Warehouse(spark, str(tmp_path / "w"))
    ((reason, content),) = _rows(warehouse, "quarantine", "reason", "content")
    assert reason == fault.quarantine
    assert not [name for name in PEOPLE if name in content]
    assert "|" not in content


def test_a_full_disk_leaves_what_was_published(spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The limit on the size of files stands for a full disk: both make writing fail."""
    few = write(tmp_path, "p.tsv", "sampleId\td\nAnn\t0\nBob\t1\n")
    assert _run(capsys, tmp_path / "w", ["ingest-phenotypes", "--input", few])[0] == 0
    many = write(tmp_path, "q.tsv", "sampleId\td\n" + "".join(f"p{hash(number)}\t{number % 2}\n" for number in range(20_000)))
    machine = int(spark._jvm.java.lang.ProcessHandle.current().pid())
    before = resource.prlimit(machine, resource.RLIMIT_FSIZE)
    try:
        resource.prlimit(machine, resource.RLIMIT_FSIZE, (2_000, before[1]))
        code, said = _run(capsys, tmp_path / "w", ["ingest-phenotypes", "--input", many])
    finally:
        resource.prlimit(machine, resource.RLIMIT_FSIZE, before)
    assert code == 7, said
    assert "the machine refused" in said
    assert "Traceback" not in said
    assert _rows(Warehouse(spark, str(tmp_path / "w")), "phenotypes", "sampleId", "label") == sorted(
        zip(people("Ann", "Bob"), (0, 1), strict=True)
    )
    assert _run(capsys, tmp_path / "w", ["ingest-phenotypes", "--input", many])[0] == 0


def test_a_warehouse_that_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "p.tsv", "sampleId\td\nAnn\t0\nBob\t1\n")
    code, said = _run(capsys, path, ["ingest-phenotypes", "--input", path])
    assert (code, "Traceback" in said) == (7, False), said
