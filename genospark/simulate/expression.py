"""Gene expression: cis eQTLs, regulators, factors of co-expression modules, and a part of each gene's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genospark.simulate.arrays import Floats, Ints, standardise
from genospark.simulate.config import SimulateConfig
from genospark.simulate.genes import Gene
from genospark.simulate.genotypes import CommonVariants
from genospark.simulate.network import Network, regulate
from genospark.simulate.terms import Terms

CIS_WINDOW_BP = 100_000
MAX_CIS_VARIANTS = 3
CIS_HERITABILITY = (0.1, 0.5)  # of log expression, averaged over cell types and states
STATE_SPECIFIC_SHARE = 0.25  # of cis variants
CELL_TYPE_SPREAD = 0.4  # standard deviation of a variant's effect between cell types, relative to its shared effect
FACTOR_SHARE = 0.3  # of the variance that cis variants and regulators leave
PERSON_SHARE = 0.6  # of a non-genetic part that is the same in all cell types and states of a person


@dataclass(frozen=True)
class CisEqtls:
    """What acts on a gene from near.

    Attributes:
        variants: Indices into ``CommonVariants``, [cis].
        effects: Effect of one alternate allele on natural-log expression, [cis, contexts].
    """

    variants: Ints
    effects: Floats


@dataclass(frozen=True)
class Expression:
    """Genes and everyone's expression; a context is a (cell type, state) of ``SimulateConfig.contexts``.

    Attributes:
        genes: The genes, by contig and start.
        eqtls: Cis eQTLs of each gene.
        network: Who regulates whom.
        network_effects: Change of a target's natural-log expression per unit of each regulator's, one array per regulation of the network.
        terms: What the genes do.
        scores: Log expression, mean 0 and variance 1 over the cohort, [people, contexts, genes].
        tpm: Expression as written, TPM, [people, contexts, genes].
    """

    genes: list[Gene]
    eqtls: list[CisEqtls]
    network: Network
    network_effects: list[Floats]
    terms: Terms
    scores: Floats
    tpm: Floats


def _cis_effects(config: SimulateConfig, n_variants: int, rng: np.random.Generator) -> Floats:
    """Relative effects [variants, contexts]: alike in all cell types; some variants act in one state only."""
    n_types, n_states = len(config.cell_types), len(config.states)
    shared = rng.choice([-1.0, 1.0], size=(n_variants, 1)) * rng.uniform(0.5, 1.5, size=(n_variants, 1))
    by_type = shared * (1 + CELL_TYPE_SPREAD * rng.normal(size=(n_variants, n_types)))
    only_state = rng.integers(n_states, size=n_variants)
    specific = rng.random(n_variants) < STATE_SPECIFIC_SHARE
    active = ~specific[:, None] | (only_state[:, None] == np.arange(n_states))
    effects: Floats = (by_type[:, :, None] * active[:, None, :]).reshape(n_variants, -1)
    return effects


def _shared_and_own(shape: tuple[int, int, int], rng: np.random.Generator) -> Floats:
    """Unit-variance values [people, contexts, k], correlated by ``PERSON_SHARE`` over the contexts of a person."""
    person = rng.normal(size=(shape[0], 1, shape[2]))
    values: Floats = np.sqrt(PERSON_SHARE) * person + np.sqrt(1 - PERSON_SHARE) * rng.normal(size=shape)
    return values


def draw_heritability(config: SimulateConfig, rng: np.random.Generator) -> Floats:
    """Share of each gene's variance that its cis variants explain, [genes]."""
    heritability: Floats = rng.uniform(*CIS_HERITABILITY, size=config.genes)
    return heritability


def _draw_cis(
    config: SimulateConfig, common: CommonVariants, gene: Gene, heritability: float, rng: np.random.Generator
) -> tuple[Ints, Floats, Floats]:
    """A gene's cis variants, their effects [cis, contexts] on its score, and that part of the score [people, contexts]."""
    cohort = slice(0, config.people)
    cis = np.flatnonzero((common.contig == gene.contig) & (np.abs(common.position - gene.start) <= CIS_WINDOW_BP))
    chosen = np.sort(rng.choice(cis, size=min(len(cis), int(rng.integers(1, MAX_CIS_VARIANTS + 1))), replace=False))
    dosages = common.dosages(chosen)
    effects = _cis_effects(config, len(chosen), rng)
    variance = (dosages[cohort] @ effects).var(axis=0).mean()
    effects *= np.sqrt(heritability / max(variance, 1e-12))
    genetic = dosages @ effects
    return chosen, effects, genetic - genetic[cohort].mean(axis=0)


def draw_expression(
    config: SimulateConfig,
    common: CommonVariants,
    genes: list[Gene],
    heritability: Floats,
    network: Network,
    terms: Terms,
    rng: np.random.Generator,
) -> Expression:
    """Draw the genes' cis eQTLs and everyone's expression.

    Log expression is the sum of a genetic part (1 to 3 variants within 100 kb; 10 to 50% of variance), the log expression of the
    gene's regulators in the same person, cell type and state (20 to 50% where there are any), and of what is left 30% the factors of
    the gene's modules and 70% a part of its own. These last two are not genetic, and are correlated over the cell types and states of
    a person.

    Args:
        config: What to simulate.
        common: Variants that eQTLs are chosen from.
        genes: The genes.
        heritability: Share of each gene's variance that its cis variants explain, [genes].
        network: Who regulates whom.
        terms: Modules of the genes.
        rng: Random generator.
    """
    cohort = slice(0, config.people)
    n_people, n_contexts = common.contigs[0].haplotypes.shape[1], len(config.contexts)
    spread = rng.uniform(0.3, 0.8, size=config.genes)  # standard deviation of natural-log expression
    level = rng.normal(2.5, 1.2, size=config.genes) + rng.normal(0, 0.5, size=(n_contexts, config.genes))

    factors = _shared_and_own((n_people, n_contexts, len(terms.loadings)), rng)
    scores = np.sqrt(FACTOR_SHARE) * (factors @ terms.loadings)
    scores += np.sqrt(1 - FACTOR_SHARE) * _shared_and_own((n_people, n_contexts, config.genes), rng)
    left = 1 - heritability
    for regulation in network.regulations:
        left[regulation.target] -= regulation.share
    scores *= np.sqrt(left)

    eqtls = []
    for g, gene in enumerate(genes):
        variants, effects, genetic = _draw_cis(config, common, gene, heritability[g], rng)
        scores[:, :, g] += genetic
        eqtls.append(CisEqtls(variants, effects * spread[g]))
    on_scores = regulate(scores, network, cohort)
    on_log = [e * spread[r.target] / spread[r.regulators] for e, r in zip(on_scores, network.regulations, strict=True)]

    tpm = np.exp(level + spread * scores)
    return Expression(genes, eqtls, network, on_log, terms, standardise(scores, 1.0, cohort), tpm)


def expression_truth(config: SimulateConfig, expression: Expression, common: CommonVariants, disease_effects: Floats) -> pd.DataFrame:
    """The genes and what they do, one row per gene, cell type and state.

    Args:
        config: What was simulated.
        expression: The genes.
        common: Variants the genes point into.
        disease_effects: Liability per standard deviation of log expression, [genes, contexts, diseases].
    """
    rows = []
    for gene, eqtls, by_context in zip(expression.genes, expression.eqtls, disease_effects, strict=True):
        variants = ";".join(":".join(map(str, common.locus(v))) for v in eqtls.variants)
        for (cell_type, state), effects, diseases in zip(config.contexts, eqtls.effects.T, by_context, strict=True):
            place = (gene.id, common.contigs[gene.contig].name, gene.start, cell_type, state)
            rows.append((*place, variants, ";".join(f"{effect:.5g}" for effect in effects + 0.0), *diseases))
    columns = ["geneId", "contigName", "start", "cellType", "state", "cisVariants", "cisEffects"]
    return pd.DataFrame(rows, columns=[*columns, *(f"effect_{disease.name}" for disease in config.diseases)])
