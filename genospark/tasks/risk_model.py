"""What a bundle of the task risk holds, and what it says of people."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from genospark.models.bundle import Bundle
from genospark.models.calibration import Calibration, Reference
from genospark.models.spec import FeatureSpec
from genospark.models.targets import Target, heads
from genospark.tasks.blocks import in_blocks, product, rows_at_once
from genospark.tasks.risk import TASK, Pairs, ancestry, built, dense_columns, fields

Floats = NDArray[np.float64]

# Of vectors that are widened at once; TensorFlow holds a few times as much.
_WIDENED_BYTES = 64 << 20


@dataclass(frozen=True)
class TargetModel:
    """How a target's shipped prediction is made.

    Attributes:
        network_share: Weight of the network's output in the mix; the rest is the regression's.
        calibration: Fitted on validation people.
        reference: Of the mix, on validation people; None for multi-class targets and without such people.
    """

    network_share: float
    calibration: Calibration
    reference: Reference | None = None


@dataclass(frozen=True)
class Said:
    """Outputs for some people, each [people, heads], and their ancestry components [people, components].

    Attributes:
        network, linear: Outputs of the two models.
        network_error, linear_error: Their standard errors, by leaving families out.
    """

    network: Floats
    network_error: Floats
    linear: Floats
    linear_error: Floats
    ancestry: Floats


@dataclass(frozen=True)
class RiskModel:
    """Both models of a bundle and how they are mixed.

    Attributes:
        spec: Features with alleles, means and deviations; targets.
        shape: Shape of the network.
        pairs: Products that the network is given.
        weights: The network's arrays, in Keras' order.
        coefficients: Regressions on the same standardised vector, of everyone, then without each share of the families in turn:
            [1 + members, features, heads].
        intercepts: Their intercepts: [1 + members, heads].
        targets: Mix and calibration, in the order of `spec.targets`.
    """

    spec: FeatureSpec
    shape: dict[str, Any]
    pairs: Pairs
    weights: Sequence[NDArray[np.float32]]
    coefficients: NDArray[np.float32]
    intercepts: Floats
    targets: tuple[TargetModel, ...]

    @classmethod
    def of(cls, bundle: Bundle) -> RiskModel:
        """What a bundle holds."""
        definition, arrays = bundle.definition, bundle.arrays
        spec = FeatureSpec.of(definition["spec"], arrays)
        targets = []
        for index, entry in enumerate(definition["models"]):
            calibration = Calibration(entry["method"], tuple(entry["parameters"]))
            parts = [arrays.get(f"reference{index}{part}") for part in ("means", "spreads", "quantiles")]
            reference = Reference(*parts) if parts[0] is not None else None  # type: ignore[arg-type]
            targets.append(TargetModel(entry["networkShare"], calibration, reference))
        pairs = Pairs(arrays["pairs"], arrays["pairMeans"], arrays["pairDeviations"])
        return cls(spec, definition["network"], pairs, bundle.weights, arrays["coefficients"], arrays["intercepts"], tuple(targets))

    def bundle(self, metrics: list[dict[str, Any]] | None = None, lineage: dict[str, Any] | None = None) -> Bundle:
        """The inverse of ``of``."""
        models = [
            {
                "networkShare": model.network_share,
                "method": model.calibration.method,
                "parameters": list(model.calibration.parameters),
            }
            for model in self.targets
        ]
        arrays = self.spec.arrays() | {"coefficients": self.coefficients, "intercepts": self.intercepts}
        arrays |= {"pairs": self.pairs.features, "pairMeans": self.pairs.means, "pairDeviations": self.pairs.deviations}
        for index, model in enumerate(self.targets):
            if model.reference:
                parts = dataclasses.asdict(model.reference)
                arrays |= {f"reference{index}{name}": array for name, array in parts.items()}
        definition = {"spec": self.spec.to_json(), "network": self.shape, "models": models}
        return Bundle(TASK, definition, self.weights, arrays, metrics or [], lineage or {})

    def each(self) -> Callable[[NDArray[np.uint8], NDArray[np.float32]], tuple[Floats, Floats]]:
        """A function from calls and measurements to the outputs of each model.

        It gives those of the networks [people, members, heads] and of the regressions [people, 1 + members, heads].
        """
        network = compiled(self)
        used = np.flatnonzero(self.coefficients.any(axis=(0, 2)))
        coefficients = np.moveaxis(self.coefficients[:, used], 1, 0).reshape(len(used), self.intercepts.size)

        def say(calls: NDArray[np.uint8], measurements: NDArray[np.float32]) -> tuple[Floats, Floats]:
            by_network = network(calls=calls, measurements=measurements).numpy().astype(float)
            by_linear = product(dense_columns(self.spec, calls, measurements, used), coefficients)
            return by_network, by_linear.reshape(len(calls), *self.intercepts.shape) + self.intercepts

        vector_bytes = 4 * (len(self.spec.variants) + self.spec.n_measurements)
        return in_blocks(say, rows_at_once(vector_bytes, _WIDENED_BYTES))  # type: ignore[return-value]

    def predictor(self) -> Callable[[NDArray[np.uint8], NDArray[np.float32]], Said]:
        """A function from calls and measurements to ``Said``."""
        each, places, members = self.each(), ancestry(self.spec), int(self.shape["members"])

        def say(calls: NDArray[np.uint8], measurements: NDArray[np.float32]) -> Said:
            network, linear = each(calls, measurements)
            return Said(
                network.mean(axis=1),
                _jackknife(network, members),
                linear[:, 0].astype(float),
                _jackknife(linear[:, 1:], members),
                np.nan_to_num(measurements[:, places]).astype(float),
            )

        return say

    def unseen(self) -> Callable[[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]], tuple[Floats, Floats]]:
        """A function from calls, measurements and draws [people] to network's and regression's outputs, [people, heads] each.

        They are of the member that left the person out.
        """
        each, members = self.each(), int(self.shape["members"])

        def say(calls: NDArray[np.uint8], measurements: NDArray[np.float32], draw: NDArray[np.uint8]) -> tuple[Floats, Floats]:
            network, linear = each(calls, measurements)
            person, member = np.arange(len(draw)), draw.astype(np.int64) % members
            return network[person, member], linear[person, 1 + member if members > 1 else 0]

        return say

    def mixed(self, said: Said) -> tuple[Floats, Floats]:
        """Outputs of the shipped default before calibration, and their standard errors, each [people, heads]."""
        share = np.repeat([model.network_share for model in self.targets], [target.n_heads for target in self.spec.targets])
        error = np.sqrt((share * said.network_error) ** 2 + ((1 - share) * said.linear_error) ** 2)
        return share * said.network + (1 - share) * said.linear, error

    def default(self, said: Said) -> Floats:
        """Calibrated responses of the shipped default, [people, heads]; continuous ones standardised."""
        outputs, _ = self.mixed(said)
        return self._calibrated(outputs)

    def bounds(self, said: Said) -> tuple[Floats, Floats]:
        """Ends of the 95% interval of ``default``, each [people, heads]; NaN with one member.

        It says how far the model depends on who it was trained on, by the jackknife over shares of the families.
        """
        outputs, error = self.mixed(said)
        members = int(self.shape["members"])
        if members < 2:
            return np.full(outputs.shape, np.nan), np.full(outputs.shape, np.nan)
        reach = student.ppf(0.975, members - 1) * error
        low, high = self._calibrated(outputs - reach), self._calibrated(outputs + reach)
        for target, mine in zip(self.spec.targets, heads(self.spec.targets), strict=True):
            # Of a class, with the outputs of the other classes as they are.
            for head in range(mine.start, mine.stop) if target.kind == "multiclass" else ():
                alone = np.zeros(reach.shape[1])
                alone[head] = 1
                low[:, head] = self._calibrated(outputs - reach * alone)[:, head]
                high[:, head] = self._calibrated(outputs + reach * alone)[:, head]
        return low, high

    def percentiles(self, said: Said) -> Floats:
        """Percentile of each target's output in its reference, [people, targets]; NaN where there is none."""
        outputs, _ = self.mixed(said)
        found = np.full((len(outputs), len(self.targets)), np.nan)
        for index, (model, mine) in enumerate(zip(self.targets, heads(self.spec.targets), strict=True)):
            if model.reference:
                found[:, index] = model.reference.percentiles(outputs[:, mine.start], said.ancestry)
        return found

    def _calibrated(self, outputs: Floats) -> Floats:
        parts: list[Floats] = [
            model.calibration.apply(target, outputs[:, mine])
            for model, target, mine in zip(self.targets, self.spec.targets, heads(self.spec.targets), strict=True)
        ]
        return np.concatenate(parts, axis=1)


def compiled(model: RiskModel) -> Any:
    """The network as a function of `calls` and `measurements` of any number of people, compiled once."""
    network = built(model.spec, model.shape, model.pairs)
    network.set_weights(model.weights)
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *field.shape), field.dtype, name=field.name) for field in fields(model.spec)]
    return tf.function(lambda calls, measurements: network({"calls": calls, "measurements": measurements}, training=False), signature)


def own_scale(targets: Sequence[Target], values: Floats) -> Floats:
    """Values [people, heads] with those of continuous targets in their own unit."""
    found = values.copy()
    for target, mine in zip(targets, heads(targets), strict=True):
        if target.kind == "continuous":
            found[:, mine] = values[:, mine] * target.standard_deviation + target.mean
    return found


def _jackknife(outputs: Floats, members: int) -> Floats:
    """Standard error of outputs [people, members, heads] of which each leaves a share of the families out (Efron and Tibshirani 1993)."""
    if members < 2:
        return np.full((len(outputs), outputs.shape[2]), np.nan)
    return np.asarray(np.sqrt((members - 1) * outputs.var(axis=1)), float)
