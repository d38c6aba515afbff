"""CRAM files: what the same reads in a BAM show, and every refusal."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pysam
import pytest
from reads_helpers import Files, Read, write_bam, write_reference

from genospark.errors import InputError
from genospark.ingest.reads import Pileup, pile_up, plan_regions, read_alignment_header

RNG = random.Random(3)
REFERENCE = "".join(RNG.choices("ACGT", k=4200))


def reads() -> list[Read]:
    made = []
    for number in range(300):
        start = RNG.randint(0, 4100)
        shown = "".join(letter if RNG.random() < 0.97 else RNG.choice("ACGT") for letter in REFERENCE[start : start + 80])
        made.append(
            Read(f"r{number}", start, f"{len(shown)}M", shown, RNG.choice([0, 16, 0x400]), 60, [RNG.choice([12, 30, 37]) for _ in shown])
        )
    return made


@pytest.fixture
def files(tmp_path: Path) -> Files:
    bam = write_bam(tmp_path, REFERENCE, reads())
    cram = bam.bam.with_suffix(".cram")
    pysam.samtools.view("-C", "-T", str(bam.fasta), "-o", str(cram), str(bam.bam), catch_stdout=False)
    pysam.index(str(cram))
    return Files(cram, bam.fasta)


def piled(path: Path, fasta: Path) -> list[Pileup]:
    return [pile_up(region, fasta) for region in plan_regions(read_alignment_header(path), 1000)]


def test_the_same_as_the_bam(files: Files) -> None:
    ours, theirs = piled(files.bam, files.fasta), piled(files.bam.with_suffix(".bam"), files.fasta)
    assert len(ours) == 5
    assert sum(part.reads["seen"] for part in ours) == 300
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one.tensor, other.tensor)
        assert one.reads == other.reads


def test_another_reference(files: Files, tmp_path: Path) -> None:
    other = write_reference(tmp_path / "other.fa", c=REFERENCE[::-1])
    with pytest.raises(InputError, match=r"reads at c:1-\d+ cannot be decoded: the file is damaged, or of another reference") as caught:
        piled(files.bam, other)
    assert str(other) in str(caught.value.next_step)


def test_truncated_or_damaged(files: Files) -> None:
    data = files.bam.read_bytes()
    files.bam.write_bytes(data[:-100])
    with pytest.raises(InputError, match="the block that ends a CRAM is absent"):
        read_alignment_header(files.bam)
    files.bam.write_bytes(data[:-2000] + bytes(500) + data[-1500:])
    with pytest.raises(InputError, match="cannot be decoded"):
        piled(files.bam, files.fasta)


def test_index(files: Files) -> None:
    index = Path(f"{files.bam}.crai")
    content = index.read_bytes()
    index.unlink()
    with pytest.raises(InputError, match=r"no index \(reads.cram.crai\) beside it"):
        read_alignment_header(files.bam)
    index.write_bytes(content[:-9])
    with pytest.raises(InputError, match="not an index of a CRAM"):
        read_alignment_header(files.bam)
    index.write_bytes(b"0\t1\t4000\t99999999\t10\t10\n")
    with pytest.raises(InputError, match="not the index of this CRAM"):
        read_alignment_header(files.bam)
