"""Whose reads a file holds: what a sheet says, what it is refused for, and that calls are called so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pysam
import pytest
from pyspark.sql import SparkSession
from support import people

from genospark.core import crosswalk
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest.alignments import IngestReadsConfig, ingest_reads
from genospark.ingest.read_files import read_headers, read_sheet

REFERENCE = "ACGTTGCA" * 250


def write_bam(path: Path, *samples: str) -> Path:
    """Reads of 40 bases over 2,000, whose read groups are of the samples."""
    groups = "".join(f"@RG\tID:{number}\tSM:{sample}\n" for number, sample in enumerate(samples))
    header = pysam.AlignmentHeader.from_text(f"@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:22\tLN:{len(REFERENCE)}\n{groups}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for number, start in enumerate(range(0, 1900, 8)):
            fields = [f"r{number}", 0, "22", start + 1, 60, "40M", "*", 0, 0, REFERENCE[start : start + 40], "I" * 40]
            file.write(pysam.AlignedSegment.fromstring("\t".join(map(str, fields)), header))
    pysam.index(str(path))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bam(tmp_path / "bam" / "lane-7.bam", "lane1", "lane2")
    write_bam(tmp_path / "bam" / "unnamed.bam")
    write_bam(tmp_path / "cid.bam", "Cid")
    (tmp_path / "reference.fa").write_text(f">22\n{REFERENCE}\n")
    pysam.faidx(str(tmp_path / "reference.fa"))
    return tmp_path


def sheet(folder: Path, text: str, name: str = "sheet.tsv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_paths_are_relative_to_the_sheet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    absolute = folder / "cid.bam"
    text = f"lane,path,sampleId\n1,bam/lane-7.bam,Ann\n2,./bam/../bam/unnamed.bam,Bob\n3,{absolute},Dan\n"
    expected = {folder / "bam" / "lane-7.bam": "Ann", folder / "bam" / "unnamed.bam": "Bob", absolute: "Dan"}
    assert read_sheet(sheet(folder, text, "sheet.csv")) == expected
    url = f"sampleId\tpath\nEve\tfile://{absolute}\n"
    assert read_sheet(sheet(folder, url)) == {absolute: "Eve"}


def test_the_sheet_counts_more_than_read_groups_and_other_files_stay_theirs(folder: Path) -> None:
    path = sheet(folder, "sampleId\tpath\nAnn\tbam/lane-7.bam\n")
    write_bam(folder / "dan.bam", "Dan")
    headers, sheets = read_headers([f"{folder}/*.bam", f"samples={path}"])
    assert sheets == [path]
    assert {header.sample_id: header.samples for header in headers} == {"Cid": ("Cid",), "Dan": ("Dan",), "Ann": ("lane1", "lane2")}
    # Named by both, a file is read once, as the sheet says.
    sheet(folder, "sampleId\tpath\nZoe\tcid.bam\n")
    headers, _ = read_headers([str(folder / "cid.bam"), f"samples={path}"])
    assert [header.sample_id for header in headers] == ["Zoe"]


@pytest.mark.parametrize(
    ("text", "says", "step"),
    [
        ("", "sheet.tsv: is empty", "written completely"),
        ("sampleId\tpath\n", "sheet.tsv: has a header and no rows", "written completely"),
        ("sampleId\tfile\nAnn\tcid.bam\n", "sheet.tsv: line 1: no column path", "header line"),
        ("sample\tpath\nAnn\tcid.bam\n", "sheet.tsv: line 1: no column sampleId", "header line"),
        ("sampleId\tpath\nAnn\tcid.bam\n\tbam/lane-7.bam\n", "sheet.tsv: line 3: no sampleId", "fill it in"),
        ("sampleId\tpath\nAnn\t\n", "sheet.tsv: line 2: no path", "fill it in"),
        ("sampleId\tpath\nAnn\tcid.bam\nBob\tgone.bam\n", "sheet.tsv: line 3: no such file: {folder}/gone.bam", "relative to the sheet"),
        ("sampleId\tpath\nAnn\tbam\n", "sheet.tsv: line 2: no such file: {folder}/bam", "relative to the sheet"),
        ("sampleId\tpath\nAnn\tcid.bam\nAnn\tbam/lane-7.bam\n", "line 3: the same sampleId as on an earlier line", "keep one line"),
        ("sampleId\tpath\nAnn\tcid.bam\nBob\tcid.bam\n", "line 3: the same path as on an earlier line", "keep one line"),
        ("sampleId\tpath\nAnn\tcid.bam\nBob\t./cid.bam\n", "line 3: the same file as on line 2", "a file of their own"),
        ("sampleId\tpath\nAnn\n", "line 2: 1 columns where 2 are expected", "mend the line"),
    ],
)
def test_refused_sheets(folder: Path, text: str, says: str, step: str) -> None:
    with pytest.raises(InputError) as caught:
        read_sheet(sheet(folder, text))
    assert says.format(folder=folder) in caught.value.problem
    assert step in caught.value.next_step


def test_names_with_line_ends(folder: Path) -> None:
    with pytest.raises(InputError, match="line 2: a sampleId with a tab or a line end in it"):
        read_sheet(sheet(folder, 'sampleId,path\n"A\tnn",cid.bam\n', "sheet.csv"))


def test_refused_inputs(folder: Path, spark: SparkSession) -> None:
    one = sheet(folder, "sampleId\tpath\nAnn\tcid.bam\n")
    with pytest.raises(ConfigError, match="2 sample sheets"):
        read_headers([f"samples={one}", f"samples={sheet(folder, one.read_text(), 'b.tsv')}"])
    with pytest.raises(ConfigError, match="no file of reads or samples"):
        read_headers([])
    with pytest.raises(InputError, match="no such file"):
        read_headers([f"samples={folder}/gone.tsv"])
    for lacking, says in (("lane-7", "reads of 2 samples"), ("unnamed", "no read group")):
        with pytest.raises(InputError, match=says) as caught:
            read_headers([f"{folder}/bam/{lacking}.bam"])
        assert "in a sample sheet" in caught.value.next_step
    # By its id and by its name in tables: one person.
    (name,) = people("Cid")
    sheet(folder, f"sampleId\tpath\n{name}\tbam/unnamed.bam\n")
    config = IngestReadsConfig(
        warehouse=str(folder / "w"), inputs=[str(folder / "cid.bam"), f"samples={one}"], reference=str(folder / "reference.fa")
    )
    with pytest.raises(InputError, match=r"unnamed.bam: reads of the same person as .*cid.bam"):
        ingest_reads(config, spark)
    assert Warehouse(spark, config.warehouse).committed() == {}


def test_tables_name_people_as_the_sheet_does(folder: Path, spark: SparkSession) -> None:
    os.renames(folder / "bam" / "lane-7.bam", folder / "bam" / "lane1-Ann.bam")
    os.renames(folder / "bam" / "lane-7.bam.bai", folder / "bam" / "lane1-Ann.bam.bai")
    path = sheet(folder, "sampleId\tpath\nAnn\tbam/lane1-Ann.bam\nBob\tbam/unnamed.bam\n")
    config = IngestReadsConfig(warehouse=str(folder / "w"), inputs=[f"samples={path}"], reference=str(folder / "reference.fa"))
    run_id = ingest_reads(config, spark)
    warehouse = Warehouse(spark, config.warehouse)
    quality = {row["sampleId"]: row["meanDepth"] for row in warehouse.read("readQuality").collect()}
    assert sorted(quality) == sorted(people("Ann", "Bob"))
    assert np.allclose(list(quality.values()), 238 * 40 / 2000)
    assert sorted(crosswalk.read(config.crosswalk_folder).values()) == ["Ann", "Bob"]
    (run,) = warehouse.runs()
    told = f"{run['configuration']} {[entry['path'] for entry in run['inputs']]}"
    assert str(path) in told
    assert "Ann" not in told.replace(str(folder), "")
    assert "lane1" not in told
    # The same again is there; other names are another run.
    assert ingest_reads(config, spark) == run_id
    sheet(folder, "sampleId\tpath\nZoe\tbam/lane1-Ann.bam\n")
    assert ingest_reads(config, spark) != run_id
    assert [row["sampleId"] for row in Warehouse(spark, config.warehouse).read("readQuality").collect()] == people("Zoe")
