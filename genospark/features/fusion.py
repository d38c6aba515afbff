"""The fused vector of every person of a warehouse, for training and scoring alike; what is not known is missing in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError
from genospark.features.dense import scatter, transformed
from genospark.features.matching import match
from genospark.features.normalise import prepared
from genospark.features.ridge_scores import Ridge, score_rows
from genospark.models.neighbours import filled
from genospark.models.spec import FeatureSpec


@dataclass(frozen=True)
class Fused:
    """The vectors of a warehouse's people.

    Attributes:
        rows: sampleId, calls, measurements, expressionCoverage, predictedExpressionShare: one row per person of ``samples``.
        variants_found, variants_turned, turns_refused: See ``matching.Matched``.
    """

    rows: DataFrame
    variants_found: int
    variants_turned: int
    turns_refused: int


def fuse(warehouse: Warehouse, spec: FeatureSpec, predicted_expression: bool = False, ridge: Ridge | None = None) -> Fused:
    """Makes the fused vectors.

    Args:
        warehouse: Its ``samples`` and ``genotypes`` are read, ``expression`` and ``covariates`` where they are there.
        spec: What to look for.
        predicted_expression: People of whom none of the expression features was measured get those that ``expressionPredictions`` has.
        ridge: Tells training people by the models that were made without them.

    Raises:
        TableError: There are no genotypes, or an expression value does not fit the transform.
        ConfigError: Predicted expression cannot be normalised as the model wants it.
    """
    matched = match(warehouse, spec.variants)
    measured = measurements(warehouse, spec, predicted_expression, ridge)
    shares = ("expressionCoverage", "predictedExpressionShare")
    rows = (
        matched.rows.join(measured, "sampleId", "left")
        if measured
        else matched.rows.withColumns({"measurements": f.lit(None).cast("binary")} | {name: f.lit(None).cast("double") for name in shares})
    )
    nothing = f.lit(np.full(spec.n_measurements, np.nan, "<f4").tobytes())
    rows = rows.select(
        "sampleId",
        "calls",
        f.coalesce("measurements", nothing).alias("measurements"),
        *(f.coalesce(name, f.lit(0.0)).alias(name) for name in shares),
    )
    return Fused(rows, matched.variants_found, matched.variants_turned, matched.turns_refused)


def measurements(
    warehouse: Warehouse, spec: FeatureSpec, predicted_expression: bool = False, ridge: Ridge | None = None
) -> DataFrame | None:
    """Standardised expression and covariates: sampleId, measurements (float32), expressionCoverage, predictedExpressionShare."""
    parts = _expression(warehouse, spec, predicted_expression) if spec.expression else []
    known = covariates(warehouse, {x.name for x in spec.covariates})
    if spec.covariates and known:
        named = [(x.name, len(spec.expression) + index) for index, x in enumerate(spec.covariates)]
        wanted = warehouse.spark.createDataFrame(named, "covariate string, place int")
        rows = known.join(f.broadcast(wanted), "covariate")
        parts.append(rows.selectExpr("sampleId", "place", "covariateValue as value", "false as predicted"))
    if spec.ridge:
        scores = score_rows(warehouse, ridge or Ridge(spec.ridge), spec.n_measurements - len(spec.ridge.names))
        parts.append(scores.withColumn("predicted", f.lit(False)))
    if not parts:
        return None
    grouped = reduce(DataFrame.unionByName, parts).groupBy("sampleId")
    lists = grouped.agg(
        f.collect_list("place").alias("places"), f.collect_list("value").alias("values"), f.max("predicted").alias("predicted")
    )
    means, deviations = spec.measurement_scale()
    n_expression = len(spec.expression)
    neighbours = spec.neighbours()
    transform = "none" if spec.normaliser else spec.transform

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values = scatter(batch.column("places"), batch.column("values"), spec.n_measurements)
            values[:, :n_expression] = transformed(values[:, :n_expression], transform)
            known = ~np.isnan(values[:, :n_expression])
            share = known.mean(axis=1) if n_expression else np.zeros(len(known))
            predicted = batch.column("predicted").to_numpy(zero_copy_only=False).astype(bool)
            vectors = (values - means) / deviations
            vectors[:, :n_expression] = filled(vectors[:, :n_expression], *neighbours)
            vectors = vectors.astype("<f4")
            yield pa.RecordBatch.from_arrays(
                [
                    batch.column("sampleId"),
                    pa.array([vector.tobytes() for vector in vectors], pa.binary()),
                    pa.array(np.where(predicted, 0.0, share)),
                    pa.array(np.where(predicted, share, 0.0)),
                ],
                ["sampleId", "measurements", "expressionCoverage", "predictedExpressionShare"],
            )

    return lists.mapInArrow(work, "sampleId string, measurements binary, expressionCoverage double, predictedExpressionShare double")


def covariates(warehouse: Warehouse, scores: Collection[str]) -> DataFrame | None:
    """Covariates, and published scores of some ids: sampleId, covariate, covariateValue; None where there are neither."""
    columns = ("sampleId", "covariate", "covariateValue")
    parts = [warehouse.read("covariates").select(*columns)] if warehouse.has("covariates") else []
    if scores and warehouse.has("pgsScores"):
        published = warehouse.read("pgsScores").where(f.col("pgsId").isin(list(scores)))
        parts.append(published.selectExpr("sampleId", "pgsId as covariate", "scoreSum as covariateValue"))
    return reduce(DataFrame.unionByName, parts) if parts else None


def _expression(warehouse: Warehouse, spec: FeatureSpec, predicted: bool) -> list[DataFrame]:
    """Measured values of the expression features, and those predicted for people without any: sampleId, place, value, predicted."""
    places = [(x.gene_id, x.cell_type, x.state, index) for index, x in enumerate(spec.expression)]
    key = ["geneId", "cellType", "state"]
    wanted = f.broadcast(warehouse.spark.createDataFrame(places, "geneId string, cellType string, state string, place int"))
    parts = []
    if warehouse.has("expression"):
        names = {(gene, cell_type, state) for gene, cell_type, state, _ in places}
        measured, _ = prepared(warehouse.read("expression"), spec.transform, spec.normaliser, names)
        rows = measured.join(wanted, key)
        parts.append(rows.selectExpr("sampleId", "place", "expressionValue as value", "false as predicted"))
    if predicted:
        if spec.normaliser:
            raise ConfigError(
                f"predicted expression cannot be normalised by {spec.transform}, which needs all that was measured of a person",
                "leave predicted_expression, or train on features with expression_transform log1p, log or none and no hidden factors",
            )
        # A person's values are all measured or all predicted: predictions vary less, so a mix would rank people by what was measured.
        rows = warehouse.read("expressionPredictions").join(wanted, key)
        rows = rows.selectExpr("sampleId", "place", "predictedExpression as value", "true as predicted")
        parts.append(rows.join(parts[0].select("sampleId").distinct(), "sampleId", "left_anti") if parts else rows)
    return parts
