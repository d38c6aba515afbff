"""Training of the task expression: linear model, network, their mix."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.expression_specification import from_tables
from genospark.features.expression_vectors import row_bytes
from genospark.models.bundle import Bundle
from genospark.models.expression import ExpressionNetworkConfig
from genospark.models.expression_spec import ExpressionSpec
from genospark.tasks.expression import TASK, ExpressionModel, ExpressionProblem, Inputs, fields, with_expression
from genospark.tasks.problem import Problem
from genospark.training import stage
from genospark.training.linear_expression import Fit, Rows, assembled, fit
from genospark.training.r2 import r2_and_r
from genospark.training.stage import Metric, Recipe, TrainConfig

_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_MOST_WEIGHTS = 200_000_000
# Values that are held at once to fit linear models, and to measure.
_FIT_VALUES, _MEASURED_VALUES = 200_000_000, 20_000_000
SIDES = ("validation", "test")


class TrainExpressionConfig(TrainConfig):
    """Settings of ``train expression``.

    Attributes:
        batch_size: Examples of a step on each rank.
        epochs: Passes over the training examples, at most.
        patience: Passes without a better validation loss after which training ends.
        network: Shape of the network.
        linear_rows: Training examples (a person's cell type each) that the linear model takes at most, so that its memory is bounded.
        measured_rows: Validation and test examples that metrics are measured on, at most, likewise.
        dense_features: Most features with which linear models are tried in which every target hears all cis variants.
    """

    batch_size: int = Field(64, ge=1)
    epochs: int = Field(20, ge=0)
    patience: int = Field(4, ge=1)
    network: ExpressionNetworkConfig = ExpressionNetworkConfig()
    linear_rows: int = Field(20_000, ge=10)
    measured_rows: int = Field(20_000, ge=10)
    dense_features: int = Field(2000, ge=0)


def train(config: TrainExpressionConfig, spark: SparkSession) -> str:
    """Trains both models on the training people and writes a bundle; see ``stage.train``."""
    return stage.train(ExpressionRecipe(), config, spark)


class ExpressionRecipe(Recipe[TrainExpressionConfig]):
    """Linear model first: the network's linear skip starts there."""

    task = TASK
    examples = "expressionExamples"
    tables = ("expressionFeatures",)

    def problem(self, run: Run, config: TrainExpressionConfig) -> Problem:
        spec = self._spec = from_tables(run.warehouse)
        n_weights = 0 if spec.cis is not None else spec.passes * len(spec.variants) * spec.target_width
        if n_weights > _MOST_WEIGHTS:
            raise TableError(
                f"{len(spec.variants)} variants that all speak to {len(spec.targets)} targets need {n_weights:.1e} weights",
                "build features again with `variants: cis`",
            )
        with step(f"{run.stage}: linear models"):
            most = min(config.linear_rows, _FIT_VALUES // (spec.panel_width + len(spec.variants) + spec.target_width))
            training, validation = (_rows(run.warehouse, spec, side, most) for side in ("train", "validation"))
            self._fits = fit(spec, training, validation, config.dense_features)
        chosen = [candidates[0] for candidates in self._fits]
        run.note(linear="; ".join(f"{one.method} (validation error {one.error:.4f})" for one in chosen))
        self._linear = assembled(spec, chosen)
        shape = config.network.model_dump(mode="json")
        rate = config.network.panel_dropout
        pass_weights = (1 - rate, rate) if spec.passes == 2 else (1.0,)
        skip = self._linear if config.network.skip_start == "baseline" else {}
        # Ranks are fed what is normalised already.
        spec = dataclasses.replace(spec, normaliser=None)
        return ExpressionProblem(spec, shape, skip, _penalties(spec, chosen, pass_weights) if skip else {}, pass_weights)

    def finish(self, run: Run, config: TrainExpressionConfig, weights: list[NDArray[Any]]) -> tuple[Bundle, list[Metric]]:
        spec = self._spec
        shape = config.network.model_dump(mode="json")
        model = ExpressionModel(spec, shape, weights, self._linear, (0.5,) * spec.passes)
        with bounded_batches(run.warehouse.spark, row_bytes(spec)):
            most = min(config.measured_rows, _MEASURED_VALUES // (len(spec.cell_types) * spec.target_width) + 1)
            rows = _predicted(run.warehouse, model.bundle(), most)
        model = dataclasses.replace(model, shares=_shares(rows["validation"]))
        run.note(network_share=model.shares)
        methods = {"network": f"{config.network.kind} over states and a linear skip", "default": "mix chosen on validation people"}
        metrics = [row for side in SIDES for row in measure(model, rows[side], side, methods | {"baseline": self._fits[0][0].method})]
        tried = [[{"method": one.method, "validationError": one.error, "penalties": one.penalties} for one in fits] for fits in self._fits]
        return model.bundle(lineage={"linearModels": tried}), metrics


def _penalties(spec: ExpressionSpec, chosen: list[Fit], weights: tuple[float, ...]) -> dict[str, tuple[NDArray[np.float32], float]]:
    """The linear models' penalties as those of the skip.

    The linear models weigh half the squared error summed over targets and averaged over rows, the network its mean over both.
    """
    share = 2 / len(spec.targets)
    found: dict[str, tuple[NDArray[np.float32], float]] = {}
    for name in {name for one in chosen for name in one.kernels}:
        strengths = [one.penalties.get(name, (0.0, 0.0)) for one in chosen]
        # Groups of cell types are fitted each to its part of the rows.
        groups = max(len(one.kernels[name]) for one in chosen if name in one.kernels)
        l2 = np.array([w * l2 * share / groups for w, (l2, _) in zip(weights, strengths, strict=True)], np.float32)
        by_row = max(w * row * share / groups for w, (_, row) in zip(weights, strengths, strict=True))
        found[name] = (l2[0] if name == "panel" else l2.reshape(-1, 1, 1, 1), float(by_row))
    return found


def _drawn(warehouse: Warehouse, side: str, most: int) -> Any:
    """At most so many examples of a side, drawn by a hash of the person."""
    return (
        warehouse.read("expressionExamples").where(f"split = '{side}'").orderBy(f.xxhash64("sampleId"), "sampleId", "cellType").limit(most)
    )


def _rows(warehouse: Warehouse, spec: ExpressionSpec, side: str, most: int) -> Rows:
    (labels,) = ExpressionProblem(spec, {}, {}, {}, ()).labels
    given = fields(spec)
    found: pd.DataFrame = _drawn(warehouse, side, most).select(*(field.name for field in given), "targets").toPandas()
    inputs = Inputs.of(spec, {field.name: field.read(list(found[field.name])) for field in given})
    return Rows(inputs, labels.read(list(found["targets"])))


@dataclasses.dataclass(frozen=True)
class Predicted:
    """Predictions for some examples.

    Attributes:
        types: Cell type's name, [examples].
        families: [examples].
        seen: Whether any of the panel is known, [examples].
        network: [examples, passes, states, targets].
        baseline: The same of the linear model.
        measured: [examples, states, targets], NaN where not measured.
    """

    types: NDArray[np.str_]
    families: NDArray[np.str_]
    seen: NDArray[np.bool_]
    network: NDArray[np.float32]
    baseline: NDArray[np.float32]
    measured: NDArray[np.float32]


def _predicted(warehouse: Warehouse, bundle: Bundle, most: int) -> dict[str, Predicted]:
    """Predictions for at most so many examples of each side but the training one."""
    spec = ExpressionModel.of(bundle).spec
    rows = _drawn(warehouse, SIDES[0], most).unionByName(_drawn(warehouse, SIDES[1], most)).drop("runId")
    unseen = f.lit(np.full(spec.panel_width, np.nan, "<f4").tobytes())
    found: pd.DataFrame = with_expression(rows.withColumn("seen", f.col("panel") != unseen), bundle).toPandas()
    found = found.sort_values(["sampleId", "cellType"])
    return {side: _arrays(spec, found[found["split"] == side]) for side in SIDES}


def _arrays(spec: ExpressionSpec, found: pd.DataFrame) -> Predicted:
    shape = (len(found), spec.passes, len(spec.states), len(spec.targets))
    network, baseline = (np.frombuffer(b"".join(found[name]), "<f4").reshape(shape) for name in ("network", "baseline"))
    measured = np.frombuffer(b"".join(found["targets"]), "<f4").reshape(shape[0], *shape[2:])
    return Predicted(
        found["cellType"].to_numpy(str), found["familyId"].to_numpy(str), found["seen"].to_numpy(bool), network, baseline, measured
    )


def _shares(rows: Predicted) -> tuple[float, ...]:
    """For each pass the network's share of the mix that errs least on validation people."""
    known = ~np.isnan(rows.measured)

    def error(number: int, share: float) -> float:
        mixed = share * rows.network[:, number] + (1 - share) * rows.baseline[:, number]
        return float(np.square(mixed - rows.measured)[known].mean()) if known.any() else 0.0

    return tuple(min(_SHARES, key=lambda share: error(number, share)) for number in range(rows.network.shape[1]))


def measure(model: ExpressionModel, rows: Predicted, side: str, methods: dict[str, str]) -> list[Metric]:
    """Mean R2 and Pearson's r over target genes that are not in the panel, of each cell type and state, and of all together.

    The targets `all` and `all, without panel` are over all cell types and states; the latter predicts from variants alone.

    Args:
        model: The models.
        rows: Their predictions.
        side: What the people are: validation or test.
        methods: What each model is, in words.
    """
    spec = model.spec
    counted = ~np.isin(spec.targets, spec.panel)
    alone = spec.passes - 1
    models = {"network": rows.network, "baseline": rows.baseline, "default": model.default(rows.network, rows.baseline)}
    found: list[Metric] = []
    for name, said in models.items():
        given = np.where(rows.seen[:, None, None], said[:, 0], said[:, alone])
        views = {"all": given} | ({"all, without panel": said[:, alone]} if spec.panel else {})
        parts = [(target, *_wide(rows, view, spec.cell_types, counted)) for target, view in views.items()]
        for cell_type in spec.cell_types:
            of = rows.types == cell_type
            parts += [
                (f"{cell_type}/{state}", given[of][:, s, counted], rows.measured[of][:, s, counted], rows.families[of])
                for s, state in enumerate(spec.states)
            ]
        for target, predicted, measured, families in parts:
            r2, r, n = r2_and_r(predicted, measured, families)
            figures = (("R2", r2), ("Pearson r", r))
            found += [Metric(target, metric, name, methods[name], side, x.value, x.low, x.high, n) for metric, x in figures]
    return found


def _wide(
    rows: Predicted, said: NDArray[np.float32], cell_types: tuple[str, ...], counted: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.str_]]:
    """Each cell type's columns side by side, so that a column is a gene of one context; cell types in rows of their own."""
    width = rows.measured.shape[1] * int(counted.sum())
    predicted = np.zeros((len(said), len(cell_types), width), np.float32)
    measured = np.full(predicted.shape, np.nan, np.float32)
    for c, cell_type in enumerate(cell_types):
        of = rows.types == cell_type
        predicted[of, c] = said[of][:, :, counted].reshape(int(of.sum()), -1)
        measured[of, c] = rows.measured[of][:, :, counted].reshape(int(of.sum()), -1)
    return predicted.reshape(len(said), -1), measured.reshape(len(said), -1), rows.families
