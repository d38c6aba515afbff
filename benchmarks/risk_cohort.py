"""Cohorts for ``bench-risk``: three ancestries, 100 genes in linkage disequilibrium, and what the liability of each disease is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msprime
import numpy as np
from numpy.typing import NDArray

from genospark.simulate.ancestry import MUTATION_RATE, POPULATIONS, RECOMBINATION_RATE, out_of_africa

Floats = NDArray[np.float64]
Kind = Literal["additive", "pairs", "state"]

GENES, PER_GENE, LOCUS_BP = 100, 10, 100_000
FOUNDERS = 1500  # chromosomes a population and gene, of which people's are drawn
DISEASES = {"rarest": 0.02, "rare": 0.05, "frequent": 0.1, "common": 0.2}
HERITABILITY, EXPRESSION, COVARIATES = 0.5, 0.15, 0.05
GENETIC_CORRELATION = 0.8
CIS_SHARE = 0.3  # of the variance of expression
CAUSAL_GENES = 20
STATE_GENES = 5
MISSING_CALLS = 0.005


@dataclass(frozen=True)
class Cohort:
    """People with all that is measured of them, and the truth.

    Attributes:
        calls: Copies of the alternate allele, 3 for missing, [people, variants].
        expression: [people, genes]; the last `STATE_GENES` follow the state.
        covariates: Age and sex, [people, 2].
        population: Index into ``POPULATIONS``, [people].
        labels: 0 or 1, [people, diseases].
        terms: Products that interact, as an oracle has them: features (positions in variants then expression) [pairs, 2].
    """

    calls: NDArray[np.uint8]
    expression: Floats
    covariates: Floats
    population: NDArray[np.int64]
    labels: Floats
    terms: NDArray[np.int64]

    def people(self, which: slice) -> Cohort:
        """Some of the people."""
        mine = (part[which] for part in (self.calls, self.expression, self.covariates, self.population, self.labels))
        return Cohort(*mine, self.terms)


def founders(seed: int) -> NDArray[np.uint8]:
    """Common variants of chromosomes of founders: [genes, populations, chromosomes, variants of a gene]."""
    random = np.random.default_rng(seed)
    found = np.empty((GENES, len(POPULATIONS), FOUNDERS, PER_GENE), np.uint8)
    model = out_of_africa()
    samples = [msprime.SampleSet(FOUNDERS // 2, population=name) for name in POPULATIONS]
    ancestries = msprime.sim_ancestry(
        samples=samples,
        demography=model,
        sequence_length=LOCUS_BP,
        recombination_rate=RECOMBINATION_RATE,
        random_seed=seed + 1,
        num_replicates=GENES,
    )
    for gene, trees in enumerate(ancestries):
        mutated = msprime.sim_mutations(trees, rate=MUTATION_RATE, random_seed=seed * 1000 + gene + 1, model=msprime.BinaryMutationModel())
        sites = mutated.genotype_matrix().reshape(mutated.num_sites, len(POPULATIONS), FOUNDERS)
        frequency = sites.mean(axis=(1, 2))
        common = np.flatnonzero(np.minimum(frequency, 1 - frequency) >= 0.05)
        chosen = np.sort(random.choice(common, PER_GENE, replace=False))
        found[gene] = np.moveaxis(sites[chosen], 0, -1)
    return found


def simulate(seed: int, people: int, kind: Kind) -> Cohort:
    """A cohort by the liability-threshold model.

    Liability is half genetic. With ``pairs``, 20 genes have a pair of variants of their own and one with the next of them, which together
    hold half of the genetic variance beyond what their variants say alone; with ``state`` a state of cells, seen in the expression of
    some genes, turns the effect of a variant of each of 20 genes. The rest is the part of expression that is not genetic, age and sex,
    and noise.

    Args:
        seed: Of all draws.
        people: Number of people, a third of each population, in random order.
        kind: What the genetic part is made of.
    """
    random = np.random.default_rng(seed)
    pool = founders(seed)
    population = random.permutation(np.arange(people) % len(POPULATIONS))
    copies = np.empty((people, GENES, PER_GENE), np.uint8)
    for gene in range(GENES):
        drawn = random.integers(FOUNDERS, size=(people, 2))
        copies[:, gene] = pool[gene, population, drawn[:, 0]] + pool[gene, population, drawn[:, 1]]
    copies = copies.reshape(people, -1)
    x = _standardised(copies.astype(float))
    cis = np.stack([x[:, g * PER_GENE : (g + 1) * PER_GENE] @ random.normal(size=PER_GENE) for g in range(GENES)], axis=1)
    own = random.normal(size=(people, GENES))
    state = random.normal(size=people)
    own[:, -STATE_GENES:] = 0.9 * state[:, None] + np.sqrt(1 - 0.9**2) * own[:, -STATE_GENES:]
    expression = np.sqrt(CIS_SHARE) * _standardised(cis) + np.sqrt(1 - CIS_SHARE) * own
    covariates = np.stack([random.uniform(30, 80, people), random.integers(0, 2, people).astype(float)], axis=1)

    genes = random.choice(GENES - STATE_GENES, CAUSAL_GENES, replace=False)
    causal = np.concatenate([g * PER_GENE + random.choice(PER_GENE, 2, replace=False) for g in genes])
    if kind == "additive":
        causal = random.choice(x.shape[1], 100, replace=False)
    share = 1.0 if kind == "additive" else 0.5
    liability = np.sqrt(HERITABILITY * share) * _unit(x[:, causal], random)
    terms = np.empty((0, 2), np.int64)
    if kind != "additive":
        terms = _pairs(x, genes, random) if kind == "pairs" else _with_state(x, genes, random)
        fused = np.concatenate([x, expression], axis=1)
        products = np.stack([_beyond(fused[:, i], fused[:, j]) for i, j in terms], axis=1)
        liability += np.sqrt(HERITABILITY * (1 - share)) * _unit(products, random)
    acting = random.choice(GENES, CAUSAL_GENES, replace=False)
    liability += np.sqrt(EXPRESSION) * _unit(own[:, acting], random)
    liability += np.sqrt(COVARIATES) * _unit(_standardised(covariates), random, signs=False)
    noise = 1 - HERITABILITY - EXPRESSION - COVARIATES
    liability += np.sqrt(noise) * random.normal(size=liability.shape)
    thresholds = np.array([np.quantile(liability[:, d], 1 - k) for d, k in enumerate(DISEASES.values())])
    copies[random.random(copies.shape) < MISSING_CALLS] = 3
    return Cohort(copies, expression, covariates, population, (liability > thresholds).astype(float), terms)


def _pairs(x: Floats, genes: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """A pair in each gene, of variants that are not one signal (r2 below 0.5), and one with the next gene."""
    found = []
    for place, gene in enumerate(genes):
        mine = gene * PER_GENE + random.permutation(PER_GENE)
        r2 = np.corrcoef(x[:, mine], rowvar=False) ** 2
        loose = np.argwhere(np.triu(r2 < 0.5, 1))
        found.append(mine[loose[0]] if len(loose) else mine[:2])
        found.append([mine[2], genes[(place + 1) % len(genes)] * PER_GENE + random.integers(PER_GENE)])
    return np.array(found)


def _with_state(x: Floats, genes: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """A variant of each gene with a gene that follows the state."""
    state_genes = x.shape[1] + GENES - 1 - np.arange(STATE_GENES)
    return np.array([[gene * PER_GENE + random.integers(PER_GENE), random.choice(state_genes)] for gene in genes])


def _unit(parts: Floats, random: np.random.Generator, signs: bool = True) -> Floats:
    """Sums of parts with effects that correlate over the diseases, each of variance 1, [people, diseases]."""
    n = parts.shape[1]
    shared, own = random.normal(size=(n, 1)), random.normal(size=(n, len(DISEASES)))
    effects = np.sqrt(GENETIC_CORRELATION) * shared + np.sqrt(1 - GENETIC_CORRELATION) * own
    return _standardised(parts @ (effects if signs else np.abs(effects)))


def _beyond(one: Floats, other: Floats) -> Floats:
    """The product of two standardised features less what each of them says of it, standardised."""
    product = one * other
    design = np.stack([np.ones(len(one)), one, other], axis=1)
    return _standardised(product - design @ np.linalg.lstsq(design, product, rcond=None)[0])


def _standardised(values: Floats) -> Floats:
    return np.asarray((values - values.mean(axis=0)) / values.std(axis=0))
