"""Stage ``score function``: a bundle and the embedded genes to ``geneFunctions``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.models.bundle import Bundle
from genospark.tasks.bundles import chosen
from genospark.tasks.function import TASK, FunctionModel, label_field, with_probabilities


class ScoreFunctionConfig(StageConfig):
    """Settings of ``score function``.

    Attributes:
        bundle: Folder of the bundle; the one that this warehouse trained last where not given.
    """

    bundle: str | None = None


def score(config: ScoreFunctionConfig, spark: SparkSession) -> str:
    """Says of every embedded gene how likely it has each term.

    Returns:
        The run's id.

    Raises:
        InputError: The bundle is not there or damaged.
        TableError: A table is missing, or the genes were embedded anew since the bundle was trained.
    """
    warehouse = Warehouse(spark, config.warehouse)
    bundle = chosen(warehouse, TASK, config.bundle)
    work = config.model_copy(update={"bundle": bundle.version})
    return run_stage(
        "score function", work, warehouse, lambda run: _score(run, bundle), tables=["functionExamples"], facts={"bundle": bundle.version}
    )


def _score(run: Run, bundle: Bundle) -> None:
    # An embedding is of one cohort's expression: another one's numbers mean something else.
    here = run.warehouse.producer("functionExamples")
    assert here is not None
    if f"functionExamples:{here['runId']}" not in bundle.lineage.get("inputs", {}).values():
        raise TableError(
            f"{run.warehouse.path}: `functionExamples` is not what {bundle.version} was trained on: its genes were embedded anew",
            "run `train function` again",
        )
    model = FunctionModel.of(bundle)
    rows = with_probabilities(run.warehouse.read("functionExamples").drop("runId", "split"), bundle)
    run.write("geneFunctions", _by_term(rows, model).withColumn("modelVersion", f.lit(bundle.version)))
    run.note(genes=run.warehouse.read("functionExamples").count(), terms=len(model.spec.terms))


def _by_term(rows: DataFrame, model: FunctionModel) -> DataFrame:
    """One row a gene and term."""
    terms, labelled = list(model.spec.terms), label_field(model.spec)

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            network, votes = (batch.column(name).flatten().to_numpy().reshape(batch.num_rows, -1) for name in ("network", "votes"))
            labels = labelled.read(batch.column("labels").to_pylist()).ravel()
            gene = np.repeat(np.arange(batch.num_rows), len(terms))
            yield pa.RecordBatch.from_arrays(
                [
                    batch.column("geneId").take(pa.array(gene)),
                    pa.array(terms * batch.num_rows),
                    *(pa.array(p.ravel()) for p in (model.default_probability(network, votes), network, votes)),
                    pa.array(labels == 1, mask=np.isnan(labels)),
                ],
                ["geneId", "termId", "probability", "networkProbability", "baselineScore", "isAnnotated"],
            )

    probabilities = "probability double, networkProbability double, baselineScore double"
    return rows.mapInArrow(work, f"geneId string, termId string, {probabilities}, isAnnotated boolean")
