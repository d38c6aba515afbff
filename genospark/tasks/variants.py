"""Variant detection: pileup windows -> genotypes of bases and indels at every position, by a network and by a Bayesian caller."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.core.pileup import CHANNELS, WINDOW_BP
from genospark.models.bundle import Bundle
from genospark.tasks.problem import Field, Problem, Tensors

TASK = "variants"
UNKNOWN = -1
PILEUP = Field("pileup", "uint8", (WINDOW_BP, len(CHANNELS)))
LABELS = (Field("snv", "int8", (WINDOW_BP,), UNKNOWN), Field("indel", "int8", (WINDOW_BP,), UNKNOWN))
# A quality says no more than this; a chance of error below 1e-10 is none that was measured.
MOST_QUALITY = 99


@dataclass(frozen=True)
class VariantProblem(Problem):
    """What ranks are told.

    Attributes:
        likelihood: The Bayesian caller at which the network starts, as of ``LikelihoodConfig``.
        shape: Shape of the network, as of ``VariantNetworkConfig``.
        density: How many times commoner SNVs and indels are in the examples than in people; logits are for people.
    """

    likelihood: dict[str, Any]
    shape: dict[str, Any]
    density: tuple[float, float] = (1.0, 1.0)

    @property
    def inputs(self) -> tuple[Field, ...]:
        return (PILEUP,)

    @property
    def labels(self) -> tuple[Field, ...]:
        return LABELS

    def network(self) -> Any:
        return _build(self.likelihood, self.shape)

    def known(self, labels: Tensors) -> Any:
        import tensorflow as tf

        return tf.stack([tf.reduce_sum(tf.cast(labels[field.name] >= 0, tf.float32)) for field in LABELS])

    def loss_sums(self, outputs: Any, labels: Tensors) -> Any:
        """Cross-entropy of the genotypes, summed over positions with a known label, [heads]."""
        import tensorflow as tf

        truth = tf.stack([labels[field.name] for field in LABELS], axis=-1)
        outputs += tf.constant([[0.0, *[math.log(density)] * (outputs.shape[-1] - 1)] for density in self.density])
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(tf.maximum(truth, 0), tf.int32), outputs)
        return tf.reduce_sum(tf.where(truth >= 0, entropy, 0.0), axis=(0, 1))


@dataclass(frozen=True)
class Thresholds:
    """Least quality (Phred) of a call that is not 0/0."""

    snv: float
    indel: float


@dataclass(frozen=True)
class VariantModel:
    """What a bundle holds.

    Attributes:
        likelihood: The Bayesian caller.
        shape: Shape of the network.
        weights: The network's arrays, in Keras' order.
        default: Which of the two ships: network or baseline.
        thresholds: Least qualities of each of the two, chosen on validation windows.
        calibration: Of each of the two and each head, offset and slope that make of the quality it has by its logits what errors on
            validation windows say.
    """

    likelihood: dict[str, Any]
    shape: dict[str, Any]
    weights: Sequence[NDArray[np.float32]]
    default: str
    thresholds: dict[str, Thresholds]
    calibration: dict[str, list[list[float]]]

    @classmethod
    def of(cls, bundle: Bundle) -> VariantModel:
        """What a bundle holds."""
        definition = bundle.definition
        thresholds = {name: Thresholds(**entry) for name, entry in definition["thresholds"].items()}
        network, default = definition["network"], definition["default"]
        return cls(definition["likelihood"], network, bundle.weights, default, thresholds, definition["calibration"])

    def bundle(self) -> Bundle:
        """The inverse of ``of``."""
        thresholds = {name: asdict(entry) for name, entry in self.thresholds.items()}
        definition = {"likelihood": self.likelihood, "network": self.shape, "default": self.default, "thresholds": thresholds}
        return Bundle(TASK, {**definition, "calibration": self.calibration, "channels": list(CHANNELS)}, self.weights, {})


class Caller:
    """One of a bundle's two models, ready to compute.

    Args:
        model: The models.
        which: network or baseline; the shipped one by default.
    """

    def __init__(self, model: VariantModel, which: str | None = None) -> None:
        which = which or model.default
        self.thresholds = model.thresholds[which]
        self.rates = (model.likelihood["snv_rate"], model.likelihood["indel_rate"])
        self._offset, self._slope = np.array(model.calibration[which]).T
        graph = _build(model.likelihood, model.shape if which == "network" else None)
        if which == "network":
            graph.set_weights(model.weights)
        self._compute = _compiled(graph)

    def __call__(self, pileup: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """The best genotype at each position and its quality.

        Args:
            pileup: [windows, 1000, channels].

        Returns:
            Genotype, 0 to 3, and Phred-scaled chance that it is another, both [windows, 1000, heads].
        """
        return self.judged(self.logits(pileup))

    def logits(self, pileup: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Log posteriors of the genotypes, but for a constant: [windows, 1000, heads, genotypes]."""
        logits: NDArray[np.float64] = self._compute({"pileup": pileup}).numpy().astype(float)
        return logits

    def judged(self, logits: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Best genotypes and their calibrated qualities: both of the logits' shape, less the genotypes."""
        genotype, quality = decided(logits)
        # What errors on variants say is known of variants alone.
        calibrated = np.clip(self._offset + self._slope * quality, 0, MOST_QUALITY)
        return genotype, np.where(genotype > 0, calibrated, quality).astype(np.float32)


def decided(logits: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Best genotype and its quality from logits [..., genotypes]; both [...]."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    chance = np.exp(logits)
    chance /= chance.sum(axis=-1, keepdims=True)
    best = chance.argmax(axis=-1)
    # Summed over the others, not 1 - best: that would lose all small chances of error to rounding.
    np.put_along_axis(chance, best[..., None], 0.0, axis=-1)
    wrong = np.maximum(chance.sum(axis=-1), 10 ** (-MOST_QUALITY / 10))
    return best.astype(np.int8), (-10 * np.log10(wrong)).astype(np.float32)


def _compiled(graph: Any) -> Any:
    import tensorflow as tf

    return tf.function(lambda inputs: graph(inputs, training=False), reduce_retracing=True)


def _build(likelihood: dict[str, Any], shape: dict[str, Any] | None) -> Any:
    # TensorFlow starts only where a network is needed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from genospark.models.likelihoods import LikelihoodConfig
    from genospark.models.variants import VariantNetworkConfig, build

    return build(LikelihoodConfig(**likelihood), None if shape is None else VariantNetworkConfig(**shape))
