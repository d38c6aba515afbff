"""Stage ``build-features risk``: raw tables to ``riskFeatures``, ``riskTargets``, ``riskExamples``; fitted on training people only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.config import Fractions
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features import normalise_rows, targets
from genospark.features.association import associate, expression_values, variant_values
from genospark.features.fusion import fuse, measurements
from genospark.features.normalise import bounded, prepared
from genospark.features.normalise_config import NormaliseConfig
from genospark.features.normalise_fit import fit
from genospark.features.people import with_sides
from genospark.features.selection import best
from genospark.features.specification import to_rows
from genospark.features.split import SPLITS
from genospark.features.targets import TargetConfig
from genospark.models.neighbours import nearest
from genospark.models.spec import Covariate, Expression, FeatureSpec, Variant
from genospark.models.targets import Target


class BuildRiskFeaturesConfig(NormaliseConfig):
    """Settings of ``build-features risk``; those of normalisation are in ``NormaliseConfig``.

    Attributes:
        variants: Variant features to select.
        expression: Expression features to select.
        targets: What is predicted; every disease of ``phenotypes`` where empty.
        fractions: Shares of train, validation and test families.
        seed: Of the split.
        min_call_rate: Least share of training people with a call at a variant.
        min_allele_count: Least copies of the rarer allele among training people.
        require_expression: Take only people with expression as examples.
        row_groups: Files of each split of ``riskExamples``; at least 4 a rank.
    """

    variants: int = Field(1000, ge=1)
    expression: int = Field(100, ge=0)
    targets: list[TargetConfig] = []
    fractions: Fractions = (0.7, 0.15, 0.15)
    seed: int = 1
    min_call_rate: float = Field(0.9, ge=0, le=1)
    min_allele_count: int = Field(10, ge=1)
    require_expression: bool = False
    row_groups: int = Field(8, ge=1)


def build_features(config: BuildRiskFeaturesConfig, spark: SparkSession) -> str:
    """Splits the people, selects and fits features on the training ones, and writes everyone's fused vector.

    Returns:
        The run's id.

    Raises:
        TableError: A table is missing, no people are in common, or a disease has too few cases among the training people.
    """
    warehouse = Warehouse(spark, config.warehouse)
    optional = [name for name in ("expression", "covariates", "pedigree") if warehouse.has(name)]
    tables = ["variants", "genotypes", "samples", *targets.tables(config.targets), *optional]
    return run_stage("build-features risk", config, warehouse, lambda run: _build(run, config), tables=tables)


@dataclass(frozen=True)
class People:
    """People who become examples.

    Attributes:
        table: sampleId, sampleIndex, familyId, split; sorted by sampleIndex.
        targets: What is predicted, as training people have it.
        labels, weights: [people, targets]: see ``Target``, with the same index as `table`.
        covariates: [people, covariates], NaN where not known.
    """

    table: pd.DataFrame
    targets: tuple[Target, ...]
    labels: pd.DataFrame
    weights: pd.DataFrame
    covariates: pd.DataFrame

    @property
    def training(self) -> pd.Series[bool]:
        return self.table["split"] == "train"


def _build(run: Run, config: BuildRiskFeaturesConfig) -> None:
    warehouse = run.warehouse
    with step("build-features risk: splitting people"):
        people = _people(warehouse, config)
    run.note(**{f"{side} people": int((people.table["split"] == side).sum()) for side in SPLITS})
    spec = _fit(run, people, config)
    run.note(variants=len(spec.variants), expression=len(spec.expression), covariates=len(spec.covariates))
    run.write("riskFeatures", to_rows(warehouse.spark, spec))
    run.write("expressionNormalisation/risk", normalise_rows.to_rows(warehouse, "risk", spec.normaliser))
    run.write("riskTargets", targets.to_rows(warehouse.spark, spec.targets))
    fused = fuse(warehouse, spec).rows.drop("expressionCoverage", "predictedExpressionShare")
    known = people.table[["sampleId", "familyId", "split"]].assign(
        labels=[row.tobytes() for row in people.labels.to_numpy("<f4")],
        weights=[row.tobytes() for row in people.weights.to_numpy("<f4")],
        draw=targets.draws(people.table["familyId"]),
    )
    columns = "sampleId string, familyId string, split string, labels binary, weights binary, draw binary"
    labelled = fused.join(warehouse.spark.createDataFrame(known, columns), "sampleId")
    spread = labelled.repartition(config.row_groups, "sampleId").sortWithinPartitions("split", "sampleId")
    with bounded(warehouse.spark, spec.normaliser):
        run.write("riskExamples", spread)


def _people(warehouse: Warehouse, config: BuildRiskFeaturesConfig) -> People:
    samples = warehouse.read("samples").select("sampleId", "sampleIndex")
    if config.require_expression:
        samples = samples.join(warehouse.read("expression").select("sampleId").distinct(), "sampleId")
    table: pd.DataFrame = samples.toPandas()
    table = table.sort_values("sampleIndex").set_index("sampleId", drop=False)
    asked = targets.asked(warehouse, config.targets)
    common = table.index.intersection(asked.values.index, sort=False)
    if common.empty:
        raise TableError(
            f"{warehouse.path}: none of the {len(asked.values)} people with labels is among the {len(table)} with genotypes",
            "check that the VCF and the phenotype file name people the same way",
        )
    table = table.loc[common]
    table = with_sides(warehouse, table, config.fractions, config.seed)
    covariates = pd.DataFrame(index=common)
    if warehouse.has("covariates"):
        covariates = _wide(warehouse.read("covariates"), "covariate", "covariateValue").reindex(common)
    found, labels, weights = asked.fitted(common, table["split"] == "train")
    return People(table, found, labels, weights, covariates)


def independent(covariates: pd.DataFrame) -> list[str]:
    """The covariates that are no linear combination of those before them and a constant: a regression can adjust for these."""
    kept: list[str] = []
    for name in covariates:
        design = np.column_stack([np.ones(len(covariates)), covariates[[*kept, name]]])
        if np.linalg.matrix_rank(design, tol=1e-6 * len(design) ** 0.5) == design.shape[1]:
            kept.append(str(name))
    return kept


def _wide(rows: DataFrame, name: str, value: str) -> pd.DataFrame:
    long: pd.DataFrame = rows.select("sampleId", name, value).toPandas()
    return long.pivot(index="sampleId", columns=name, values=value).astype(float)


def _fit(run: Run, people: People, config: BuildRiskFeaturesConfig) -> FeatureSpec:
    warehouse = run.warehouse
    training = people.table[people.training]
    labels = targets.contrasts(people.targets, people.labels[people.training])
    raw = people.covariates[people.training]
    means, deviations = raw.mean(), raw.std(ddof=0)
    varying = [str(name) for name in raw if deviations[name] > 1e-8 * max(1.0, abs(means[name]))]
    filled = ((raw - means) / deviations)[varying].fillna(0.0)
    adjusting = independent(filled)
    if len(adjusting) < raw.shape[1]:
        run.note(covariates_not_adjusted_for=sorted(set(map(str, raw)) - set(adjusting)))
    filled = filled[adjusting]
    with step("build-features risk: association of variants (glow.gwas)"):
        columns = training["sampleIndex"].to_numpy(np.int64)
        values = variant_values(warehouse.read("genotypes"), columns, config.min_call_rate, config.min_allele_count)
        variants = best(associate(values, labels, filled, config.variants), config.variants)
    if variants.empty:
        raise TableError("no variant varies enough among the training people", "lower min_allele_count or min_call_rate")
    expression, normaliser = pd.DataFrame(), None
    if warehouse.has("expression") and config.expression:
        with step("build-features risk: association of expression (glow.gwas)"):
            order = training[["sampleId"]].assign(place=range(len(training)))
            raw = warehouse.read("expression")
            normaliser = fit(raw, order.sample(frac=1, random_state=config.seed).head(config.fit_people), config)
            mine = raw.join(f.broadcast(warehouse.spark.createDataFrame(order[["sampleId"]])), "sampleId", "left_semi")
            values, transform = prepared(mine, config.expression_transform, normaliser)
            with bounded(warehouse.spark, normaliser):
                values = values.persist()
                try:
                    # Now, since the tests choose their own size of batches.
                    values.count()
                    tested = associate(expression_values(values, order, transform), labels, filled, config.expression)
                finally:
                    values.unpersist()
            expression = best(tested, config.expression)
    spec = FeatureSpec(
        tuple(Variant(*row) for row in variants.itertuples(index=False)),
        tuple(Expression(*row) for row in expression.itertuples(index=False)),
        tuple(Covariate(name, float(means[name]), float(deviations[name])) for name in varying),
        config.expression_transform,
        people.targets,
        normaliser.restricted(set(expression[list(expression)[:3]].itertuples(index=False, name=None))) if normaliser else None,
    )
    return _with_neighbours(warehouse, spec, training, config) if config.expression_filling == "knn" and spec.expression else spec


def _with_neighbours(warehouse: Warehouse, spec: FeatureSpec, training: pd.DataFrame, config: BuildRiskFeaturesConfig) -> FeatureSpec:
    """The specification with the neighbours that fill what was not measured."""
    rows = measurements(warehouse, spec)
    assert rows is not None
    chosen = training[["sampleId"]].sample(frac=1, random_state=config.seed).head(config.fit_people)
    mine = rows.join(f.broadcast(warehouse.spark.createDataFrame(chosen)), "sampleId", "left_semi").select("sampleId", "measurements")
    with bounded(warehouse.spark, spec.normaliser):
        found: pd.DataFrame = mine.toPandas()
    vectors = np.frombuffer(b"".join(found.sort_values("sampleId")["measurements"]), "<f4").reshape(-1, spec.n_measurements)
    near, far = nearest(vectors[:, : len(spec.expression)].astype(float), config.filling_neighbours)
    features = (
        replace(x, neighbours=tuple(n[n >= 0].tolist()), distances=tuple(d[n >= 0].tolist()))
        for x, n, d in zip(spec.expression, near, far, strict=True)
    )
    return replace(spec, expression=tuple(features))
