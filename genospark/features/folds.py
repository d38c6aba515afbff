"""Folds of a cross-validation: families together, diseases spread evenly; or as they are given."""

from __future__ import annotations

import pandas as pd

from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.people import given_split, with_families
from genospark.features.split import SPLITS, stratified

# Values of a number that are taken as they are.
_FEW = 10


def folds(warehouse: Warehouse, labels: pd.DataFrame, count: int, seed: int, given: str | None = None) -> pd.Series[str]:
    """The fold of everyone who has genotypes and a label, by sampleId.

    Args:
        warehouse: Its ``samples`` are read, and ``pedigree`` and ``kinship`` where they are there.
        labels: What is to be spread evenly: numbers or words, a row a person (sampleId), missing where not known.
        count: Number of folds.
        seed: Of the folds.
        given: Batch of ``splits`` that has the folds, in place of `count` and `seed`.

    Raises:
        TableError: There are fewer than three folds, or fewer families than folds; or a given fold parts relatives.
    """
    people: pd.DataFrame = warehouse.read("samples").select("sampleId").toPandas()
    people = people[people["sampleId"].isin(labels.index)].sort_values("sampleId", ignore_index=True)
    people = with_families(warehouse, people)
    if given is not None:
        found = given_split(warehouse, people, given)
        found.index = pd.Index(people["sampleId"])
    else:
        families = people.set_index("sampleId")["familyId"]
        try:
            found = (stratified(families, _strata(labels.loc[families.index]), count, seed) + 1).astype(str)
        except ValueError as error:
            raise TableError(f"{warehouse.path}: {error}", "set folds lower") from None
    if found.nunique() < len(SPLITS):
        raise TableError(f"{warehouse.path}: {found.nunique()} folds", "training, choosing and testing take three at least")
    return found


def _strata(labels: pd.DataFrame) -> pd.Series[str]:
    """A word for all labels of a person; of numbers with many values it is the fifth of the people."""
    words = pd.DataFrame(index=labels.index)
    for name, column in labels.items():
        many = pd.api.types.is_numeric_dtype(column) and column.nunique() > _FEW
        words[name] = (pd.qcut(column.rank(method="first"), 5, labels=False) if many else column).astype(str)
    joined: pd.Series[str] = words.agg(" ".join, axis=1)
    return joined


def sides(found: pd.Series[str], fold: str) -> pd.Series[str]:
    """Sides of the people where one fold is tested; the next one validates."""
    names = sorted(found.unique(), key=lambda name: (len(name), name))
    side = {fold: "test", names[(names.index(fold) + 1) % len(names)]: "validation"}
    return found.map(lambda name: side.get(name, "train"))
