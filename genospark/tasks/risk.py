"""Disease risk: fused vector -> one calibrated probability a disease, by a network and an L1 logistic regression."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from genospark.core.calls import MISSING, unpack
from genospark.models.bundle import Bundle
from genospark.models.spec import FeatureSpec
from genospark.tasks.predict import Predictor, with_predictions
from genospark.tasks.problem import Field, Problem, Tensors

TASK = "risk"


def fields(spec: FeatureSpec) -> tuple[Field, Field]:
    """The two parts of a fused vector: packed calls and standardised measurements."""
    return Field("calls", "uint8", (spec.call_bytes,)), Field("measurements", "float32", (spec.n_measurements,))


@dataclass(frozen=True)
class RiskProblem(Problem):
    """What ranks are told.

    Attributes:
        spec: Features and diseases.
        shape: Shape of the network, as of ``RiskNetworkConfig``.
        skip: Weights [features, diseases] and intercepts [diseases] at which the linear skip starts.
        skip_l1: L1 penalty on each disease's part of the skip.
    """

    spec: FeatureSpec
    shape: dict[str, Any]
    skip: tuple[Any, Any]
    skip_l1: Sequence[float]

    @property
    def inputs(self) -> tuple[Field, ...]:
        return fields(self.spec)

    @property
    def labels(self) -> tuple[Field, ...]:
        return (Field("labels", "float32", (len(self.spec.diseases),), float("nan")),)

    def network(self) -> Any:
        network = _build(self.spec, self.shape, self.skip_l1)
        network.get_layer("skip").set_weights(self.skip)
        return network

    def known(self, labels: Tensors) -> Any:
        import tensorflow as tf

        return tf.reduce_sum(tf.cast(~tf.math.is_nan(labels["labels"]), tf.float32), axis=0)

    def loss_sums(self, outputs: Any, labels: Tensors) -> Any:
        """Cross-entropy of each disease, summed over the people whose label is known."""
        import tensorflow as tf

        known = ~tf.math.is_nan(labels["labels"])
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.where(known, labels["labels"], 0.0), outputs)
        return tf.reduce_sum(tf.where(known, entropy, 0.0), axis=0)


@dataclass(frozen=True)
class DiseaseModel:
    """How a disease's shipped probability is made: sigmoid(slope * mixed logit + intercept).

    Attributes:
        network_share: Weight of the network's logit in the mix; the rest is the logistic regression's.
        slope: Platt calibration, fitted on validation people.
        intercept: Platt calibration, fitted on validation people.
    """

    network_share: float
    slope: float
    intercept: float


@dataclass(frozen=True)
class RiskModel:
    """Both models of a bundle and how they are mixed.

    Attributes:
        spec: Features with alleles, means and deviations; diseases.
        shape: Shape of the network.
        weights: The network's arrays, in Keras' order.
        coefficients: L1 logistic regression on the same standardised vector: [features, diseases].
        intercepts: Its intercepts: [diseases].
        diseases: Mix and calibration, in the order of `spec.diseases`.
    """

    spec: FeatureSpec
    shape: dict[str, Any]
    weights: Sequence[NDArray[np.float32]]
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    diseases: tuple[DiseaseModel, ...]

    @classmethod
    def of(cls, bundle: Bundle) -> RiskModel:
        """What a bundle holds."""
        definition = bundle.definition
        diseases = tuple(DiseaseModel(**entry) for entry in definition["diseases"])
        spec = FeatureSpec.of(definition["spec"], bundle.arrays)
        return cls(spec, definition["network"], bundle.weights, bundle.arrays["coefficients"], bundle.arrays["intercepts"], diseases)

    def bundle(self, metrics: list[dict[str, Any]] | None = None, lineage: dict[str, Any] | None = None) -> Bundle:
        """The inverse of ``of``."""
        mixes = [dataclasses.asdict(disease) for disease in self.diseases]
        definition = {"spec": self.spec.to_json(), "network": self.shape, "diseases": mixes}
        arrays = self.spec.arrays() | {"coefficients": self.coefficients, "intercepts": self.intercepts}
        return Bundle(TASK, definition, self.weights, arrays, metrics or [], lineage or {})

    def default_probability(self, network: NDArray[np.float64], logistic: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of the shipped default.

        Args:
            network: Logits of the network, [people, diseases].
            logistic: Logits of the logistic regression, [people, diseases].
        """
        share = np.array([disease.network_share for disease in self.diseases])
        slope = np.array([disease.slope for disease in self.diseases])
        intercept = np.array([disease.intercept for disease in self.diseases])
        return sigmoid(slope * (share * network + (1 - share) * logistic) + intercept)


def predictor(bundle: Bundle) -> Predictor:
    """Logits of the network and of the logistic regression for batches of fused vectors, as lists of one number a disease."""
    model = RiskModel.of(bundle)
    network = _build(model.spec, model.shape)
    network.set_weights(model.weights)

    def predict(batch: pa.RecordBatch) -> list[pa.Array]:
        calls, measurements = (field.read(batch.column(field.name).to_pylist()) for field in fields(model.spec))
        by_network = network({"calls": calls, "measurements": measurements}, training=False).numpy().astype(float)
        by_logistic = dense(model.spec, calls, measurements) @ model.coefficients + model.intercepts
        return [pa.array(list(logits), pa.list_(pa.float64())) for logits in (by_network, by_logistic)]

    return predict


def with_logits(rows: DataFrame, bundle: Bundle) -> DataFrame:
    """Adds `network` and `logistic`, arrays of one logit a disease, in place of `calls` and `measurements`."""
    return with_predictions(rows, bundle, predictor, ["calls", "measurements"], "network array<double>, logistic array<double>")


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))


def dense(spec: FeatureSpec, packed: NDArray[np.uint8], measurements: NDArray[np.float32]) -> NDArray[np.float32]:
    """The standardised vector that the network makes of packed rows, in NumPy.

    Args:
        spec: Features.
        packed: Calls, 2 bits each, [people, call bytes].
        measurements: Standardised, NaN for missing, [people, measurements].

    Returns:
        [people, variants + measurements], missing values 0.
    """
    calls = unpack(packed, len(spec.variants))
    means, deviations = spec.variant_scale()
    copies = np.where(calls == MISSING, 0, (calls - means) / deviations)
    return np.concatenate([copies, np.nan_to_num(measurements)], axis=1, dtype=np.float32)


def _build(spec: FeatureSpec, shape: dict[str, Any], skip_l1: Sequence[float] = ()) -> Any:
    # TensorFlow starts only where a network is needed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from genospark.models.risk import RiskNetworkConfig, build

    return build(spec, RiskNetworkConfig(**shape), skip_l1)
