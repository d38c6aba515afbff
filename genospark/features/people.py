"""People of a warehouse with their family and the side on which it stands: the same side in every task of the same seed and shares."""

from __future__ import annotations

import pandas as pd

from genospark.core.storage import Warehouse
from genospark.features.split import families_of, folds_of, split_of


def with_families(warehouse: Warehouse, table: pd.DataFrame) -> pd.DataFrame:
    """Adds `familyId`: the family of the pedigree, or the person alone where there is none.

    Args:
        warehouse: Its ``pedigree`` is read where it is there.
        table: A column `sampleId`.
    """
    families = table["sampleId"]
    if warehouse.has("pedigree"):
        pedigree: pd.DataFrame = warehouse.read("pedigree").drop("runId").toPandas()
        families = families.map(families_of(pedigree)).fillna(families)
    return table.assign(familyId=families)


def with_sides(
    warehouse: Warehouse, table: pd.DataFrame, fractions: tuple[float, float, float], seed: int, fold: tuple[int, int] | None = None
) -> pd.DataFrame:
    """Adds `familyId` and `split`.

    Args:
        warehouse: Its ``pedigree`` is read where it is there.
        table: A column `sampleId`.
        fractions: Shares of train, validation and test families.
        seed: Of the split.
        fold: Instead of the shares, the fold that is the test side, and the number of folds.
    """
    table = with_families(warehouse, table)
    sides = split_of(table["familyId"], fractions, seed) if fold is None else folds_of(table["familyId"], *fold, seed)
    return table.assign(split=sides)
