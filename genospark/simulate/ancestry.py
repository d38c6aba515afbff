"""Founders' haplotypes from the coalescent, with the out-of-Africa history of three human populations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp

import msprime
import numpy as np
import tskit

from genospark.errors import ConfigError
from genospark.simulate.arrays import Bools, Bytes, Ints

POPULATIONS = ("YRI", "CEU", "CHB")
RECOMBINATION_RATE = 1e-8  # crossovers per base and meiosis
MUTATION_RATE = 1.29e-8  # per base and generation
MAX_LENGTH_BP = 2**29  # the last base a .tbi index can address
MARGIN_BP = 1000  # no variants at the ends, so that reads and windows around any variant stay on the contig
YEARS_PER_GENERATION = 25


@dataclass(frozen=True)
class Sites:
    """Biallelic sites of one contig.

    Attributes:
        length: Length of the contig, bases.
        positions: Positions, 0-based, ascending, [sites].
        haplotypes: 1 where a founder's chromosome carries the derived allele, [sites, founders, 2].
    """

    length: int
    positions: Ints
    haplotypes: Bytes


def out_of_africa() -> msprime.Demography:
    """The three-population model and its best-fit values of Gutenkunst et al. 2009 (PLoS Genet 5:e1000695), table 1."""
    split_eurasia, split_africa, growth_africa = (years / YEARS_PER_GENERATION for years in (21.2e3, 140e3, 220e3))
    growth_ceu, growth_chb = 0.004, 0.0055
    model = msprime.Demography()
    model.add_population(name="YRI", initial_size=12300)
    model.add_population(name="CEU", initial_size=1000 * exp(growth_ceu * split_eurasia), growth_rate=growth_ceu)
    model.add_population(name="CHB", initial_size=510 * exp(growth_chb * split_eurasia), growth_rate=growth_chb)
    model.add_population(name="OOA", initial_size=2100)
    model.add_population(name="AMH", initial_size=12300)
    model.add_population(name="ANC", initial_size=7300)
    model.set_symmetric_migration_rate(["YRI", "CEU"], 3e-5)
    model.set_symmetric_migration_rate(["YRI", "CHB"], 1.9e-5)
    model.set_symmetric_migration_rate(["CEU", "CHB"], 9.6e-5)
    model.add_population_split(time=split_eurasia, derived=["CEU", "CHB"], ancestral="OOA")
    model.add_symmetric_migration_rate_change(time=split_eurasia, populations=["YRI", "OOA"], rate=25e-5)
    model.add_population_split(time=split_africa, derived=["YRI", "OOA"], ancestral="AMH")
    model.add_population_split(time=growth_africa, derived=["AMH"], ancestral="ANC")
    return model


def _polymorphic(trees: tskit.TreeSequence, cohort_nodes: Ints) -> Ints:
    """Sites with one mutation, carried by some but not all of the cohort's chromosomes, away from the contig's ends."""
    cohort = trees.simplify(cohort_nodes, filter_sites=False)
    # A mutation above the cohort's common ancestor has no edge left above it: everyone in the cohort carries it.
    segregating = np.array([m.site for m in cohort.mutations() if m.edge != tskit.NULL], dtype=np.int64)
    good = np.bincount(segregating, minlength=trees.num_sites) == 1
    good &= np.bincount(trees.mutations_site, minlength=trees.num_sites) == 1
    good &= (trees.sites_position >= MARGIN_BP) & (trees.sites_position < trees.sequence_length - MARGIN_BP)
    return np.flatnonzero(good)


def draw_founders(
    population: Ints, in_cohort: Bools, n_sites: int, length: int, rng: np.random.Generator, progress: Callable[[str], None]
) -> Sites:
    """Draw the founders' chromosomes of one contig and a random choice of sites that are polymorphic in the cohort.

    Where the contig holds too few such sites, it grows until it holds enough.

    Args:
        population: Index into ``POPULATIONS`` of each founder, [founders].
        in_cohort: Whether each founder belongs to the cohort, [founders].
        n_sites: Sites to choose.
        length: Bases of the contig at first.
        rng: Random generator.
        progress: Told when the contig has to grow.

    Raises:
        ConfigError: The contig would outgrow what a .tbi index can address.
    """
    order = np.argsort(population, kind="stable")  # msprime numbers chromosomes population by population
    samples = {name: int(n) for name, n in zip(POPULATIONS, np.bincount(population, minlength=3), strict=True) if n}
    cohort_nodes = np.flatnonzero(np.repeat(in_cohort[order], 2))
    while length <= MAX_LENGTH_BP:
        trees = msprime.sim_ancestry(
            samples,
            demography=out_of_africa(),
            sequence_length=length,
            recombination_rate=RECOMBINATION_RATE,
            random_seed=int(rng.integers(1, 2**31)),
        )
        trees = msprime.sim_mutations(
            trees, rate=MUTATION_RATE, model=msprime.BinaryMutationModel(), random_seed=int(rng.integers(1, 2**31))
        )
        sites = _polymorphic(trees, cohort_nodes)
        if len(sites) >= n_sites:
            break
        progress(f"{len(sites):,} polymorphic sites in {length / 1e6:.1f} Mb, need {n_sites:,}: making the contig longer")
        length = int(length * 1.2 * n_sites / max(len(sites), 1))
    else:
        raise ConfigError(
            f"{n_sites:,} polymorphic sites need a contig longer than {MAX_LENGTH_BP:,} bases",
            "raise `contigs`, or lower `variants`",
        )

    chosen = rng.choice(sites, size=n_sites, replace=False)
    trees = trees.delete_sites(np.setdiff1d(np.arange(trees.num_sites), chosen))
    haplotypes = np.empty((n_sites, len(population), 2), dtype=np.uint8)
    for row, variant in zip(haplotypes, trees.variants(copy=False), strict=True):
        row[order] = variant.genotypes.reshape(-1, 2)
    return Sites(length, trees.sites_position.astype(np.int64), haplotypes)
