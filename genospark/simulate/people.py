"""Who is simulated: people, families, sexes, populations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genospark.simulate.arrays import Bools, Ints

FAMILY_SHARE = 0.3
N_POPULATIONS = 3
UNKNOWN = -1


@dataclass(frozen=True)
class People:
    """People in the order of the files, the cohort first, then the fresh people. All arrays are [people].

    Attributes:
        family: Index of the family; a person without relatives is a family of one.
        father: Index of the father, -1 for founders.
        mother: Index of the mother, -1 for founders.
        sex: 1 male, 2 female.
        population: Index into ``ancestry.POPULATIONS``.
        n_cohort: People of the cohort.
    """

    family: Ints
    father: Ints
    mother: Ints
    sex: Ints
    population: Ints
    n_cohort: int

    def __len__(self) -> int:
        return len(self.family)

    @property
    def sample_ids(self) -> list[str]:
        return [f"S{i:06d}" for i in range(1, len(self) + 1)]

    @property
    def cohort(self) -> slice:
        return slice(0, self.n_cohort)

    @property
    def fresh(self) -> slice:
        return slice(self.n_cohort, len(self))

    @property
    def founders(self) -> Bools:
        """Whether a person's parents are unknown, [people]."""
        return np.equal(self.father, UNKNOWN)


def _family_sizes(people: int, rng: np.random.Generator) -> Ints:
    """Sizes of families in random order: two parents with 1 or 2 children for about 30% of people, else 1."""
    sizes = rng.integers(3, 5, size=people)
    families = sizes[np.cumsum(sizes) <= FAMILY_SHARE * people]
    return rng.permutation(np.concatenate([families, np.ones(people - families.sum(), dtype=np.int64)]))


def draw_people(n_cohort: int, n_fresh: int, rng: np.random.Generator) -> People:
    """Draw families for the cohort and, apart from them, for the fresh people.

    Populations take turns over families and over single people, so that each holds a third of both.
    """
    groups = [_family_sizes(n, rng) for n in (n_cohort, n_fresh) if n]
    sizes = np.concatenate(groups)
    population = np.empty(len(sizes), dtype=np.int64)
    for single in (True, False):
        units = (sizes == 1) == single
        population[units] = np.arange(units.sum()) % N_POPULATIONS

    family = np.repeat(np.arange(len(sizes)), sizes)
    first = (np.cumsum(sizes) - sizes)[family]
    place = np.arange(len(family)) - first  # 0 father, 1 mother, 2 and 3 children; 0 also for single people
    child = place >= 2
    sex = rng.integers(1, 3, size=len(family))
    parent = (sizes[family] > 1) & ~child
    sex[parent] = place[parent] + 1
    return People(
        family=family,
        father=np.where(child, first, UNKNOWN),
        mother=np.where(child, first + 1, UNKNOWN),
        sex=sex,
        population=population[family],
        n_cohort=n_cohort,
    )
