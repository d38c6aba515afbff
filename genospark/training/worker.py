"""What one rank runs: its share of the people, gradients summed over the ranks, early stopping that all ranks agree on."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import horovod.tensorflow as hvd
import numpy as np
import tensorflow as tf

from genospark.core import environment
from genospark.models.risk import RiskNetworkConfig, build
from genospark.models.spec import FeatureSpec
from genospark.training.feed import Batch, Feed


@dataclass(frozen=True)
class RankJob:
    """What all ranks are told.

    Attributes:
        spec: Features and diseases, as JSON.
        network: Shape of the network.
        skip: Weights [features, diseases] and intercepts [diseases] at which the linear skip starts.
        skip_l1: L1 penalty on each disease's part of the skip.
        training_files: URLs of the Parquet files of training people.
        validation_files: URLs of those of validation people.
        checkpoint: File to which rank 0 writes the best weights so far.
        batch_size: People of a step on each rank.
        epochs: Passes over the training people, at most.
        patience: Passes without a better validation loss after which training ends.
        learning_rate: Of Adam.
        seed: Of initial weights, dropout and order.
    """

    spec: dict[str, Any]
    network: dict[str, Any]
    skip: tuple[Any, Any]
    skip_l1: list[float]
    training_files: list[str]
    validation_files: list[str]
    checkpoint: str
    batch_size: int
    epochs: int
    patience: int
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class RankResult:
    """What a rank reports: a digest of its final weights and the losses, which are the same on all ranks."""

    rank: int
    digest: str
    losses: list[float]
    best_epoch: int


def train_rank(job: RankJob) -> RankResult:
    """Trains the network on this rank's share, in step with all others."""
    environment.check_keras()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    hvd.init()
    tf.keras.utils.set_random_seed(job.seed)
    spec = FeatureSpec.from_json(job.spec)
    network = build(spec, RiskNetworkConfig(**job.network), job.skip_l1)
    network.get_layer("skip").set_weights(job.skip)
    optimizer = tf.keras.optimizers.Adam(job.learning_rate)
    optimizer.build(network.trainable_variables)
    hvd.broadcast_variables([*network.variables, *optimizer.variables], root_rank=0)
    # The same start on all ranks, other dropout on each.
    tf.random.set_seed(job.seed + hvd.rank())
    training = Feed(job.training_files, spec, job.batch_size, hvd.rank(), hvd.size(), shuffle=job.seed)
    validation = Feed(job.validation_files, spec, 4 * job.batch_size, hvd.rank(), hvd.size())
    step = _step(network, optimizer)
    losses = [_validation_loss(network, validation)]
    best_epoch, best = 0, network.get_weights()
    for epoch in range(1, job.epochs + 1):
        for batch, counts in in_step(training):
            step(*batch, counts)
        losses.append(_validation_loss(network, validation))
        if losses[-1] < losses[best_epoch]:
            best_epoch, best = epoch, network.get_weights()
            if hvd.rank() == 0:
                write_checkpoint(job.checkpoint, best)
        elif epoch - best_epoch >= job.patience:
            break
    network.set_weights(best)
    if hvd.rank() == 0:
        write_checkpoint(job.checkpoint, best)
    training.close()
    validation.close()
    result = RankResult(hvd.rank(), digest(network.get_weights()), losses, best_epoch)
    hvd.shutdown()
    return result


def in_step(feed: Feed) -> Any:
    """A pass that ends on all ranks together, when none has people left.

    A rank that has run out goes on with batches without people, which add nothing, so that every person counts exactly once.

    Yields:
        Batch, and the number of known labels of each disease in the batches of all ranks together, [diseases].
    """
    for batch, people in feed.epoch():
        known = tf.reduce_sum(tf.cast(~tf.math.is_nan(batch[2]), tf.float32), axis=0)
        counts = hvd.allreduce(tf.concat([[float(people)], known], axis=0), op=hvd.Sum, name="counts")
        if counts[0] == 0:
            return
        yield batch, counts[1:]


def masked_loss(logits: tf.Tensor, labels: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """This rank's part of the joint loss: the mean cross-entropy of each disease over all ranks' known labels, summed over diseases.

    Args:
        logits: [people, diseases].
        labels: 0, 1 or NaN for not known, [people, diseases].
        counts: Known labels of all ranks, [diseases].
    """
    return tf.reduce_sum(_entropy_sums(logits, labels) / tf.maximum(counts, 1.0))


def _entropy_sums(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy summed over the people whose label is known, [diseases]."""
    known = ~tf.math.is_nan(labels)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.where(known, labels, 0.0), logits)
    return tf.reduce_sum(tf.where(known, entropy, 0.0), axis=0)


def joint_gradients(network: Any, batch: Batch, counts: tf.Tensor) -> list[tf.Tensor]:
    """Gradients of the joint loss, the same on every rank: each rank's part, summed over the ranks."""
    calls, measurements, labels = batch
    with tf.GradientTape() as tape:
        loss = masked_loss(network([calls, measurements], training=True), labels, counts)
        # Each rank adds its share of the penalty, so that the sum has it once.
        loss += tf.add_n(network.losses) / hvd.size()
    summed = hvd.DistributedGradientTape(tape, op=hvd.Sum)
    return list(summed.gradient(loss, network.trainable_variables))


def _step(network: Any, optimizer: Any) -> Any:
    @tf.function  # type: ignore[untyped-decorator]
    def step(calls: tf.Tensor, measurements: tf.Tensor, labels: tf.Tensor, counts: tf.Tensor) -> None:
        gradients = joint_gradients(network, (calls, measurements, labels), counts)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    return step


def _validation_loss(network: Any, feed: Feed) -> float:
    """Mean over diseases of the mean cross-entropy over all ranks' validation people."""
    n_tasks = network.output_shape[-1]
    sums, counts = tf.zeros(n_tasks), tf.zeros(n_tasks)
    for (calls, measurements, labels), known in in_step(feed):
        sums += _entropy_sums(network([calls, measurements], training=False), labels)
        counts += known
    total = hvd.allreduce(sums, op=hvd.Sum, name="validation")
    return float(tf.reduce_mean(total / tf.maximum(counts, 1.0)))


def write_checkpoint(path: str, weights: list[Any]) -> None:
    """Writes weights so that a reader sees the old file or the new one, never a part."""
    scratch = Path(path).with_suffix(".partial")
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with scratch.open("wb") as stream:
        np.savez(stream, *weights)
    scratch.replace(path)


def read_checkpoint(path: str) -> list[Any]:
    """The weights that ``write_checkpoint`` wrote, in their order."""
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"arr_{index}"] for index in range(len(stored.files))]


def digest(weights: list[Any]) -> str:
    """SHA-256 over all weights."""
    made = hashlib.sha256()
    for array in weights:
        made.update(np.ascontiguousarray(array).tobytes())
    return made.hexdigest()
