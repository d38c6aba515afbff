"""Expression: a panel of genes and variants near the others -> expression of the others, by a network and a linear model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from genospark.core.calls import MISSING, unpack
from genospark.models.bundle import Bundle
from genospark.models.expression_spec import ExpressionSpec
from genospark.tasks.predict import Predictor, with_predictions
from genospark.tasks.problem import Field, Problem, Tensors

TASK = "expression"
Kernels = dict[str, NDArray[np.float32]]


def fields(spec: ExpressionSpec) -> tuple[Field, ...]:
    """What the network is fed: cell type, and panel and packed calls where there are any."""
    panel = Field("panel", "float32", (len(spec.states), len(spec.panel)), float("nan"))
    calls = Field("calls", "uint8", (spec.call_bytes,), 255)
    return Field("cellTypeIndex", "int32", (1,)), *([panel] if spec.panel else []), *([calls] if spec.variants else [])


@dataclass(frozen=True)
class Inputs:
    """What the linear model is fed.

    Attributes:
        panel: Standardised, NaN for missing, [examples, states, panel].
        variants: Standardised copies of the alternate allele, 0 for missing, [examples, variants].
        types: Cell types [examples].
    """

    panel: NDArray[np.float32]
    variants: NDArray[np.float32]
    types: NDArray[np.int32]

    @classmethod
    def of(cls, spec: ExpressionSpec, given: dict[str, NDArray[Any]]) -> Inputs:
        """From what the network is fed."""
        types = given["cellTypeIndex"][:, 0]
        panel = given["panel"] if spec.panel else np.zeros((len(types), len(spec.states), 0), np.float32)
        variants = np.zeros((len(types), 0), np.float32)
        if spec.variants:
            calls = unpack(given["calls"], len(spec.variants))
            means, deviations = spec.variant_scale()
            variants = np.where(calls == MISSING, np.float32(0), (calls - means) / deviations).astype(np.float32)
        return cls(panel, variants, types)


@dataclass(frozen=True)
class ExpressionProblem(Problem):
    """What ranks are told.

    Attributes:
        spec: Genes, contexts and variants.
        shape: Shape of the network, as of ``ExpressionNetworkConfig``.
        skip: Weights at which the linear skip starts; empty for zeros.
        penalties: For weights of the skip: strengths of half the sum of squares (broadcast to the weight) and of the rows' norms.
        pass_weights: Weight of the loss with the panel and of that without, [passes].
    """

    spec: ExpressionSpec
    shape: dict[str, Any]
    skip: Kernels
    penalties: dict[str, tuple[NDArray[np.float32], float]]
    pass_weights: tuple[float, ...]

    @property
    def inputs(self) -> tuple[Field, ...]:
        return fields(self.spec)

    @property
    def labels(self) -> tuple[Field, ...]:
        return (Field("targets", "float32", (len(self.spec.states), len(self.spec.targets)), float("nan")),)

    def network(self) -> Any:
        network = _build(self.spec, self.shape, {name: kernel.shape for name, kernel in self.skip.items()}, self.penalties)
        if self.skip:
            layer = network.get_layer("skip")
            layer.set_weights([self.skip[name] for name in layer.names])
        return network

    def known(self, labels: Tensors) -> Any:
        """Known values of each state, once for each pass: [passes * states]."""
        import tensorflow as tf

        counts = tf.reduce_sum(tf.cast(~tf.math.is_nan(labels["targets"]), tf.float32), axis=(0, 2))
        return tf.tile(counts, [self.spec.passes])

    def loss_sums(self, outputs: Any, labels: Tensors) -> Any:
        """Squared error of each pass and state, summed over known values, times the pass' weight: [passes * states]."""
        import tensorflow as tf

        targets = labels["targets"][:, None]
        errors = tf.where(tf.math.is_nan(targets), 0.0, outputs - targets)
        sums = tf.reduce_sum(tf.square(errors), axis=(0, 3))
        return tf.reshape(sums * tf.constant(self.pass_weights, tf.float32)[:, None], [-1])


@dataclass(frozen=True)
class ExpressionModel:
    """Both models of a bundle and how they are mixed.

    Attributes:
        spec: Genes, contexts and variants.
        shape: Shape of the network.
        weights: The network's arrays, in Keras' order.
        linear: The linear model's arrays, by the names of ``models.expression.LinearSkip``.
        shares: Weight of the network in the shipped mix, with the panel and without: [passes].
    """

    spec: ExpressionSpec
    shape: dict[str, Any]
    weights: Sequence[NDArray[np.float32]]
    linear: Kernels
    shares: tuple[float, ...]

    @classmethod
    def of(cls, bundle: Bundle) -> ExpressionModel:
        """What a bundle holds."""
        definition = bundle.definition
        linear = {name.removeprefix("linear."): array for name, array in bundle.arrays.items() if name.startswith("linear.")}
        spec = ExpressionSpec.of(definition["spec"], bundle.arrays)
        return cls(spec, definition["network"], bundle.weights, linear, tuple(definition["shares"]))

    def bundle(self, metrics: list[dict[str, Any]] | None = None, lineage: dict[str, Any] | None = None) -> Bundle:
        """The inverse of ``of``."""
        definition = {"spec": self.spec.to_json(), "network": self.shape, "shares": list(self.shares)}
        arrays = self.spec.arrays() | {f"linear.{name}": array for name, array in self.linear.items()}
        return Bundle(TASK, definition, self.weights, arrays, metrics or [], lineage or {})

    def network(self) -> Any:
        """The network with its weights."""
        shapes = {name: kernel.shape for name, kernel in self.linear.items()} if self.shape["skip_start"] == "baseline" else {}
        network = _build(self.spec, self.shape, shapes)
        network.set_weights(self.weights)
        return network

    def default(self, network: NDArray[np.float32], baseline: NDArray[np.float32]) -> NDArray[np.float32]:
        """The shipped mix of predictions [examples, passes, ...]."""
        share = np.array(self.shares, np.float32).reshape(-1, *(1,) * (network.ndim - 2))
        return share * network + (1 - share) * baseline


def linear_prediction(spec: ExpressionSpec, kernels: Kernels, given: Inputs) -> NDArray[np.float32]:
    """What ``LinearSkip`` says, in NumPy: standardised expression [examples, passes, states, targets]."""
    seen, variants, types = np.nan_to_num(given.panel).reshape(len(given.panel), -1), given.variants, given.types
    total = kernels["intercept"][:, types].transpose(1, 0, 2).copy()
    for which in np.unique(types):
        rows = types == which
        if "panel" in kernels:
            total[rows, 0] += seen[rows] @ kernels["panel"][which % len(kernels["panel"])]
        for number in range(spec.passes):
            if "dense" in kernels:
                dense = kernels["dense"][number]
                total[rows, number] += variants[rows] @ dense[which % len(dense)]
            if "cis" in kernels:
                total[rows, number] += own_prediction(spec, kernels["cis"][number, which], variants[rows])
    return total.reshape(len(types), spec.passes, len(spec.states), len(spec.targets))


def own_prediction(spec: ExpressionSpec, kernel: NDArray[np.float32], variants: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each target's own variants say, [examples, states * targets].

    Args:
        spec: Which variants speak to which target.
        kernel: One cell type's weights [states * targets, most variants of a target].
        variants: Standardised copies [examples, variants].
    """
    assert spec.cis is not None
    total = np.zeros((len(variants), len(kernel)), np.float32)
    n_states = len(spec.states)
    for place in range(spec.cis.shape[1]):
        near = variants[:, np.maximum(spec.cis[:, place], 0)] * (spec.cis[:, place] >= 0)
        total += np.tile(near, (1, n_states)) * kernel[:, place]
    return total


def predictor(bundle: Bundle) -> Predictor:
    """Predictions of the network and of the linear model for batches of examples: float32 [passes, states, targets] as binary."""
    model = ExpressionModel.of(bundle)
    network = model.network()

    def predict(batch: pa.RecordBatch) -> list[pa.Array]:
        given = {field.name: field.read(batch.column(field.name).to_pylist()) for field in fields(model.spec)}
        by_network = network(given, training=False).numpy()
        by_linear = linear_prediction(model.spec, model.linear, Inputs.of(model.spec, given))
        return [pa.array([row.astype("<f4").tobytes() for row in said], pa.binary()) for said in (by_network, by_linear)]

    return predict


def with_expression(rows: DataFrame, bundle: Bundle, dropped: Sequence[str] = ()) -> DataFrame:
    """Adds `network` and `baseline`, float32 [passes, states, targets] as binary in place of what the network is fed."""
    fed = ["panel", "calls", "cellTypeIndex"]
    return with_predictions(rows, bundle, predictor, [*fed, *dropped], "network binary, baseline binary")


def _build(spec: ExpressionSpec, shape: dict[str, Any], shapes: dict[str, tuple[int, ...]], penalties: Any = None) -> Any:
    # TensorFlow starts only where a network is needed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from genospark.models.expression import ExpressionNetworkConfig, build, row_penalty, skip_shapes

    made = {name: row_penalty(l2, by_row, len(spec.states)) for name, (l2, by_row) in (penalties or {}).items()}
    return build(spec, ExpressionNetworkConfig(**shape), shapes or skip_shapes(spec), made)
