"""Risk: fused vector -> calibrated probability of each disease or class, or value of each trait, by a network and penalised regressions."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import MISSING, unpack
from genospark.models.spec import FeatureSpec
from genospark.models.targets import NOBODY, heads
from genospark.tasks.problem import Field, Problem, Tensors

TASK = "risk"
_ANCESTRY = re.compile(r"PC\d+$")


def fields(spec: FeatureSpec) -> tuple[Field, Field]:
    """The two parts of a fused vector: packed calls and standardised measurements."""
    return Field("calls", "uint8", (spec.call_bytes,), MISSING * 0b01010101), Field(
        "measurements", "float32", (spec.n_measurements,), float("nan")
    )


def label_fields(spec: FeatureSpec) -> tuple[Field, Field, Field]:
    """What is known of a person: a label and a weight for each target, and the draw of the family."""
    n = (len(spec.targets),)
    return Field("labels", "float32", n, float("nan")), Field("weights", "float32", n, 1.0), Field("draw", "uint8", (1,), NOBODY)


def ancestry(spec: FeatureSpec) -> list[int]:
    """Places among the measurements of principal components of ancestry: covariates such as PC1 or ancestryPC2."""
    return [len(spec.expression) + index for index, x in enumerate(spec.covariates) if _ANCESTRY.search(x.name)]


@dataclass(frozen=True)
class Pairs:
    """Products of two features that the network is given.

    Attributes:
        features: Places in the fused vector, [pairs, 2].
        means, deviations: Of the products on training people, [pairs].
    """

    features: NDArray[np.int64]
    means: NDArray[np.float32]
    deviations: NDArray[np.float32]

    @classmethod
    def none(cls) -> Pairs:
        """No pairs."""
        return cls(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.ones(0, np.float32))

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class Start:
    """Where the network starts, and the penalties that hold it there.

    Attributes:
        skip: Weights of the linear skip, [features, members, heads].
        intercepts: [members, heads].
        products: Weights of the products, [pairs, members, heads].
        skip_l1, products_l1: L1 penalty of each head, [heads].
    """

    skip: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    products: NDArray[np.float32]
    skip_l1: Sequence[float]
    products_l1: Sequence[float]

    @property
    def weights(self) -> dict[str, list[NDArray[np.float32]]]:
        """Of the layers by name."""
        skip = [self.skip.reshape(len(self.skip), -1), self.intercepts.ravel()]
        return {"skip": skip} | ({"products": [self.products.reshape(len(self.products), -1)]} if len(self.products) else {})


@dataclass(frozen=True)
class RiskProblem(Problem):
    """What ranks are told.

    Attributes:
        spec: Features and targets.
        shape: Shape of the network, as of ``RiskNetworkConfig``.
        pairs: Products that it is given.
        start: Where it starts.
        balance: Weight of each target's mean loss, [targets].
    """

    spec: FeatureSpec
    shape: dict[str, Any]
    pairs: Pairs
    start: Start
    balance: Sequence[float]

    @property
    def inputs(self) -> tuple[Field, ...]:
        return fields(self.spec)

    @property
    def labels(self) -> tuple[Field, ...]:
        return label_fields(self.spec)

    def network(self) -> Any:
        network = built(self.spec, self.shape, self.pairs, self.start)
        for name, weights in self.start.weights.items():
            network.get_layer(name).set_weights(weights)
        return network

    def known(self, labels: Tensors) -> Any:
        """Weights of the labels that each member learns from, [members * targets]."""
        import tensorflow as tf

        return tf.reshape(tf.reduce_sum(self._counted(labels), axis=0), [-1])

    def loss_sums(self, outputs: Any, labels: Tensors) -> Any:
        """Balanced loss of each member and target, summed over the people that the member learns from, [members * targets]."""
        import tensorflow as tf

        counted, found = self._counted(labels), []
        for index, (target, mine) in enumerate(zip(self.spec.targets, heads(self.spec.targets), strict=True)):
            label = labels["labels"][:, index, None]
            label = tf.broadcast_to(tf.where(tf.math.is_nan(label), 0.0, label), tf.shape(outputs)[:2])
            said = outputs[:, :, mine]
            if target.kind == "multiclass":
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(label, tf.int32), said)
            elif target.kind == "binary":
                loss = tf.nn.sigmoid_cross_entropy_with_logits(label, said[:, :, 0])
            else:
                loss = 0.5 * (said[:, :, 0] - label) ** 2
            found.append(self.balance[index] * tf.reduce_sum(counted[:, :, index] * loss, axis=0))
        return tf.reshape(tf.stack(found, axis=1), [-1])

    def _counted(self, labels: Tensors) -> Any:
        """What each label counts for each member, [people, members, targets]: its weight, or 0."""
        import tensorflow as tf

        members = int(self.shape["members"])
        weights = tf.where(tf.math.is_nan(labels["labels"]), 0.0, labels["weights"])
        draw = tf.cast(labels["draw"], tf.int32)
        left_out = (draw != NOBODY) & (draw % members == tf.range(members)[None, :]) & (members > 1)
        return weights[:, None, :] * tf.cast(~left_out, tf.float32)[:, :, None]


def built(spec: FeatureSpec, shape: dict[str, Any], pairs: Pairs, start: Start | None = None) -> Any:
    """The network, with penalties where a start is given."""
    # TensorFlow starts only where a network is needed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from genospark.models.risk import RiskNetworkConfig, build

    penalties = (start.skip_l1, start.products_l1) if start else ((), ())
    return build(spec, RiskNetworkConfig(**shape), (pairs.features, pairs.means, pairs.deviations), *penalties)


def dense(spec: FeatureSpec, packed: NDArray[np.uint8], measurements: NDArray[np.float32]) -> NDArray[np.float32]:
    """The standardised vector that the network makes of packed rows, in NumPy.

    Args:
        spec: Features.
        packed: Calls, 2 bits each, [people, call bytes].
        measurements: Standardised, NaN for missing, [people, measurements].

    Returns:
        [people, variants + measurements], missing values 0.
    """
    return dense_columns(spec, packed, measurements, np.arange(len(spec.variants) + spec.n_measurements))


def dense_columns(
    spec: FeatureSpec, packed: NDArray[np.uint8], measurements: NDArray[np.float32], which: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Some columns of ``dense``, in the order of `which`: [people, which]."""
    is_call = which < len(spec.variants)
    variants = which[is_call]
    found = np.empty((len(packed), len(which)), np.float32)
    if len(variants):
        found[:, is_call] = _standardised(spec, packed, variants)
    found[:, ~is_call] = np.nan_to_num(measurements[:, which[~is_call] - len(spec.variants)])
    return found


def _standardised(spec: FeatureSpec, packed: NDArray[np.uint8], variants: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some variants' copies less their mean, over their deviation; 0 where missing."""
    means, deviations = (scale[variants] for scale in spec.variant_scale())
    first, last = int(variants[0]), int(variants[-1])
    if len(variants) == last - first + 1 and (np.diff(variants) == 1).all():
        begin = 4 * (first // 4)
        calls = unpack(packed[:, first // 4 : last // 4 + 1], last + 1 - begin)[:, first - begin :]
    else:
        calls = (packed[:, variants >> 2] >> (2 * (variants & 3)).astype(np.uint8) & 3).astype(np.uint8)
    found = np.subtract(calls, means, dtype=np.float32)
    found /= deviations
    found[calls == MISSING] = 0
    return found
