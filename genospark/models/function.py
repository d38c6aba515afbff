"""The gene-function network: a gene's embedding -> layers with dropout -> one logit a term."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from pydantic import Field, PositiveInt

from genospark.core.config import Settings
from genospark.models.terms import TermSpec

_RAREST = 1e-4


class FunctionNetworkConfig(Settings):
    """Shape of the network.

    Attributes:
        hidden: Units of its layers.
        input_dropout: Share of the embedding dropped while training.
        dropout: Share of each layer dropped while training.
    """

    hidden: tuple[PositiveInt, ...] = (256, 128)
    input_dropout: float = Field(0.3, ge=0, lt=1)
    dropout: float = Field(0.5, ge=0, lt=1)


def build(spec: TermSpec, config: FunctionNetworkConfig) -> tf.keras.Model:
    """Builds the network; untrained it says each term's share of the training genes.

    Returns:
        A model from a dictionary of `embedding` (float32 [genes, features]) to logits [genes, terms].
    """
    layers = tf.keras.layers
    embedding = tf.keras.Input((spec.features,), dtype=tf.float32, name="embedding")
    hidden = layers.Dropout(config.input_dropout)(embedding)
    for index, units in enumerate(config.hidden):
        hidden = layers.Dense(units, "relu", name=f"hidden{index}")(hidden)
        hidden = layers.Dropout(config.dropout)(hidden)
    shares = np.clip(np.array(spec.prevalence), _RAREST, 1 - _RAREST)
    start = tf.keras.initializers.Constant(np.log(shares / (1 - shares)))
    logits = layers.Dense(len(spec.terms), kernel_initializer="zeros", bias_initializer=start, name="logits")(hidden)
    return tf.keras.Model({"embedding": embedding}, logits, name="function")
