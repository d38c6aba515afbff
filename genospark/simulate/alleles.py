"""Reference bases and alleles of one contig."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genospark.simulate.arrays import Bools, Bytes, Ints

BASES = np.frombuffer(b"ACGT", dtype=np.uint8)
BASE_SHARES = (0.295, 0.205, 0.205, 0.295)  # 41% G+C, as in the human genome
# Step in A, C, G, T order from the reference to the alternate base; 2 is a transition, twice as common as both others together.
STEP_SHARES = {1: 1 / 6, 2: 2 / 3, 3: 1 / 6}
INDEL_SHARE = 0.08
MAX_INDEL_BP = 20


@dataclass(frozen=True)
class Contig:
    """One contig with everyone's genotypes.

    Attributes:
        name: Name, chr1, chr2, ...
        reference: Reference bases as ASCII, [bases].
        positions: First base of each record's REF, 0-based, ascending, [records].
        refs: REF of each record.
        alts: ALT of each record, two alleles joined by a comma where multi-allelic.
        haplotypes: Allele numbers, 0 for REF, of everyone's paternal and maternal chromosome, [records, people, 2].
    """

    name: str
    reference: Bytes
    positions: Ints
    refs: list[str]
    alts: list[str]
    haplotypes: Bytes


def draw_alleles(positions: Ints, multi_allelic: Bools, length: int, rng: np.random.Generator) -> tuple[Bytes, list[str], list[str]]:
    """Draw a reference and, at each position, a SNV or a short indel.

    Indels keep one anchor base before them. They are normalised (Tan et al. 2015, Bioinformatics 31:2202): parsimonious, and
    left-aligned because the last inserted or deleted base differs from the anchor, so that nothing can move further left.

    Args:
        positions: Positions of the records, 0-based, ascending, [records].
        multi_allelic: Records that get a second alternate base, [records].
        length: Length of the contig, bases.
        rng: Random generator.

    Returns:
        Reference bases as ASCII [bases], REF and ALT of each record.
    """
    codes = rng.choice(4, size=length, p=BASE_SHARES).astype(np.uint8)
    n = len(positions)
    indel = (rng.random(n) < INDEL_SHARE) & ~multi_allelic
    sizes = np.minimum(rng.geometric(0.4, size=n), MAX_INDEL_BP)
    gaps = np.diff(positions, append=length)
    deletion = indel & (rng.random(n) < 0.5) & (gaps > sizes)  # a deletion ends before the next record
    insertion = indel & ~deletion

    def other_than(base: Bytes) -> Bytes:
        return ((base + rng.integers(1, 4, size=len(base))) % 4).astype(np.uint8)

    # The reference is ours: rather than look for places where a deletion is left-aligned, make its last base differ.
    last = (positions + sizes)[deletion]
    same = codes[last] == codes[positions[deletion]]
    codes[last[same]] = other_than(codes[last[same]])

    anchor = codes[positions]
    inserted = rng.choice(4, size=(n, MAX_INDEL_BP), p=BASE_SHARES).astype(np.uint8)
    inserted[np.arange(n), sizes - 1] = other_than(anchor)
    step = rng.choice(list(STEP_SHARES), size=n, p=list(STEP_SHARES.values()))
    first, second = BASES[(anchor + step) % 4], BASES[(anchor + step % 3 + 1) % 4]

    reference = BASES[codes]
    refs, alts = [], []
    for i, start in enumerate(positions):
        base = chr(reference[start])
        refs.append(reference[start : start + 1 + sizes[i]].tobytes().decode() if deletion[i] else base)
        if deletion[i]:
            alts.append(base)
        elif insertion[i]:
            alts.append(base + BASES[inserted[i, : sizes[i]]].tobytes().decode())
        else:
            alts.append(f"{chr(first[i])},{chr(second[i])}" if multi_allelic[i] else chr(first[i]))
    return reference, refs, alts
