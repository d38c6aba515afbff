"""The variant caller's network: pileup windows -> genotype of the best-supported bases and of the best-supported indels.

At every position two heads, SNV and indel, choose among 0/0, 0/1, 1/1 and 1/2. The genotype likelihoods of a Bayesian caller are part of
the graph: alone they are the baseline, and the network adds to them what neighbouring positions, strands and qualities say.
"""

from __future__ import annotations

from typing import Literal

import tensorflow as tf
from pydantic import Field, PositiveInt

from genospark.core.config import Settings
from genospark.core.pileup import CHANNELS, WINDOW_BP
from genospark.models.likelihoods import GENOTYPES, HEADS, LikelihoodConfig, Likelihoods


class VariantNetworkConfig(Settings):
    """Shape of the network.

    Attributes:
        kind: cnn (one-dimensional convolutions) or gru (bidirectional recurrence) over the positions of a window.
        units: Filters of each convolution, or units of each direction.
        kernel: Positions that a filter sees.
        layers: Layers.
        dropout: Share of units dropped while training.
    """

    kind: Literal["cnn", "gru"] = "cnn"
    units: PositiveInt = 16
    kernel: PositiveInt = 5
    layers: PositiveInt = 1
    dropout: float = Field(0.1, ge=0, lt=1)


def build(likelihood: LikelihoodConfig, config: VariantNetworkConfig | None) -> tf.keras.Model:
    """Builds the network, or the Bayesian caller alone.

    Args:
        likelihood: The Bayesian caller.
        config: Shape of the network; None for the Bayesian caller alone.

    Returns:
        A model from a dictionary of `pileup` (uint8 [windows, 1000, channels]) to logits [windows, 1000, heads, genotypes].
    """
    layers = tf.keras.layers
    pileup = tf.keras.Input((WINDOW_BP, len(CHANNELS)), dtype=tf.uint8, name="pileup")
    logits, hidden = Likelihoods(likelihood, name="likelihoods")(pileup)
    if config is None:
        return tf.keras.Model({"pileup": pileup}, logits, name="bayesian")
    for index in range(config.layers):
        if config.kind == "cnn":
            hidden = layers.Conv1D(config.units, config.kernel, padding="same", activation="relu", name=f"conv{index}")(hidden)
        else:
            hidden = layers.Bidirectional(layers.GRU(config.units, return_sequences=True), name=f"gru{index}")(hidden)
        hidden = layers.Dropout(config.dropout)(hidden)
    # Starts at zero: the untrained network is the Bayesian caller.
    correction = layers.Dense(len(HEADS) * len(GENOTYPES), kernel_initializer="zeros", name="correction")(hidden)
    correction = layers.Reshape((WINDOW_BP, len(HEADS), len(GENOTYPES)))(correction)
    return tf.keras.Model({"pileup": pileup}, layers.Add(name="logits")([logits, correction]), name="variants")
