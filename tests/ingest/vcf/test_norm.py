"""Splitting, trimming and left-alignment on a reference beside `bcftools norm -m- -f`, over all files at hand."""

from __future__ import annotations

import subprocess
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pysam
import pysam.bcftools as bcftools
import pytest
from vcf_helpers import SHARED, dosages, gt_code

from genospark.ingest.on_reference import OnReference
from genospark.ingest.vcf import PARSED_SCHEMA, Findings, parse_split, plan_splits, read_header

QUERY = "%CHROM\t%POS0\t%END\t%ID\t%REF\t%ALT\t%QUAL\t%FILTER[\t%GT]\n"
NA12878 = SHARED / "reads-na12878-chr22"
COHORT = SHARED / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
CONFORMANCE = sorted((SHARED / "vcf-conformance").glob("*/passed/*.vcf"))
absent = pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED} is absent: the shared data are not on this machine")


def _records(path: Path) -> tuple[list[str], list[list[str]]]:
    """People of a file, and its records: CHROM to FILTER, END of INFO, and GT; other fields touch neither."""
    text = subprocess.run(["bgzip", "-cd", path], capture_output=True, check=True).stdout if path.suffix == ".gz" else path.read_bytes()
    people: list[str] = []
    records = []
    for line in text.decode(errors="replace").splitlines():
        fields = line.split("\t")
        if line.startswith("#CHROM"):
            people = fields[9:]
        elif not line.startswith("#") and len(fields) >= 8:
            end = [entry for entry in fields[7].split(";") if entry.startswith("END=")]
            # What stands before the first allele, from 4.4 on, `bcftools` cannot read; it says nothing that is stored.
            called = fields[8:9] and fields[8].split(":")[0] == "GT"
            calls = [one.split(":")[0].lstrip("/|") if called else "." for one in fields[9:]]
            records.append([*fields[:7], end[0] if end else ".", *(["GT", *calls] if people else [])])
    return people, records


def _written(path: Path, people: list[str], records: list[list[str]]) -> Path:
    """A VCF whose header declares what its records have, which `bcftools` insists on."""
    head = [
        "##fileformat=VCFv4.3",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">',
        '##INFO=<ID=END,Number=1,Type=Integer,Description="x">',
    ]
    head += [f"##contig=<ID={name}>" for name in dict.fromkeys(record[0] for record in records)]
    head += [
        f'##FILTER=<ID={name},Description="x">'
        for name in sorted({name for record in records for name in record[6].split(";")} - {".", "PASS"})
    ]
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", *(["FORMAT", *people] if people else [])]
    path.write_text("\n".join([*head, *("\t".join(line) for line in [columns, *records])]) + "\n")
    return path


def _fitting(records: list[list[str]], fasta: Path) -> list[list[str]]:
    """Writes a reference, and gives the records whose REF fits it: where two contradict each other the first one counts.

    Between them bases repeat the one before, so that indels have many places.
    """
    known: dict[str, dict[int, str]] = {}
    fitting = []
    for record in records:
        own, begin = known.setdefault(record[0], {}), int(record[1])
        bases = dict(enumerate(record[3].upper(), begin))
        if begin and all(own.get(place, base) == base for place, base in bases.items()):
            own |= bases
            fitting.append(record)
    lines = []
    for contig, own in known.items():
        places = np.array(sorted(own), np.int64)
        if len(places):
            letters = np.frombuffer("".join(own[place] for place in places.tolist()).encode(), np.uint8)
            at = np.searchsorted(places, np.arange(1, int(places[-1]) + 300), side="right") - 1
            lines.append(f">{contig}\n{letters[np.maximum(at, 0)].tobytes().decode()}\n")
    fasta.write_text("".join(lines))
    if lines:
        pysam.faidx(str(fasta))
    return fitting


def _ours(path: Path, fasta: Path) -> tuple[pa.Table, int]:
    header = read_header(path)
    found = Findings()
    reference = OnReference(str(fasta), True)
    batches = (reference.rows(parse_split(split, found), split.path, found, False) for split in plan_splits(header, 1 << 40))
    return pa.Table.from_batches(chain.from_iterable(batches), PARSED_SCHEMA), len(header.sample_ids)


def _said(table: pa.Table, n: int) -> list[tuple[object, ...]]:
    calls = dosages(table, n)
    rows = table.drop(["blocks"]).to_pylist()
    return sorted(
        (
            row["contigName"],
            row["start"],
            row["end"],
            ";".join(row["names"]) or ".",
            row["referenceAllele"],
            ",".join(row["alternateAlleles"]) or ".",
            "." if row["qual"] is None else f"{row['qual']:g}",
            ";".join(row["filters"]) or ".",
            codes.tobytes(),
        )
        for row, codes in zip(rows, calls, strict=True)
    )


def _by_bcftools(path: Path, *reference: str) -> list[tuple[object, ...]]:
    split = path.parent / "norm.bcf"
    bcftools.norm("-m-", *reference, "-Ob", "-o", str(split), str(path), catch_stdout=False)
    rows = [line.split("\t") for line in bcftools.query("-f", QUERY, str(split), split_lines=False).splitlines()]
    # Calls of more than two alleles are missing.
    codes = {gt: gt_code(gt) if gt.count("/") + gt.count("|") < 2 else 3 for gt in set(chain.from_iterable(row[8:] for row in rows))}
    return sorted(
        (contig, int(start), int(end), name, ref, alt, qual, filters, bytes(codes[gt] for gt in gts))
        for contig, start, end, name, ref, alt, qual, filters, *gts in rows
    )


def _stays(record: list[str]) -> bool:
    """Whether nothing but its alleles apart is to be done with a record.

    Symbolic alleles and breakends have no bases to align. `bcftools norm -f` moves some of them (1.20: <DEL> and <DUP>) without their END,
    and cuts the REF of records without an alternate allele to one base, which then say of fewer bases that they are the reference's.
    """
    return bool(set("[]<.") & set(record[4])) or (record[4] == "." and len(record[3]) > 1)


def _can_be(record: list[str]) -> bool:
    """Whether calls are calls, of alleles that a record has: of the suite's valid files some are not, and nobody can read them."""
    n = 0 if record[4] == "." else record[4].count(",") + 1
    alleles = [call.replace("|", "/").split("/") for call in record[9:]]
    return all(allele == "." or (allele.isdigit() and int(allele) <= n) for call in alleles for allele in call)


def _compare(people: list[str], records: list[list[str]], folder: Path, fasta: Path) -> int:
    moved = _written(folder / "moved.vcf", people, [record for record in records if not _stays(record)])
    stay = _written(folder / "stay.vcf", people, [record for record in records if _stays(record)])
    expected = _by_bcftools(moved, "-f", str(fasta))
    assert _said(*_ours(moved, fasta)) == expected
    others = _by_bcftools(stay)
    assert _said(*_ours(stay, fasta)) == others
    return len(expected) + len(others)


@absent
@pytest.mark.parametrize("version", sorted({path.parts[-3] for path in CONFORMANCE}))
def test_files_of_the_conformance_suite(tmp_path: Path, version: str) -> None:
    compared = 0
    for number, path in enumerate(path for path in CONFORMANCE if path.parts[-3] == version):
        folder = tmp_path / str(number)
        folder.mkdir()
        people, records = _records(path)
        known = _fitting([record for record in records if _can_be(record)], folder / "reference.fa")
        if known:
            compared += _compare(people, known, folder, folder / "reference.fa")
    assert compared > 100


@absent
def test_a_cohort(tmp_path: Path) -> None:
    people, records = _records(COHORT)
    known = _fitting(records, tmp_path / "reference.fa")
    assert len(known) > 9_600
    assert _compare(people, known, tmp_path, tmp_path / "reference.fa") > 9_650
    # Most are as they should be; of those with several alternate alleles some are shorter, or elsewhere, when they stand alone.
    found, _ = _ours(tmp_path / "moved.vcf", tmp_path / "reference.fa")
    sites = set(zip(found["start"].to_pylist(), found["referenceAllele"].to_pylist(), strict=True))
    assert len({(int(record[1]) - 1, record[3]) for record in known} - sites) >= 5


@absent
def test_real_variants_on_their_own_reference(tmp_path: Path) -> None:
    copy, fasta = tmp_path / "a.vcf.gz", NA12878 / "E.ref.fa"
    copy.write_bytes((NA12878 / "E.truth.vcf.gz").read_bytes())
    expected = _by_bcftools(copy, "-f", str(fasta))
    assert len(expected) >= 14
    assert _said(*_ours(copy, fasta)) == expected
