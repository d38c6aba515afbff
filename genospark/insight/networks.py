"""Small networks, one a gene, that predict it from the regulators without itself, and what they owe to each regulator."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from genospark.core.config import Settings
from genospark.features.profiles import Floats, Profiles

Doubles = NDArray[np.float64]


class OwnNetworksConfig(Settings):
    """How the networks are trained.

    Attributes:
        hidden: Hidden units of each network, beside its linear part.
        steps: Steps of training.
        batch_size: Observations of a step.
        learning_rate: Of Adam at the start; it falls to 0.
        penalty: L1 penalty on a regulator's weights, in units of the usual least one, the square root of 2 log(regulators) / observations.
    """

    hidden: int = Field(8, ge=1)
    steps: int = Field(1000, ge=1)
    batch_size: int = Field(128, ge=1)
    learning_rate: float = Field(5e-3, gt=0)
    penalty: float = Field(1.0, ge=0)


def attributions(
    regulators: Floats, targets: Floats, allowed: NDArray[np.bool_], config: OwnNetworksConfig, seeds: list[int]
) -> tuple[Doubles, Doubles]:
    """Trains one network a target on standardised profiles and differentiates it.

    Args:
        regulators: Profiles, [regulators, observations].
        targets: Profiles, [targets, observations].
        allowed: Regulators that each target's network may see, [targets, regulators]; the weights of the others are held at 0.
        config: How they are trained.
        seeds: Of each target's initial weights, so that a target's network is the same whichever others are trained with it.

    Returns:
        Mean absolute gradient of each target with respect to each regulator, and the mean gradient, over all observations: [targets,
        regulators] each. Profiles vary by 1, so a gradient is the change per standard deviation.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    n_targets, n_regulators, width = len(targets), len(regulators), regulators.shape[1]
    given, wanted = (np.ascontiguousarray(part.T, np.float32) for part in (regulators, targets))
    mask = tf.constant(allowed, tf.float32)
    starts = [np.random.default_rng(seed).normal(size=(n_regulators, config.hidden)) for seed in seeds]
    inner = tf.Variable(np.stack(starts) / np.sqrt(n_regulators), dtype=tf.float32)
    outer, bias = tf.Variable(tf.zeros((n_targets, config.hidden))), tf.Variable(tf.zeros((n_targets, config.hidden)))
    linear, level = tf.Variable(tf.zeros((n_targets, n_regulators))), tf.Variable(tf.zeros(n_targets))
    variables = [inner, outer, bias, linear, level]
    strength = 2 * config.penalty * np.sqrt(2 * np.log(max(n_regulators, 2)) / width)

    def activations(batch: Any) -> Any:
        kernel = tf.reshape(tf.transpose(inner * mask[:, :, None], (1, 0, 2)), (n_regulators, -1))
        return tf.tanh(tf.reshape(batch @ kernel, (-1, n_targets, config.hidden)) + bias)

    rate = tf.keras.optimizers.schedules.CosineDecay(config.learning_rate, config.steps)
    optimizer = tf.keras.optimizers.Adam(rate)
    optimizer.build(variables)

    @tf.function  # type: ignore[untyped-decorator]
    def step(batch: Any, truth: Any) -> None:
        with tf.GradientTape() as tape:
            said = tf.reduce_sum(activations(batch) * outer, axis=2) + batch @ tf.transpose(linear * mask) + level
            # Each target's own loss, summed: no target's weights feel another's.
            loss = tf.reduce_sum(tf.reduce_mean(tf.square(truth - said), axis=0))
            rows = tf.sqrt(tf.reduce_sum(tf.square(inner), axis=2) + 1e-12)
            loss += strength * tf.reduce_sum(mask * (rows + tf.abs(linear)))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    random = np.random.default_rng(0)
    for _ in range(config.steps):
        drawn = random.choice(width, min(config.batch_size, width), replace=False)
        step(tf.constant(given[drawn]), tf.constant(wanted[drawn]))

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def gradients(batch: Any) -> tuple[Any, Any]:
        slopes = (1 - tf.square(activations(batch))) * outer
        through = tf.einsum("bth,trh->btr", slopes, inner * mask[:, :, None]) + linear * mask
        return tf.reduce_sum(tf.abs(through), axis=0), tf.reduce_sum(through, axis=0)

    size = max(1, 4_000_000 // (n_targets * n_regulators))
    sums = [np.zeros((n_targets, n_regulators)) for _ in range(2)]
    for first in range(0, width, size):
        for total, part in zip(sums, gradients(tf.constant(given[first : first + size])), strict=True):
            total += part.numpy()
    return sums[0] / width, sums[1] / width


def network_weights(
    found: Profiles, regulators: NDArray[np.int64], targets: NDArray[np.int64], config: OwnNetworksConfig, seed: int
) -> tuple[Doubles, Doubles]:
    """Attributions of every target to every regulator, one Spark task a block of targets.

    Returns:
        As ``attributions``; 0 of a gene to itself, which its network does not see.
    """
    shared = found.blocks.sparkSession.sparkContext.broadcast(found.of(regulators))

    def work(genes: NDArray[np.int32], values: Floats) -> pa.RecordBatch:
        mine = np.isin(genes, targets)
        made: tuple[Doubles, Doubles] = (np.zeros((0, len(regulators))), np.zeros((0, len(regulators))))
        if mine.any():
            allowed = genes[mine][:, None] != regulators[None, :]
            made = attributions(shared.value, values[mine], allowed, config, [seed + int(gene) for gene in genes[mine]])
        columns = [pa.array([row.tobytes() for row in part], pa.binary()) for part in made]
        return pa.RecordBatch.from_arrays([pa.array(genes[mine]), *columns], ["gene", "size", "mean"])

    rows = {row["gene"]: row for row in found.map(work, "gene int, size binary, mean binary").collect()}
    size, mean = (
        np.frombuffer(b"".join(rows[int(target)][name] for target in targets)).reshape(len(targets), len(regulators))
        for name in ("size", "mean")
    )
    return size, mean
