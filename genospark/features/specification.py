"""A model's specification of features as columns of ``riskFeatures``, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Row
from pyspark.sql.pandas.types import to_arrow_schema

from genospark.core.columns import spark_schema
from genospark.core.storage import Warehouse
from genospark.features import ridge_scores
from genospark.features.normalise_rows import from_table
from genospark.models.ridge import PREFIX
from genospark.models.spec import Covariate, Expression, FeatureSpec, Variants
from genospark.models.targets import Target
from genospark.models.variant_columns import SCHEMA
from genospark.schema import table

KINDS: dict[str, type[Expression | Covariate]] = {"expression": Expression, "covariate": Covariate}


def to_columns(spec: FeatureSpec) -> dict[str, pa.Array]:
    """The specification's features as columns, variants first."""
    own = {_column(name): column for name, column in zip(spec.variants.columns.schema.names, spec.variants.columns.columns, strict=True)}
    rows: list[dict[str, Any]] = []
    for kind, features in (("expression", spec.expression), ("covariate", spec.covariates)):
        for index, feature in enumerate(features):
            described = {_column(name): list(value) if isinstance(value, tuple) else value for name, value in vars(feature).items()}
            transform = spec.transform if kind == "expression" else "none"
            rows.append({"kind": kind, "featureIndex": index, "transform": transform} | described)
    n = len(spec.variants)
    own |= {"kind": pa.repeat("variant", n), "featureIndex": pa.array(np.arange(n)), "transform": pa.repeat("none", n)}
    found = {}
    for entry in to_arrow_schema(spark_schema(table("riskFeatures"))):
        if entry.name != "runId":
            first = own[entry.name].cast(entry.type) if entry.name in own else pa.nulls(n, entry.type)
            found[entry.name] = pa.concat_arrays([first, pa.array([row.get(entry.name) for row in rows], entry.type)])
    return found


def from_tables(warehouse: Warehouse) -> FeatureSpec:
    """The specification that ``riskFeatures`` and ``riskTargets`` hold.

    Raises:
        TableError: They are not there.
    """
    features = warehouse.small_arrow("riskFeatures", [column.name for column in table("riskFeatures").columns if column.name != "runId"])
    features = features.take(pc.sort_indices(features, [("featureIndex", "ascending")]))
    is_variant = pc.equal(features["kind"], "variant")
    rows = features.filter(pc.invert(is_variant)).to_pylist()
    targets = warehouse.read("riskTargets").orderBy("targetIndex").collect()
    columns = features.filter(is_variant).select([_column(name) for name in SCHEMA.names]).combine_chunks()
    variants = Variants(pa.record_batch([column.combine_chunks() for column in columns.columns], schema=SCHEMA))

    def of(kind: str) -> tuple[Any, ...]:
        names = [_column(entry.name) for entry in fields(KINDS[kind])]
        return tuple(KINDS[kind](*(_value(row[name]) for name in names)) for row in rows if row["kind"] == kind)

    transform = next((row["transform"] for row in rows if row["kind"] == "expression"), "none")
    covariates = of("covariate")
    ridge = ridge_scores.from_table(warehouse, [entry.name for entry in covariates if entry.name.startswith(PREFIX)])
    found = tuple(map(_target, targets))
    return FeatureSpec(variants, of("expression"), covariates, transform, found, from_table(warehouse, "risk"), ridge)


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
