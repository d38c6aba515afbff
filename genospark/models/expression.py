"""The expression network: panel over ordered states and variants -> recurrence or convolution, and a linear skip -> every target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from pydantic import Field, PositiveInt

from genospark.core.config import Settings
from genospark.models.expression_spec import ExpressionSpec
from genospark.models.layers import FillMissing, UnpackCalls

Shapes = dict[str, tuple[int, ...]]


class ExpressionNetworkConfig(Settings):
    """Shape of the network.

    Attributes:
        kind: What runs over the ordered states: lstm, gru or cnn (a convolution over neighbouring states); dense layers where there is
            one state only.
        hidden: Its units or filters, layer by layer.
        dropout: Share of its inputs and of each layer dropped while training.
        l2: L2 penalty on its weights.
        panel_dropout: Share of training examples whose panel is hidden, so that variants alone are learnt from too. Not drawn but
            counted exactly: each example is predicted with and without its panel, and the two losses have these weights.
        skip_start: Where the linear skip starts: at the linear model's solution, with its penalty, or at zeros.
    """

    kind: Literal["lstm", "gru", "cnn"] = "gru"
    hidden: tuple[PositiveInt, ...] = (32,)
    dropout: float = Field(0.2, ge=0, lt=1)
    l2: float = Field(1e-4, ge=0)
    panel_dropout: float = Field(0.2, ge=0, lt=1)
    skip_start: Literal["baseline", "zeros"] = "baseline"


class LinearSkip(tf.keras.layers.Layer):  # type: ignore[misc]
    """Panel and variants to targets, linearly, once with the panel and once without.

    Its weights are `intercept` [passes, cell types, outputs], `panel` [1 or cell types, states * panel, outputs], `dense` [passes, 1 or
    cell types, variants, outputs] and `cis` [passes, cell types, outputs, most variants of a target]; all but the intercept may be
    absent. Outputs are states * targets.

    Input: `types`, one-hot cell types [examples, cell types], and, where there are any, `panel` [examples, states * panel] and `variants`
    [examples, variants], all float32.
    Output: [examples, passes, outputs].

    Args:
        spec: What the weights are about.
        shapes: Shapes of the weights that are there.
        penalties: Penalty of each weight, a function of it, for those that have one.
    """

    def __init__(self, spec: ExpressionSpec, shapes: Shapes, penalties: dict[str, Callable[[Any], Any]], **keywords: Any) -> None:
        super().__init__(**keywords)
        self._passes, self._n_states = spec.passes, len(spec.states)
        # A target with fewer variants than others hears variant 0 there, with a weight that is held at 0.
        self._cis = None if spec.cis is None else tf.constant(np.maximum(spec.cis, 0))
        self._there = None if spec.cis is None else tf.constant(np.tile(spec.cis >= 0, (len(spec.states), 1)), tf.float32)
        self._kernels = {
            name: self.add_weight(name, shape, initializer="zeros", regularizer=penalties.get(name))
            for name, shape in sorted(shapes.items())
        }

    @property
    def names(self) -> list[str]:
        """The weights' names in Keras' order."""
        return list(self._kernels)

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        panel, variants, types = inputs.get("panel"), inputs.get("variants"), inputs["types"]
        kernels = self._kernels
        total = tf.einsum("bc,pco->bpo", types, kernels["intercept"])
        if "panel" in kernels:
            by_panel = _by_type("bi,cio->bco", panel, types, kernels["panel"])
            # The first pass sees the panel, the second does not.
            total += tf.stack([by_panel, tf.zeros_like(by_panel)], axis=1)
        if "dense" in kernels:
            total += tf.stack([_by_type("bi,cio->bco", variants, types, kernel) for kernel in tf.unstack(kernels["dense"])], axis=1)
        if "cis" in kernels:
            near = tf.gather(variants, self._cis, axis=1)
            weights = tf.einsum("bc,pcok->bpok", types, kernels["cis"] * self._there)
            total += tf.reduce_sum(weights * tf.tile(near, (1, self._n_states, 1))[:, None], axis=-1)
        return total


def _by_type(product: str, values: tf.Tensor, types: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    if kernel.shape[0] == 1:
        return tf.matmul(values, kernel[0])
    return tf.einsum("bco,bc->bo", tf.einsum(product, values, kernel), types)


def skip_shapes(spec: ExpressionSpec) -> Shapes:
    """Shapes of a skip that starts at zeros."""
    outputs, types = spec.target_width, len(spec.cell_types)
    shapes: Shapes = {"intercept": (spec.passes, types, outputs)}
    if spec.panel:
        shapes["panel"] = (1, spec.panel_width, outputs)
    if spec.cis is not None and spec.cis.shape[1]:
        shapes["cis"] = (spec.passes, types, outputs, spec.cis.shape[1])
    if spec.cis is None and spec.variants:
        shapes["dense"] = (spec.passes, 1, len(spec.variants), outputs)
    return shapes


def build(
    spec: ExpressionSpec, config: ExpressionNetworkConfig, shapes: Shapes, penalties: dict[str, Callable[[Any], Any]] | None = None
) -> tf.keras.Model:
    """Builds the network.

    Args:
        spec: Genes, contexts and variants.
        config: Shape.
        shapes: Shapes of the skip's weights.
        penalties: Penalties of the skip's weights, for training.

    Returns:
        A model from a dictionary of `cellTypeIndex` (int32 [examples, 1]) and, where there are any, `panel` (float32 [examples, states,
        panel], NaN for missing) and `calls` (uint8 [examples, call bytes]) to standardised expression [examples, passes, states,
        targets]: the first pass with the panel, the last without (they are one where there is no panel).
    """
    layers = tf.keras.layers
    n_states, n_types = len(spec.states), len(spec.cell_types)
    index = tf.keras.Input((1,), dtype=tf.int32, name="cellTypeIndex")
    inputs = {"cellTypeIndex": index}
    types = layers.Lambda(lambda which: tf.one_hot(which[:, 0], n_types), name="cellTypes")(index)
    linear = {"types": types}
    context = [layers.RepeatVector(n_states)(types)]
    if spec.variants:
        inputs["calls"] = tf.keras.Input((spec.call_bytes,), dtype=tf.uint8, name="calls")
        variants = linear["variants"] = UnpackCalls(*spec.variant_scale())(inputs["calls"])
        if spec.cis is None:
            # Variants that speak to all targets are heard through few units.
            squeezed = layers.Dense(config.hidden[0], "relu", kernel_regularizer=tf.keras.regularizers.L2(config.l2), name="variants")
            context.append(layers.RepeatVector(n_states)(squeezed(layers.Dropout(config.dropout)(variants))))
    passes = [context]
    if spec.panel:
        inputs["panel"] = tf.keras.Input((n_states, len(spec.panel)), dtype=tf.float32, name="panel")
        seen = FillMissing()(inputs["panel"])
        linear["panel"] = layers.Flatten()(seen)
        passes = [[given, *context] for given in (seen, layers.Lambda(tf.zeros_like)(seen))]
    trunk = _trunk(spec, config)
    said = [trunk(layers.Concatenate()(parts) if len(parts) > 1 else parts[0]) for parts in passes]
    stacked = layers.Lambda(lambda parts: tf.stack(parts, axis=1), name="passes")(said)
    skip = LinearSkip(spec, shapes, penalties or {}, name="skip")(linear)
    reshaped = layers.Reshape((spec.passes, n_states, len(spec.targets)))(skip)
    return tf.keras.Model(inputs, layers.Add(name="expression")([reshaped, stacked]), name="expression")


def _trunk(spec: ExpressionSpec, config: ExpressionNetworkConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """What runs over the states [examples, states, inputs], and its head, which starts at zero: [examples, states, targets]."""
    layers = tf.keras.layers
    penalty = tf.keras.regularizers.L2(config.l2)
    recurrent = {"lstm": layers.LSTM, "gru": layers.GRU}
    steps = [layers.Dropout(config.dropout)]
    for place, units in enumerate(config.hidden):
        named: dict[str, Any] = {"kernel_regularizer": penalty, "name": f"{config.kind}{place}"}
        if len(spec.states) == 1:
            # Nothing to run over. A recurrence would have weights whose gradient is always zero, which TensorFlow computes before the
            # ranks are in step, and so they would wait for each other without end.
            steps.append(layers.Dense(units, "relu", **named))
        elif config.kind == "cnn":
            steps.append(layers.Conv1D(units, 3, padding="same", activation="relu", **named))
        else:
            # Few states: unrolled steps cost less than a loop in the graph.
            steps.append(recurrent[config.kind](units, return_sequences=True, unroll=len(spec.states) <= 8, **named))
        steps.append(layers.Dropout(config.dropout))
    steps.append(layers.Dense(len(spec.targets), use_bias=False, kernel_initializer="zeros", name="heads"))

    def through(given: tf.Tensor) -> tf.Tensor:
        for layer in steps:
            given = layer(given)
        return given

    return through


def row_penalty(l2: Any, by_row: float, n_states: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Half the L2 penalty plus the norms of rows, as of an elastic net of many tasks.

    Args:
        l2: Strength of half the sum of squares; broadcast to the weight.
        by_row: Strength of the sum of the rows' norms; a row is a feature's weights to all targets of a state.
        n_states: States.
    """

    def penalty(kernel: tf.Tensor) -> tf.Tensor:
        total = tf.reduce_sum(tf.constant(l2 / 2, tf.float32) * tf.square(kernel))
        if by_row:
            rows = tf.reshape(kernel, (-1, n_states, kernel.shape[-1] // n_states))
            total += by_row * tf.reduce_sum(tf.sqrt(tf.reduce_sum(tf.square(rows), axis=-1) + 1e-12))
        return total

    return penalty
