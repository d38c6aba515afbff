"""Systematic sequencing errors: the same wrong base at the same place, on one strand only, in everyone.

Illumina's instruments read GGT as GGG at about one place in a thousand, on that strand alone (Meacham et al. 2011, BMC
Bioinformatics 12:451). Qualities do not tell, so callers that trust them find variants there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genospark.simulate.arrays import Bytes, Floats, Ints
from genospark.simulate.haplotypes import Haplotype

MOTIF_SHARE = 1 / 64  # of the places of a random sequence, on each strand
ERROR_RATES = (0.1, 0.6)
A, C, G, T = b"ACGT"


def systematic_errors(sequence: Haplotype, density: float) -> tuple[Floats, Floats]:
    """How often each base is read wrong for being where it is.

    Args:
        sequence: Haplotypes, one after the other.
        density: Places with such errors, both strands together, for each base.

    Returns:
        Error rate of T read as G on the forward strand, and of A read as C on the reverse strand, both [bases].
    """
    base = sequence.sequence
    here = np.zeros((2, len(base)), bool)
    here[0, 2:] = (base[:-2] == G) & (base[1:-1] == G) & (base[2:] == T)
    here[1, :-2] = (base[:-2] == A) & (base[1:-1] == C) & (base[2:] == C)
    chosen = _uniform(sequence.positions, 1) < density / 2 / MOTIF_SHARE
    low, high = ERROR_RATES
    rate = low + (high - low) * _uniform(sequence.positions, 2)
    forward, reverse = (np.where(strand & chosen & ~sequence.inserted, rate, 0.0) for strand in here)
    return forward, reverse


def add_systematic_errors(
    bases: Bytes, first: Ints, reverse: NDArray[np.bool_], rates: tuple[Floats, Floats], codes: Bytes, rng: np.random.Generator
) -> None:
    """Replace bases of reads where ``systematic_errors`` says so.

    Args:
        bases: Bases of reads as ``codes``, in the order of the reference, [reads, cycles].
        first: Index of each read's first base in the haplotypes, [reads].
        reverse: Whether a read is on the reverse strand, [reads].
        rates: As of ``systematic_errors``.
        codes: Code of each ASCII base.
        rng: Random generator.
    """
    for strand, rate in enumerate(rates):
        places = np.flatnonzero(rate)
        true, wrong = codes[(T, A)[strand]], codes[(G, C)[strand]]
        reads = np.flatnonzero(reverse == bool(strand))
        order = reads[np.argsort(first[reads], kind="stable")]
        begins = first[order]
        for place in places:
            over = order[np.searchsorted(begins, place - bases.shape[1] + 1) : np.searchsorted(begins, place, side="right")]
            cycle = place - first[over]
            err = (rng.random(len(over)) < rate[place]) & (bases[over, cycle] == true)
            bases[over[err], cycle[err]] = wrong


def _uniform(positions: Ints, purpose: int) -> Floats:
    """A number from 0 to 1 for each position, always the same: the errors are a property of the place (splitmix64)."""
    mixed = positions.astype(np.uint64) * np.uint64(2) + np.uint64(purpose)
    mixed = (mixed + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0x94D049BB133111EB)
    share: Floats = (mixed ^ mixed >> np.uint64(32)).astype(np.float64) / 2.0**64
    return share
