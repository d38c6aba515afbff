"""Stage ``score risk``: a bundle and a cohort's tables to ``riskScores``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.features.builds import too_few
from genospark.features.fusion import fuse
from genospark.features.matching import match
from genospark.features.normalise import bounded
from genospark.features.ridge_scores import variants_of
from genospark.models.bundle import Bundle
from genospark.models.spec import Variant
from genospark.models.targets import Target, heads, response
from genospark.tasks.bundles import chosen
from genospark.tasks.risk import TASK
from genospark.tasks.risk_model import RiskModel, own_scale
from genospark.tasks.risk_outputs import said_of, with_outputs

_NUMBERS = (
    "riskProbability",
    "predictedValue",
    "valueLow",
    "valueHigh",
    "percentile",
    "networkProbability",
    "logisticProbability",
)


class ScoreRiskConfig(StageConfig):
    """Settings of ``score risk``.

    Attributes:
        bundle: Folder of the bundle; the one that this warehouse trained last where not given.
        min_variant_coverage: Least share of the model's variants that the cohort must have.
        predicted_expression: Take ``expressionPredictions`` for people of whom none of the model's expression was measured.
    """

    bundle: str | None = None
    min_variant_coverage: float = Field(0.75, ge=0, le=1)
    predicted_expression: bool = False


def score(config: ScoreRiskConfig, spark: SparkSession) -> str:
    """Scores every person of ``samples``.

    Returns:
        The run's id.

    Raises:
        InputError: The bundle is not there or damaged.
        TableError: A table is missing.
        CoverageError: Too few of the model's variants are in the tables.
    """
    warehouse = Warehouse(spark, config.warehouse)
    bundle = chosen(warehouse, TASK, config.bundle)
    optional = [name for name in ("expression", "covariates", "pgsScores") if warehouse.has(name)]
    tables = ["variants", "genotypes", "samples", *optional, *(["expressionPredictions"] if config.predicted_expression else [])]
    work = config.model_copy(update={"bundle": bundle.version})
    return run_stage(
        "score risk", work, warehouse, lambda run: _score(run, config, bundle), tables=tables, facts={"bundle": bundle.version}
    )


def _score(run: Run, config: ScoreRiskConfig, bundle: Bundle) -> None:
    model = RiskModel.of(bundle)
    fused = fuse(run.warehouse, model.spec, config.predicted_expression)
    variants: Sequence[Variant] = model.spec.variants
    found = fused.variants_found
    if model.spec.ridge:
        others = variants_of(model.spec.ridge)
        variants, found = [*variants, *others], found + match(run.warehouse, others).variants_found
    coverage = found / len(variants)
    run.note(variants_found=f"{found}/{len(variants)}", ref_alt_exchanged=fused.variants_turned, turns_refused=fused.turns_refused)
    if coverage < config.min_variant_coverage:
        raise too_few(run.warehouse, variants, found, config.min_variant_coverage)
    scored = _scores(with_outputs(fused.rows, bundle), model)
    rows = scored.withColumns({"variantCoverage": f.lit(coverage), "modelVersion": f.lit(bundle.version)})
    with bounded(run.warehouse.spark, model.spec.normaliser, model.spec.row_bytes):
        run.write("riskScores", rows)
    run.note(people=run.warehouse.n_rows("samples"))


def _scores(rows: DataFrame, model: RiskModel) -> DataFrame:
    """Outputs of each person to one row a target and class."""
    targets = model.spec.targets
    classes = [(target, name) for target in targets for name in class_names(target)]
    n, diseases, names = len(classes), [target.name for target, _ in classes], [name for _, name in classes]
    is_value = np.array([target.kind == "continuous" for target, _ in classes])
    kept = ["used", "expressionCoverage", "predictedExpressionShare"]
    outputs = ["network", "networkError", "linear", "linearError", "ancestry"]

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            said = said_of([batch.column(name).to_numpy(zero_copy_only=False) for name in outputs], n)
            person = pa.array(np.repeat(np.arange(batch.num_rows), n))
            default, (low, high) = model.default(said), model.bounds(said)
            percentiles = np.repeat(model.percentiles(said), [target.n_heads for target in targets], axis=1)
            by_network, by_linear = (
                np.concatenate([response(target, each[:, mine]) for target, mine in zip(targets, heads(targets), strict=True)], axis=1)
                for each in (said.network, said.linear)
            )
            numbers = (
                np.where(is_value, np.nan, default),
                np.where(is_value, own_scale(targets, default), np.nan),
                own_scale(targets, low),
                own_scale(targets, high),
                percentiles,
                np.where(is_value, np.nan, by_network),
                np.where(is_value, np.nan, by_linear),
            )
            yield pa.RecordBatch.from_arrays(
                [
                    batch.column("sampleId").take(person),
                    pa.array(diseases * batch.num_rows),
                    pa.array(names * batch.num_rows),
                    *(pa.array(np.ascontiguousarray(part).ravel(), from_pandas=True) for part in numbers),
                    *(batch.column(name).take(person) for name in kept),
                ],
                ["sampleId", "disease", "class", *_NUMBERS, *kept],
            )

    numbers = ", ".join(f"{name} double" for name in _NUMBERS)
    shares = "expressionCoverage double, predictedExpressionShare double"
    return rows.mapInArrow(work, f"sampleId string, disease string, class string, {numbers}, used string, {shares}")


def class_names(target: Target) -> tuple[str, ...]:
    """What the rows of a target are called: its classes, ``case`` or ``value``."""
    return target.classes or (("value",) if target.kind == "continuous" else ("case",))
