"""Training of the task risk: penalised regressions, network, their mix and its calibration."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core import delta
from genospark.core.batches import bounded_batches
from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.features.specification import from_tables
from genospark.models.bundle import Bundle
from genospark.models.calibration import Calibration
from genospark.models.risk import RiskNetworkConfig
from genospark.models.spec import FeatureSpec
from genospark.models.targets import Target, heads, response
from genospark.tasks.problem import Problem
from genospark.tasks.risk import TASK, RiskProblem, fields, label_fields
from genospark.tasks.risk_model import RiskModel, Said, TargetModel
from genospark.tasks.risk_outputs import said_of, with_outputs, with_unseen
from genospark.training import stage
from genospark.training.calibration import Judges, Unseen, shipped
from genospark.training.risk_fit import Examples, Fitted, RegressionConfig, fitted
from genospark.training.risk_metrics import draws, interval, measures
from genospark.training.stage import Metric, Recipe, TrainConfig

Floats = NDArray[np.float64]

METHODS = {"network": "multi-task network", "baseline": "elastic-net regression", "default": "mix chosen on validation people, calibrated"}
RESAMPLES = 200
_DRAWN = 1_000_000
# Packed calls that the driver takes of training people, at most.
_CALL_BYTES = 512 << 20
_READ_BYTES = 8 << 20


class TrainRiskConfig(TrainConfig):
    """Settings of ``train risk``.

    Attributes:
        network: Shape of the network.
        regression: Of the regressions and of the screen for pairs.
        regression_people: Training people that these take at most, so that their memory is bounded; fewer where people have so many
            variants that the packed calls would take more than 512 MiB.
    """

    network: RiskNetworkConfig = RiskNetworkConfig()
    regression: RegressionConfig = RegressionConfig()
    regression_people: int = Field(50_000, ge=1)


def train(config: TrainRiskConfig, spark: SparkSession) -> str:
    """Trains both models on the training people and writes a bundle; see ``stage.train``."""
    return stage.train(RiskRecipe(), config, spark)


class RiskRecipe(Recipe[TrainRiskConfig]):
    """Regressions first: the network's linear skip and its products of pairs start there."""

    task = TASK
    examples = "riskExamples"
    tables = ("riskFeatures", "riskTargets", "riskRidge")
    before = ("regression", "regression_people", "network.members")

    def problem(self, run: Run, config: TrainRiskConfig) -> Problem:
        self._spec = from_tables(run.warehouse)
        with step(f"{run.stage}: penalised regressions"):
            training, validation = (
                _examples(run.warehouse, self._spec, side, config.regression_people) for side in ("train", "validation")
            )
            self._fitted = fitted(self._spec, training, validation, config.regression, config.network.members)
        run.note(across_targets=self._fitted.across, pairs=len(self._fitted.pairs))
        return problem_of(self._spec, config.network, self._fitted)

    def finish(self, run: Run, config: TrainRiskConfig, weights: list[NDArray[Any]]) -> tuple[Bundle, list[Metric]]:
        model = untuned(self._spec, config.network, self._fitted, weights)
        people = predicted(run.warehouse, model.bundle())
        judges = people[people["split"] == "validation"]
        unseen = None
        if config.network.members > 1:
            unseen = _unseen(run.warehouse, model.bundle(), judges, config.regression_people)
        said = outputs_of(judges, self._spec)
        model = dataclasses.replace(model, targets=shipped(said, _judges(judges), self._spec.targets, unseen))
        share = model.targets[0].network_share
        run.note(network_share=share, shipped="linear" if share == 0 else "mix with the network")
        metrics = [row for side in ("validation", "test") for row in measure(model, people[people["split"] == side], side)]
        return model.bundle(), metrics


def problem_of(spec: FeatureSpec, network: RiskNetworkConfig, found: Fitted) -> RiskProblem:
    """What ranks train, after the regressions; they are fed what is normalised already."""
    unnormalised = dataclasses.replace(spec, normaliser=None, ridge=None)
    return RiskProblem(unnormalised, network.model_dump(mode="json"), found.pairs, found.start, found.balance)


def untuned(spec: FeatureSpec, network: RiskNetworkConfig, found: Fitted, weights: list[NDArray[Any]]) -> RiskModel:
    """Both models, before it is decided how they are mixed and calibrated."""
    targets = tuple(TargetModel(0.5, Calibration.none(target)) for target in spec.targets)
    return RiskModel(spec, network.model_dump(mode="json"), found.pairs, weights, found.coefficients, found.intercepts, targets)


def _examples(warehouse: Warehouse, spec: FeatureSpec, side: str, most: int) -> Examples:
    """People of one side, packed, at most `most`, drawn by a hash; in the order of the hash."""
    wanted = (*fields(spec), *label_fields(spec))
    most = max(1, min(most, _CALL_BYTES // max(spec.call_bytes, 1)))
    rows = warehouse.read("riskExamples").where(f"split = '{side}'").select("sampleId", f.xxhash64("sampleId").alias("hash"))
    people = [row["sampleId"] for row in rows.orderBy("hash", "sampleId").limit(most).select("sampleId").collect()]
    place = pd.Series(range(len(people)), people)
    found = [np.empty((len(people), *field.shape), np.dtype(field.dtype).newbyteorder("<")) for field in wanted]
    # Read from their files, some at a time: vectors of a million variants are no rows for the JVM to sort.
    for path in warehouse.live_files("riskExamples", split=side):
        for batch in delta.batches(path, ["sampleId", *(field.name for field in wanted)], max(1, _READ_BYTES // max(spec.call_bytes, 1))):
            own = place.reindex(batch.column("sampleId").to_pylist()).to_numpy(float)
            here = np.flatnonzero(~np.isnan(own))
            for field, array in zip(wanted, found, strict=True):
                array[own[here].astype(int)] = field.read(batch.column(field.name).take(pa.array(here)).to_pylist())
    calls, measurements, labels, weights, draw = found
    return Examples(calls, measurements, labels, weights, draw[:, 0])


def predicted(warehouse: Warehouse, bundle: Bundle) -> pd.DataFrame:
    """Outputs, labels, families, sex and population of validation and test people: some numbers a person."""
    rows = warehouse.read("riskExamples").where("split != 'train'").drop("runId", "draw")
    with bounded_batches(warehouse.spark, FeatureSpec.of(bundle.definition["spec"], bundle.arrays).row_bytes):
        people: pd.DataFrame = with_outputs(rows, bundle).toPandas()
    people = people.sort_values("sampleId").reset_index(drop=True)
    for name in ("labels", "weights"):
        people[name] = [np.frombuffer(row, "<f4") for row in people[name]]
    for table, column in (("populations", "population"), ("pedigree", "sex")):
        if warehouse.has(table):
            known: pd.DataFrame = warehouse.read(table).select("sampleId", column).toPandas()
            people[column] = people["sampleId"].map(known.set_index("sampleId")[column])
    return people


def _unseen(warehouse: Warehouse, bundle: Bundle, judges: pd.DataFrame, most: int) -> Unseen:
    """What members say of training people whom they left out, about so many at most, and of the judges."""
    rows = warehouse.read("riskExamples").where("split != 'test'").drop("runId")
    share = most / max(rows.where("split = 'train'").count(), 1)
    if share < 1:
        # Drawn by a hash: nothing wide is sorted.
        drawn = f.pmod(f.xxhash64("sampleId"), f.lit(_DRAWN)) < int(share * _DRAWN)
        rows = rows.where((f.col("split") != "train") | drawn)
    with bounded_batches(warehouse.spark, FeatureSpec.of(bundle.definition["spec"], bundle.arrays).row_bytes):
        found: pd.DataFrame = with_unseen(rows, bundle).toPandas()
    for name in ("labels", "weights"):
        found[name] = [np.frombuffer(row, "<f4") for row in found[name]]
    training = found[found["split"] == "train"].sort_values("sampleId")
    others = found.set_index("sampleId").loc[judges["sampleId"]]
    outputs = (np.array(list(rows[name]), float) for rows in (training, others) for name in ("network", "linear"))
    return Unseen(_judges(training), *outputs)


def outputs_of(people: pd.DataFrame, spec: FeatureSpec) -> Said:
    """Outputs of both models, of rows of ``predicted``."""
    names = ("network", "networkError", "linear", "linearError", "ancestry")
    return said_of([list(people[name]) for name in names], sum(target.n_heads for target in spec.targets))


def _judges(people: pd.DataFrame) -> Judges:
    n = len(people)
    labels, weights = (np.array(list(people[name]), np.float32).reshape(n, -1) for name in ("labels", "weights"))
    return Judges(labels, weights.astype(float), people["familyId"].to_numpy(str))


def measure(model: RiskModel, people: pd.DataFrame, side: str) -> list[Metric]:
    """Every measure of each target and model, with its interval, and what the default gains over the regression.

    Where populations or sexes of people are known each is measured by itself too.

    Args:
        model: The models.
        people: Columns of ``tasks.risk_outputs.PREDICTED``, labels, weights (arrays of one number a target), familyId; population and sex
            where known.
        side: What the people are: validation or test.
    """
    if people.empty:
        return []
    groups = [("", people)]
    for column in ("population", "sex"):
        if column in people:
            names = sorted(people[column].dropna().unique())
            groups += [(f", {column} {name if column == 'population' else int(name)}", people[people[column] == name]) for name in names]
    return [row for name, group in groups for row in _measured(model, group, side, name)]


def _measured(model: RiskModel, people: pd.DataFrame, side: str, group: str) -> list[Metric]:
    said, judges = outputs_of(people, model.spec), _judges(people)
    outputs = {"network": said.network, "baseline": said.linear}
    rows: list[Metric] = []
    default = model.default(said)
    for index, (target, mine) in enumerate(zip(model.spec.targets, heads(model.spec.targets), strict=True)):
        known, labels, weights = judges.of(model.spec.targets, index)
        times = draws(judges.families[known], weights, RESAMPLES)
        responses = {name: response(target, each[known, mine]) for name, each in outputs.items()} | {"default": default[known, mine]}
        rows += compared(target, responses, labels.astype(float), times, side, group)
    return rows


def compared(
    target: Target, responses: dict[str, Floats], labels: Floats, times: Floats, side: str, group: str = "", other: str = "baseline"
) -> list[Metric]:
    """The measures of several models of one target, and what the default gains over another on the same resampled families.

    Args:
        target: The target.
        responses: Of each model, [people, heads of the target].
        labels: [people].
        times: Of ``draws``.
        side: What the people are.
        group: Added to the target's name.
        other: The model that the default is compared with.
    """
    n, cases = len(labels), int(labels.sum()) if target.kind == "binary" else None
    rows = []
    for metric, measured in measures(target).items():
        values = {name: measured(said, labels, times) for name, said in responses.items()}
        for name, each in values.items():
            rows.append(Metric(f"{target.name}{group}", metric, name, METHODS.get(name, name), side, *interval(each), n, cases))
        if "default" in values and other in values:
            gain = interval(values["default"] - values[other])
            rows.append(Metric(f"{target.name}{group}", f"{metric}, gain", "default", f"default minus {other}", side, *gain, n, cases))
    return rows
