"""Variants trimmed and left-aligned as bcftools does it, records that do not fit a reference, gVCF blocks, and gzip."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pysam
import pysam.bcftools
import pytest
from format_helpers import HEAD
from pyspark.sql import SparkSession

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf

_CALLS = "%CHROM\t%POS\t%REF\t%ALT[\t%GT]\n"
COLUMNS = "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", "Ann", "Bob"]) + "\n"


def _reference(folder: Path) -> tuple[Path, str]:
    """Bases with many repeats, in which indels have many places."""
    drawn = random.Random(7)
    bases = "".join(drawn.choice(["A", "CA", "GAT", "T", "C", "CACA"]) * drawn.randint(1, 4) for _ in range(1500))
    path = folder / "reference.fa"
    path.write_text(f">1\n{bases}\n")
    pysam.faidx(str(path))
    return path, bases


def _indels(folder: Path, bases: str) -> Path:
    drawn = random.Random(8)
    lines = []
    for start in sorted(drawn.sample(range(30, len(bases) - 30), 300)):
        ref = bases[start : start + drawn.randint(1, 9)]
        alternates = {ref[:1], ref + drawn.choice(["CA", "T", "GAT", bases[start - 3 : start]]), drawn.choice("ACGT") + ref[1:]} - {ref}
        chosen = drawn.sample(sorted(alternates), drawn.choice([1, 1, min(2, len(alternates))]))
        lines.append(f"1\t{start + 1}\t.\t{ref}\t{','.join(chosen)}\t.\t.\t.\tGT\t0/1\t{drawn.choice(['1/1', '0/0', './.'])}\n")
    path = folder / "indels.vcf"
    path.write_text(HEAD + f"##contig=<ID=1,length={len(bases)}>\n" + COLUMNS + "".join(lines))
    return path


def test_indels_are_where_bcftools_puts_them(spark: SparkSession, tmp_path: Path) -> None:
    fasta, bases = _reference(tmp_path)
    vcf = _indels(tmp_path, bases)
    # The same variant may come from two records: one of them is kept.
    whole = str(tmp_path / "norm.vcf")
    pysam.bcftools.norm("-m-", "-f", str(fasta), "-Ov", "-o", whole, str(vcf), catch_stdout=False)
    expected = pysam.bcftools.query("-f", _CALLS, whole).splitlines()
    config = IngestVcfConfig(
        warehouse=str(tmp_path / "w"),
        inputs=[str(vcf)],
        reference=str(fasta),
        normalise=True,
        mode="quarantine",
        max_bad=0.9,
        split_bytes=2000,
    )
    ingest_vcf(config, spark)
    found = Warehouse(spark, config.warehouse).read("variants").collect()
    ours = {(row["contigName"], row["start"] + 1, row["referenceAllele"], row["alternateAlleles"][0], row["alleleCount"]) for row in found}
    theirs = set()
    for line in expected:
        contig, position, ref, alt, *calls = line.split("\t")
        theirs.add((contig, int(position), ref, alt, "".join(call for call in calls if "." not in call).count("1")))
    assert ours <= theirs
    assert {row[:4] for row in ours} >= {row[:4] for row in theirs} - _of_repeats(spark, config.warehouse, expected)
    assert len(ours) > 200
    assert sum(row["start"] + row["end"] for row in found) != sum(2 * row["start"] + 1 for row in found)
    with pytest.raises(ConfigError, match="normalise without a reference"):
        ingest_vcf(IngestVcfConfig(warehouse=config.warehouse, inputs=config.inputs, normalise=True), spark)


def _of_repeats(spark: SparkSession, warehouse: str, expected: list[str]) -> set[tuple[str, int, str, str]]:
    """Alleles of records that were put aside, as they repeat one of another."""
    keys = [(words[0], int(words[1]), words[2], words[3]) for words in (line.split("\t") for line in expected)]
    aside = Warehouse(spark, warehouse).read("quarantine").collect() if Warehouse(spark, warehouse).has("quarantine") else []
    assert {row["reason"] for row in aside} <= {"a variant that stands on an earlier line too"}
    lines = {(row["content"].split("\t")[0], int(row["content"].split("\t")[1])) for row in aside}
    # A record goes with all its alleles, which are near one another.
    return {key for key in keys if any(key[0] == contig and abs(key[1] - position) < 60 for contig, position in lines)}


def test_records_that_do_not_fit_the_reference(spark: SparkSession, tmp_path: Path) -> None:
    fasta, bases = _reference(tmp_path)
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    good = f"1\t11\t.\t{bases[10:13].lower()}\t{other[bases[10]]}\t.\t.\t.\tGT\t0/1\t1/1\n"
    wrong = f"1\t21\t.\t{bases[20]}{other[bases[21]]}\tT,TT\t.\t.\t.\tGT\t0/1\t1/2\n"
    path = tmp_path / "a.vcf"
    path.write_text(HEAD + "##contig=<ID=1>\n" + COLUMNS + good + wrong)
    config = IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[str(path)], reference=str(fasta))
    with pytest.raises(InputError, match=r"a.vcf: 1:21 \w\w: REF is not what the reference has there"):
        ingest_vcf(config, spark)
    ingest_vcf(config.model_copy(update={"mode": "quarantine", "max_bad": 0.6}), spark)
    warehouse = Warehouse(spark, config.warehouse)
    assert [row["start"] for row in warehouse.read("variants").collect()] == [10]
    (row,) = warehouse.read("quarantine").collect()
    assert (row["line"], row["columnName"], row["reason"]) == (6, "REF", "REF is not what the reference has there")
    path.write_text(HEAD + "##contig=<ID=2>\n" + COLUMNS + "2" + good[1:])
    with pytest.raises(InputError, match="no contig 2"):
        ingest_vcf(config, spark)


def test_blocks_of_a_gvcf_stay_blocks(spark: SparkSession, tmp_path: Path) -> None:
    lines = [
        "1\t101\t.\tA\t<NON_REF>\t.\t.\tEND=200\tGT:DP\t0/0:30\t0/0:9",
        "1\t201\t.\tC\tT,<NON_REF>\t50\t.\t.\tGT:DP\t0/1:28\t1/2:7",
        "1\t202\t.\tG\t<*>\t.\t.\tEND=300\tGT:DP\t0/0:31\t./.:0",
        "1\t301\t.\tT\t.\t.\t.\tEND=400\tGT:DP\t0/0:31\t0/0:8",
    ]
    path = tmp_path / "a.g.vcf.gz"
    head = HEAD + '##contig=<ID=1>\n##INFO=<ID=END,Number=1,Type=Integer,Description="x">\n'
    path.write_bytes(gzip.compress((head + COLUMNS + "\n".join(lines) + "\n").encode()))
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[str(path)]), spark)
    warehouse = Warehouse(spark, str(tmp_path / "w"))
    found = warehouse.read("variants").select("start", "end", "alternateAlleles", "alleleCount", "nCalled").collect()
    assert sorted(map(tuple, found)) == [
        (100, 200, ["<NON_REF>"], 0, 2),
        (200, 201, ["<NON_REF>"], 1, 2),
        (200, 201, ["T"], 2, 2),
        (201, 300, ["<*>"], 0, 1),
        (300, 400, [], 0, 2),
    ]
    # One task reads what is compressed by gzip, and `runs` says so.
    run = warehouse.producer("genotypes/main")
    assert run is not None
    assert json.loads(run["notes"])["warnings"] == {"a file is compressed with gzip, not with bgzip: one task reads all of it": 1}
