"""Reads whose qualities claim too much, by a known amount, and of which a known share is somebody else's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pysam
from reads_helpers import Files, write_reference

REFERENCE_BP, READ_BP, DEPTH = 40_000, 100, 20
LEAST_SHARE = 0.01
LETTERS = np.frombuffer(b"ACGT", np.uint8)
REVERSE, SECOND = 0x10, 0x80


@dataclass
class Reads:
    """What a sequencer does: qualities it states, and the Phred of the chance of an error that it really has."""

    qualities: tuple[int, ...] = (12, 23, 37)
    overstated: float = 6.0
    late: float = 0.0
    """Further loss in the last 40 cycles."""
    after_g: float = 0.0
    """Further loss where the base before, as sequenced, is a G."""
    variants: float = 0.0
    """Share of the positions that are heterozygous."""
    bases: int = REFERENCE_BP
    depth: int = DEPTH
    seed: int = 1
    spacing: int = 0
    """Distance between sites at which alleles are as common as in a population of constant size."""
    contamination: float = 0.0
    """Share of the reads that are of another person of that population."""
    sites: list[int] = field(default_factory=list)


def write(folder: Path, made: Reads, person: str = "person") -> Files:
    """Writes reference.fa and a BAM of reads of one length, without gaps."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(made.seed)
    codes = rng.integers(0, 4, made.bases)
    haplotypes = np.stack([codes] * 4)
    made.sites = sorted(rng.choice(made.bases, round(made.variants * made.bases), replace=False).tolist())
    haplotypes[1, made.sites] = (codes[made.sites] + rng.integers(1, 4, len(made.sites))) % 4
    if made.spacing:
        at = np.arange(made.spacing, made.bases, made.spacing)
        share = LEAST_SHARE * np.exp(rng.random(len(at)) * np.log((1 - LEAST_SHARE) / LEAST_SHARE))
        other = (codes[at] + rng.integers(1, 4, len(at))) % 4
        haplotypes[:, at] = np.where(rng.random((4, len(at))) < share, other, codes[at])
    n = made.bases * made.depth // READ_BP
    start = np.sort(rng.integers(0, made.bases - READ_BP, n))
    of = rng.integers(0, 2, n) + 2 * (rng.random(n) < made.contamination)
    reverse, second = rng.random(n) < 0.5, rng.random(n) < 0.5
    shown = haplotypes[of[:, None], start[:, None] + np.arange(READ_BP)]
    cycle = np.where(reverse[:, None], np.arange(READ_BP)[::-1], np.arange(READ_BP))
    stated = rng.choice(made.qualities, shown.shape)
    before = np.where(reverse[:, None], 3 - np.roll(shown, -1, axis=1), np.roll(shown, 1, axis=1))
    true = np.where(stated == 255, 20, stated) - made.overstated - made.late * (cycle >= READ_BP - 40)
    true = true - made.after_g * ((before == 2) & (cycle > 0))
    wrong = rng.random(shown.shape) < 10 ** (-true / 10)
    shown = np.where(wrong, (shown + rng.integers(1, 4, shown.shape)) % 4, shown)
    fasta = write_reference(folder / "reference.fa", c=LETTERS[codes].tobytes().decode())
    header = pysam.AlignmentHeader.from_text(f"@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:c\tLN:{made.bases}\n@RG\tID:1\tSM:{person}\n")
    bam = folder / "reads.bam"
    with pysam.AlignmentFile(str(bam), "wb", header=header) as file:
        for number in range(n):
            read = pysam.AlignedSegment(header)
            read.query_name, read.reference_id, read.reference_start = f"r{number}", 0, int(start[number])
            read.flag, read.mapping_quality = REVERSE * bool(reverse[number]) | (SECOND | 0x1 if second[number] else 0x41), 60
            read.cigartuples, read.query_sequence = [(0, READ_BP)], LETTERS[shown[number]].tobytes().decode()
            if 255 not in made.qualities:
                read.query_qualities = stated[number].tolist()
            file.write(read)
    pysam.index(str(bam))
    return Files(bam, fasta)
