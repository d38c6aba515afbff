"""Chromosomes of one person: the reference with the person's own alleles, and where each base lies on the reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genospark.simulate.alleles import Contig
from genospark.simulate.arrays import Bools, Bytes, Ints


@dataclass(frozen=True)
class Region:
    """A piece of a contig.

    Attributes:
        contig: Index of the contig.
        start: First base, 0-based.
        stop: Base after the last.
    """

    contig: int
    start: int
    stop: int

    def widened(self, bases: int, contigs: list[Contig]) -> Region:
        """The region and up to ``bases`` more on both sides, as far as the contig goes."""
        return Region(self.contig, max(0, self.start - bases), min(len(contigs[self.contig].reference), self.stop + bases))


@dataclass(frozen=True)
class Haplotype:
    """A stretch of one chromosome. All arrays are [bases].

    Attributes:
        sequence: Bases as ASCII.
        positions: Reference position of each base, 0-based; an inserted base has that of the anchor before it.
        inserted: Whether a base is an inserted one.
    """

    sequence: Bytes
    positions: Ints
    inserted: Bools

    def __len__(self) -> int:
        return len(self.sequence)

    def __add__(self, other: Haplotype) -> Haplotype:
        return Haplotype(
            np.concatenate([self.sequence, other.sequence]),
            np.concatenate([self.positions, other.positions]),
            np.concatenate([self.inserted, other.inserted]),
        )


def haplotype(contigs: list[Contig], region: Region, person: int, strand: int) -> Haplotype:
    """One chromosome of one person over a region.

    A deletion that begins before the region leaves no trace in it, so take a region that begins and ends away from variants of interest.

    Args:
        contigs: Contigs with everyone's genotypes.
        region: Where.
        person: Index of the person.
        strand: 0 for the paternal, 1 for the maternal chromosome.
    """
    contig = contigs[region.contig]
    sequence = contig.reference[region.start : region.stop].copy()
    kept = np.ones(len(sequence), dtype=np.bool_)
    places: list[int] = []
    bases = b""
    for record in range(*np.searchsorted(contig.positions, [region.start, region.stop])):
        allele = contig.haplotypes[record, person, strand]
        if allele == 0:
            continue
        ref, alt = _trimmed(contig.refs[record].encode(), contig.alts[record].split(",")[allele - 1].encode())
        first = int(contig.positions[record]) - region.start
        sequence[first] = alt[0]  # another base, or the anchor of an indel
        kept[first + 1 : first + len(ref)] = False
        places += [first + 1] * (len(alt) - 1)
        bases += alt[1:]

    positions = np.arange(region.start, region.stop)
    inserted = np.zeros(len(sequence), dtype=np.bool_)
    index = np.array(places, dtype=np.int64)
    kept = np.insert(kept, index, True)
    return Haplotype(
        np.insert(sequence, index, np.frombuffer(bases, dtype=np.uint8))[kept],
        np.insert(positions, index, positions[index - 1])[kept],
        np.insert(inserted, index, True)[kept],
    )


def _trimmed(ref: bytes, alt: bytes) -> tuple[bytes, bytes]:
    """Alleles without the bases that both end with: with several alternate alleles REF is longer than some of them need."""
    same = 0
    while same < min(len(ref), len(alt)) - 1 and ref[-1 - same] == alt[-1 - same]:
        same += 1
    return ref[: len(ref) - same], alt[: len(alt) - same]


def write_haplotype(path: Path, contigs: list[Contig], regions: list[Region], person: int, strand: int) -> None:
    """Write one chromosome of one person as FASTA, a record ``contig:start-stop`` (0-based, end exclusive) for each region."""
    with path.open("wb") as out:
        for region in regions:
            sequence = haplotype(contigs, region, person, strand).sequence
            out.write(f">{contigs[region.contig].name}:{region.start}-{region.stop}\n".encode() + sequence.tobytes() + b"\n")
