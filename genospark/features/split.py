"""Train, validation and test people, with families kept together."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SPLITS = ("train", "validation", "test")


def families_of(pedigree: pd.DataFrame) -> pd.Series[str]:
    """The family of each person: everyone who is linked by a family's name, a father or a mother.

    Args:
        pedigree: sampleId, familyId, fatherId, motherId; missing where not known.

    Returns:
        Name of the family (its first member's), indexed by sampleId; parents who have no row of their own are in it too.
    """
    edges = [
        pd.DataFrame({"one": pedigree["sampleId"], "other": mark + pedigree[name]}).dropna()
        for name, mark in (("sampleId", "person "), ("familyId", "family "), ("fatherId", "person "), ("motherId", "person "))
    ]
    links = pd.concat(edges)
    codes, names = pd.factorize(pd.concat(["person " + links["one"], links["other"]]), sort=True)
    one, other = codes[: len(links)], codes[len(links) :]
    graph = coo_matrix((np.ones(len(links)), (one, other)), (len(names), len(names)))
    _, groups = connected_components(graph, directed=False)
    people = pd.Series(groups, index=names)
    people = people[people.index.str.startswith("person ")]
    people.index = people.index.str.removeprefix("person ")
    first = people.reset_index().groupby(0)["index"].min()
    return people.map(first)


def split_of(families: pd.Series[str], fractions: tuple[float, float, float], seed: int) -> pd.Series[str]:
    """The side on which each person stands: decided by a hash of the family, so people who come later move nobody.

    Args:
        families: Family of each person.
        fractions: Shares of train, validation and test; they add to 1.
        seed: Another seed, another split.

    Returns:
        One of ``SPLITS`` for each person, with the index of `families`.
    """
    place = {family: _uniform(f"{seed}:{family}") for family in families.unique()}
    edges = (fractions[0], fractions[0] + fractions[1])
    return families.map(lambda family: SPLITS[(place[family] >= edges[0]) + (place[family] >= edges[1])])


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64
