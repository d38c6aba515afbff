"""Keras layers that turn packed examples into standardised numbers inside the graph."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from genospark.core.calls import MISSING


class UnpackCalls(tf.keras.layers.Layer):  # type: ignore[misc]
    """2-bit calls to standardised copies of the alternate allele; missing calls become the training mean, which is 0.

    Input: uint8 [people, ceil(variants / 4)]. Output: float32 [people, variants].

    Args:
        means: Training mean of each variant, [variants].
        deviations: Training standard deviation of each variant, [variants].
    """

    def __init__(self, means: Any, deviations: Any, **keywords: Any) -> None:
        super().__init__(trainable=False, **keywords)
        self._means = tf.constant(means, tf.float32)
        self._deviations = tf.constant(deviations, tf.float32)

    def call(self, packed: tf.Tensor) -> tf.Tensor:
        shifts = tf.constant([0, 2, 4, 6], tf.uint8)
        calls = tf.bitwise.bitwise_and(tf.bitwise.right_shift(packed[:, :, None], shifts), tf.constant(3, tf.uint8))
        n_variants = int(self._means.shape[0])
        calls = tf.reshape(calls, (-1, 4 * packed.shape[1]))[:, :n_variants]
        copies = tf.cast(calls, tf.float32)
        return tf.where(calls == MISSING, 0.0, (copies - self._means) / self._deviations)


class FillMissing(tf.keras.layers.Layer):  # type: ignore[misc]
    """NaN to 0, the training mean of standardised measurements. Shape unchanged."""

    def call(self, measurements: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.math.is_nan(measurements), 0.0, measurements)


class DropModalities(tf.keras.layers.Layer):  # type: ignore[misc]
    """Leaves genotypes, expression or covariates of some people out while training, and says which of the three a person has.

    Inputs: packed calls, uint8 [people, bytes], and measurements, float32 [people, expression + covariates]. Outputs: both, with what is
    left out missing, and float32 [people, 3], 1 where anything is known. A person who would lose everything keeps it.

    Args:
        n_expression: Measurements that are expression.
        rate: Share of people who lose a modality.
    """

    def __init__(self, n_expression: int, rate: float, **keywords: Any) -> None:
        super().__init__(trainable=False, **keywords)
        self._expression, self._rate = n_expression, rate

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool | None = None) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        calls, measurements = inputs
        # Missing calls have both bits set, as has what pads the last byte.
        no_call = tf.constant(MISSING * 0b01010101, tf.uint8)
        numbers = ~tf.math.is_nan(measurements)
        modalities = (calls != no_call, numbers[:, : self._expression], numbers[:, self._expression :])
        known = tf.stack([tf.reduce_any(modality, axis=1) for modality in modalities], axis=1)
        if training and self._rate:
            kept = tf.random.uniform(tf.shape(known)) >= self._rate
            kept |= ~tf.reduce_any(known & kept, axis=1, keepdims=True)
            known &= kept
            calls = tf.where(kept[:, :1], calls, no_call)
            nothing = tf.constant(float("nan"))
            expression = tf.where(kept[:, 1:2], measurements[:, : self._expression], nothing)
            covariates = tf.where(kept[:, 2:], measurements[:, self._expression :], nothing)
            measurements = tf.concat([expression, covariates], axis=1)
        return calls, measurements, tf.cast(known, tf.float32)


class Products(tf.keras.layers.Layer):  # type: ignore[misc]
    """Standardised products of pairs of features: float32 [people, features] to [people, pairs].

    Args:
        pairs: Features of each product, [pairs, 2].
        means, deviations: Of the products on training people, [pairs].
    """

    def __init__(self, pairs: Any, means: Any, deviations: Any, **keywords: Any) -> None:
        super().__init__(trainable=False, **keywords)
        self._pairs = tf.constant(pairs, tf.int32)
        self._means, self._deviations = tf.constant(means, tf.float32), tf.constant(deviations, tf.float32)

    def call(self, fused: tf.Tensor) -> tf.Tensor:
        one, other = (tf.gather(fused, self._pairs[:, side], axis=1) for side in (0, 1))
        return (one * other - self._means) / self._deviations
