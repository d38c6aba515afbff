"""What a risk model is to say of people, read from ``phenotypes``, ``traits`` and ``populations`` as the configuration names it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pydantic import Field, model_validator
from pyspark.sql import DataFrame, SparkSession

from genospark.core.config import Settings
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.models.targets import DRAWS, Kind, Target

SCHEMA = (
    "targetIndex int, disease string, kind string, classes array<string>, trainingPrevalence double, mean double, "
    "standardDeviation double, populationPrevalence double"
)
_MOST_CLASSES = 100


class TargetConfig(Settings):
    """One target.

    Attributes:
        name: Disease of ``phenotypes``, trait of ``traits``; what ``populations`` is called here.
        source: Table.
        kind: ``binary``, ``multiclass`` (each value of a trait, or each population, is a class) or ``continuous``; by default what the
            source suggests: diseases are binary, traits continuous, populations classes.
        prevalence: Share of cases in the population, where cases were sampled more often than controls.
        weight: Trait that says how much each person counts; once where not given. People without one are left out.
    """

    name: str
    source: Literal["phenotypes", "traits", "populations"] = "phenotypes"
    kind: Kind | None = None
    prevalence: float | None = Field(None, gt=0, lt=1)
    weight: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> TargetConfig:
        if self.source == "phenotypes" and self.is_of != "binary":
            raise ValueError(f"{self.name}: diseases of `phenotypes` are binary; take traits or populations for {self.kind}")
        if self.source == "populations" and self.is_of != "multiclass":
            raise ValueError(f"{self.name}: populations are classes, not {self.kind}")
        if self.prevalence is not None and self.is_of != "binary":
            raise ValueError(f"{self.name}: only binary targets have a prevalence")
        return self

    @property
    def is_of(self) -> Kind:
        """Its kind."""
        by_source: dict[str, Kind] = {"phenotypes": "binary", "traits": "continuous", "populations": "multiclass"}
        return self.kind or by_source[self.source]


@dataclass(frozen=True)
class Asked:
    """What was asked for, of everyone.

    Attributes:
        settings: Of each target.
        values: [people, targets] by sampleId: numbers, or names of classes; missing where not known.
        weights: Likewise; NaN where there is none.
    """

    settings: Sequence[TargetConfig]
    values: pd.DataFrame
    weights: pd.DataFrame

    def fitted(self, people: pd.Index[str], training: pd.Series[bool]) -> tuple[tuple[Target, ...], pd.DataFrame, pd.DataFrame]:
        """Targets as the training people have them, and everyone's labels and weights.

        Args:
            people: Who becomes an example.
            training: Whether a person is a training one, indexed by `people`.

        Returns:
            Targets; labels and weights, [people, targets], NaN where a label is not known.

        Raises:
            TableError: Too few training people have a label, or all have the same.
        """
        values, weights = self.values.reindex(people), self.weights.reindex(people)
        weights = weights.where(weights > 0)
        values = values.where(weights.notna())
        targets, labels = [], {}
        for setting in self.settings:
            target, label = _fitted(setting, values[setting.name], training)
            targets.append(target)
            labels[setting.name] = label
        return tuple(targets), pd.DataFrame(labels, index=people, dtype=float), weights.fillna(0.0)


def tables(settings: Sequence[TargetConfig]) -> list[str]:
    """Tables that targets are read from."""
    sources = {setting.source for setting in settings} or {"phenotypes"}
    return sorted(sources | ({"traits"} if any(setting.weight for setting in settings) else set()))


def asked(warehouse: Warehouse, settings: Sequence[TargetConfig]) -> Asked:
    """Reads the targets; every disease of ``phenotypes`` where none is named.

    Raises:
        TableError: A table is missing, or has no such target.
    """
    wide = {name: _wide(warehouse, name) for name in tables(settings)}
    if not settings:
        settings = [TargetConfig(name=str(name)) for name in wide["phenotypes"]]
    columns, weights = {}, {}
    for setting in settings:
        found = wide[setting.source]
        columns[setting.name] = (
            found.iloc[:, 0] if setting.source == "populations" else _column(warehouse, found, setting.source, setting.name)
        )
        if setting.weight:
            weights[setting.name] = _column(warehouse, wide["traits"], "traits", setting.weight)
    values = pd.DataFrame(columns).dropna(how="all")
    once = {setting.name: 1.0 for setting in settings if not setting.weight}
    counted = pd.DataFrame(weights, columns=list(values), index=values.index, dtype=float).fillna(once)
    return Asked(settings, values, counted)


def contrasts(targets: Sequence[Target], labels: pd.DataFrame) -> pd.DataFrame:
    """Labels as single tests of association have them: a column of 0 and 1 for each class of a multi-class target."""
    columns: dict[str, pd.Series[float]] = {}
    for target in targets:
        label = labels[target.name]
        if target.kind == "multiclass":
            columns |= {f"{target.name}: {name}": (label == place).where(label.notna()) for place, name in enumerate(target.classes)}
        else:
            columns[target.name] = label
    return pd.DataFrame(columns, dtype=float)


def to_rows(spark: SparkSession, targets: Sequence[Target]) -> DataFrame:
    """Rows of ``riskTargets``."""
    rows = []
    for index, target in enumerate(targets):
        share = target.mean if target.kind == "binary" else None
        scale = (target.mean, target.standard_deviation) if target.kind == "continuous" else (None, None)
        rows.append((index, target.name, target.kind, list(target.classes), share, *scale, target.prevalence))
    return spark.createDataFrame(rows, SCHEMA)


def draws(families: pd.Series[str]) -> list[bytes]:
    """The draw of each person's family, as ``riskExamples`` has it."""
    drawn = (hashlib.blake2b(f"draw:{family}".encode(), digest_size=8).digest() for family in families)
    return [bytes([int.from_bytes(digest, "big") % DRAWS]) for digest in drawn]


def _fitted(setting: TargetConfig, values: pd.Series[float], training: pd.Series[bool]) -> tuple[Target, pd.Series[float]]:
    name, kind = setting.name, setting.is_of
    known = values[training].dropna()
    step = "leave it out, or bring more labels"
    if kind == "continuous":
        numbers = values.astype(float)
        mean, deviation = float(numbers[training].mean()), float(numbers[training].std(ddof=0))
        if len(known) < 3 or not deviation > 0:
            raise TableError(f"{name}: fewer than 3 training people have a value, or all have the same", step)
        return Target(name, kind, mean=mean, standard_deviation=deviation), (numbers - mean) / deviation
    counts = known.value_counts()
    if kind == "binary":
        if set(counts.index) - {0, 1}:
            raise TableError(f"{name}: a binary target has the value {next(iter(set(counts.index) - {0, 1}))}", "take kind: continuous")
        if min(counts.get(0, 0), counts.get(1, 0)) < 2:
            raise TableError(f"{name}: fewer than 2 cases or controls among the training people", step)
        return Target(name, kind, mean=float(known.mean()), prevalence=setting.prevalence), values.astype(float)
    classes = sorted(counts.index)
    if not 2 <= len(classes) <= _MOST_CLASSES:
        raise TableError(f"{name}: {len(classes)} classes among the training people; there can be 2 to {_MOST_CLASSES}", step)
    if counts.min() < 2:
        raise TableError(f"{name}: only one training person is of class {counts.idxmin()}", step)
    places = {value: place for place, value in enumerate(classes)}
    names = tuple(value if isinstance(value, str) else f"{value:g}" for value in classes)
    return Target(name, kind, names), values.map(places).astype(float)


def _wide(warehouse: Warehouse, name: str) -> pd.DataFrame:
    rows = warehouse.read(name)
    if name == "populations":
        found: pd.DataFrame = rows.select("sampleId", "population").toPandas()
        return found.set_index("sampleId")
    key, value = ("disease", "label") if name == "phenotypes" else ("trait", "traitValue")
    long: pd.DataFrame = rows.select("sampleId", key, value).toPandas()
    return long.pivot(index="sampleId", columns=key, values=value).astype(float)


def _column(warehouse: Warehouse, wide: pd.DataFrame, table: str, name: str) -> pd.Series[float]:
    if name not in wide:
        raise TableError(f"{warehouse.path}: `{table}` has no {name}", f"it has {', '.join(map(str, wide)) or 'nothing'}")
    return wide[name]
