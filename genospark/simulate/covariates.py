"""Age, sex and ancestry of everyone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse.linalg import svds

from genospark.simulate.arrays import Floats
from genospark.simulate.genotypes import CommonVariants
from genospark.simulate.people import People

MAX_PCA_VARIANTS = 4000


def draw_ages(people: People, rng: np.random.Generator) -> Floats:
    """Ages in years, [people]: parents are 20 to 38 years older than their children, everyone is an adult."""
    age: Floats = np.clip(rng.normal(55, 14, size=len(people)), 18, 90)
    child = np.flatnonzero(~people.founders)
    mother, father = people.mother[child], people.father[child]
    age[mother] = rng.uniform(54, 84, size=len(people))[mother]
    age[father] = age[mother] + rng.uniform(-2, 6, size=len(people))[father]
    age[child] = age[mother] - rng.uniform(22, 32, size=len(child))
    return age.round(1)


def ancestry_components(common: CommonVariants, people: People, rng: np.random.Generator, n: int = 2) -> Floats:
    """Principal components of common genotypes (Patterson et al. 2006, PLoS Genet 2:e190).

    Components are fitted on the cohort's founders, who are unrelated, and everyone is projected onto them, so that fresh people
    stand in the same coordinates.

    Returns:
        Mean product of standardised genotypes and unit-variance loadings, [people, n].
    """
    variants = np.sort(rng.permutation(len(common))[:MAX_PCA_VARIANTS])
    dosages = common.dosages(variants)
    fit = np.flatnonzero(people.founders[: people.n_cohort])
    dosages -= dosages[fit].mean(axis=0)
    dosages /= np.maximum(dosages[fit].std(axis=0), 1e-9)
    # A start vector of its own makes the iteration repeatable.
    _, _, vectors = svds(dosages[fit], k=n, v0=np.ones(min(len(fit), len(variants))))
    loadings: Floats = vectors[::-1].T.copy()  # largest singular value first
    loadings *= np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(n)])  # singular vectors have no sign of their own
    loadings /= loadings.std(axis=0)
    components: Floats = dosages @ loadings / len(variants)
    return components.round(5)


def draw_covariates(common: CommonVariants, people: People, rng: np.random.Generator) -> pd.DataFrame:
    """Columns ageYears, sex (1 male, 2 female), ancestryPC1 and ancestryPC2, complete; one row per person."""
    components = ancestry_components(common, people, rng)
    return pd.DataFrame(
        {
            "ageYears": draw_ages(people, rng),
            "sex": people.sex,
            "ancestryPC1": components[:, 0],
            "ancestryPC2": components[:, 1],
        }
    )
