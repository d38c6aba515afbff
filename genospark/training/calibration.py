"""From logits of two models to one calibrated probability, fitted on validation people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from genospark.tasks.risk import DiseaseModel

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def platt(logits: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[float, float]:
    """Platt's slope and intercept with his smoothed targets (Platt 1999); the slope stays positive, so ranks stay.

    Args:
        logits: [people].
        labels: 0 or 1, [people].
    """
    cases = labels.sum()
    controls = len(labels) - cases
    if not cases or not controls:
        return 1.0, 0.0
    targets = np.where(labels == 1, (cases + 1) / (cases + 2), 1 / (controls + 2))

    def loss(parameters: NDArray[np.float64]) -> float:
        z = np.exp(parameters[0]) * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, z) - targets * z))

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10, "maxiter": 2000})
    return float(np.exp(found.x[0])), float(found.x[1])


def cross_entropy(logits: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Mean binary cross-entropy of logits."""
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))


def shipped(network: NDArray[np.float64], logistic: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[DiseaseModel, ...]:
    """The mix and calibration of each disease.

    One share for all diseases, the one with the least cross-entropy after calibration: validation sets hold too few cases of a rare
    disease to choose for each.

    Args:
        network: Logits, [people, diseases].
        logistic: Logits, [people, diseases].
        labels: 0, 1 or NaN, [people, diseases].
    """
    candidates = []
    for share in SHARES:
        mixed = share * network + (1 - share) * logistic
        models, losses = [], []
        for task in range(labels.shape[1]):
            known = ~np.isnan(labels[:, task])
            slope, intercept = platt(mixed[known, task], labels[known, task])
            models.append(DiseaseModel(share, slope, intercept))
            if known.any():
                losses.append(cross_entropy(slope * mixed[known, task] + intercept, labels[known, task]))
        candidates.append((float(np.mean(losses)) if losses else 0.0, tuple(models)))
    return min(candidates, key=lambda candidate: candidate[0])[1]
