"""Children's chromosomes from their parents'."""

from __future__ import annotations

import numpy as np

from genospark.simulate.ancestry import RECOMBINATION_RATE
from genospark.simulate.arrays import Bytes, Ints


def gametes(haplotypes: Bytes, parents: Ints, positions: Ints, length: int, rng: np.random.Generator) -> Bytes:
    """One gamete of each parent, with crossovers as a Poisson process along the contig (Haldane 1919: no interference).

    Args:
        haplotypes: Alleles of everyone's two chromosomes, [sites, people, 2].
        parents: Index of the parent of each gamete, [gametes].
        positions: Positions of the sites, 0-based, ascending, [sites].
        length: Length of the contig, bases.
        rng: Random generator.

    Returns:
        Alleles, [sites, gametes].
    """
    crossovers = rng.poisson(length * RECOMBINATION_RATE, size=len(parents))
    gamete = np.repeat(np.arange(len(parents)), crossovers)
    next_site = np.searchsorted(positions, rng.uniform(0, length, size=len(gamete)))
    switch = np.zeros((len(positions) + 1, len(parents)), dtype=np.uint8)  # the last row takes crossovers after the last site
    np.bitwise_xor.at(switch, (next_site, gamete), 1)
    switch[0] ^= rng.integers(0, 2, size=len(parents), dtype=np.uint8)
    strand = np.bitwise_xor.accumulate(switch, axis=0)[:-1]
    alleles: Bytes = np.where(strand, haplotypes[:, parents, 1], haplotypes[:, parents, 0])
    return alleles
