"""Every channel and candidate against what plain Python finds base by base, and bases and deletions against pysam's pileup."""

from __future__ import annotations

import itertools
import random
import tempfile
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reads_helpers import DROPPED_FLAGS, Files, Read, work_out, write_bam

from genospark.core.pileup import CHANNELS, INDEX
from genospark.ingest.reads import Pileup, ReadFilters, Region, check_reference, pile_up, plan_regions, read_alignment_header
from genospark.ingest.reads import pileup as pileup_module
from genospark.ingest.reads import records as records_module

CONTIG_BP = 2300


def whole(files: Files, filters: ReadFilters) -> Pileup:
    (region,) = plan_regions(read_alignment_header(files.bam), 1_000_000)
    return pile_up(region, files.fasta, filters)


def alleles(pileup: Pileup) -> list[tuple[int, int, str, str, int, int]]:
    found = pileup.candidates
    columns = (found.position, found.rank, found.reference, found.alternate, found.forward, found.reverse)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def agrees(files: Files, filters: ReadFilters, contig: str = "c") -> Pileup:
    pileup = whole(files, filters)
    truth = work_out(files, filters, contig)
    n = len(truth.counts["reference"])
    for name, expected in truth.counts.items():
        if name[:7] in ("indel1_", "indel2_"):
            continue
        if "likelihood" in name:
            wrong = np.flatnonzero(np.abs(pileup.tensor[:n, INDEX[name]] - expected) > 0.51)
        else:
            expected = np.minimum(np.floor(expected + 0.5 + 1e-9), 255)
            wrong = np.flatnonzero(pileup.tensor[:n, INDEX[name]] != expected)
        assert not len(wrong), f"{name} at {wrong[:5]}: {pileup.tensor[wrong[:5], INDEX[name]]} but {expected[wrong[:5]]}"
    assert [row[:1] + row[2:] for row in alleles(pileup)] == [row[:1] + row[2:] for row in sorted(truth.candidates)] or sorted(
        (row[0], *row[2:]) for row in alleles(pileup)
    ) == sorted((row[0], *row[2:]) for row in truth.candidates)
    check_indel_channels(pileup)
    padding = pileup.tensor[n:]
    assert (padding[:, 0] == 4).all() and not padding[:, 1:].any()
    return pileup


def check_indel_channels(pileup: Pileup) -> None:
    expected = np.zeros((len(pileup.tensor), 2, 4), int)
    found = pileup.candidates
    for position, rank, old, new, forward, reverse in zip(
        found.position, found.rank, found.reference, found.alternate, found.forward, found.reverse, strict=True
    ):
        expected[position - pileup.region.start, rank - 1] = forward, reverse, abs(len(new) - len(old)), len(new) > len(old)
    first = INDEX["indel1_forward"]
    assert (pileup.tensor[:, first : first + 8] == expected.reshape(-1, 8)).all()


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, list[Read], int]:
    """A reference with repeats, and reads with any CIGAR near each other; many in pairs."""
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    letters = []
    while len(letters) < CONTIG_BP:
        unit = rng.choice(["A", "T", "AC", "GAT", "N", "acgt", "R"])
        letters += unit * rng.randint(1, 6) if rng.random() < 0.6 else rng.choices("ACGT", k=rng.randint(1, 8))
    reference = "".join(letters[:CONTIG_BP])
    reads = []
    center = rng.choice([0, 40, 960, 1000, 1960, CONTIG_BP - 80])
    for number in range(draw(st.integers(0, 30))):
        # Half of the reads are in pairs, named alike and of opposite ends; either may be on either strand.
        for end in rng.choice([(0,), (0x41, 0x81)]):
            start = max(0, center + rng.randint(-40, 40))
            cigar, bases = alignment(rng, reference, start)
            flag = end | rng.choice([0, 0x10]) | (rng.choice([0x4, 0x100, 0x200, 0x400, 0x800]) if rng.random() < 0.1 else 0)
            qualities = [rng.choice([2, 12, 13, 14, 30, 37]) for _ in bases] if rng.random() < 0.85 else None
            if rng.random() < 0.04:
                bases = "*"
            reads.append(Read(f"read{number}", start, cigar, bases, flag, rng.choice([0, 19, 20, 60, 60, 255]), qualities))
    return reference, reads, rng.choice([100, 300, 5000])


def alignment(rng: random.Random, reference: str, start: int) -> tuple[str, str]:
    """A CIGAR that fits the contig, and bases that mostly show the reference."""
    ops = [(op, rng.randint(1, 6)) for op in rng.choices("MMMMIDDN=XP", k=rng.randint(0, 7))]
    ops = [("M", rng.randint(1, 40)), *ops, ("M", rng.randint(1, 40))] if rng.random() < 0.8 else [*ops, ("M", 3)]
    if rng.random() < 0.3:
        ops.insert(0, ("S", rng.randint(1, 5)))
    if rng.random() < 0.3:
        ops.append(("S", rng.randint(1, 5)))
    if rng.random() < 0.1:
        ops = [("H", 2), *ops, ("H", 1)]
    bases, position, fitting = [], start, []
    for op, length in ops:
        if op in "MDN=X":
            length = min(length, len(reference) - position)
        if not length:
            continue
        fitting.append(f"{length}{op}")
        if op in "M=X":
            shown = reference[position : position + length].upper()
            bases += (letter if letter in "ACGT" and rng.random() < 0.9 else rng.choice("ACGTN") for letter in shown)
        elif op in "IS":
            # Inserted bases often repeat what is before them.
            before = reference[max(position - length, 0) : position].upper()
            repeats = len(before) == length and set(before) <= set("ACGT") and rng.random() < 0.6
            bases += before if repeats else rng.choices("ACGTN", k=length)
        if op in "MDN=X":
            position += length
    return "".join(fitting), "".join(bases)


@settings(max_examples=60, deadline=None)
@given(case=cases(), mates_once=st.booleans(), min_base_quality=st.sampled_from([0, 13, 20]))
def test_random_reads(case: tuple[str, list[Read], int], mates_once: bool, min_base_quality: int) -> None:
    reference, reads, _ = case
    with tempfile.TemporaryDirectory() as folder:
        files = write_bam(Path(folder), reference, reads)
        pileup = agrees(files, ReadFilters(mates_once=mates_once, min_base_quality=min_base_quality))
    assert pileup.reads["seen"] == len(reads)
    for reason, flag in {"unmapped": 0x4, "secondary": 0x100, "supplementary": 0x800, "qc_fail": 0x200, "duplicate": 0x400}.items():
        assert pileup.reads[reason] == sum(read.flag & flag != 0 for read in reads)
    left = [read for read in reads if not read.flag & DROPPED_FLAGS]
    assert pileup.reads["no_alignment"] == sum(read.bases == "*" for read in left)
    assert pileup.reads["low_mapping_quality"] == sum(read.bases != "*" and read.mapping_quality < 20 for read in left)


@settings(max_examples=40, deadline=None)
@given(case=cases(), cuts=st.tuples(*[st.integers(0, CONTIG_BP)] * 2), most=st.sampled_from([1, 2, 200]), csi=st.booleans())
def test_borders_do_not_matter(case: tuple[str, list[Read], int], cuts: tuple[int, int], most: int, csi: bool) -> None:
    reference, reads, block_bytes = case
    filters = ReadFilters(max_reads_per_start=most)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        files = write_bam(Path(folder), reference, reads, block_bytes, index=not csi)
        if csi:
            pysam.index("-c", str(files.bam))
        whole_pileup = whole(files, filters)
        # Batches of a few reads, and slices of a few positions.
        patch.setattr(records_module, "BATCH_BYTES", block_bytes)
        patch.setattr(pileup_module, "SLICE_BP", 97)
        bounds = sorted({0, *cuts, len(whole_pileup.tensor)})
        regions = [Region(str(files.bam), "person", "c", *pair) for pair in itertools.pairwise(bounds)]
        parts = [pile_up(region, files.fasta, filters) for region in regions]
    together = np.concatenate([part.tensor for part in parts])
    wrong = np.argwhere(together != whole_pileup.tensor)
    assert not len(wrong), [(position, CHANNELS[channel]) for position, channel in wrong[:5]]
    assert [row for part in parts for row in alleles(part)] == alleles(whole_pileup)
    for reason, count in whole_pileup.reads.items():
        assert count == sum(part.reads[reason] for part in parts), reason
    assert whole_pileup.bases == sum(part.bases for part in parts)
    assert whole_pileup.bases_below_quality == sum(part.bases_below_quality for part in parts)
    assert whole_pileup.bases_of_mates == sum(part.bases_of_mates for part in parts)


def by_pysam(files: Files, contig: str, n: int, min_mapping_quality: int, min_base_quality: int) -> np.ndarray:
    """(n, 10) bases on the forward and the reverse strand, and deletions by strand, with both reads of a pair."""
    out = np.zeros((n, 10), int)
    with pysam.AlignmentFile(str(files.bam)) as file:
        columns = file.pileup(
            contig, stepper="nofilter", ignore_overlaps=False, ignore_orphans=False, min_base_quality=0, max_depth=1_000_000
        )
        for column in columns:
            for entry in column.pileups:
                read = entry.alignment
                if read.flag & DROPPED_FLAGS or read.mapping_quality < min_mapping_quality or read.query_sequence is None:
                    continue
                if entry.is_del and not entry.is_refskip:
                    out[column.reference_pos, 8 + read.is_reverse] += 1
                elif entry.query_position is not None and not entry.is_refskip:
                    letter = read.query_sequence[entry.query_position]
                    good = read.query_qualities is None or read.query_qualities[entry.query_position] >= min_base_quality
                    if good and letter in "ACGT":
                        out[column.reference_pos, 4 * read.is_reverse + "ACGT".index(letter)] += 1
    return out


def bases_and_deletions(pileup: Pileup, n: int) -> np.ndarray:
    return pileup.tensor[:n, [*range(1, 9), INDEX["deletion_forward"], INDEX["deletion_reverse"]]]


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_random_reads_like_pysam(case: tuple[str, list[Read], int]) -> None:
    reference, reads, _ = case
    with tempfile.TemporaryDirectory() as folder:
        files = write_bam(Path(folder), reference, reads)
        expected = by_pysam(files, "c", len(reference), 20, 13)
        found = bases_and_deletions(whole(files, ReadFilters(mates_once=False, min_base_quality=13)), len(reference))
    assert (found == expected).all(), np.argwhere(found != expected)[:5]


@pytest.fixture
def person(shared_data: Path) -> Files:
    folder = shared_data / "reads-na12878-chr22"
    return Files(folder / "E.bam", folder / "E.ref.fa")


def test_person_like_pysam(person: Files) -> None:
    header = read_alignment_header(person.bam)
    check_reference(header, person.fasta)
    assert (header.sample_id, header.contigs) == ("1", {"q": 12356})
    found = bases_and_deletions(whole(person, ReadFilters(mates_once=False, min_base_quality=13)), 12356)
    expected = by_pysam(person, "q", 12356, 20, 13)
    assert expected.sum() > 400_000
    assert (found == expected).all(), np.argwhere(found != expected)[:5]
    with pysam.AlignmentFile(str(person.bam)) as file:
        coverage = file.count_coverage("q", quality_threshold=13, read_callback=lambda r: not r.flag & 0xF04 and r.mapping_quality >= 20)
    assert (found[:, :4] + found[:, 4:8] == np.array(coverage).T).all()


def test_person(person: Files) -> None:
    pileup = agrees(person, ReadFilters(), "q")
    assert pileup.reads["seen"] == 3333
    assert pileup.reads["unmapped"] == 7
    assert pileup.bases_of_mates > 30_000
    assert len(pileup.candidates) > 5


def test_person_by_regions(person: Files) -> None:
    header = read_alignment_header(person.bam)
    parts = [pile_up(region, person.fasta) for region in plan_regions(header, 1000)]
    assert len(parts) == 13
    assert (np.concatenate([part.tensor for part in parts]) == whole(person, ReadFilters()).tensor).all()
