"""People of a warehouse with their family and the side on which it stands: the same side in every task of the same seed and shares."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import functions as f

from genospark.core.progress import log
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.split import SPLITS, families_of, folds_of, split_of

RELATED = 0.0884
"""Kinship above which people are relatives of the second degree or nearer (Manichaikul et al. 2010, table 1)."""
ENOUGH_VARIANTS = 5_000
"""Variants from which on kinship is so certain that hardly a pair of strangers comes near that, if they are spread widely enough:"""
ENOUGH_BASES = 500_000_000
"""Between the first and the last variant of all contigs: on a short stretch of genome strangers may share all of it."""


def family_tables(warehouse: Warehouse) -> list[str]:
    """Tables that say who is related, of those that are there."""
    return [name for name in ("pedigree", "kinship") if warehouse.has(name)]


def with_families(warehouse: Warehouse, table: pd.DataFrame) -> pd.DataFrame:
    """Adds `familyId`: everyone whom the pedigree or kinship links, or the person alone.

    Args:
        warehouse: Its ``pedigree`` and ``kinship`` are read where they are there.
        table: A column `sampleId`.
    """
    pedigree: pd.DataFrame = pd.DataFrame(columns=["sampleId", "familyId", "fatherId", "motherId"], dtype=object)
    if warehouse.has("pedigree"):
        pedigree = warehouse.read("pedigree").select(*pedigree).toPandas()
    relatives = pd.DataFrame(columns=["sampleId", "relativeId"], dtype=object)
    if warehouse.has("kinship"):
        near: pd.DataFrame = warehouse.read("kinship").where(f"kinship > {RELATED}").select(*relatives, "nVariants").toPandas()
        certain = near["nVariants"] >= ENOUGH_VARIANTS
        # Looked up in all variants, so only where it matters.
        certain &= certain.any() and _bases(warehouse) >= ENOUGH_BASES
        if not certain.all():
            log.info(
                "families: kinship of %d pairs is of fewer than %d variants or %d Mb, and does not count",
                (~certain).sum(),
                ENOUGH_VARIANTS,
                ENOUGH_BASES // 1_000_000,
            )
        relatives = near[certain]
    found = families_of(pedigree, relatives)
    return table.assign(familyId=table["sampleId"].map(found).fillna(table["sampleId"]))


def _bases(warehouse: Warehouse) -> int:
    """Bases between the first and the last variant, over all contigs."""
    reach = warehouse.read("variants").groupBy("contigName").agg((f.max("start") - f.min("start")).alias("bases"))
    return int(reach.agg(f.sum("bases")).collect()[0][0] or 0)


def with_sides(
    warehouse: Warehouse,
    table: pd.DataFrame,
    fractions: tuple[float, float, float],
    seed: int,
    fold: tuple[int, int] | None = None,
    given: str | None = None,
) -> pd.DataFrame:
    """Adds `familyId` and `split`.

    Args:
        warehouse: Its ``pedigree`` and ``kinship`` are read where they are there.
        table: A column `sampleId`.
        fractions: Shares of train, validation and test families.
        seed: Of the split.
        fold: Instead of the shares, the fold that is the test side, and the number of folds.
        given: Instead of both, the batch of ``splits`` that says who is on which side.

    Raises:
        TableError: The given split leaves somebody out, has other sides, or parts relatives.
    """
    table = with_families(warehouse, table)
    if given is not None:
        table = table.assign(split=given_split(warehouse, table, given))
        if others := sorted(set(table["split"]) - set(SPLITS)):
            raise TableError(f"{warehouse.path}: `splits` has the side {others[0]}", f"the sides are {', '.join(SPLITS)}")
        return table
    sides = split_of(table["familyId"], fractions, seed) if fold is None else folds_of(table["familyId"], *fold, seed)
    return table.assign(split=sides)


def given_split(warehouse: Warehouse, table: pd.DataFrame, batch: str) -> pd.Series[str]:
    """What a batch of ``splits`` says of each person.

    Args:
        warehouse: Where it is.
        table: sampleId and familyId.
        batch: Its name.

    Raises:
        TableError: It is not there, leaves somebody out, or parts relatives.
    """
    part = f"splits/{batch}"
    if part not in warehouse.parts("splits"):
        raise TableError(f"{warehouse.path}: no batch {batch} of `splits`", "ingest it: ingest-phenotypes --input splits=FILE")
    known: pd.DataFrame = warehouse.read_parts([part]).select("sampleId", "split").toPandas()
    found = table["sampleId"].map(known.set_index("sampleId")["split"])
    if found.isna().any():
        problem = f"{warehouse.path}: `splits` says nothing of {int(found.isna().sum())} of {len(table)} people"
        raise TableError(problem, "give everyone with genotypes and labels a side")
    sides = found.groupby(table["familyId"]).nunique()
    if (sides > 1).any():
        problem = f"{warehouse.path}: the given split parts the relatives of {int((sides > 1).sum())} families"
        step = "put everyone whom `pedigree` links, or `kinship` above 0.0884, on one side: what is learnt of some tells of the others"
        raise TableError(problem, step)
    return found
