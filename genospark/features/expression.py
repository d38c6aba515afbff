"""Stage ``build-features expression``: raw tables to ``expressionFeatures`` and ``expressionExamples``; fitted on training people only."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features import normalise_rows
from genospark.features.examples import spread
from genospark.features.expression_config import BuildExpressionFeaturesConfig
from genospark.features.expression_fit import fit
from genospark.features.expression_specification import to_rows
from genospark.features.expression_vectors import row_bytes, vectors
from genospark.features.people import family_tables, with_sides
from genospark.features.split import SPLITS

__all__ = ["BuildExpressionFeaturesConfig", "build_features"]


def build_features(config: BuildExpressionFeaturesConfig, spark: SparkSession) -> str:
    """Splits the people, chooses panel and variants on the training ones, and writes every person's cell types as examples.

    Returns:
        The run's id.

    Raises:
        TableError: A table is missing, or nothing is left to predict.
    """
    warehouse = Warehouse(spark, config.warehouse)
    variants = [] if config.variants == "none" else ["variants", "genotypes"]
    optional = [*(["genes"] if warehouse.has("genes") else []), *family_tables(warehouse)]
    tables = ["expression", "samples", *variants, *optional]
    return run_stage("build-features expression", config, warehouse, lambda run: _build(run, config), tables=tables)


def _build(run: Run, config: BuildExpressionFeaturesConfig) -> None:
    warehouse = run.warehouse
    people = _people(warehouse, config)
    run.note(**{f"{side} people": int((people["split"] == side).sum()) for side in SPLITS})
    training = people[people["split"] == "train"].sample(frac=1, random_state=config.seed)
    spec = fit(run, training.head(config.fit_people).reset_index(drop=True), config)
    run.note(panel=len(spec.panel), targets=len(spec.targets), variants=len(spec.variants))
    run.write("expressionFeatures", to_rows(warehouse, spec))
    run.write("expressionNormalisation/expression", normalise_rows.to_rows(warehouse, "expression", spec.normaliser))
    sides = warehouse.spark.createDataFrame(people[["sampleId", "familyId", "split"]])
    made = vectors(warehouse, spec).rows.drop("panelCoverage").join(f.broadcast(sides), "sampleId")
    nothing = np.full(spec.target_width, np.nan, "<f4").tobytes()
    known = made.where(f.col("targets") != f.lit(nothing))
    with bounded_batches(warehouse.spark, row_bytes(spec)):
        run.write("expressionExamples", spread(known, config.row_groups, "sampleId", "cellType"))


def _people(warehouse: Warehouse, config: BuildExpressionFeaturesConfig) -> pd.DataFrame:
    """People with genotypes and expression: sampleId, sampleIndex, familyId, split; sorted by sampleIndex."""
    measured = warehouse.read("expression").select("sampleId").distinct()
    people: pd.DataFrame = warehouse.read("samples").select("sampleId", "sampleIndex").join(measured, "sampleId").toPandas()
    if people.empty:
        raise TableError(
            f"{warehouse.path}: nobody has both genotypes and expression",
            "check that the VCF and the expression file name people the same way",
        )
    people = people.sort_values("sampleIndex").reset_index(drop=True)
    fold = None if config.folds is None else (config.fold, config.folds)
    return with_sides(warehouse, people, config.fractions, config.seed, fold)
