"""Phenotypes and what they are adjusted for, from tables to designs: one for all phenotypes that the same people have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.association.design import Design
from genospark.core.config import StageConfig
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.quality.cohort import Cohort

_KINDS = (("phenotypes", "disease", "label"), ("traits", "trait", "traitValue"))


class PeopleConfig(StageConfig):
    """Which phenotypes are looked at, and what they are adjusted for.

    Attributes:
        phenotypes: Diseases of ``phenotypes`` and traits of ``traits``; all where empty.
        covariates: Of the table ``covariates``; all where not given.
        components: So many principal components of ``principalComponents``.
        sex: Also sex, as ``pedigree`` has it.
    """

    phenotypes: list[str] = []
    covariates: list[str] | None = None
    components: int = 0
    sex: bool = False

    def tables(self, warehouse: Warehouse) -> list[str]:
        """What is read, of what is there."""
        wanted = [name for name, _, _ in _KINDS if warehouse.has(name)] or ["phenotypes"]
        if self.covariates or (self.covariates is None and warehouse.has("covariates")):
            wanted.append("covariates")
        return [*wanted, *(["principalComponents"] if self.components else []), *(["pedigree"] if self.sex else [])]


def phenotypes(warehouse: Warehouse, config: PeopleConfig, cohort: Cohort) -> tuple[pd.DataFrame, list[str]]:
    """Values of the phenotypes, a row for each person of the cohort and NaN where not known, and which of them are binary.

    Raises:
        TableError: One that is named is not there, or is a disease and a trait.
    """
    found: dict[str, pd.Series] = {}
    binary: list[str] = []
    for table, name, value in _KINDS:
        if not warehouse.has(table):
            continue
        wide = _wide(warehouse.read(table), name, value, cohort, config.phenotypes)
        if both := sorted(set(wide) & set(found)):
            raise TableError(f"{both[0]} is a disease in `phenotypes` and a trait in `traits`", "name one of them otherwise")
        found |= {str(column): wide[column] for column in wide}
        binary += list(wide) if table == "phenotypes" else []
    if missing := [name for name in config.phenotypes if name not in found]:
        there = [name for table, name, _ in _KINDS if warehouse.has(table) for name in _names(warehouse.read(table), name)]
        raise _not_there(missing[0], there, "phenotype", warehouse)
    return pd.DataFrame({name: found[name] for name in config.phenotypes or sorted(found)}, cohort.people["sampleId"]), binary


def covariates(warehouse: Warehouse, config: PeopleConfig, cohort: Cohort) -> pd.DataFrame:
    """Values of what is adjusted for, a row for each person of the cohort and NaN where not known.

    Raises:
        TableError: One that is named is not there.
    """
    parts = [pd.DataFrame(index=pd.Index(cohort.people["sampleId"]))]
    if "covariates" in config.tables(warehouse):
        wide = _wide(warehouse.read("covariates"), "covariate", "covariateValue", cohort, config.covariates or [])
        if missing := [name for name in config.covariates or [] if name not in wide]:
            raise _not_there(missing[0], _names(warehouse.read("covariates"), "covariate"), "covariate", warehouse)
        parts.append(wide[config.covariates] if config.covariates else wide)
    if config.components:
        rows = warehouse.read("principalComponents").where(f.col("component") <= config.components)
        wide = _wide(rows, "component", "value", cohort)
        if wide.shape[1] < config.components:
            problem = f"{warehouse.path}: {wide.shape[1]} components, not {config.components}"
            raise TableError(problem, "run qc components with more of them")
        parts.append(wide.add_prefix("component "))
    if config.sex:
        parts.append(pd.DataFrame({"sex": cohort.people["sex"].to_numpy(float)}, parts[0].index))
    return pd.concat(parts, axis=1)


def _wide(rows: DataFrame, name: str, value: str, cohort: Cohort, wanted: Iterable[str] = ()) -> pd.DataFrame:
    if wanted:
        rows = rows.where(f.col(name).isin(list(wanted)))
    long: pd.DataFrame = rows.select("sampleId", name, value).toPandas()
    return long.pivot(index="sampleId", columns=name, values=value).astype(float).reindex(cohort.people["sampleId"])


def _names(rows: DataFrame, column: str) -> list[str]:
    return [row[0] for row in rows.select(column).distinct().collect()]


def _not_there(name: str, there: list[str], what: str, warehouse: Warehouse) -> TableError:
    alike = difflib.get_close_matches(name, there, 1)
    step = f"did you mean {alike[0]}?" if alike else "ingest it first: ingest-phenotypes"
    return TableError(f"{warehouse.path}: there is no {what} {name}", step)


def designs(values: pd.DataFrame, binary: list[str], adjusted: pd.DataFrame, cohort: Cohort) -> list[tuple[Design, list[str]]]:
    """For people who have a phenotype and all covariates their design, with the phenotypes that these very people have.

    Raises:
        TableError: A phenotype is the same in all of them, a disease has fewer than two cases or controls among them, or see ``Design.of``.
    """
    complete = adjusted.notna().all(axis=1).to_numpy()
    people: dict[bytes, list[str]] = {}
    for name in values:
        people.setdefault((complete & values[name].notna().to_numpy()).tobytes(), []).append(str(name))
    places, found = cohort.places, []
    for key, names in people.items():
        mine = np.frombuffer(key, bool)
        for name in names:
            counts = values.loc[mine, name].value_counts()
            if len(counts) < 2 or (name in binary and counts.min() < 2):
                problem = f"{name}: {int(mine.sum())} people have it, all covariates and genotypes, "
                problem += "with fewer than two cases or controls" if name in binary else "and the same value of it"
                raise TableError(problem, "leave it out of `phenotypes`, or name fewer `covariates`")
        found.append((Design.of(places[mine], adjusted[mine], ", ".join(names)), names))
    return found
