"""Stage ``evaluate`` of any task: nested cross-validation, to ``evaluations``.

Each fold is a warehouse over the user's (``Warehouse.lay_over``), in which features are made and fitted, settings tuned, and models trained
as ever, so a fold that was through when the stage was killed is there when it runs again. Networks of all folds train at once, each in a
Spark task. What the folds have written goes at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic

import pandas as pd
from pydantic import Field
from pyspark.sql import SparkSession

from genospark.core import paths
from genospark.core.config import StageConfig, checked, with_settings
from genospark.core.progress import log, step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.features.folds import folds, sides
from genospark.models.bundle import Bundle
from genospark.tasks.bundles import chosen
from genospark.training.alone import train_each
from genospark.training.pooled import pooled
from genospark.training.stage import Config, Recipe, best_trial, completed, prepared
from genospark.training.trial import Space
from genospark.training.tuning import SPACE, TuneConfig, tune

FOLDER = "evaluations"
_BATCH = "fold"
# What features may be made of.
_READ = ("phenotypes", "traits", "populations", "covariates", "pgsScores", "expression", "pedigree", "kinship", "genes")
_ROWS = (
    "task string, target string, metric string, model string, method string, fold string, value double, valueLow double, "
    "valueHigh double, n bigint, nPositive bigint"
)


class EvaluateConfig(StageConfig):
    """Settings of ``evaluate``.

    Attributes:
        folds: Number of folds; each is tested once, and the one after it decides what is decided on validation people.
        given_folds: Batch of ``splits`` that has the folds, instead.
        seed: Of the folds.
        features: Settings of ``build-features``, as in its configuration.
        training: Settings of ``train``.
        trials: Trials of ``tune`` in each fold; none where 0.
        space: What these try.
    """

    folds: int = Field(5, ge=3)
    given_folds: str | None = None
    seed: int = 1
    features: dict[str, Any] = {}
    training: dict[str, Any] = {}
    trials: int = Field(0, ge=0)
    space: Space = SPACE


@dataclass(frozen=True)
class Study(Generic[Config]):
    """What is evaluated of a task.

    Attributes:
        recipe: Its recipe.
        training: Configuration of ``train``.
        build: Stage ``build-features``.
        features: Configuration of it, with `given_split`.
        outcomes: From a fold's warehouse and bundle to what models say of its test people, as ``pooled`` takes it.
        labels: What folds spread evenly: from warehouse and that configuration to labels by sampleId, as ``folds`` takes them.
    """

    recipe: type[Recipe[Config]]
    training: type[Config]
    build: Callable[[Any, SparkSession], str]
    features: type[StageConfig]
    outcomes: Callable[[Warehouse, Bundle], pd.DataFrame]
    labels: Callable[[Warehouse, Any], pd.DataFrame]


def evaluate(study: Study[Config], config: EvaluateConfig, spark: SparkSession) -> str:
    """Trains and tests in each fold, and measures over all of them.

    Returns:
        The run's id.

    Raises:
        ConfigError: A setting is none of the stages'.
        TableError: A table is missing, folds are too few, or given ones part relatives.
        TrainingError: A loss was no number.
    """
    warehouse = Warehouse(spark, config.warehouse)
    own = {"warehouse": config.warehouse}
    features = checked(study.features, config.features | own | {"given_split": _BATCH})
    training = checked(study.training, config.training | own | {"tuned": bool(config.trials)})
    given = [f"splits/{config.given_folds}"] if config.given_folds else []
    tables = ["samples", "variants", "genotypes", *(name for name in _READ if warehouse.has(name)), *given]
    stage = f"evaluate {study.recipe.task}"
    return run_stage(stage, config, warehouse, lambda run: _evaluate(run, study, config, features, training), tables=tables)


def _evaluate(run: Run, study: Study[Config], config: EvaluateConfig, features: StageConfig, training: Config) -> None:
    warehouse, task = run.warehouse, study.recipe.task
    found = folds(warehouse, study.labels(warehouse, features), config.folds, config.seed, config.given_folds)
    folder = f"{warehouse.path}/{FOLDER}/{task}-{run.run_id}"
    over = {name: Warehouse.lay_over(warehouse, f"{folder}/{name}") for name in sorted(found.unique())}
    run.note(people=len(found), **{f"fold {name}": int((found == name).sum()) for name in over})
    for name, fold in over.items():
        if fold.holds(f"metrics/{task}"):
            log.info("%s: fold %s is there already", run.stage, name)
            continue
        _divide(fold, sides(found, name))
        study.build(features.model_copy(update={"warehouse": fold.path}), warehouse.spark)
        if config.trials:
            trials = TuneConfig(warehouse=fold.path, trials=config.trials, space=config.space, training=config.training, seed=config.seed)
            tune(study.recipe, study.training, trials, warehouse.spark)
    left = {name: fold for name, fold in over.items() if not fold.holds(f"metrics/{task}")}
    _train(run, study, training, left)
    rows: list[tuple[Any, ...]] = []
    outcomes = []
    with step(f"{run.stage}: measures over all folds"):
        for name, fold in over.items():
            fold.refresh()
            for row in fold.read_parts([f"metrics/{task}"]).where("split = 'test'").collect():
                about = (task, row["target"], row["metric"], row["model"], row["method"], name)
                rows.append((*about, row["value"], row["valueLow"], row["valueHigh"], row["n"], row["nPositive"]))
            outcomes.append(study.outcomes(fold, chosen(fold, task, None)).assign(fold=name))
        for one in pooled(pd.concat(outcomes)):
            values = [None if value != value else value for value in one[4:7]]
            rows.append((task, *one[:4], None, *values, *one[7:]))
    run.write(f"evaluations/{task}", warehouse.spark.createDataFrame(rows, _ROWS))
    paths.remove(folder)


def _divide(fold: Warehouse, sides: pd.Series[str]) -> None:
    """Writes who is on which side."""
    rows = fold.spark.createDataFrame(list(sides.items()), "sampleId string, split string")
    config = StageConfig(warehouse=fold.path)
    digest = str(pd.util.hash_pandas_object(sides).sum())
    run_stage("divide", config, fold, lambda run: run.write(f"splits/{_BATCH}", rows), facts={"sides": digest})
    fold.refresh()


def _train(run: Run, study: Study[Config], training: Config, over: dict[str, Warehouse]) -> None:
    """Trains the networks of all folds at once; before and after that one fold follows the other."""
    task, spark = study.recipe.task, run.warehouse.spark
    recipes = {name: study.recipe() for name in over}
    settled, jobs = {}, {}
    for name, fold in over.items():
        fold.refresh()
        tuned = best_trial(fold, task) if training.tuned else {}
        settled[name] = with_settings(training.model_copy(update={"warehouse": fold.path}), tuned)
        before = Run(f"{run.stage}, fold {name}", f"{run.run_id}-{name}", fold, settled[name], [])
        job = prepared(before, recipes[name], settled[name])
        # As many examples a step as of all ranks together.
        jobs[name] = replace(job, batch_size=job.batch_size * settled[name].ranks)
    with step(f"{run.stage}: networks of {len(jobs)} folds"):
        results = dict(zip(jobs, train_each(spark, list(jobs.values())), strict=True))
    for name, fold in over.items():

        def work(inner: Run, name: str = name) -> None:
            completed(inner, recipes[name], settled[name], jobs[name], results[name])

        run_stage(f"train {task}", settled[name], fold, work, tables=[study.recipe.examples, *study.recipe.tables])
