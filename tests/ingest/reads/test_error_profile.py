"""How a sample's reads err: sums of positions without a variant, from reads that err by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from reads_helpers import Read, write_bam

from genospark.core.profile import CLASSES, repeat_class
from genospark.ingest.reads import Pileup, pile_up, plan_regions, read_alignment_header

BEFORE, AFTER = "ACGTCAGTGCATGCCA", "CGTAGCTCAGGTCACTG"


def _piled(folder: Path, middle: str, shown: dict[str, int], growth: int) -> Pileup:
    """Reads over one repeat, each of them with what a CIGAR's middle says of its 8 bases."""
    reference = (BEFORE + middle + AFTER).ljust(1000, "N")
    reads = []
    for cigar, n in shown.items():
        bases = {"": middle, "D": middle[:growth], "I": middle + middle[:growth]}[cigar]
        long = len(BEFORE + bases + AFTER)
        text = {
            "": f"{long}M",
            "D": f"{len(BEFORE)}M{-growth}D{long - len(BEFORE)}M",
            "I": f"{len(BEFORE)}M{growth}I{long - len(BEFORE) - growth}M",
        }
        reads += [Read(f"r{cigar}{i}", 0, text[cigar], BEFORE + bases + AFTER) for i in range(n)]
    files = write_bam(folder, reference, reads)
    return pile_up(plan_regions(read_alignment_header(files.bam), 1000)[0], files.fasta)


def _class(unit: int, length: int) -> int:
    return int(repeat_class(np.array(unit), np.array(length)))


def test_reads_that_lose_a_base_of_a_run_are_slips(tmp_path: Path) -> None:
    found = _piled(tmp_path, "T" * 8, {"": 17, "D": 3}, -1).sums
    assert found["slips"][_class(1, 8)] == found["slips"].sum() == 3
    # Runs within it are none of their own.
    assert found["slipReads"][_class(1, 8)] == 20
    assert found["slipReads"][_class(1, 7)] == 0
    assert found["otherIndels"] == 0


def test_another_size_is_no_slip_and_a_variant_no_error(tmp_path: Path) -> None:
    found = _piled(tmp_path, "T" * 8, {"": 17, "D": 3}, -2).sums
    assert (found["slips"].sum(), found["otherIndels"]) == (0, 3)
    found = _piled(tmp_path, "T" * 8, {"": 10, "D": 10}, -1).sums
    assert (found["slips"].sum(), found["otherIndels"]) == (0, 0)
    assert found["slipReads"][_class(1, 8)] == 0


def test_units_of_several_bases(tmp_path: Path) -> None:
    found = _piled(tmp_path, "AT" * 6, {"": 30, "I": 2}, 2).sums
    # The base before is an A, the one after a C.
    assert found["slips"][_class(2, 12)] == found["slips"].sum() == 2
    assert found["slipReads"][_class(2, 12)] == 32
    assert len(found["slips"]) == CLASSES


def test_good_bases_wrong_twice_are_told_by_their_strands(tmp_path: Path) -> None:
    """Of 12 reads on each strand: two forward ones err at one place, one of each at another, and two with bad bases at a third."""
    reference = BEFORE + AFTER
    wrong = {("forward", 0): {4, 12}, ("forward", 1): {4, 20}, ("forward", 2): {20}, ("reverse", 0): {12}}
    reads = []
    for strand, flag in (("forward", 0), ("reverse", 16)):
        for number in range(12):
            places = wrong.get((strand, number), set())
            bases = "".join("ACGT"["CATG".index(base)] if place in places else base for place, base in enumerate(reference))
            qualities = [10 if place == 20 else 30 for place in range(len(reference))]
            reads.append(Read(f"{strand}{number}", 0, f"{len(reference)}M", bases, flag, qualities=qualities))
    files = write_bam(tmp_path, reference.ljust(1000, "N"), reads)
    found = pile_up(plan_regions(read_alignment_header(files.bam), 1000)[0], files.fasta).sums
    assert (found["plainSites"], found["plainErrors"], found["alikeSites"], found["apartSites"]) == (33, 6, 1, 1)
    assert found["alikePairs"] == 33 * 2 * 66
    assert found["apartPairs"] == 33 * 12 * 12
