"""Train, validation and test people, with families kept together."""

from __future__ import annotations

import hashlib
import warnings

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SPLITS = ("train", "validation", "test")


def families_of(pedigree: pd.DataFrame, relatives: pd.DataFrame | None = None) -> pd.Series[str]:
    """The family of each person: everyone who is linked by a family's name, a father or a mother, or by being related.

    Args:
        pedigree: sampleId, familyId, fatherId, motherId; missing where not known.
        relatives: Pairs of people, sampleId and relativeId, who are related whatever the pedigree says.

    Returns:
        Name of the family (its first member's), indexed by sampleId; parents who have no row of their own are in it too.
    """
    edges = [
        pd.DataFrame({"one": pedigree["sampleId"], "other": mark + pedigree[name]}).dropna()
        for name, mark in (("sampleId", "person "), ("familyId", "family "), ("fatherId", "person "), ("motherId", "person "))
    ]
    if relatives is not None:
        edges.append(pd.DataFrame({"one": relatives["sampleId"], "other": "person " + relatives["relativeId"]}))
    links = pd.concat(edges)
    if links.empty:
        return pd.Series(dtype=object)
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


def dealt(units: pd.Series[str], fractions: tuple[float, float, float], seed: int) -> pd.Series[str]:
    """Sides of few units, with each side's share kept: they are put in the order of a hash and cut.

    Unlike with ``split_of``, units that come later can move others; a handful of families would often leave a side empty there.

    Args:
        units: Unit (family or locus) of each row.
        fractions: Shares of train, validation and test; they add to 1.
        seed: Another seed, another split.

    Returns:
        One of ``SPLITS`` for each row, with the index of `units`; every side has a unit where there are three or more.
    """
    order = sorted(units.unique(), key=lambda unit: _uniform(f"{seed}:{unit}"))
    n_others = [max(1, round(share * len(order))) if share else 0 for share in fractions[1:]]
    sides = [SPLITS[0]] * (len(order) - sum(n_others)) + [SPLITS[1]] * n_others[0] + [SPLITS[2]] * n_others[1]
    return units.map(dict(zip(order, sides, strict=False)))


def folds_of(families: pd.Series[str], fold: int, folds: int, seed: int) -> pd.Series[str]:
    """Sides for cross-validation: families are dealt to folds by a hash; one fold is tested on, the next one validates.

    Args:
        families: Family of each person.
        fold: The fold to test on, from 0.
        folds: Number of folds.
        seed: Another seed, other folds.

    Returns:
        One of ``SPLITS`` for each person, with the index of `families`.
    """
    place = {family: int(_uniform(f"{seed}:{family}") * folds) for family in families.unique()}
    side = {fold: "test", (fold + 1) % folds: "validation"}
    return families.map(lambda family: side.get(place[family], "train"))


def stratified(families: pd.Series[str], strata: pd.Series[str], folds: int, seed: int) -> pd.Series[int]:
    """Folds of about the same shares of each stratum, with families kept together (scikit-learn's ``StratifiedGroupKFold``).

    Args:
        families: Family of each person.
        strata: Stratum of each person, such as the labels of all diseases, with the same index.
        folds: Number of folds.
        seed: Another seed, other folds.

    Returns:
        Fold of each person, from 0.

    Raises:
        ValueError: There are fewer families than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if families.nunique() < folds:
        raise ValueError(f"{families.nunique()} families for {folds} folds")
    ordered = families.sort_index()
    codes, groups = pd.factorize(strata[ordered.index], sort=True)[0], pd.factorize(ordered, sort=True)[0]
    found = pd.Series(0, ordered.index)
    with warnings.catch_warnings():
        # Some strata have fewer people than there are folds.
        warnings.simplefilter("ignore", UserWarning)
        dealt = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(codes, codes, groups)
        for fold, (_, mine) in enumerate(dealt):
            found.iloc[mine] = fold
    return found[families.index]


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64
