"""Stage ``tune`` of any task: trials of settings of ``train``, by Optuna, to ``trials``.

Trials are Spark tasks that share a study in a file: what one has learnt the next ones know, also after the stage was killed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field
from pyspark.sql import SparkSession

from genospark.core import paths
from genospark.core.config import StageConfig, checked, with_settings
from genospark.core.progress import step
from genospark.core.runlog import Run, code_version, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TrainingError
from genospark.training.stage import Config, Recipe, prepared
from genospark.training.trial import LOSSES, Choices, Range, Space, Trials, parameters, run_trial, settings_of, study_of

SPACE: Space = {
    "learning_rate": Range(low=1e-4, high=1e-2, log=True),
    "batch_size": Choices(choices=[16, 32, 64, 128]),
    "network.hidden": Choices(choices=[[16], [32], [64], [32, 16], [64, 32], [128, 64], [64, 32, 16]]),
    "network.dropout": Range(low=0.0, high=0.7),
    "network.trunk_l2": Range(low=1e-4, high=1e-1, log=True),
}
"""What is tried unless it is said: learning rate, batch size, width and depth, regularisation."""
_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


class TuneConfig(StageConfig):
    """Settings of ``tune``.

    Attributes:
        trials: Trials, those of an earlier run of the same study included.
        free: Of these, how many are drawn by chance, the first being what ``train`` has without tuning; the search learns from them, and
            from then on trials end early that do worse than most.
        space: What is tried of which settings of ``train``.
        training: Other settings of ``train``, as in its configuration.
        seed: Of the search.
        study: Folder of the study, on a disk that driver and executors share; in the warehouse where not given.
    """

    trials: int = Field(20, ge=1)
    free: int = Field(5, ge=1)
    space: Space = SPACE
    training: dict[str, Any] = {}
    seed: int = 1
    study: str | None = None


def tune(recipe: type[Recipe[Config]], model: type[Config], config: TuneConfig, spark: SparkSession) -> str:
    """Runs trials and writes what came of them.

    Returns:
        The run's id.

    Raises:
        ConfigError: A setting is none of ``train``, a value does not fit, or the study has no place on a disk.
        TableError: The examples are missing.
        TrainingError: All trials failed.
    """
    warehouse = Warehouse(spark, config.warehouse)
    base = checked(model, config.training | {"warehouse": config.warehouse})
    for name, entry in config.space.items():
        if any(name == fixed or name.startswith(f"{fixed}.") for fixed in recipe.before):
            raise ConfigError(f"setting space: {name} decides what is fitted before the network", "set it under `training`")
        # Each of what is tried must be a value of the setting.
        for value in entry.choices if isinstance(entry, Choices) else [entry.low, entry.high]:
            with_settings(base, {name: int(value) if isinstance(entry, Range) and entry.integer else value})
    tables = [recipe.examples, *recipe.tables]
    return run_stage(f"tune {recipe.task}", config, warehouse, lambda run: _tune(run, recipe, base, config), tables=tables)


def _tune(run: Run, recipe: type[Recipe[Config]], base: Config, config: TuneConfig) -> None:
    job = prepared(run, recipe(), base)
    journal = _journal(run, config)
    trials = Trials(str(journal), recipe, base, config.space, job.problem, job, config.seed, config.free)
    study = study_of(trials, config.seed)
    for lost in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # Its task was killed.
        study.tell(lost.number, state=TrialState.FAIL)
    usual = parameters(config.space, base.model_dump(mode="json"))
    if usual is not None:
        study.enqueue_trial(usual, skip_if_exists=True)
    done = len(_ended(study, config))
    left = max(0, config.trials - done)
    run.note(trials_already_there=done)
    if left:
        with step(f"{run.stage}: {left} trials"):
            numbers = run.warehouse.spark.sparkContext.parallelize(range(done, done + left), left)
            numbers.foreach(lambda number: run_trial(trials, number))
    _write(run, recipe.task, config, _ended(study, config))


def _journal(run: Run, config: TuneConfig) -> Path:
    """The study's file: the same for more trials of the same search."""
    folder = config.study or f"{run.warehouse.path}/studies"
    if paths.is_url(folder):
        raise ConfigError(f"{folder}: a study needs a disk", "name a folder that driver and executors share with --set study=DIR")
    same = config.identity() | {"trials": 0, "study": None}
    inputs = sorted(entry.sha256 for entry in run.inputs)
    key = hashlib.sha256(json.dumps([run.stage, same, inputs, code_version()], sort_keys=True).encode()).hexdigest()[:16]
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) / f"{run.stage.replace(' ', '-')}-{key}.journal"


def _ended(study: optuna.Study, config: TuneConfig) -> list[FrozenTrial]:
    """Trials that are over, but for those that were killed before they had all their settings."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state in _STATES and set(config.space) <= set(trial.params)]


def _write(run: Run, task: str, config: TuneConfig, ended: list[FrozenTrial]) -> None:
    complete = [trial for trial in ended if trial.state == TrialState.COMPLETE]
    if not complete:
        raise TrainingError("no trial ended with a loss that is a number", "set lower learning rates in `space`")
    best = min(complete, key=lambda trial: (trial.value, trial.number))
    run.note(**Counter(_STATES[trial.state] for trial in ended))
    run.note(best_trial=best.number, validation_loss=round(float(best.value or 0), 5), settings=settings_of(config.space, best.params))
    rows = []
    for trial in ended:
        losses = trial.user_attrs.get(LOSSES, [])
        there = bool(losses) and trial.state != TrialState.FAIL
        least = min(losses) if there else None
        rows.append(
            (
                task,
                trial.number,
                _STATES[trial.state],
                json.dumps(settings_of(config.space, trial.params), sort_keys=True),
                least,
                losses.index(least) if there else None,
                len(losses) - 1 if losses else None,
                trial.duration.total_seconds() if trial.duration else None,
                trial.number == best.number,
            )
        )
    schema = (
        "task string, trial int, state string, settings string, validationLoss double, bestEpoch int, epochs int, seconds double, "
        "isBest boolean"
    )
    run.write(f"trials/{task}", run.warehouse.spark.createDataFrame(rows, schema))
