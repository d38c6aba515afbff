"""Stage ``score expression``: a bundle and a cohort's tables to ``expressionPredictions``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.features.builds import too_few
from genospark.features.expression_vectors import row_bytes, vectors
from genospark.models.bundle import Bundle
from genospark.tasks.bundles import chosen
from genospark.tasks.expression import TASK, ExpressionModel, with_expression


class ScoreExpressionConfig(StageConfig):
    """Settings of ``score expression``.

    Attributes:
        bundle: Folder of the bundle; the one that this warehouse trained last where not given.
        min_variant_coverage: Least share of the model's variants that the cohort must have.
    """

    bundle: str | None = None
    min_variant_coverage: float = Field(0.75, ge=0, le=1)


def score(config: ScoreExpressionConfig, spark: SparkSession) -> str:
    """Predicts every target gene of every person of ``samples`` in every cell type and state of the model.

    Returns:
        The run's id.

    Raises:
        InputError: The bundle is not there or damaged.
        TableError: A table is missing.
        CoverageError: Too few of the model's variants are in the tables.
    """
    warehouse = Warehouse(spark, config.warehouse)
    bundle = chosen(warehouse, TASK, config.bundle)
    model = ExpressionModel.of(bundle)
    tables = ["samples", *(["variants", "genotypes"] if model.spec.variants else [])]
    tables += ["expression"] if warehouse.has("expression") else []
    work = config.model_copy(update={"bundle": bundle.version})
    return run_stage(
        "score expression", work, warehouse, lambda run: _score(run, config, bundle, model), tables=tables, facts={"bundle": bundle.version}
    )


def _score(run: Run, config: ScoreExpressionConfig, bundle: Bundle, model: ExpressionModel) -> None:
    made = vectors(run.warehouse, model.spec)
    total, found = len(model.spec.variants), made.matched.variants_found
    coverage = found / total if total else 1.0
    refused = made.matched.turns_refused
    run.note(variants_found=f"{found}/{total}", ref_alt_exchanged=made.matched.variants_turned, turns_refused=refused)
    if coverage < config.min_variant_coverage:
        raise too_few(run.warehouse, model.spec.variants, found, config.min_variant_coverage)
    with bounded_batches(run.warehouse.spark, row_bytes(model.spec)):
        # In single precision a row's last bits depend on the rows beside it, which come in any order.
        rows = made.rows.sortWithinPartitions("sampleId", "cellType")
        predicted = predictions(with_expression(rows, bundle, ["targets"]), model)
        run.write(
            "expressionPredictions", predicted.withColumns({"variantCoverage": f.lit(coverage), "modelVersion": f.lit(bundle.version)})
        )


_ROWS = (
    "sampleId string, geneId string, cellType string, state string, predictedExpression double, predictedTransformed double, "
    "networkTransformed double, baselineTransformed double, panelCoverage double"
)


def predictions(rows: DataFrame, model: ExpressionModel) -> DataFrame:
    """Predictions of each person's cell type to one row a gene and state; what training people never had measured has no row."""
    spec = model.spec
    shape = (spec.passes, len(spec.states), len(spec.targets))
    removed = spec.normaliser is not None and any(found.loadings.shape[1] for found in spec.normaliser.contexts)
    back = "none" if removed else spec.transform
    fitted = ~np.isnan(spec.target_scale[0])
    genes, states = np.array(spec.targets), np.array(spec.states)

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            # Rows grow by the targets: few people at a time.
            for first in range(0, batch.num_rows, 64):
                yield from _rows(batch.slice(first, 64))

    def _rows(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        coverage = batch.column("panelCoverage").to_numpy()
        network, baseline = (
            np.frombuffer(b"".join(batch.column(name).to_pylist()), "<f4").reshape(-1, *shape) for name in ("network", "baseline")
        )
        number = np.where(coverage > 0, 0, spec.passes - 1)
        by_model = [said[np.arange(len(said)), number] for said in (model.default(network, baseline), network, baseline)]
        which = np.array([spec.cell_types.index(name) for name in batch.column("cellType").to_pylist()], int)
        means, deviations = (part[which] for part in spec.target_scale)
        transformed = [said * deviations + means for said in by_model]
        person, state, gene = np.nonzero(fitted[which])
        values = [said[person, state, gene] for said in transformed]
        yield pa.RecordBatch.from_arrays(
            [
                batch.column("sampleId").take(pa.array(person)),
                pa.array(genes[gene], pa.string()),
                batch.column("cellType").take(pa.array(person)),
                pa.array(states[state], pa.string()),
                *(pa.array(part) for part in (untransformed(values[0], back), *values, coverage[person])),
            ],
            [part.split()[0] for part in _ROWS.split(", ")],
        )

    return rows.mapInArrow(work, _ROWS)


def untransformed(values: NDArray[np.float64], transform: str) -> NDArray[np.float64]:
    """Transformed expression in its own unit again, not below 0; counts per million of cpm; others as they are."""
    if transform == "log1p":
        return np.maximum(np.expm1(values), 0)
    if transform == "log":
        return np.maximum(np.exp2(values) - 1, 0)
    return np.exp2(values) if transform == "cpm" else values
