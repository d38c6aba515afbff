"""Calls of the small cohort's reads against its VCF, by bcftools, and a VCF derived by hand."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pysam
import pysam.bcftools
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.errors import InputError
from genospark.ingest.vcf.check import check_files
from genospark.scoring.gvcf import check_names, write_gvcfs
from genospark.scoring.vcf import write_vcf

CALLS = (
    "sampleId string, contigName string, start bigint, end bigint, referenceAllele string, alternateAlleles array<string>, "
    "calls array<int>, conditionalQuality int, depth int, alleleDepths array<int>, phredLikelihoods array<int>"
)


def test_a_vcf_of_several_people_derived_by_hand(spark: SparkSession, tmp_path: Path) -> None:
    rows = [
        ("ann", "c1", 1999, 2000, "A", ["G"], [0, 1], 50, 30, [14, 16], [80, 0, 70]),
        ("bob", "c1", 1990, 2005, "", [], [-1, -1], None, None, None, None),
        ("bob", "c1", 2500, 2510, "", [], [-1, -1], None, None, None, None),
        ("ann", "c1", 10, 13, "CTT", ["C"], [1, 1], 33, 20, [0, 20], [255, 33, 0]),
        ("cat", "c1", 10, 11, "C", ["CA"], [0, 1], 20, 25, [12, 9], None),
        ("cat", "c0", 5, 6, "T", ["A"], [0, 1], 99, 40, [20, 20], [255, 0, 255]),
    ]
    path = tmp_path / "made.vcf.gz"
    people, contigs = ["ann", "bob", "cat"], {"c1": 3000, "c0": 1000}
    sites = write_vcf(path, spark.createDataFrame(rows, CALLS), people, contigs, "variants-x", {"bob": "Robert"})
    assert sites == 4
    with pysam.BGZFile(str(path)) as stream:
        text = [line.decode().split("\t") for line in stream if not line.startswith(b"##")]
    assert text[0][9:] == ["ann", "Robert", "cat"]
    lines = text[1:]
    assert [line[:5] for line in lines] == [
        ["c1", "11", ".", "C", "CA"],
        ["c1", "11", ".", "CTT", "C"],
        ["c1", "2000", ".", "A", "G"],
        ["c0", "6", ".", "T", "A"],
    ]
    assert lines[0][9:] == ["0/0:.:.:.:.", "0/0:.:.:.:.", "0/1:20:25:12,9:."]
    assert lines[1][9:] == ["1/1:33:20:0,20:255,33,0", "0/0:.:.:.:.", "0/0:.:.:.:."]
    assert lines[2][7:] == ["AC=1;AN=4", "GT:GQ:DP:AD:PL", "0/1:50:30:14,16:80,0,70", "./.:.:.:.:.", "0/0:.:.:.:."]
    assert pysam.bcftools.view("-H", "-r", "c0:6-6", str(path)).split("\t")[4] == "A"


def test_lines_of_many_windows_are_in_the_order_of_contigs_and_positions(spark: SparkSession, tmp_path: Path) -> None:
    contigs, people = {"c9": 2_000_000, "c10": 2_000_000, "c1": 2_000_000}, ["ann", "bob", "cat"]
    assert int(spark.conf.get("spark.sql.shuffle.partitions") or 1) > 1
    # As a table holds them: each contig is somewhere, and its positions are not in order.
    sites = [(name, place * 7919 % 2_000_000) for name in sorted(contigs) for place in range(1, 900)]
    rows = [(people[at % 3], name, at, at + 1, "A", ["G"], [0, 1], 50, 30, [14, 16], [80, 0, 70]) for name, at in sites]
    table = spark.createDataFrame(rows, CALLS).repartition(5)
    assert write_vcf(tmp_path / "made.vcf.gz", table, people, contigs, "variants-x") == len(rows)
    write_gvcfs(tmp_path, table, people, contigs, "variants-x")
    ordered = sorted(sites, key=lambda site: (list(contigs).index(site[0]), site[1]))
    with pysam.VariantFile(str(tmp_path / "made.vcf.gz")) as file:
        assert [(record.chrom, record.start) for record in file] == ordered
    for number, person in enumerate(people):
        with pysam.VariantFile(str(tmp_path / f"{person}.g.vcf.gz")) as file:
            assert [(record.chrom, record.start) for record in file] == [site for site in ordered if site[1] % 3 == number]


def test_a_gvcf_derived_by_hand(spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        ("ann", "c1", 0, 9, "A", ["<*>"], [0, 0], 30, 12, None, None),
        ("ann", "c1", 9, 11, "CT", ["C"], [0, 1], 41, 20, [9, 11], [60, 0, 55]),
        ("ann", "c1", 11, 300_000, "G", ["<*>"], [0, 0], 50, 22, None, None),
        ("ann", "c1", 300_000, 300_100, "T", [], [-1, -1], None, None, None, None),
        ("ann", "c0", 5, 6, "T", ["A"], [1, 1], 99, 40, [0, 40], [255, 120, 0]),
        ("bob", "c0", 0, 1000, "N", [], [-1, -1], None, None, None, None),
    ]
    contigs = {"c1": 300_100, "c0": 1000}
    write_gvcfs(tmp_path, spark.createDataFrame(rows, CALLS), ["ann", "bob", "cat"], contigs, "variants-x", {"bob": "lab/7"})
    files = {path.name for path in tmp_path.glob("*.gz")}
    assert files == {"ann.g.vcf.gz", "lab_7.g.vcf.gz", "cat.g.vcf.gz"}
    lines = [line.split("\t") for line in pysam.bcftools.view("-H", str(tmp_path / "ann.g.vcf.gz")).splitlines()]
    assert [[*line[:2], *line[3:5], *line[7:]] for line in lines] == [
        ["c1", "1", "A", "<*>", "END=9", "GT:GQ:MIN_DP", "0/0:30:12"],
        ["c1", "10", "CT", "C", "AC=1;AN=2", "GT:GQ:DP:AD:PL", "0/1:41:20:9,11:60,0,55"],
        ["c1", "12", "G", "<*>", "END=300000", "GT:GQ:MIN_DP", "0/0:50:22"],
        ["c1", "300001", "T", "<*>", "END=300100", "GT", "./."],
        ["c0", "6", "T", "A", "AC=2;AN=2", "GT:GQ:DP:AD:PL", "1/1:99:40:0,40:255,120,0"],
    ]
    assert pysam.bcftools.view("-H", "-r", "c1:300050-300060", str(tmp_path / "ann.g.vcf.gz")).split("\t")[1] == "300001"
    assert check_files(sorted(map(str, tmp_path.glob("*.gz"))), 20) == 0
    assert " 0 errors, 0 warnings" in capsys.readouterr().out


def test_two_people_whose_gvcf_would_be_one_file() -> None:
    check_names(Path("g"), ["ann", "bob"], {"bob": "lab/7"})
    with pytest.raises(InputError, match="g: two people's gVCF would have the same name") as caught:
        check_names(Path("g"), ["ann", "bob"], {"ann": "lab_7", "bob": "lab/7"})
    assert "sample sheet" in caught.value.next_step


def test_bcftools_reads_the_vcf_without_a_warning(cohort: Cohort) -> None:
    path, fasta = str(cohort.path / "calls.vcf.gz"), str(cohort.files / "reference.fa")
    view = pysam.bcftools.view(path)
    assert not pysam.bcftools.view.get_messages()
    assert view.count("\nchr") > 20
    # Left-aligned already, and REF is the reference's.
    normalised = pysam.bcftools.norm("-f", fasta, "-c", "e", path)
    assert [line for line in normalised.splitlines() if line[0] != "#"] == [line for line in view.splitlines() if line[0] != "#"]


def _carried(vcf: Path, people: list[str], regions: str, names: dict[str, str]) -> dict[tuple[str, str, int, str, str], int]:
    """Copies of every alternate allele that people carry in some regions, split by bcftools."""
    text = pysam.bcftools.norm("-m-any", str(vcf))
    found = {}
    with pysam.VariantFile(str(vcf)) as header:
        known = [names.get(name, name) for name in header.header.samples]
    spans = pd.read_csv(regions, sep="\t", header=None).set_index(0)
    for line in io.StringIO(text):
        if line.startswith("#"):
            continue
        (
            contig,
            position,
            _,
            ref,
            alt,
            *_,
        ) = line.split("\t")[:5]
        start = int(position) - 1
        if not spans.loc[contig, 1] <= start < spans.loc[contig, 2]:
            continue
        calls = dict(zip(known, line.rstrip("\n").split("\t")[9:], strict=True))
        for person in people:
            genotype = calls[person].split(":")[0]
            copies = -1 if "." in genotype else genotype.count("1")
            if copies:
                found[person, contig, start, ref, alt] = copies
    return found


@pytest.fixture(scope="module")
def truth_and_calls(cohort: Cohort) -> tuple[dict, dict]:
    people = sorted(path.stem for path in (cohort.files / "reads").glob("*.bam"))
    bed = str(cohort.files / "reads" / "regions.bed")
    truth, calls = cohort.files / "genotypes.vcf.gz", cohort.path / "calls.vcf.gz"
    return _carried(truth, people, bed, {}), _carried(calls, people, bed, cohort.names)


def test_calls_are_the_cohorts_genotypes(truth_and_calls: tuple[dict, dict]) -> None:
    """Most of these people were trained on; what no model saw is measured by ``make bench-variants``."""
    truth, calls = truth_and_calls
    known = {key: copies for key, copies in truth.items() if copies > 0}
    right = sum(calls.get(key) == copies for key, copies in known.items())
    wrong = sum(copies > 0 and truth.get(key, 0) not in (copies, -1) for key, copies in calls.items())
    assert len(known) > 50
    assert right / len(known) > 0.95
    assert wrong / len(known) < 0.05


def test_metrics_are_those_of_the_calls(cohort: Cohort, truth_and_calls: tuple[dict, dict]) -> None:
    """F1 on test windows, counted from the VCF and the cohort's VCF."""
    truth, calls = truth_and_calls
    windows = cohort.warehouse.read("variantExamples").where("split = 'test'").select("sampleId", "contigName", "start").collect()
    tested = {(cohort.names[row["sampleId"]], row["contigName"], row["start"] // 1000) for row in windows}
    metrics = cohort.warehouse.read("metrics/variants").where("split = 'test' and model = 'default'").collect()
    for row in metrics:
        single = row["target"] == "SNV"
        keys = [
            key for key in truth.keys() | calls.keys() if (*key[:2], key[2] // 1000) in tested and (len(key[3]) == len(key[4])) == single
        ]
        # A genotype with two alternate alleles is one in the metrics and two lines in a VCF: none is in these windows.
        assert len({key[:3] for key in keys}) == len(keys)
        pairs = [(truth.get(key, 0), max(calls.get(key, 0), 0)) for key in keys if truth.get(key, 0) >= 0]
        hits = sum(true == called > 0 for true, called in pairs)
        whole = sum(true > 0 for true, _ in pairs) + sum(called > 0 for _, called in pairs)
        assert row["n"] == sum(true > 0 for true, _ in pairs)
        if whole:
            assert row["value"] == pytest.approx(2 * hits / whole)


def test_positions_without_reads_have_no_call_and_covered_ones_are_reference(cohort: Cohort) -> None:
    calls = cohort.warehouse.read("variantCalls")
    assert calls.where("size(alternateAlleles) = 0 and (calls != array(-1, -1) or conditionalQuality is not null)").count() == 0
    windows = cohort.warehouse.read("readWindows").limit(40).toPandas()
    stretches = calls.where("size(alternateAlleles) = 0").toPandas()
    from genospark.core.pileup import depth, read

    deep = depth(read(list(windows["pileup"])))
    for window, depths in zip(windows.itertuples(), deep, strict=True):
        here = stretches[(stretches["sampleId"] == window.sampleId) & (stretches["contigName"] == window.contigName)]
        uncalled = {place for row in here.itertuples() for place in range(row.start, row.end)}
        for offset, count in enumerate(depths):
            assert count >= 4 or window.start + offset in uncalled
