"""Stage ``score risk``: a bundle and a cohort's tables to ``riskScores``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
from genospark.features.normalise import bounded
from genospark.models.bundle import Bundle
from genospark.tasks.bundles import chosen
from genospark.tasks.risk import TASK, RiskModel, sigmoid, with_logits


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
    total = len(model.spec.variants)
    coverage = fused.variants_found / total
    run.note(variants_found=f"{fused.variants_found}/{total}", ref_alt_exchanged=fused.variants_turned, turns_refused=fused.turns_refused)
    if coverage < config.min_variant_coverage:
        raise too_few(run.warehouse, model.spec.variants, fused.variants_found, config.min_variant_coverage)
    scored = _probabilities(with_logits(fused.rows, bundle), model)
    rows = scored.withColumns({"variantCoverage": f.lit(coverage), "modelVersion": f.lit(bundle.version)})
    with bounded(run.warehouse.spark, model.spec.normaliser):
        run.write("riskScores", rows)
    people = run.warehouse.read("samples").count()
    run.note(people=people)


def _probabilities(rows: DataFrame, model: RiskModel) -> DataFrame:
    """Logits of each person to one row a disease."""
    diseases = list(model.spec.diseases)
    shares = ["expressionCoverage", "predictedExpressionShare"]

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            network, logistic = (
                batch.column(name).flatten().to_numpy().reshape(batch.num_rows, len(diseases)) for name in ("network", "logistic")
            )
            person = np.repeat(np.arange(batch.num_rows), len(diseases))
            yield pa.RecordBatch.from_arrays(
                [
                    batch.column("sampleId").take(pa.array(person)),
                    pa.array(diseases * batch.num_rows),
                    *(pa.array(p.ravel()) for p in (model.default_probability(network, logistic), sigmoid(network), sigmoid(logistic))),
                    *(batch.column(name).take(pa.array(person)) for name in shares),
                ],
                ["sampleId", "disease", "riskProbability", "networkProbability", "logisticProbability", *shares],
            )

    probabilities = "riskProbability double, networkProbability double, logisticProbability double"
    return rows.mapInArrow(work, f"sampleId string, disease string, {probabilities}, {', '.join(f'{name} double' for name in shares)}")
