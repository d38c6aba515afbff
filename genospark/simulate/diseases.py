"""Diseases by the liability-threshold model (Falconer 1965): the people with the highest liability have the disease."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genospark.simulate.arrays import Bools, Floats, Ints, standardise
from genospark.simulate.config import SimulateConfig
from genospark.simulate.expression import Expression
from genospark.simulate.genotypes import CommonVariants

# Shares of the variance of liability.
GENETIC, EXPRESSION, COVARIATES = 0.25, 0.35, 0.08
NOISE = 1 - GENETIC - EXPRESSION - COVARIATES

# Variants that act on every disease alike, and as many of each disease's own: a genetic correlation of one half.
N_SHARED_VARIANTS = N_OWN_VARIANTS = 20
N_GENES = 12
N_DRAWS = 100


@dataclass(frozen=True)
class Diseases:
    """Truth about the diseases.

    Attributes:
        variants: Causal variants, indices into ``CommonVariants``, [causal].
        variant_effects: Liability per alternate allele, [causal, diseases].
        gene_effects: Liability per standard deviation of log expression, [genes, contexts, diseases].
        parts: Parts of liability by name (genetic, expression, covariate, noise), each [people, diseases].
        liability: Their sum, [people, diseases].
        labels: Who has which disease, [people, diseases].
    """

    variants: Ints
    variant_effects: Floats
    gene_effects: Floats
    parts: dict[str, Floats]
    liability: Floats
    labels: Bools


def _effects(size: int | tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Effects of random sign, none of them negligible."""
    effects: Floats = rng.choice([-1.0, 1.0], size=size) * rng.uniform(0.5, 1.5, size=size)
    return effects


def _balanced_effects(dosages: Floats, population: Ints, rng: np.random.Generator) -> Floats:
    """Effects of standardised dosages that differ little between populations.

    Few causal variants of random sign would make a disease several times as common in one population as in another, and ancestry
    its best predictor. Of many draws of the effects, keep the one with the smallest share of variance between populations.

    Args:
        dosages: Standardised, [people, variants].
        population: Population of each person, [people].
        rng: Random generator.
    """
    draws = _effects((N_DRAWS, dosages.shape[1]), rng)
    scores = dosages @ draws.T
    means = np.stack([scores[population == p].mean(axis=0) for p in np.unique(population)])
    best: Floats = draws[np.argmin(means.var(axis=0) / scores.var(axis=0))]
    return best


def _variant_effects(
    config: SimulateConfig, common: CommonVariants, population: Ints, rng: np.random.Generator
) -> tuple[Ints, Floats, Floats]:
    """Causal variants, their effects per allele, and the genetic part of liability [people, diseases]."""
    n_diseases, cohort = len(config.diseases), slice(0, config.people)
    wanted = N_SHARED_VARIANTS + n_diseases * N_OWN_VARIANTS
    # Small cohorts may have fewer common variants: then diseases share fewer and have fewer of their own.
    sets = np.array_split(rng.permutation(len(common))[:wanted], n_diseases + 1)
    variants = np.concatenate(sets)
    dosages = common.dosages(variants)
    dosages -= dosages[cohort].mean(axis=0)
    deviation = dosages[cohort].std(axis=0)

    effects = np.zeros((len(variants), n_diseases))
    ends = np.cumsum([len(s) for s in sets])
    for k, (end, members) in enumerate(zip(ends, sets, strict=True)):
        block = slice(end - len(members), end)
        drawn = _balanced_effects(dosages[cohort, block] / deviation[block], population[cohort], rng) / deviation[block]
        drawn *= np.sqrt(GENETIC / 2) / (dosages[cohort, block] @ drawn).std()  # shared and own halves weigh the same
        effects[block, slice(None) if k == 0 else k - 1] += drawn[:, None] if k == 0 else drawn
    effects *= np.sqrt(GENETIC) / (dosages[cohort] @ effects).std(axis=0)
    return variants, effects, dosages @ effects


def _gene_effects(config: SimulateConfig, expression: Expression, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Effects of genes [genes, contexts, diseases], each in one cell type and state, and that part of liability."""
    _, n_contexts, n_genes = expression.scores.shape
    effects = np.zeros((n_genes, n_contexts, len(config.diseases)))
    for disease in range(len(config.diseases)):
        genes = rng.choice(n_genes, size=min(N_GENES, n_genes), replace=False)
        effects[genes, rng.integers(n_contexts, size=len(genes)), disease] = _effects(len(genes), rng)

    def part() -> Floats:
        genes, contexts = np.nonzero(effects.any(axis=2))
        return expression.scores[:, contexts, genes] @ effects[genes, contexts]

    effects *= np.sqrt(EXPRESSION) / part()[: config.people].std(axis=0)
    return effects, part()


def draw_diseases(
    config: SimulateConfig,
    common: CommonVariants,
    expression: Expression,
    covariates: pd.DataFrame,
    population: Ints,
    rng: np.random.Generator,
) -> Diseases:
    """Draw causes of each disease, everyone's liability and labels.

    Liability is the sum of a genetic part (about 40 common variants a disease, half of them shared by all diseases), the
    expression of about 12 genes, each in one cell type and state (partly genetic too), age and sex, and noise. Variances are
    scaled over the cohort; the threshold is a quantile over everyone, so that prevalences hold.

    Args:
        config: What to simulate.
        common: Variants that causes are chosen from.
        expression: Everyone's expression.
        covariates: Columns ageYears and sex, one row per person.
        population: Population of each person, [people].
        rng: Random generator.
    """
    cohort, n_diseases = slice(0, config.people), len(config.diseases)
    variants, variant_effects, genetic = _variant_effects(config, common, population, rng)
    gene_effects, by_expression = _gene_effects(config, expression, rng)
    age_and_sex = standardise(covariates[["ageYears", "sex"]].to_numpy(dtype=np.float64), 1.0, cohort)
    weights = np.stack([np.ones(n_diseases), rng.choice([-0.5, 0.5], size=n_diseases)])  # every disease is one of old age
    noise = rng.normal(0, np.sqrt(NOISE), size=genetic.shape)
    parts = {
        "genetic": genetic,
        "expression": by_expression,
        "covariate": standardise(age_and_sex @ weights, COVARIATES, cohort),
        "noise": noise,
    }
    liability = np.sum(list(parts.values()), axis=0)
    thresholds = [np.quantile(liability[:, d], 1 - disease.prevalence) for d, disease in enumerate(config.diseases)]
    return Diseases(variants, variant_effects, gene_effects, parts, liability, liability > np.array(thresholds))


def variant_truth(config: SimulateConfig, diseases: Diseases, common: CommonVariants) -> pd.DataFrame:
    """The causal variants in file order, with their liability per alternate allele for each disease."""
    order = np.argsort(diseases.variants)
    loci = [common.locus(v) for v in diseases.variants[order]]
    table = pd.DataFrame(loci, columns=["contigName", "start", "referenceAllele", "alternateAllele"])
    for d, disease in enumerate(config.diseases):
        table[f"effect_{disease.name}"] = diseases.variant_effects[order, d]
    return table
