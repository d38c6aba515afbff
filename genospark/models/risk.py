"""The multi-task risk network: fused vector -> a linear skip, products of features and a shared trunk -> the outputs of all targets.

It has several members side by side, each of which leaves some families out while training; so it says how certain it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from genospark.core.config import Settings
from genospark.models.layers import DropModalities, FillMissing, Products, UnpackCalls
from genospark.models.spec import FeatureSpec


class RiskNetworkConfig(Settings):
    """Shape of the network.

    Attributes:
        hidden: Units of the shared trunk's layers.
        factors: Products of two learned scores each, given to the heads beside the trunk's last layer.
        encoder: What ordered variants of a block (neighbours on a contig) become before trunk and factors: ``none``, as they are;
            ``scores``, low-rank scores of each block; ``convolution`` or ``recurrent``, these of a convolution or LSTM along the block.
        block_variants: Variants of a block.
        block_scores: Scores of a block.
        members: Networks side by side, each of which leaves its share of the training families out; with 1 nobody is left out.
        dropout: Share of the fused vector and of each trunk layer dropped while training.
        modality_dropout: Share of people of whom genotypes are dropped while training; likewise expression and covariates.
        trunk_l2: L2 penalty on the trunk.
    """

    hidden: tuple[PositiveInt, ...] = (32, 16)
    factors: int = Field(8, ge=0)
    encoder: Literal["none", "scores", "convolution", "recurrent"] = "none"
    block_variants: int = Field(16, ge=2)
    block_scores: int = Field(2, ge=1)
    members: int = Field(5, ge=1, le=60)
    dropout: float = Field(0.5, ge=0, lt=1)
    modality_dropout: float = Field(0.05, ge=0, lt=1)
    trunk_l2: float = Field(1e-2, ge=0)


def build(
    spec: FeatureSpec,
    config: RiskNetworkConfig,
    pairs: tuple[Any, Any, Any] | None = None,
    skip_l1: Sequence[float] = (),
    products_l1: Sequence[float] = (),
) -> tf.keras.Model:
    """Builds the network.

    Args:
        spec: Features and targets.
        config: Shape.
        pairs: Features of each product [pairs, 2], its mean and its deviation [pairs]; none by default.
        skip_l1: L1 penalty on each head's part of the linear skip, for training; none by default.
        products_l1: Likewise of the products.

    Returns:
        A model from a dictionary of `calls` (uint8 [people, call bytes]) and `measurements` (float32 [people, measurements], NaN for
        missing) to outputs [people, members, heads].
    """
    layers = tf.keras.layers
    n_heads, members = sum(target.n_heads for target in spec.targets), config.members
    calls = tf.keras.Input((spec.call_bytes,), dtype=tf.uint8, name="calls")
    measurements = tf.keras.Input((spec.n_measurements,), dtype=tf.float32, name="measurements")
    kept = DropModalities(len(spec.expression), config.modality_dropout, name="modalities")
    kept_calls, kept_measurements, there = kept([calls, measurements])
    variants = UnpackCalls(*spec.variant_scale())(kept_calls)
    measured = FillMissing()(kept_measurements)
    fused = layers.Concatenate(name="fused")([variants, measured])

    def linear(name: str, l1: Sequence[float], bias: bool) -> tf.keras.layers.Layer:
        penalty = _l1_by_column(np.tile(l1, members)) if len(l1) else None
        return layers.Dense(members * n_heads, kernel_initializer="zeros", kernel_regularizer=penalty, use_bias=bias, name=name)

    parts = [layers.Reshape((members, n_heads))(linear("skip", skip_l1, True)(fused))]
    if pairs is not None and len(pairs[0]):
        parts.append(layers.Reshape((members, n_heads))(linear("products", products_l1, False)(Products(*pairs, name="pairs")(fused))))
    encoded = fused if config.encoder == "none" else layers.Concatenate()([_encoded(variants, spec, config), measured])
    parts.append(_trunk(layers.Concatenate(name="encoded")([encoded, there]), config, n_heads))
    outputs = layers.Add(name="outputs")(parts) if len(parts) > 1 else parts[0]
    return tf.keras.Model({"calls": calls, "measurements": measurements}, outputs, name="risk")


def _trunk(encoded: tf.Tensor, config: RiskNetworkConfig, n_heads: int) -> tf.Tensor:
    """Hidden layers and factors of each member, [people, members, heads]."""
    layers, regularizers, members = tf.keras.layers, tf.keras.regularizers, config.members
    penalty = regularizers.L2(config.trunk_l2)
    dropped = layers.Dropout(config.dropout)(encoded)
    last = []
    hidden = dropped
    for index, units in enumerate(config.hidden):
        if index == 0:
            flat = layers.Dense(members * units, "relu", kernel_regularizer=penalty, name="trunk0")(hidden)
            hidden = layers.Reshape((members, units))(flat)
        else:
            hidden = layers.EinsumDense(
                "pmi,mij->pmj", (members, units), "relu", bias_axes="mj", kernel_regularizer=penalty, name=f"trunk{index}"
            )(hidden)
        hidden = layers.Dropout(config.dropout)(hidden)
    if config.hidden:
        last.append(hidden)
    if config.factors:
        scores = [layers.Dense(members * config.factors, kernel_regularizer=penalty, name=f"factor{side}")(dropped) for side in (0, 1)]
        last.append(layers.Reshape((members, config.factors))(layers.Multiply()(scores)))
    if not last:
        return layers.Lambda(lambda x: tf.zeros((tf.shape(x)[0], members, n_heads)), name="nothing")(encoded)
    joined = layers.Concatenate()(last) if len(last) > 1 else last[0]
    # Heads start at zero: the untrained network is its skip and products, and the trunk adds what they cannot say.
    heads = layers.EinsumDense("pmi,mih->pmh", (members, n_heads), kernel_initializer="zeros", name="heads")
    return heads(joined)


def _encoded(variants: tf.Tensor, spec: FeatureSpec, config: RiskNetworkConfig) -> tf.Tensor:
    """Scores of blocks of neighbouring variants, [people, blocks * scores]."""
    layers = tf.keras.layers
    index = tf.constant(blocks(spec, config.block_variants))
    n_blocks, size = index.shape
    ordered = layers.Lambda(lambda x: tf.gather(tf.pad(x, ((0, 0), (0, 1))), index, axis=1), name="blocks")(variants)
    if config.encoder == "convolution":
        along = layers.Conv1D(4, 3, padding="same", activation="relu", name="convolution")
        steps = layers.Lambda(lambda x: tf.reshape(x, (-1, size, 1)))(ordered)
        ordered = layers.Lambda(lambda x: tf.reshape(x, (-1, n_blocks, size * 4)))(along(steps))
    elif config.encoder == "recurrent":
        along = layers.LSTM(4, name="recurrent")
        steps = layers.Lambda(lambda x: tf.reshape(x, (-1, size, 1)))(ordered)
        ordered = layers.Lambda(lambda x: tf.reshape(x, (-1, n_blocks, 4)))(along(steps))
    scores = layers.EinsumDense("pbs,bsr->pbr", (n_blocks, config.block_scores), name="blockScores")(ordered)
    return layers.Flatten()(scores)


def blocks(spec: FeatureSpec, size: int) -> NDArray[np.int64]:
    """Places of each block's variants, in their order on a contig, [blocks, size]; one past the last variant where there are fewer."""
    contigs = spec.variants.columns.column("contig_name").dictionary_encode().indices.to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(contigs)) + 1).tolist(), len(contigs)]
    found = [(first, min(first + size, high)) for low, high in pairwise(edges) for first in range(low, high, size)]
    firsts, ends = np.array(found).T
    places = firsts[:, None] + np.arange(size)
    return np.where(places < ends[:, None], places, len(contigs))


def _l1_by_column(strengths: NDArray[np.float64]) -> Callable[[tf.Tensor], tf.Tensor]:
    by_column = tf.constant(strengths, tf.float32)
    return lambda kernel: tf.reduce_sum(by_column * tf.abs(kernel))
