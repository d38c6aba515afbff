"""A trained model on disk: JSON and NumPy arrays, nothing that runs code when it is read."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.errors import InputError
from genospark.models.spec import FeatureSpec

FORMAT = 1


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
class Bundle:
    """Everything that scoring needs.

    Attributes:
        spec: Features with alleles, means and deviations; diseases.
        network_config: Shape of the network.
        weights: The network's arrays, in Keras' order.
        coefficients: L1 logistic regression on the same standardised vector: [features, diseases].
        intercepts: Its intercepts: [diseases].
        diseases: Mix and calibration, in the order of `spec.diseases`.
        metrics: What was measured in training.
        lineage: Runs and tables it was made from, code version, configuration.
    """

    spec: FeatureSpec
    network_config: dict[str, Any]
    weights: Sequence[NDArray[np.float32]]
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    diseases: tuple[DiseaseModel, ...]
    metrics: list[dict[str, Any]] = field(default_factory=list)
    lineage: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Hash of all that decides a score."""
        digest = hashlib.sha256(json.dumps(self._deciding(), sort_keys=True).encode())
        for array in (*self.weights, self.coefficients, self.intercepts):
            digest.update(np.ascontiguousarray(array).tobytes())
        return f"risk-{digest.hexdigest()[:12]}"

    def _deciding(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "spec": self.spec.to_json(),
            "network": self.network_config,
            "diseases": [asdict(disease) for disease in self.diseases],
        }

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

    def save(self, folder: Path) -> Path:
        """Writes the bundle as ``<folder>/<version>`` and returns that path."""
        path = folder / self.version
        path.mkdir(parents=True, exist_ok=True)
        arrays = {f"weight{index:02d}": array for index, array in enumerate(self.weights)}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays, coefficients=self.coefficients, intercepts=self.intercepts)
        (path / "weights.npz").write_bytes(buffer.getvalue())
        described = self._deciding() | {"metrics": self.metrics, "lineage": self.lineage}
        (path / "model.json").write_text(json.dumps(described, indent=1))
        return path


def load(path: Path) -> Bundle:
    """Reads a bundle.

    Raises:
        InputError: It is not there, is damaged, or was made by another format.
    """
    try:
        described = json.loads((path / "model.json").read_text())
        if described["format"] != FORMAT:
            raise InputError(f"{path}: bundle of format {described['format']}, this version reads {FORMAT}", "train again")
        with np.load(path / "weights.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        weights = [arrays[name] for name in sorted(arrays) if name.startswith("weight")]
        bundle = Bundle(
            FeatureSpec.from_json(described["spec"]),
            described["network"],
            weights,
            arrays["coefficients"],
            arrays["intercepts"],
            tuple(DiseaseModel(**entry) for entry in described["diseases"]),
            described["metrics"],
            described["lineage"],
        )
    except FileNotFoundError as error:
        there = ", ".join(sorted(entry.name for entry in path.parent.glob("risk-*"))) or "none"
        next_step = f"bundles in {path.parent}: {there}; name one with --set bundle=PATH, or make one with `train`"
        raise InputError(f"{path}: no bundle there ({Path(error.filename).name} is missing)", next_step) from None
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged bundle ({error})", "train again, or copy it again") from None
    if bundle.version != path.name:
        raise InputError(f"{path}: its content is that of {bundle.version}", "copy it again under its own name")
    return bundle


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))


def dense(spec: FeatureSpec, calls: NDArray[np.uint8], measurements: NDArray[np.float32]) -> NDArray[np.float32]:
    """The standardised vector that the network makes of packed rows, in NumPy.

    Args:
        spec: Features.
        calls: Copies of the alternate allele or 3, [people, variants].
        measurements: Standardised, NaN for missing, [people, measurements].

    Returns:
        [people, variants + measurements], missing values 0.
    """
    means, deviations = spec.variant_scale()
    copies = np.where(calls == 3, 0, (calls - means) / deviations)
    return np.concatenate([copies, np.nan_to_num(measurements)], axis=1, dtype=np.float32)
