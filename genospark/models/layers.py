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
