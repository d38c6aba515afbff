"""One trial of a study, as a Spark task: asks the study for settings, trains, and tells it what came of them, epoch by epoch."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from pydantic import Field, model_validator

from genospark.core.config import Settings, with_settings
from genospark.tasks.problem import Problem
from genospark.training.alone import train_alone
from genospark.training.stage import Recipe, TrainConfig
from genospark.training.worker import RankJob

LOSSES = "losses"


class Range(Settings):
    """Numbers from which a setting is drawn.

    Attributes:
        low: Least.
        high: Greatest.
        log: Evenly by size, as fits learning rates and penalties.
        integer: Whole numbers.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError(f"low {self.low} is not below high {self.high}, or not above 0 where sizes count")
        return self


class Choices(Settings):
    """Values of which a setting is one.

    Attributes:
        choices: The values; lists too, as of ``network.hidden``.
    """

    choices: list[Any] = Field(min_length=2)


Space = dict[str, Range | Choices]
"""What is tried of each setting, by its place in the configuration of ``train``."""


@dataclass(frozen=True)
class Trials:
    """What tasks are told.

    Attributes:
        journal: File of the study, on a disk that all tasks share.
        recipe: The task's.
        config: Settings that all trials share.
        space: What is tried.
        problem: Made with `config`.
        job: Made with `config`.
        seed: Of the search.
        free: Trials that are drawn by chance before the search learns from them and ends those that do worse.
    """

    journal: str
    recipe: type[Recipe[Any]]
    config: TrainConfig
    space: Space
    problem: Problem
    job: RankJob
    seed: int
    free: int


def study_of(trials: Trials, seed: int) -> optuna.Study:
    """Opens the study, or makes it; `seed` differs between trials that run at once."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The search takes trials that others are running for bad ones, so that it tries something else.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(n_startup_trials=trials.free, seed=seed, constant_liar=True)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=trials.free, n_warmup_steps=3)
    storage = JournalStorage(JournalFileBackend(trials.journal))
    return optuna.create_study(storage=storage, study_name="study", sampler=sampler, pruner=pruner, load_if_exists=True)


def run_trial(trials: Trials, number: int) -> None:
    """Runs one trial; `number` tells those apart that are begun together."""
    study = study_of(trials, trials.seed * 100_003 + number)
    trial = study.ask()
    settings = {name: _drawn(trial, name, entry) for name, entry in trials.space.items()}
    config = with_settings(trials.config, settings)
    job = replace(
        trials.job,
        problem=trials.recipe().reshaped(trials.problem, config),
        checkpoint="",
        # As many examples a step as of all ranks together.
        batch_size=config.batch_size * config.ranks,
        epochs=config.epochs,
        patience=config.patience,
        learning_rate=config.learning_rate,
        last_rate=config.last_rate,
        seed=config.seed,
    )
    losses: list[float] = []

    def report(epoch: int, loss: float) -> None:
        losses.append(loss)
        trial.set_user_attr(LOSSES, losses)
        trial.report(min(losses), epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        train_alone(job, report)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return
    if np.isfinite(losses).all():
        study.tell(trial, min(losses))
    else:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)


def _drawn(trial: optuna.Trial, name: str, entry: Range | Choices) -> Any:
    if isinstance(entry, Choices):
        return json.loads(trial.suggest_categorical(name, _words(entry.choices)))
    if entry.integer:
        return trial.suggest_int(name, int(entry.low), int(entry.high), log=entry.log)
    return trial.suggest_float(name, entry.low, entry.high, log=entry.log)


def parameters(space: Space, values: dict[str, Any]) -> dict[str, Any] | None:
    """Settings as the study names them; None where some are out of the space."""
    found: dict[str, Any] = {}
    for name, entry in space.items():
        value: Any = values
        for key in name.split("."):
            value = value[key]
        if isinstance(entry, Choices):
            (word,) = _words([value])
            if word not in _words(entry.choices):
                return None
            found[name] = word
        elif entry.low <= value <= entry.high:
            found[name] = value
        else:
            return None
    return found


def settings_of(space: Space, params: dict[str, Any]) -> dict[str, Any]:
    """The inverse of ``parameters``, by place in the configuration."""
    return {name: json.loads(params[name]) if isinstance(entry, Choices) else params[name] for name, entry in space.items()}


def _words(values: Sequence[Any]) -> list[str]:
    # Lists are no values of Optuna's.
    return [json.dumps(value) for value in values]
