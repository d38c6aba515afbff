"""Stage ``ingest-pgs``: scoring files of the PGS Catalog to ``pgsCatalog`` and ``pgsWeights``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession

from genospark.core.config import expand
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest.quarantine import IngestConfig, Rejects, warn
from genospark.ingest.scoring_file import ScoringFile, read_scoring_file

_CATALOG = "pgsId string, pgsName string, trait string, genomeBuild string, weightType string, nWeights bigint"
_WEIGHTS = "pgsId string, line bigint, contigName string, start bigint, effectAllele string, otherAllele string, weight double"


class IngestPgsConfig(IngestConfig):
    """Settings of ``ingest-pgs``: those of ``IngestConfig``."""


def ingest_pgs(config: IngestPgsConfig, spark: SparkSession) -> str:
    """Reads scores; one that is there already is replaced, others stay as they are.

    Returns:
        The run's id.

    Raises:
        InputError: A file is no scoring file, or two are of the same score.
    """
    files = expand(config.inputs)
    warehouse = Warehouse(spark, config.warehouse)
    return run_stage("ingest-pgs", config, warehouse, lambda run: _ingest(run, config, files), files={"pgs": files})


def _ingest(run: Run, config: IngestPgsConfig, files: list[Path]) -> None:
    rejects, read = Rejects(config), dict[str, Path]()
    warnings = 0
    for path in files:
        with step(f"ingest-pgs: reading {path.name}"):
            score = rejects.read(path, partial(read_scoring_file, path))
        if score.pgs_id in read:
            raise InputError(f"{path}: is {score.pgs_id}, as {read[score.pgs_id]} is", "name one file for each score")
        read[score.pgs_id] = path
        warnings += score.declared not in (None, len(score.weights) + rejects.count(path))
        _write(run, score)
        run.note(**{score.pgs_id: f"{len(score.weights)} weights, {int(score.weights['start'].isna().sum())} of them without a place"})
    rejects.publish(run)
    warn(run, {"another number of weights than the header says": warnings} if warnings else {})


def _write(run: Run, score: ScoringFile) -> None:
    spark, weights = run.warehouse.spark, score.weights
    row = (score.pgs_id, score.name, score.trait, score.build, score.weight_type, len(weights))
    run.write(f"pgsCatalog/{score.pgs_id}", spark.createDataFrame([row], _CATALOG))
    frame = weights.assign(pgsId=score.pgs_id, line=weights.index, start=weights["start"].astype("Int64"))
    columns = [part.split()[0] for part in _WEIGHTS.split(", ")]
    run.write(f"pgsWeights/{score.pgs_id}", spark.createDataFrame(frame[columns].astype({"contigName": object}), _WEIGHTS))
