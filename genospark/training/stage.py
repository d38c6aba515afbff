"""Stage ``train`` of any task: its baseline, its network on Horovod ranks, then its decisions, metrics and bundle."""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from genospark.core.columns import spark_schema
from genospark.core.config import StageConfig, with_settings
from genospark.core.paths import place
from genospark.core.progress import log, step
from genospark.core.runlog import Run, code_version, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError, TrainingError
from genospark.models.bundle import Bundle
from genospark.schema import table
from genospark.tasks.bundles import last_version
from genospark.tasks.problem import Problem
from genospark.training.launch import launch
from genospark.training.worker import RankJob, RankResult, read_checkpoint


class TrainConfig(StageConfig):
    """Settings of ``train`` that all tasks have.

    Attributes:
        ranks: Horovod processes.
        batch_size: Examples of a step on each rank.
        epochs: Passes over the training examples, at most.
        patience: Passes without a better validation loss after which training ends.
        learning_rate: Of Adam, in the first epoch.
        last_rate: Share of it that is left in the last of all epochs; it falls along half a cosine (Loshchilov and Hutter 2017, ICLR).
        seed: Of initial weights, dropout and order.
        tuned: Take what the best trial of ``tune`` had, in place of the same settings here.
    """

    ranks: int = Field(2, ge=1)
    batch_size: int = Field(32, ge=1)
    epochs: int = Field(60, ge=0)
    patience: int = Field(8, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    last_rate: float = Field(1.0, gt=0, le=1)
    seed: int = 1
    tuned: bool = False


Config = TypeVar("Config", bound=TrainConfig)


@dataclasses.dataclass(frozen=True)
class Metric:
    """One figure of a model; `low` and `high` are the ends of its 95% interval. See the table ``metrics``."""

    target: str
    metric: str
    model: str
    method: str
    split: str
    value: float
    low: float
    high: float
    n: int
    n_positive: int | None = None


class Recipe(ABC, Generic[Config]):
    """What training a task takes beside the loop that all share.

    Attributes:
        task: Its name.
        examples: Table of its examples, with a column `split`.
        tables: Further tables that it reads.
        before: Settings, by their place, that decide what is fitted before the network, and so are the same in all trials of ``tune``.
    """

    task: str
    examples: str
    tables: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    @abstractmethod
    def problem(self, run: Run, config: Config) -> Problem:
        """Fits what comes before the network, such as the baseline, and says what the ranks train."""

    def reshaped(self, problem: Problem, config: Config) -> Problem:
        """The problem with a network as other settings want it; what was fitted before it stays."""
        made: Problem = dataclasses.replace(cast(Any, problem), shape=cast(Any, config).network.model_dump(mode="json"))
        return made

    @abstractmethod
    def finish(self, run: Run, config: Config, weights: list[NDArray[Any]]) -> tuple[Bundle, list[Metric]]:
        """Decides on validation examples what is decided there, and measures on validation and test examples."""


def train(recipe: Recipe[Config], config: Config, spark: SparkSession) -> str:
    """Trains a task's network beside its baseline and writes a bundle.

    Returns:
        The run's id; the bundle's version stands in its notes.

    Raises:
        TableError: The examples are missing or lack a split.
        TrainingError: A rank failed, or ranks disagree.
    """
    warehouse = Warehouse(spark, config.warehouse)

    def intact() -> bool:
        return (warehouse.bundles / last_version(warehouse, recipe.task)).is_dir()

    tables = [recipe.examples, *recipe.tables, *([f"trials/{recipe.task}"] if config.tuned else [])]

    def work(run: Run) -> None:
        settled = with_settings(config, best_trial(run.warehouse, recipe.task)) if config.tuned else config
        job = prepared(run, recipe, settled)
        with step(f"{run.stage}: network on {settled.ranks} Horovod ranks"):
            result = launch(spark, job, settled.ranks)
        completed(run, recipe, settled, job, result)

    return run_stage(f"train {recipe.task}", config, warehouse, work, tables=tables, intact=intact)


def best_trial(warehouse: Warehouse, task: str) -> dict[str, Any]:
    """Settings of the best trial of ``tune``, by their place in the configuration (`network.dropout`).

    Raises:
        TableError: No trial was completed.
    """
    row = warehouse.read(f"trials/{task}").where("isBest").first()
    if row is None:
        raise TableError(f"{warehouse.path}: no trial of {task} was completed", f"run `tune {task}` with more trials")
    found: dict[str, Any] = json.loads(row["settings"])
    return found


def prepared(run: Run, recipe: Recipe[Config], config: Config) -> RankJob:
    """Fits what comes before the network, and says what ranks train.

    Raises:
        TableError: The examples are missing or lack a split.
    """
    files = {side: run.warehouse.files(recipe.examples, split=side) for side in ("train", "validation")}
    for side, found in files.items():
        if len(found) < config.ranks:
            raise TableError(
                f"`{recipe.examples}` has {len(found)} files of {side} examples for {config.ranks} ranks, each rank needs one or more",
                "build features again with more row_groups or another split, or set ranks lower",
            )
    return RankJob(
        problem=recipe.problem(run, config),
        training_files=files["train"],
        validation_files=files["validation"],
        checkpoint=str(run.warehouse.bundles / "checkpoints" / f"{run.run_id}.npz"),
        batch_size=config.batch_size,
        epochs=config.epochs,
        patience=config.patience,
        learning_rate=config.learning_rate,
        last_rate=config.last_rate,
        seed=config.seed,
    )


def completed(run: Run, recipe: Recipe[Config], config: Config, job: RankJob, result: RankResult) -> None:
    """Makes a bundle of what ranks have trained, and measures it.

    Raises:
        TrainingError: The loss is no number.
    """
    if not np.isfinite(result.losses).all():
        raise TrainingError("the validation loss is not a finite number", "set learning_rate lower")
    run.note(epochs=len(result.losses) - 1, best_epoch=result.best_epoch, validation_loss=round(result.losses[result.best_epoch], 5))
    with step(f"{run.stage}: decisions and metrics"):
        bundle, metrics = recipe.finish(run, config, read_checkpoint(job.checkpoint))
    bundle = dataclasses.replace(
        bundle,
        metrics=[dataclasses.asdict(metric) for metric in metrics],
        lineage=bundle.lineage
        | {
            "runId": run.run_id,
            "inputs": {entry.path: entry.sha256 for entry in run.inputs},
            "configuration": config.model_dump(mode="json"),
            "codeVersion": code_version(),
            "losses": result.losses,
        },
    )
    path = bundle.save(run.warehouse.bundles)
    place(job.checkpoint).unlink()
    run.note(bundle=bundle.version)
    _write_metrics(run, recipe.task, metrics, bundle.version)
    log.info("%s: bundle in %s", run.stage, path)


def _write_metrics(run: Run, task: str, metrics: list[Metric], version: str) -> None:
    columns = [column for column in spark_schema(table("metrics")) if column.name not in ("runId",)]
    rows = [
        tuple(None if isinstance(value, float) and np.isnan(value) else value for value in (task, *dataclasses.astuple(metric), version))
        for metric in metrics
    ]
    run.write(f"metrics/{task}", run.warehouse.spark.createDataFrame(rows, StructType(columns)))
