"""Variant detection: pileup windows -> genotypes of bases and indels at every position, by a network and by a Bayesian caller."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.core.pileup import MODEL_CHANNELS, WINDOW_BP
from genospark.core.sites import evident
from genospark.errors import InputError
from genospark.models.bundle import Bundle
from genospark.tasks.problem import Field, Problem, Tensors
from genospark.tasks.sites import at_sites, reference_quality

TASK = "variants"
UNKNOWN = -1
PILEUP = Field("pileup", "uint8", (WINDOW_BP, len(MODEL_CHANNELS)))
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
        """What a bundle holds.

        Raises:
            InputError: It was trained on windows of other channels.
        """
        definition = bundle.definition
        if definition.get("channels") != list(MODEL_CHANNELS):
            raise InputError(
                f"{bundle.version}: the bundle was trained on windows of other channels than `ingest-reads` makes now",
                "take another (`bundle=shipped`), or run `ingest-reads`, `build-features variants` and `train variants` again",
            )
        thresholds = {name: Thresholds(**entry) for name, entry in definition["thresholds"].items()}
        network, default = definition["network"], definition["default"]
        return cls(definition["likelihood"], network, bundle.weights, default, thresholds, definition["calibration"])

    def bundle(self) -> Bundle:
        """The inverse of ``of``."""
        thresholds = {name: asdict(entry) for name, entry in self.thresholds.items()}
        definition = {"likelihood": self.likelihood, "network": self.shape, "default": self.default, "thresholds": thresholds}
        return Bundle(TASK, {**definition, "calibration": self.calibration, "channels": list(MODEL_CHANNELS)}, self.weights, {})


@dataclass(frozen=True)
class Judged:
    """What a caller says of windows.

    Attributes:
        genotype: Best genotype, 0 to 3, [windows, 1000, heads].
        quality: Phred-scaled chance that it is another, [windows, 1000, heads].
        window: Window of each site with evidence, ascending.
        offset: Its place there.
        logits: Log posteriors of these sites, but for a constant: [sites, heads, genotypes].
    """

    genotype: NDArray[np.int8]
    quality: NDArray[np.float32]
    window: NDArray[np.int64]
    offset: NDArray[np.int64]
    logits: NDArray[np.float64]


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
        self._base_error = model.likelihood["base_error"]
        self._offset, self._slope = np.array(model.calibration[which]).T
        graph = _build(model.likelihood, model.shape if which == "network" else None)
        self._radius = radius(model.shape) if which == "network" else 0
        if which == "network":
            graph.set_weights(model.weights)
        self._compute, self._shape = _compiled(graph), graph.output_shape[2:]

    def __call__(self, pileup: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """The best genotype at each position and its quality.

        Args:
            pileup: [windows, 1000, channels].

        Returns:
            Genotype, 0 to 3, and Phred-scaled chance that it is another, both [windows, 1000, heads].
        """
        judged = self.judge(pileup)
        return judged.genotype, judged.quality

    def judge(self, pileup: NDArray[np.uint8]) -> Judged:
        """Genotypes and qualities of windows [windows, 1000, channels]; where no read leaves a choice, a formula says how sure 0/0 is."""
        window, offset = np.nonzero(evident(pileup))
        quality = np.clip(reference_quality(pileup, self._base_error, self.rates), 0, MOST_QUALITY)
        genotype = np.zeros(quality.shape, np.int8)
        logits = np.zeros((0, *self._shape))
        if len(window):
            logits = at_sites(pileup, window, offset, self._radius, lambda part: self._compute({"pileup": part}).numpy()).astype(float)
            best, phred = decided(logits)
            # What errors on variants say is known of variants alone.
            calibrated = np.clip(self._offset + self._slope * phred, 0, MOST_QUALITY)
            genotype[window, offset] = best
            quality[window, offset] = np.where(best > 0, calibrated, phred)
        return Judged(genotype, quality, window, offset, logits)


def radius(shape: dict[str, Any]) -> int:
    """Positions on either side that a network of some shape sees; a recurrent one sees all of its window."""
    if shape["kind"] != "cnn":
        return WINDOW_BP
    return sum(dilation * (shape["kernel"] // 2) for dilation in shape["dilations"])


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

    # Traced once, whatever the number of windows.
    pileup = tf.TensorSpec([None, *PILEUP.shape], tf.uint8)
    return tf.function(lambda inputs: graph(inputs, training=False), input_signature=[{"pileup": pileup}])


def _build(likelihood: dict[str, Any], shape: dict[str, Any] | None) -> Any:
    # TensorFlow starts only where a network is needed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from genospark.models.likelihoods import LikelihoodConfig
    from genospark.models.variants import VariantNetworkConfig, build

    return build(LikelihoodConfig(**likelihood), None if shape is None else VariantNetworkConfig(**shape))
