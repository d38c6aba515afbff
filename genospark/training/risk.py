"""Training of the task disease risk: L1 logistic regression, network, their mix and its calibration."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.features.specification import from_tables
from genospark.models.bundle import Bundle
from genospark.models.risk import RiskNetworkConfig
from genospark.models.spec import FeatureSpec
from genospark.tasks.problem import Problem
from genospark.tasks.risk import TASK, DiseaseModel, RiskModel, RiskProblem, dense, fields, with_logits
from genospark.training import stage
from genospark.training.calibration import shipped
from genospark.training.logistic import fit
from genospark.training.metrics import auc, interval
from genospark.training.stage import Metric, Recipe, TrainConfig

METHODS = {"network": "multi-task network", "baseline": "L1 logistic regression", "default": "mix chosen on validation people, calibrated"}


class TrainRiskConfig(TrainConfig):
    """Settings of ``train risk``.

    Attributes:
        network: Shape of the network.
        logistic_penalties: Inverse strengths of the logistic regression's L1 penalty to choose from.
        logistic_people: Training people that the logistic regression takes at most, so that its memory is bounded.
    """

    network: RiskNetworkConfig = RiskNetworkConfig()
    logistic_penalties: list[PositiveFloat] = Field([0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0], min_length=1)
    logistic_people: int = Field(50_000, ge=1)


def train(config: TrainRiskConfig, spark: SparkSession) -> str:
    """Trains both models on the training people and writes a bundle; see ``stage.train``."""
    return stage.train(RiskRecipe(), config, spark)


class RiskRecipe(Recipe[TrainRiskConfig]):
    """Logistic regression first: the network's linear skip starts there."""

    task = TASK
    examples = "riskExamples"
    tables = ("riskFeatures", "riskTargets")

    def problem(self, run: Run, config: TrainRiskConfig) -> Problem:
        self._spec = from_tables(run.warehouse)
        with step(f"{run.stage}: L1 logistic regression"):
            vectors, labels = _vectors(run.warehouse, self._spec, "train", config.logistic_people)
            validation = _vectors(run.warehouse, self._spec, "validation", config.logistic_people)
            self._coefficients, self._intercepts, self._penalties = fit((vectors, labels), validation, config.logistic_penalties)
        # scikit-learn's C weighs the sum of the losses, the network's penalty their mean: the same strength for both.
        l1 = [float(1 / (c * n)) for c, n in zip(self._penalties, (~np.isnan(labels)).sum(axis=0), strict=True)]
        # Ranks are fed what is normalised already.
        return RiskProblem(
            dataclasses.replace(self._spec, normaliser=None), config.network.model_dump(), (self._coefficients, self._intercepts), l1
        )

    def finish(self, run: Run, config: TrainRiskConfig, weights: list[NDArray[Any]]) -> tuple[Bundle, list[Metric]]:
        untuned = tuple(DiseaseModel(0.5, 1.0, 0.0) for _ in self._spec.diseases)
        shape = config.network.model_dump(mode="json")
        model = RiskModel(self._spec, shape, weights, self._coefficients, self._intercepts, untuned)
        people = _predicted(run.warehouse, model.bundle())
        model = dataclasses.replace(model, diseases=shipped(*_arrays(people[people["split"] == "validation"])))
        run.note(network_share=model.diseases[0].network_share)
        lineage = {"logisticPenalties": dict(zip(self._spec.diseases, self._penalties, strict=True))}
        metrics = [row for side in ("validation", "test") for row in measure(model, people[people["split"] == side], side)]
        return model.bundle(lineage=lineage), metrics

    def outcomes(self, warehouse: Warehouse, bundle: Bundle) -> pd.DataFrame:
        model, people = RiskModel.of(bundle), _predicted(warehouse, bundle)
        people = people[people["split"] == "test"]
        network, logistic, labels = _arrays(people)
        scores = {"network": network, "baseline": logistic, "default": model.default_probability(network, logistic)}
        return pd.concat(
            people[["sampleId", "familyId"]].assign(
                target=disease, model=name, method=METHODS[name], score=score[:, task], label=labels[:, task], metric="AUC"
            )
            for task, disease in enumerate(model.spec.diseases)
            for name, score in scores.items()
        )


def _vectors(warehouse: Warehouse, spec: FeatureSpec, side: str, most: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Dense vectors [people, features] and labels [people, diseases] of one side, at most `most` people, drawn by a hash."""
    rows = warehouse.read("riskExamples").where(f"split = '{side}'").orderBy(f.xxhash64("sampleId"), "sampleId").limit(most)
    found: pd.DataFrame = rows.select("calls", "measurements", "labels").toPandas()
    calls, measurements = (field.read(list(found[field.name])) for field in fields(spec))
    return dense(spec, calls, measurements), np.frombuffer(b"".join(found["labels"]), "<f4").reshape(len(found), -1)


def _predicted(warehouse: Warehouse, bundle: Bundle) -> pd.DataFrame:
    """Logits, labels and families of validation and test people: some numbers a person."""
    rows = warehouse.read("riskExamples").where("split != 'train'").drop("runId")
    people: pd.DataFrame = with_logits(rows, bundle).toPandas()
    people = people.sort_values("sampleId").reset_index(drop=True)
    people["labels"] = [np.frombuffer(row, "<f4") for row in people["labels"]]
    return people


def _arrays(people: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    network, logistic, labels = (np.stack(list(people[name])).astype(float) for name in ("network", "logistic", "labels"))
    return network, logistic, labels


def measure(model: RiskModel, people: pd.DataFrame, side: str) -> list[Metric]:
    """AUC with its interval of each disease and model.

    Args:
        model: The models.
        people: Columns network, logistic, labels (arrays of one number a disease) and familyId.
        side: What the people are: validation or test.
    """
    rows: list[Metric] = []
    if people.empty:
        return rows
    network, logistic, labels = _arrays(people)
    scores = {"network": network, "baseline": logistic, "default": model.default_probability(network, logistic)}
    families = people["familyId"].to_numpy(str)
    for task, disease in enumerate(model.spec.diseases):
        known = ~np.isnan(labels[:, task])
        truth = labels[known, task]
        for name, score in scores.items():
            low, high = interval(score[known, task], truth, families[known])
            value = auc(score[known, task], truth)
            rows.append(Metric(disease, "AUC", name, METHODS[name], side, value, low, high, len(truth), int(truth.sum())))
    return rows
