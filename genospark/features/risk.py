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
from genospark.features import normalise_rows, ridge_scores, targets
from genospark.features.adjusting import adjusting, varying
from genospark.features.association import associate, expression_values
from genospark.features.examples import spread
from genospark.features.fusion import covariates, fuse, measurements
from genospark.features.linkage import LinkageConfig
from genospark.features.normalise import bounded, prepared
from genospark.features.normalise_config import NormaliseConfig
from genospark.features.normalise_fit import fit
from genospark.features.people import family_tables, with_sides
from genospark.features.ridge_fit import RidgeConfig, with_scores
from genospark.features.ridge_scores import Ridge
from genospark.features.selection import best, best_variants
from genospark.features.specification import to_columns
from genospark.features.split import SPLITS
from genospark.features.targets import TargetConfig
from genospark.models.neighbours import nearest
from genospark.models.spec import Covariate, Expression, FeatureSpec, Variants
from genospark.models.targets import Target


class BuildRiskFeaturesConfig(NormaliseConfig):
    """Settings of ``build-features risk``; those of normalisation are in ``NormaliseConfig``.

    Attributes:
        variants: Variant features to select.
        expression: Expression features to select.
        targets: What is predicted; every disease of ``phenotypes`` where empty.
        fractions: Shares of train, validation and test families.
        seed: Of the split.
        given_split: Batch of ``splits`` that says who is on which side, instead of the shares.
        linkage: What is done about linked variants.
        ridge: Scores by Glow's stacked ridge regression, a feature a target.
        published: Scores of ``pgsScores``, by their ids, that are features as covariates are.
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
    given_split: str | None = None
    linkage: LinkageConfig = LinkageConfig()
    ridge: RidgeConfig = RidgeConfig()
    published: list[str] = []
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
    optional = [name for name in ("expression", "covariates") if warehouse.has(name)]
    given = [*(["pgsScores"] if config.published else []), *([f"splits/{config.given_split}"] if config.given_split else [])]
    tables = ["variants", "genotypes", "samples", *targets.tables(config.targets), *optional, *family_tables(warehouse), *given]
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
    spec, ridge = _with_ridge(warehouse, _fit(run, people, config), people, config)
    run.note(variants=len(spec.variants), expression=len(spec.expression), covariates=len(spec.covariates))
    run.write_small("riskFeatures", to_columns(spec))
    run.write("riskRidge", ridge_scores.to_rows(warehouse.spark, spec.ridge))
    run.write("expressionNormalisation/risk", normalise_rows.to_rows(warehouse, "risk", spec.normaliser))
    run.write("riskTargets", targets.to_rows(warehouse.spark, spec.targets))
    fused = fuse(warehouse, spec, ridge=ridge).rows.drop("expressionCoverage", "predictedExpressionShare")
    known = people.table[["sampleId", "familyId", "split"]].assign(
        labels=[row.tobytes() for row in people.labels.to_numpy("<f4")],
        weights=[row.tobytes() for row in people.weights.to_numpy("<f4")],
        draw=targets.draws(people.table["familyId"]),
    )
    columns = "sampleId string, familyId string, split string, labels binary, weights binary, draw binary"
    labelled = fused.join(warehouse.spark.createDataFrame(known, columns), "sampleId")
    with bounded(warehouse.spark, spec.normaliser, spec.row_bytes):
        run.write("riskExamples", spread(labelled, config.row_groups, "sampleId"))


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
    table = with_sides(warehouse, table, config.fractions, config.seed, given=config.given_split)
    found, labels, weights = asked.fitted(common, table["split"] == "train")
    return People(table, found, labels, weights, _covariates(warehouse, config).reindex(common))


def _covariates(warehouse: Warehouse, config: BuildRiskFeaturesConfig) -> pd.DataFrame:
    """Covariates, and the published scores that are chosen, of everyone who has some."""
    known = covariates(warehouse, set(config.published))
    found = pd.DataFrame() if known is None else _wide(known, "covariate", "covariateValue")
    if missing := [name for name in config.published if name not in found]:
        raise TableError(
            f"{warehouse.path}: no score {missing[0]} in `pgsScores`", "run `score pgs` on it first, or leave it out of `published`"
        )
    return found


def _wide(rows: DataFrame, name: str, value: str) -> pd.DataFrame:
    long: pd.DataFrame = rows.select("sampleId", name, value).toPandas()
    return long.pivot(index="sampleId", columns=name, values=value).astype(float)


def _fit(run: Run, people: People, config: BuildRiskFeaturesConfig) -> FeatureSpec:
    warehouse = run.warehouse
    training = people.table[people.training]
    labels = targets.contrasts(people.targets, people.labels[people.training])
    raw = people.covariates[people.training]
    means, deviations = raw.mean(), raw.std(ddof=0)
    kept = varying(raw)
    filled = adjusting(raw)
    if filled.shape[1] < raw.shape[1]:
        run.note(covariates_not_adjusted_for=sorted(set(map(str, raw)) - set(filled)))
    with step("build-features risk: association of variants (glow.gwas)"):
        columns = training["sampleIndex"].to_numpy(np.int64)
        limits = config.min_call_rate, config.min_allele_count
        variants = best_variants(warehouse.read("genotypes"), columns, labels, filled, config.variants, config.linkage, *limits)
    if variants.empty:
        raise TableError(
            "no variant varies enough among the training people", "lower min_allele_count or min_call_rate, or raise linkage.p_value"
        )
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
        Variants.of_frame(variants),
        tuple(Expression(*row) for row in expression.itertuples(index=False)),
        tuple(Covariate(name, float(means[name]), float(deviations[name])) for name in kept),
        config.expression_transform,
        people.targets,
        normaliser.restricted(set(expression[list(expression)[:3]].itertuples(index=False, name=None))) if normaliser else None,
    )
    return _with_neighbours(warehouse, spec, training, config) if config.expression_filling == "knn" and spec.expression else spec


def _with_ridge(
    warehouse: Warehouse, spec: FeatureSpec, people: People, config: BuildRiskFeaturesConfig
) -> tuple[FeatureSpec, Ridge | None]:
    """The specification with ridge scores, where they are wanted."""
    if not config.ridge.use:
        return spec, None
    training, labels, known = (part[people.training] for part in (people.table, people.labels, people.covariates))
    with step("build-features risk: stacked ridge regression (glow.wgr)"):
        limits = config.min_call_rate, config.min_allele_count
        contrasts = targets.contrasts(people.targets, labels)
        return with_scores(warehouse, spec, training, contrasts, adjusting(known), config.ridge, *limits)


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
