"""What one rank runs: its share of the examples, gradients summed over the ranks, early stopping that all ranks agree on."""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import horovod.tensorflow as hvd
import numpy as np
import tensorflow as tf

from genospark.core import environment
from genospark.core.paths import open_bytes, place, write_whole
from genospark.tasks.problem import Problem
from genospark.training.feed import Batch, Feed

_WIDENED = 16
"""Bytes of float32 that a byte of packed calls becomes."""
_WIDENED_BYTES = 128 << 20


@dataclass(frozen=True)
class RankJob:
    """What all ranks are told.

    Attributes:
        problem: Examples, network and loss.
        training_files: URLs of the Parquet files of training examples.
        validation_files: URLs of those of validation examples.
        checkpoint: File to which rank 0 writes the best weights so far; none where empty.
        batch_size: Examples of a step on each rank.
        epochs: Passes over the training examples, at most.
        patience: Passes without a better validation loss after which training ends.
        learning_rate: Of Adam, in the first epoch.
        last_rate: Share of it that is left in the last of all epochs.
        seed: Of initial weights, dropout and order.
    """

    problem: Problem
    training_files: list[str]
    validation_files: list[str]
    checkpoint: str
    batch_size: int
    epochs: int
    patience: int
    learning_rate: float
    seed: int
    last_rate: float = 1.0


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
    hvd.init()
    result = fitted(job)
    hvd.shutdown()
    return result


def fitted(job: RankJob, report: Callable[[int, float], None] = lambda epoch, loss: None) -> RankResult:
    """The same, once Horovod has been started.

    Args:
        job: What to train.
        report: Is told each epoch and its validation loss, and may raise to end the training.
    """
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(job.seed)
    problem = job.problem
    network = problem.network()
    optimizer = tf.keras.optimizers.Adam(job.learning_rate)
    optimizer.build(network.trainable_variables)
    hvd.broadcast_variables([*network.variables, *optimizer.variables], root_rank=0)
    # The same start on all ranks, other dropout on each.
    tf.random.set_seed(job.seed + hvd.rank())
    with (
        closing(Feed(job.training_files, problem, job.batch_size, hvd.rank(), hvd.size(), shuffle=job.seed)) as training,
        closing(Feed(job.validation_files, problem, judged_at_once(problem, job.batch_size), hvd.rank(), hvd.size())) as validation,
    ):
        step, measure = _step(problem, network, optimizer), measured(problem, network)
        losses = [_validation_loss(measure, problem, validation)]
        report(0, losses[0])
        best_epoch, best = 0, network.get_weights()
        for epoch in range(1, job.epochs + 1):
            optimizer.learning_rate = job.learning_rate * falling(epoch, job.epochs, job.last_rate)
            for batch, counts in in_step(training, problem):
                step(*batch, counts)
            losses.append(_validation_loss(measure, problem, validation))
            report(epoch, losses[-1])
            if losses[-1] < losses[best_epoch]:
                best_epoch, best = epoch, network.get_weights()
                if hvd.rank() == 0 and job.checkpoint:
                    write_checkpoint(job.checkpoint, best)
            elif epoch - best_epoch >= job.patience:
                break
    network.set_weights(best)
    if hvd.rank() == 0 and job.checkpoint:
        write_checkpoint(job.checkpoint, best)
    return RankResult(hvd.rank(), digest(network.get_weights()), losses, best_epoch)


def falling(epoch: int, epochs: int, last: float) -> float:
    """Share of the learning rate in an epoch, counted from 1: half a cosine from 1 to `last`."""
    gone = (epoch - 1) / max(epochs - 1, 1)
    return last + (1 - last) * (1 + math.cos(math.pi * gone)) / 2


def judged_at_once(problem: Problem, batch_size: int) -> int:
    """Validation examples of a batch: more than of a training batch, unless wide ones would then take much memory."""
    return max(batch_size, min(4 * batch_size, _WIDENED_BYTES // (_WIDENED * max(1, sum(field.n_bytes for field in problem.inputs)))))


def in_step(feed: Feed, problem: Problem) -> Iterator[tuple[Batch, tf.Tensor]]:
    """A pass that ends on all ranks together, when none has examples left.

    A rank that has run out goes on with batches without examples, which add nothing, so that every example counts exactly once.

    Yields:
        Batch, and what ``Problem.known`` counts in the batches of all ranks together, [heads].
    """
    for batch, examples in feed.epoch():
        counts = hvd.allreduce(tf.concat([[float(examples)], problem.known(batch[1])], axis=0), op=hvd.Sum, name="counts")
        if counts[0] == 0:
            return
        yield batch, counts[1:]


def joint_gradients(problem: Problem, network: Any, batch: Batch, counts: tf.Tensor) -> list[tf.Tensor]:
    """Gradients of the joint loss, the same on every rank: each rank's part, summed over the ranks.

    The joint loss is each head's mean over what all ranks know, summed over heads.

    Args:
        problem: Says what the loss is.
        network: The network.
        batch: This rank's inputs and labels.
        counts: What ``Problem.known`` counts in all ranks' batches together, [heads].
    """
    inputs, labels = batch
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(problem.loss_sums(network(inputs, training=True), labels) / tf.maximum(counts, 1e-6))
        # Each rank adds its share of the penalty, so that the sum has it once.
        loss += tf.add_n([tf.zeros(()), *network.losses]) / hvd.size()
    summed = hvd.DistributedGradientTape(tape, op=hvd.Sum)
    return list(summed.gradient(loss, network.trainable_variables))


def _step(problem: Problem, network: Any, optimizer: Any) -> Any:
    # No Python decides on tensors here, and translating the source of all that is called takes a third of a short training.
    @tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(inputs: Any, labels: Any, counts: tf.Tensor) -> None:
        gradients = joint_gradients(problem, network, (inputs, labels), counts)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    return step


def measured(problem: Problem, network: Any) -> Any:
    """From inputs and labels to ``Problem.loss_sums`` of the network as it is used, compiled."""

    @tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def measure(inputs: Any, labels: Any) -> tf.Tensor:
        return problem.loss_sums(network(inputs, training=False), labels)

    return measure


def _validation_loss(measure: Any, problem: Problem, feed: Feed) -> float:
    """Mean over heads of the mean loss over all ranks' validation examples."""
    sums, counts = tf.zeros(()), tf.zeros(())
    for (inputs, labels), known in in_step(feed, problem):
        sums += measure(inputs, labels)
        counts += known
    total = hvd.allreduce(sums, op=hvd.Sum, name="validation")
    return float(tf.reduce_mean(total / tf.maximum(counts, 1e-6)))


def write_checkpoint(path: str, weights: list[Any]) -> None:
    """Writes weights so that a reader sees the old file or the new one, never a part."""
    content = io.BytesIO()
    np.savez(content, *weights)
    write_whole(place(path), content.getvalue())


def read_checkpoint(path: str) -> list[Any]:
    """The weights that ``write_checkpoint`` wrote, in their order."""
    with open_bytes(path) as file, np.load(file, allow_pickle=False) as stored:
        return [stored[f"arr_{index}"] for index in range(len(stored.files))]


def digest(weights: list[Any]) -> str:
    """SHA-256 over all weights."""
    made = hashlib.sha256()
    for array in weights:
        made.update(np.ascontiguousarray(array).tobytes())
    return made.hexdigest()
