"""Small piles whose truth was written down by hand."""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pysam
import pytest
from reads_helpers import Files, Read, write_bam

from genospark.core.pileup import CHANNELS, INDEX
from genospark.errors import InputError
from genospark.ingest.reads import Pileup, ReadFilters, pile_up, plan_regions, read_alignment_header, windows

PAIRED, REVERSE = 0x1, 0x10


def pile(files: Files, **filters: object) -> Pileup:
    (region,) = plan_regions(read_alignment_header(files.bam), 1_000_000)
    return pile_up(region, files.fasta, ReadFilters(**filters))


def value(pileup: Pileup, position: int, *names: str) -> list[int]:
    return [int(pileup.tensor[position, INDEX[name]]) for name in names]


def rows(pileup: Pileup) -> list[tuple[int, int, str, str, int, int]]:
    found = pileup.candidates
    return list(zip(found.position, found.rank, found.reference, found.alternate, found.forward, found.reverse, strict=True))


#                  0         1         2
#                  0123456789012345678901234567
HOMOPOLYMER = "GATCGTAAAAAACTGTCCGTACTGGACT"
DINUCLEOTIDE = "GATCGTACACACACTGTCCGTAGTGGAC"


def test_deletion_in_homopolymer(tmp_path: Path) -> None:
    # A run of six A at 6 to 11. Aligners put the lost A anywhere; it belongs after the T at 5.
    reads = [
        Read("left", 0, "6M1D10M", "GATCGTAAAAACTGTC"),
        Read("middle", 0, "8M1D8M", "GATCGTAAAAACTGTC", REVERSE),
        Read("right", 0, "11M1D5M", "GATCGTAAAAACTGTC"),
        Read("none", 0, "17M", "GATCGTAAAAAACTGTC"),
        Read("two", 0, "10M2D6M", "GATCGTAAAACTGTCC"),
    ]
    pileup = pile(write_bam(tmp_path, HOMOPOLYMER, reads))
    assert rows(pileup) == [(5, 1, "TA", "T", 2, 1), (5, 2, "TAA", "T", 1, 0)]
    assert value(pileup, 5, "indel1_forward", "indel1_reverse", "indel1_length", "indel1_insertion", "indels") == [2, 1, 1, 0, 4]
    assert value(pileup, 5, "spanning_forward", "spanning_reverse") == [1, 0]
    # Gaps stay where the aligner put them.
    assert value(pileup, 6, "deletion_forward") == [1] and value(pileup, 8, "deletion_reverse") == [1]
    assert value(pileup, 11, "deletion_forward") == [2]
    # One read in five is a share that is looked at, whatever the least number; where it is not, two reads are needed.
    assert rows(pile(write_bam(tmp_path, HOMOPOLYMER, reads), min_indel_share=0.5)) == [(5, 1, "TA", "T", 2, 1)]


def test_insertion_in_dinucleotide_repeat(tmp_path: Path) -> None:
    # The repeat ACACACAC lies at 6 to 13. A unit more may be written as AC or as CA, at many places; it belongs after the T at 5.
    whole = "GATCGTACACACACACTGTC"
    reads = [
        Read("start", 0, "6M2I12M", whole),
        Read("shifted", 0, "7M2I11M", whole),
        Read("middle", 0, "10M2I8M", whole, REVERSE),
        Read("end", 0, "14M2I4M", whole, REVERSE),
        # Begins within the repeat: it proposes the same insertion, but could as well begin two bases later in the reference.
        Read("inside", 8, "4M2I8M", "ACACACACTGTCCG"),
    ]
    pileup = pile(write_bam(tmp_path, DINUCLEOTIDE, reads), min_indel_support=1)
    assert rows(pileup) == [(5, 1, "T", "TAC", 2, 2)]
    assert value(pileup, 5, "indel1_length", "indel1_insertion", "indels", "spanning_forward", "spanning_reverse") == [2, 1, 5, 0, 0]


def test_unknown_reference_stops_a_shift(tmp_path: Path) -> None:
    reads = [Read(f"r{i}", 0, "8M1D6M", "ACGNNNNNNNACGT") for i in range(2)]
    assert rows(pile(write_bam(tmp_path, "ACGNNNNNNNNACGT", reads))) == [(7, 1, "NN", "N", 2, 0)]


def test_mates(tmp_path: Path) -> None:
    # Position:   0          5         10        15
    #             ACGTACGTAC GTACG
    #                  CGTAC GTACGTTTTT
    reference = "ACGTACGTACGTACGTTTTT"
    reads = [
        Read("p", 0, "15M", "ACGTAGGTACGTACG", PAIRED | 0x40, qualities=[30] * 6 + [20] * 2 + [30] * 5 + [5, 5]),
        Read("p", 5, "15M", "CGTTCGTACGTTTTT", PAIRED | 0x80 | REVERSE, qualities=[30, 30, 20, 30] + [25] * 4 + [20] + [2] * 6),
        Read("other", 0, "10M", "ACGTACGTAC"),
    ]
    pileup = pile(write_bam(tmp_path, reference, reads))
    # 5: G (30) and C (30) disagree and are equal: the first stays. 6: both G, the second is better.
    assert value(pileup, 5, "forward_G", "forward_C", "reverse_C") == [1, 1, 0]
    assert value(pileup, 6, "forward_G", "reverse_G", "quality_G") == [1, 1, 30]
    # 7: T (20) and T (20): the first. 8: A (30) and T (30): the first.
    assert value(pileup, 7, "forward_T", "reverse_T") == [2, 0]
    assert value(pileup, 8, "forward_A", "reverse_T") == [2, 0]
    # 13: C (5) and C (20): the second. 14: 5 and 2, none good enough.
    assert value(pileup, 13, "forward_C", "reverse_C", "quality_C") == [0, 1, 20]
    assert value(pileup, 14, "forward_G", "reverse_G") == [0, 0]
    assert value(pileup, 6, "spanning_forward", "spanning_reverse") == [1, 1]
    assert value(pileup, 12, "spanning_forward", "spanning_reverse") == [1, 0]
    assert pileup.bases_of_mates == 10
    assert pileup.bases_below_quality == 6
    both = pile(write_bam(tmp_path, reference, reads), mates_once=False)
    assert value(both, 5, "forward_G", "forward_C", "reverse_C") == [1, 1, 1]
    assert both.bases_of_mates == 0


def test_indel_of_both_mates_counts_once(tmp_path: Path) -> None:
    reads = [
        Read("p", 0, "6M1D10M", "GATCGTAAAAACTGTC", PAIRED | 0x40),
        Read("p", 2, "9M1D5M", "TCGTAAAAACTGTC", PAIRED | 0x80 | REVERSE, qualities=37),
        Read("q", 0, "6M1D10M", "GATCGTAAAAACTGTC", PAIRED | 0x40),
        Read("r", 0, "6M1D10M", "GATCGTAAAAACTGTC", PAIRED | 0x40, qualities=20),
        Read("r", 2, "15M", "TCGTAAAAAACTGTC", PAIRED | 0x80 | REVERSE),
    ]
    pileup = pile(write_bam(tmp_path, HOMOPOLYMER, reads))
    # p and q show it, r does not: its second read, of better bases, tells more.
    assert rows(pileup) == [(5, 1, "TA", "T", 2, 0)]
    assert value(pileup, 5, "indels", "spanning_forward", "spanning_reverse") == [2, 0, 1]


def test_clips_skips_and_dropped_reads(tmp_path: Path) -> None:
    reference = "ACGTACGTACGTACGTTTTT"
    reads = [
        Read("clipped", 4, "3S6M2S", "GGGACGTACGG"),
        Read("hard", 4, "3H6M", "ACGTAC"),
        Read("spliced", 2, "3M4N3M", "GTACGT"),
        Read("elsewhere", 4, "6M", "ACGTAC", mapping_quality=3),
        Read("duplicate", 4, "6M", "ACGTAC", 0x400),
        Read("empty", 4, "6M"),
    ]
    pileup = pile(write_bam(tmp_path, reference, reads))
    assert value(pileup, 4, "soft_clips", "low_mapping_quality", "forward_A") == [1, 1, 3]
    assert value(pileup, 9, "soft_clips", "low_mapping_quality") == [1, 1]
    assert value(pileup, 6, "forward_G", "spanning_forward") == [2, 2]
    dropped = {reason: count for reason, count in pileup.reads.items() if count}
    assert dropped == {"seen": 6, "duplicate": 1, "low_mapping_quality": 1, "no_alignment": 1}
    assert pileup.mean_depth == 18 / 1000


def test_deep_piles_keep_their_proportions(tmp_path: Path) -> None:
    reads = [Read(f"r{i}", 0, "6M", "ACGTAC" if i % 4 else "ATGTAC", REVERSE * (i % 2)) for i in range(2000)]
    files = write_bam(tmp_path, "ACGTACGTACG", reads)
    pileup = pile(files, max_reads_per_start=2000)
    # 500 C forward and 1,000 reverse against 500 T forward; reads 0, 4, 8 ... have T.
    assert value(pileup, 1, "forward_C", "reverse_C", "forward_T", "spanning_forward") == [128, 255, 128, 255]
    assert pileup.bases == 12_000
    capped = pile(files, max_reads_per_start=100)
    assert capped.reads["crowded_start"] == 1900
    assert capped.bases == 600
    again = pile(write_bam(tmp_path, "ACGTACGTACG", random.Random(1).sample(reads, len(reads))), max_reads_per_start=100)
    assert (again.tensor == capped.tensor).all()


def test_a_hundred_thousand_reads_over_a_position(tmp_path: Path) -> None:
    # 2,000 reads begin at each of 50 positions; each fourth has a T for the C at 49, and a base more after 60.
    reference = "ACGT" * 100
    rng = random.Random(1)
    reads = []
    for number in range(100_000):
        start, alternate = number % 50, rng.random() < 0.25
        shown = reference[start : start + 100]
        if alternate:
            at = 49 - start
            shown = shown[:at] + "T" + shown[at + 1 : 61 - start] + "G" + shown[61 - start :]
            reads.append(Read(f"r{number}", start, f"{61 - start}M1I{39 + start}M", shown))
        else:
            reads.append(Read(f"r{number}", start, "100M", shown))
    files = write_bam(tmp_path, reference, reads)
    tracemalloc.start()
    began = time.process_time()
    pileup = pile(files)
    assert time.process_time() - began < 10
    # Some batches of records of 2 MiB, not all reads.
    assert tracemalloc.get_traced_memory()[1] < 24 << 20
    tracemalloc.stop()
    # 50 of each start are kept.
    assert pileup.reads["seen"] == 100_000 and pileup.reads["crowded_start"] == 97_500
    # All of them are aligned over the next position too: that is the largest count.
    plain, other, spanning = value(pileup, 49, "forward_C", "forward_T", "spanning_forward")
    assert spanning == 255 and plain + other == pytest.approx(255, abs=1) and other == pytest.approx(255 / 4, abs=8)
    assert rows(pileup)[0][:4] == (60, 1, "A", "AG")
    assert value(pileup, 60, "indel_likelihood_00", "indel_likelihood_01", "indel_likelihood_11") == [255, 0, 255]


def test_more_operations_than_a_record_holds(tmp_path: Path) -> None:
    # 70,000 operations do not fit the 16 bits of a record: htslib writes them as a tag.
    n = 35_000
    reference = "ACGT" * (n // 2)
    read = Read(
        "long", 0, "1=1X" * n, "".join(letter + ("A" if number % 2 == 0 else "C") for number, letter in enumerate(reference[::2][:n]))
    )
    files = write_bam(tmp_path, reference, [read])
    with pysam.AlignmentFile(str(files.bam)) as file:
        assert len(next(file).cigartuples) == 2 * n
    pileup = pile(files)
    assert pileup.bases == 2 * n
    assert value(pileup, 0, "forward_A") == [1] and value(pileup, 1, "forward_A") == [1]


@pytest.mark.parametrize("csi", [False, True])
def test_long_contig(tmp_path: Path, csi: bool) -> None:
    # Many index tiles of 16,384 positions, some without reads, one read over three of them; another contig comes first.
    starts = [5, 16380, 16384, 16384, 40_000, 65_530, 65_536, 119_990]
    reads = [Read(f"r{i}", start, "10M", "ACGTACGTAC") for i, start in enumerate(starts)]
    reads.append(Read("spliced", 16_381, "5M40000N5M", "ACGTACGTAC"))
    header = "@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:b\tLN:9\n@SQ\tSN:c\tLN:120000\n@RG\tID:1\tSM:person\n"
    files = write_bam(tmp_path, "ACGT" * 30_000, reads, 200, header, index=not csi)
    if csi:
        pysam.index("-c", str(files.bam))
    expected = np.zeros(120_000, int)
    for start in starts:
        expected[start : start + 10] += 1
    expected[16_381:16_386] += 1
    expected[56_386:56_391] += 1
    parts = [pile_up(region, files.fasta) for region in plan_regions(read_alignment_header(files.bam), 1000, ["c"])]
    assert (np.concatenate([part.tensor for part in parts])[:, 1:9].sum(axis=1) == expected).all()
    assert sum(part.reads["seen"] for part in parts) == 9


def test_regions_and_windows(tmp_path: Path) -> None:
    files = write_bam(tmp_path, "ACGT" * 600, [Read("r", 1998, "6M", "GTACGT")])
    header = read_alignment_header(files.bam)
    assert [(r.start, r.end) for r in plan_regions(header, 2000)] == [(0, 2000), (2000, 3000)]
    assert [(r.start, r.end) for r in plan_regions(header, 1000, intervals=[("c", 2100, 2200), ("c", 10, 20), ("c", 1500, 2101)])] == [
        (0, 1000),
        (1000, 2000),
        (2000, 3000),
    ]
    last = pile_up(plan_regions(header, 2000)[1], files.fasta)
    assert windows(last).shape == (1, 1000, len(CHANNELS))
    assert np.shares_memory(windows(last), last.tensor)
    assert value(last, 0, "forward_A") == [1]
    # It begins in the region before.
    assert last.reads["seen"] == 0
    for bad in ([("d", 0, 5)], [("c", 5, 5)], [("c", 0, 2401)], [("c", -1, 5)]):
        with pytest.raises(InputError, match=str(files.bam)):
            plan_regions(header, 1000, intervals=bad)
    with pytest.raises(InputError, match="multiple of 1000"):
        plan_regions(header, 1500)
