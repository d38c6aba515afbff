"""The variant caller's network: pileup windows -> genotype of the best-supported bases and of the best-supported indels.

At every position two heads, SNV and indel, choose among 0/0, 0/1, 1/1 and 1/2. The genotype likelihoods of a Bayesian caller are part of
the graph: alone they are the baseline, and the network adds to them what neighbouring positions, strands and qualities say.
"""

from __future__ import annotations

from typing import Literal

import tensorflow as tf
from pydantic import Field, PositiveInt

from genospark.core.config import Settings
from genospark.core.pileup import MODEL_CHANNELS, WINDOW_BP
from genospark.models.likelihoods import GENOTYPES, HEADS, LikelihoodConfig, Likelihoods


class VariantNetworkConfig(Settings):
    """Shape of the network.

    Attributes:
        kind: cnn (dilated residual convolutions) or gru (bidirectional recurrence) over the positions of a window.
        units: Channels between layers; of a gru half of them in each direction.
        kernel: Positions that a convolution sees.
        dilations: Distance between these positions, one residual block each; of a gru their number is that of its layers.
        dropout: Share of units dropped while training.
        rate_noise: Spread of what is added to a sample's rates of error while training, in 40 Phred.
    """

    kind: Literal["cnn", "gru"] = "cnn"
    units: int = Field(24, ge=2, multiple_of=2)
    kernel: PositiveInt = 3
    dilations: list[PositiveInt] = Field([1, 2, 4, 8], min_length=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    rate_noise: float = Field(0.1, ge=0)


def build(likelihood: LikelihoodConfig, config: VariantNetworkConfig | None) -> tf.keras.Model:
    """Builds the network, or the Bayesian caller alone.

    Args:
        likelihood: The Bayesian caller.
        config: Shape of the network; None for the Bayesian caller alone.

    Returns:
        A model from a dictionary of `pileup` (uint8 [windows, 1000, channels]) to logits [windows, 1000, heads, genotypes].
    """
    layers = tf.keras.layers
    pileup = tf.keras.Input((WINDOW_BP, len(MODEL_CHANNELS)), dtype=tf.uint8, name="pileup")
    logits, signals, rates = Likelihoods(likelihood, name="likelihoods")(pileup)
    if config is None:
        return tf.keras.Model({"pileup": pileup}, logits, name="bayesian")
    # Samples are few: by exact rates a network would know each of them again.
    blurred = layers.GaussianNoise(config.rate_noise)(rates)
    hidden = layers.Dense(config.units, "relu", name="signals")(layers.Concatenate()([signals, blurred]))
    for index, dilation in enumerate(config.dilations):
        # What each block adds to what it is given (He et al. 2016, CVPR); blocks see ever farther (Yu and Koltun 2016, ICLR).
        if config.kind == "cnn":
            seen = layers.Conv1D(
                config.units, config.kernel, padding="same", dilation_rate=dilation, activation="relu", name=f"conv{index}"
            )
        else:
            seen = layers.Bidirectional(layers.GRU(config.units // 2, return_sequences=True), name=f"gru{index}")
        added = layers.Dropout(config.dropout)(seen(hidden))
        hidden = layers.Add()([hidden, layers.Dense(config.units, name=f"added{index}")(added)])
    hidden = layers.Activation("relu")(hidden)
    # Both start at zero: the untrained network is the Bayesian caller. The first says how far to believe it, the second what to add.
    doubt = layers.Dense(len(HEADS), "tanh", kernel_initializer="zeros", name="belief")(hidden)
    correction = layers.Dense(len(HEADS) * len(GENOTYPES), kernel_initializer="zeros", name="correction")(hidden)
    believed = layers.Multiply()([logits, layers.Reshape((WINDOW_BP, len(HEADS), 1))(1.0 + doubt)])
    correction = layers.Reshape((WINDOW_BP, len(HEADS), len(GENOTYPES)))(correction)
    return tf.keras.Model({"pileup": pileup}, layers.Add(name="logits")([believed, correction]), name="variants")
