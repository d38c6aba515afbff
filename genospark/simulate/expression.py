"""Gene expression: cis eQTLs, factors shared by many genes, and a part of each gene's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genospark.simulate.ancestry import MARGIN_BP
from genospark.simulate.arrays import Floats, Ints, standardise
from genospark.simulate.config import SimulateConfig
from genospark.simulate.genotypes import CommonVariants

CIS_WINDOW_BP = 100_000
MAX_CIS_VARIANTS = 3
CIS_HERITABILITY = (0.1, 0.5)  # of log expression, averaged over cell types and states
STATE_SPECIFIC_SHARE = 0.25  # of cis variants
CELL_TYPE_SPREAD = 0.4  # standard deviation of a variant's effect between cell types, relative to its shared effect
N_FACTORS = 5
FACTOR_SHARE = 0.3  # of non-genetic variance
PERSON_SHARE = 0.6  # of a non-genetic part that is the same in all cell types and states of a person


@dataclass(frozen=True)
class Gene:
    """A gene and its cis eQTLs.

    Attributes:
        id: Identifier.
        contig: Index of the contig.
        start: First base, 0-based.
        variants: Indices into ``CommonVariants``, [cis].
        effects: Effect of one alternate allele on natural-log expression, [cis, contexts].
    """

    id: str
    contig: int
    start: int
    variants: Ints
    effects: Floats


@dataclass(frozen=True)
class Expression:
    """Genes and everyone's expression; a context is a (cell type, state) of ``SimulateConfig.contexts``.

    Attributes:
        genes: The genes, by contig and start.
        scores: Log expression, mean 0 and variance 1 over the cohort, [people, contexts, genes].
        tpm: Expression as written, TPM, [people, contexts, genes].
    """

    genes: list[Gene]
    scores: Floats
    tpm: Floats


def _place_genes(config: SimulateConfig, common: CommonVariants, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Contig and start of each gene, within 50 kb of a common variant, so that every gene has cis candidates."""
    places = []
    for c, share in enumerate(np.array_split(np.arange(config.genes), config.contigs)):
        near = rng.choice(common.position[common.contig == c], size=len(share))
        start = near + rng.integers(-CIS_WINDOW_BP // 2, CIS_WINDOW_BP // 2, size=len(share))
        start = np.clip(start, MARGIN_BP, len(common.contigs[c].reference) - MARGIN_BP)
        places += [(c, int(s)) for s in np.sort(start)]
    return places


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


def draw_expression(config: SimulateConfig, common: CommonVariants, rng: np.random.Generator) -> Expression:
    """Draw genes, their cis eQTLs and everyone's expression.

    Log expression is the sum of a genetic part (1 to 3 variants within 100 kb; 10 to 50% of variance), a few factors with random
    loadings on all genes, and a part of the gene's own. The last two are not genetic, and are correlated over the cell types and
    states of a person.

    Args:
        config: What to simulate.
        common: Variants that eQTLs are chosen from.
        rng: Random generator.
    """
    cohort = slice(0, config.people)
    n_people, n_contexts = common.contigs[0].haplotypes.shape[1], len(config.contexts)
    heritability = rng.uniform(*CIS_HERITABILITY, size=config.genes)
    spread = rng.uniform(0.3, 0.8, size=config.genes)  # standard deviation of natural-log expression
    level = rng.normal(2.5, 1.2, size=config.genes) + rng.normal(0, 0.5, size=(n_contexts, config.genes))

    shape = (n_people, n_contexts, config.genes)
    loadings = rng.normal(size=(N_FACTORS, config.genes))
    loadings /= np.linalg.norm(loadings, axis=0)
    scores = np.sqrt(FACTOR_SHARE) * (_shared_and_own((n_people, n_contexts, N_FACTORS), rng) @ loadings)
    scores += np.sqrt(1 - FACTOR_SHARE) * _shared_and_own(shape, rng)
    scores *= np.sqrt(1 - heritability)

    genes = []
    for g, (contig, start) in enumerate(_place_genes(config, common, rng)):
        cis = np.flatnonzero((common.contig == contig) & (np.abs(common.position - start) <= CIS_WINDOW_BP))
        chosen = np.sort(rng.choice(cis, size=min(len(cis), int(rng.integers(1, MAX_CIS_VARIANTS + 1))), replace=False))
        dosages = common.dosages(chosen)
        effects = _cis_effects(config, len(chosen), rng)
        variance = (dosages[cohort] @ effects).var(axis=0).mean()
        effects *= np.sqrt(heritability[g] / max(variance, 1e-12))
        genetic = dosages @ effects
        scores[:, :, g] += genetic - genetic[cohort].mean(axis=0)
        genes.append(Gene(f"GENE{g + 1:05d}", contig, start, chosen, effects * spread[g]))

    tpm = np.exp(level + spread * scores)
    return Expression(genes, standardise(scores, 1.0, cohort), tpm)


def expression_truth(config: SimulateConfig, expression: Expression, common: CommonVariants, disease_effects: Floats) -> pd.DataFrame:
    """The genes and what they do, one row per gene, cell type and state.

    Args:
        config: What was simulated.
        expression: The genes.
        common: Variants the genes point into.
        disease_effects: Liability per standard deviation of log expression, [genes, contexts, diseases].
    """
    rows = []
    for gene, by_context in zip(expression.genes, disease_effects, strict=True):
        variants = ";".join(":".join(map(str, common.locus(v))) for v in gene.variants)
        for (cell_type, state), effects, diseases in zip(config.contexts, gene.effects.T, by_context, strict=True):
            place = (gene.id, common.contigs[gene.contig].name, gene.start, cell_type, state)
            rows.append((*place, variants, ";".join(f"{effect:.5g}" for effect in effects + 0.0), *diseases))
    columns = ["geneId", "contigName", "start", "cellType", "state", "cisVariants", "cisEffects"]
    return pd.DataFrame(rows, columns=[*columns, *(f"effect_{disease.name}" for disease in config.diseases)])
