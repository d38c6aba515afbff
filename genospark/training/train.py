"""Stage ``train``: ``examples`` to a bundle: network by Horovod, logistic regression beside it, mix and calibration, metrics."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core.calls import packed_rows, unpack
from genospark.core.config import StageConfig
from genospark.core.progress import log, step
from genospark.core.runlog import Run, code_version, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError, TrainingError
from genospark.features.specification import from_tables
from genospark.models.bundle import Bundle, DiseaseModel, dense
from genospark.models.risk import RiskNetworkConfig
from genospark.models.spec import FeatureSpec
from genospark.tasks.risk import with_logits
from genospark.training.calibration import shipped
from genospark.training.launch import launch
from genospark.training.logistic import fit
from genospark.training.metrics import auc, interval
from genospark.training.worker import RankJob, read_checkpoint


class TrainConfig(StageConfig):
    """Settings of ``train``.

    Attributes:
        network: Shape of the network.
        ranks: Horovod processes.
        batch_size: People of a step on each rank.
        epochs: Passes over the training people, at most.
        patience: Passes without a better validation loss after which training ends.
        learning_rate: Of Adam.
        seed: Of initial weights, dropout and order.
        logistic_penalties: Inverse strengths of the logistic regression's L1 penalty to choose from.
        logistic_people: Training people that the logistic regression takes at most, so that its memory is bounded.
    """

    network: RiskNetworkConfig = RiskNetworkConfig()
    ranks: int = Field(2, ge=1)
    batch_size: int = Field(32, ge=1)
    epochs: int = Field(60, ge=0)
    patience: int = Field(8, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    seed: int = 1
    logistic_penalties: list[PositiveFloat] = Field([0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0], min_length=1)
    logistic_people: int = Field(50_000, ge=1)


def train(config: TrainConfig, spark: SparkSession) -> str:
    """Trains both models on the training people and writes a bundle.

    Returns:
        The run's id; the bundle's version stands in its notes.

    Raises:
        TableError: ``examples`` is missing or lacks a split.
        TrainingError: A rank failed, or ranks disagree.
    """
    warehouse = Warehouse(spark, config.warehouse)
    tables = ["examples", "features", "targets"]
    return run_stage("train", config, warehouse, lambda run: _train(run, config), tables=tables, intact=lambda: _bundle_is_there(warehouse))


def _bundle_is_there(warehouse: Warehouse) -> bool:
    trained = warehouse.read("metrics").first()
    return trained is not None and (warehouse.bundles / trained["modelVersion"]).is_dir()


def _train(run: Run, config: TrainConfig) -> None:
    warehouse = run.warehouse
    spec = from_tables(warehouse)
    files = {side: warehouse.files("examples", f"split = '{side}'") for side in ("train", "validation")}
    for side, found in files.items():
        if len(found) < config.ranks:
            raise TableError(
                f"`examples` has {len(found)} files of {side} people for {config.ranks} ranks, each rank needs one or more",
                "build features again with more row_groups or another split, or set ranks lower",
            )
    with step("train: L1 logistic regression"):
        vectors, labels = _vectors(warehouse, spec, "train", config.logistic_people)
        validation = _vectors(warehouse, spec, "validation", config.logistic_people)
        coefficients, intercepts, penalties = fit((vectors, labels), validation, config.logistic_penalties)
    job = RankJob(
        spec=spec.to_json(),
        network=config.network.model_dump(),
        skip=(coefficients, intercepts),
        # scikit-learn's C weighs the sum of the losses, the network's penalty their mean: the same strength for both.
        skip_l1=[float(1 / (c * n)) for c, n in zip(penalties, (~np.isnan(labels)).sum(axis=0), strict=True)],
        training_files=files["train"],
        validation_files=files["validation"],
        checkpoint=str(warehouse.bundles / "checkpoints" / f"{run.run_id}.npz"),
        batch_size=config.batch_size,
        epochs=config.epochs,
        patience=config.patience,
        learning_rate=config.learning_rate,
        seed=config.seed,
    )
    with step(f"train: network on {config.ranks} Horovod ranks"):
        result = launch(warehouse.spark, job, config.ranks)
    if not np.isfinite(result.losses).all():
        raise TrainingError("the validation loss is not a finite number", "set learning_rate lower")
    run.note(epochs=len(result.losses) - 1, best_epoch=result.best_epoch, validation_loss=round(result.losses[result.best_epoch], 5))
    weights = read_checkpoint(job.checkpoint)
    untuned = tuple(DiseaseModel(0.5, 1.0, 0.0) for _ in spec.diseases)
    bundle = Bundle(spec, config.network.model_dump(mode="json"), weights, coefficients, intercepts, untuned)
    with step("train: calibration and metrics"):
        people = _predicted(warehouse, bundle)
        chosen = people[people["split"] == "validation"]
        bundle = dataclasses.replace(bundle, diseases=shipped(*_arrays(chosen)))
        metrics = [row for side in ("validation", "test") for row in measure(bundle, people[people["split"] == side], side)]
    lineage = {
        "runId": run.run_id,
        "inputs": {entry.path: entry.sha256 for entry in run.inputs},
        "configuration": config.model_dump(mode="json"),
        "codeVersion": code_version(),
        "logisticPenalties": dict(zip(spec.diseases, penalties, strict=True)),
        "losses": result.losses,
    }
    bundle = dataclasses.replace(bundle, metrics=metrics, lineage=lineage)
    path = bundle.save(warehouse.bundles)
    Path(job.checkpoint).unlink()
    run.note(bundle=bundle.version, network_share=bundle.diseases[0].network_share)
    rows = pd.DataFrame(metrics).assign(modelVersion=bundle.version).replace({np.nan: None})
    schema = "disease string, model string, split string, auc double, aucLow double, aucHigh double, nCases int, nControls int"
    run.write("metrics", warehouse.spark.createDataFrame(rows.values.tolist(), f"{schema}, modelVersion string"))
    log.info("train: bundle in %s", path)


def _vectors(warehouse: Warehouse, spec: FeatureSpec, side: str, most: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Dense vectors [people, features] and labels [people, diseases] of one side, at most `most` people, drawn by a hash."""
    rows = warehouse.read("examples").where(f"split = '{side}'").orderBy(f.xxhash64("sampleId"), "sampleId").limit(most)
    found: pd.DataFrame = rows.select("calls", "measurements", "labels").toPandas()
    measurements = np.frombuffer(b"".join(found["measurements"]), "<f4").reshape(len(found), -1)
    calls = unpack(packed_rows(list(found["calls"])), len(spec.variants))
    labels = np.frombuffer(b"".join(found["labels"]), "<f4").reshape(len(found), -1)
    return dense(spec, calls, measurements), labels


def _predicted(warehouse: Warehouse, bundle: Bundle) -> pd.DataFrame:
    """Logits, labels and families of validation and test people: some numbers a person."""
    rows = warehouse.read("examples").where("split != 'train'").drop("runId")
    people: pd.DataFrame = with_logits(rows, bundle).toPandas()
    people = people.sort_values("sampleId").reset_index(drop=True)
    people["labels"] = [np.frombuffer(row, "<f4") for row in people["labels"]]
    return people


def _arrays(people: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    network, logistic, labels = (np.stack(list(people[name])).astype(float) for name in ("network", "logistic", "labels"))
    return network, logistic, labels


def measure(bundle: Bundle, people: pd.DataFrame, side: str) -> list[dict[str, Any]]:
    """AUC with its interval of each disease and model.

    Args:
        bundle: The models.
        people: Columns network, logistic, labels (arrays of one number a disease) and familyId.
        side: What the people are: validation or test.

    Returns:
        Rows of ``metrics``.
    """
    rows = []
    if people.empty:
        return []
    network, logistic, labels = _arrays(people)
    scores = {"network": network, "logistic": logistic, "default": bundle.default_probability(network, logistic)}
    families = people["familyId"].to_numpy(str)
    for task, disease in enumerate(bundle.spec.diseases):
        known = ~np.isnan(labels[:, task])
        truth = labels[known, task]
        for model, score in scores.items():
            low, high = interval(score[known, task], truth, families[known])
            found = {"auc": auc(score[known, task], truth), "aucLow": low, "aucHigh": high}
            counts = {"nCases": int(truth.sum()), "nControls": int(len(truth) - truth.sum())}
            rows.append({"disease": disease, "model": model, "split": side} | found | counts)
    return rows
