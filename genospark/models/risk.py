"""The multi-task risk network: fused vector -> shared trunk and a linear skip -> one logit a disease."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf
from pydantic import Field, PositiveInt

from genospark.core.config import Settings
from genospark.models.layers import FillMissing, UnpackCalls
from genospark.models.spec import FeatureSpec


class RiskNetworkConfig(Settings):
    """Shape of the network.

    Attributes:
        hidden: Units of the shared trunk's layers.
        dropout: Share of the fused vector and of each trunk layer dropped while training.
        trunk_l2: L2 penalty on the trunk.
    """

    hidden: tuple[PositiveInt, ...] = (64, 32)
    dropout: float = Field(0.5, ge=0, lt=1)
    trunk_l2: float = Field(1e-2, ge=0)


def build(spec: FeatureSpec, config: RiskNetworkConfig, skip_l1: Sequence[float] = ()) -> tf.keras.Model:
    """Builds the network.

    Args:
        spec: Features and diseases.
        config: Shape.
        skip_l1: L1 penalty on each disease's part of the linear skip, for training; none by default.

    Returns:
        A model from a dictionary of `calls` (uint8 [people, call bytes]) and `measurements` (float32 [people, measurements], NaN for
        missing) to logits [people, diseases].
    """
    layers = tf.keras.layers
    regularizers = tf.keras.regularizers
    calls = tf.keras.Input((spec.call_bytes,), dtype=tf.uint8, name="calls")
    measurements = tf.keras.Input((spec.n_measurements,), dtype=tf.float32, name="measurements")
    fused = layers.Concatenate(name="fused")([UnpackCalls(*spec.variant_scale())(calls), FillMissing()(measurements)])
    n_tasks = len(spec.diseases)
    penalty = _l1_by_column(skip_l1) if skip_l1 else None
    skip = layers.Dense(n_tasks, kernel_initializer="zeros", kernel_regularizer=penalty, name="skip")(fused)
    hidden = layers.Dropout(config.dropout)(fused)
    for index, units in enumerate(config.hidden):
        hidden = layers.Dense(units, "relu", kernel_regularizer=regularizers.L2(config.trunk_l2), name=f"trunk{index}")(hidden)
        hidden = layers.Dropout(config.dropout)(hidden)
    # Heads start at zero: the untrained network is the linear skip, and the trunk adds what the skip cannot say.
    heads = layers.Dense(n_tasks, use_bias=False, kernel_initializer="zeros", name="heads")(hidden)
    return tf.keras.Model({"calls": calls, "measurements": measurements}, layers.Add(name="logits")([skip, heads]), name="risk")


def _l1_by_column(strengths: Sequence[float]) -> Callable[[tf.Tensor], tf.Tensor]:
    by_column = tf.constant(strengths, tf.float32)
    return lambda kernel: tf.reduce_sum(by_column * tf.abs(kernel))
