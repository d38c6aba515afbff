"""A model's specification of features as rows of ``riskFeatures``, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession

from genospark.core.storage import Warehouse
from genospark.features import ridge_scores
from genospark.features.normalise_rows import from_table
from genospark.models.ridge import PREFIX
from genospark.models.spec import Covariate, Expression, FeatureSpec, Variant
from genospark.models.targets import Target

KINDS: dict[str, type[Variant | Expression | Covariate]] = {"variant": Variant, "expression": Expression, "covariate": Covariate}


def to_rows(spark: SparkSession, spec: FeatureSpec) -> DataFrame:
    """The specification's features as rows."""
    groups = {"variant": spec.variants, "expression": spec.expression, "covariate": spec.covariates}
    schema = (
        "kind string, featureIndex int, transform string, contigName string, start bigint, referenceAllele string, "
        "alternateAllele string, geneId string, cellType string, state string, covariate string, mean double, "
        "standardDeviation double, pValue double, neighbours array<int>, distances array<double>"
    )
    rows: list[dict[str, Any]] = []
    for kind, features in groups.items():
        for index, feature in enumerate(features):
            described = {_column(name): list(value) if isinstance(value, tuple) else value for name, value in vars(feature).items()}
            transform = spec.transform if kind == "expression" else "none"
            rows.append({"kind": kind, "featureIndex": index, "transform": transform} | described)
    columns = [part.split()[0] for part in schema.split(", ")]
    return spark.createDataFrame([tuple(row.get(name) for name in columns) for row in rows], schema)


def from_tables(warehouse: Warehouse) -> FeatureSpec:
    """The specification that ``riskFeatures`` and ``riskTargets`` hold.

    Raises:
        TableError: They are not there.
    """
    rows = warehouse.read("riskFeatures").orderBy("featureIndex").collect()
    targets = warehouse.read("riskTargets").orderBy("targetIndex").collect()

    def of(kind: str) -> tuple[Any, ...]:
        names = [_column(entry.name) for entry in fields(KINDS[kind])]
        return tuple(KINDS[kind](*(_value(row[name]) for name in names)) for row in rows if row["kind"] == kind)

    transform = next((row["transform"] for row in rows if row["kind"] == "expression"), "none")
    covariates = of("covariate")
    ridge = ridge_scores.from_table(warehouse, [entry.name for entry in covariates if entry.name.startswith(PREFIX)])
    found = tuple(map(_target, targets))
    return FeatureSpec(of("variant"), of("expression"), covariates, transform, found, from_table(warehouse, "risk"), ridge)


def _target(row: Row) -> Target:
    mean = row["trainingPrevalence"] if row["kind"] == "binary" else row["mean"]
    deviation = row["standardDeviation"]
    scale = (0.0 if mean is None else mean, 1.0 if deviation is None else deviation)
    return Target(row["disease"], row["kind"], tuple(row["classes"]), *scale, row["populationPrevalence"])


def _value(found: Any) -> Any:
    return tuple(found) if isinstance(found, list) else found


def _column(attribute: str) -> str:
    if attribute == "name":
        return "covariate"
    first, *rest = attribute.split("_")
    return first + "".join(part.title() for part in rest)
