"""Ways from an output to a calibrated response, each fitted on some people."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from genospark.models.calibration import Calibration
from genospark.models.targets import Target, sigmoid, wanted

Floats = NDArray[np.float64]


def platt(logits: Floats, labels: NDArray[np.float32], weights: Floats, slope: float, error: float) -> tuple[float, float, float]:
    """Platt's slope and intercept with his smoothed targets (Platt 1999).

    Args:
        logits: [people].
        labels: 0 or 1, [people], some of both.
        weights: [people].
        slope: The slope that it is drawn to.
        error: Standard error with which that one is known.

    Returns:
        Slope (at least 0.01, so ranks stay), intercept, and the information about the slope, 1 / variance.
    """
    cases, controls = labels.sum(), len(labels) - labels.sum()
    target = np.where(labels == 1, (cases + 1) / (cases + 2), 1 / (controls + 2))
    # Weights say what a person stands for, not how many there are.
    weights = weights * len(weights) / weights.sum()
    spread = max(float(logits.std()), 1e-9)
    design = np.stack([(logits - logits.mean()) / spread, np.ones(len(logits))], axis=1)
    prior = np.array([slope * spread, 0.0])
    precision = np.array([1 / (error * spread) ** 2, 0.0])
    share = np.clip(np.average(target, weights=weights), 1e-6, 1 - 1e-6)
    found = np.array([slope * spread, np.log(share / (1 - share))])
    information = np.eye(2)
    for _ in range(50):
        means = sigmoid(design @ found)
        information = (design * (weights * np.maximum(means * (1 - means), 1e-9))[:, None]).T @ design
        move = np.linalg.solve(information + np.diag(precision), design.T @ (weights * (target - means)) - precision * (found - prior))
        found = found + np.clip(move, -2, 2)
        if np.abs(move).max() < 1e-8:
            break
    of_slope = information[0, 0] - information[0, 1] ** 2 / information[1, 1]
    by_logit = max(found[0] / spread, 0.01)
    return float(by_logit), float(found[1] - by_logit * logits.mean()), float(of_slope * spread**2)


def beta(logits: Floats, labels: NDArray[np.float32], weights: Floats) -> Calibration:
    """Beta calibration; its weights stay positive, so ranks stay."""
    with_log, with_rest = -np.logaddexp(0, -logits), np.logaddexp(0, logits)
    scale = weights.sum()

    def loss(parameters: Floats) -> tuple[float, Floats]:
        z = parameters[0] * with_log + parameters[1] * with_rest + parameters[2]
        rest = weights * (sigmoid(z) - labels)
        value = (weights * (np.logaddexp(0, z) - labels * z)).sum() / scale
        return float(value), np.array([rest @ with_log, rest @ with_rest, rest.sum()]) / scale

    found = minimize(loss, np.array([1.0, 1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.0, None), (0.0, None), (None, None)])
    return Calibration("beta", tuple(map(float, found.x)))


def isotonic(logits: Floats, labels: NDArray[np.float32], weights: Floats) -> Calibration:
    """Steps that never fall, kept from 0 and 1 by half a person."""
    least = 0.5 / len(logits)
    model = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(logits, labels, weights)
    return Calibration("isotonic", (*map(float, model.X_thresholds_), *map(float, model.y_thresholds_)))


def line(outputs: Floats, labels: NDArray[Any], weights: Floats) -> tuple[float, float]:
    """Slope (at least 0) and intercept of a continuous target, by least squares."""
    mean, wanted_mean = np.average(outputs, weights=weights), np.average(labels, weights=weights)
    variance = np.average((outputs - mean) ** 2, weights=weights)
    slope = max(float(np.average((outputs - mean) * (labels - wanted_mean), weights=weights) / max(variance, 1e-12)), 0.0)
    return slope, float(wanted_mean - slope * mean)


def temperature(target: Target, outputs: Floats, labels: NDArray[np.float32], weights: Floats) -> tuple[float, ...]:
    """Slope of a multi-class target (Guo et al. 2017) and an intercept a class, held to 0 as half a person of each class would."""
    truth, shares = wanted(target, labels), weights / weights.sum()

    def loss(parameters: Floats) -> float:
        z = np.exp(parameters[0]) * outputs + parameters[1:]
        most = z.max(axis=1, keepdims=True)
        each = np.log(np.exp(z - most).sum(axis=1)) + most[:, 0] - (truth * z).sum(axis=1)
        return float(shares @ each + 0.5 * (parameters**2).sum() / len(labels))

    found = minimize(loss, np.zeros(1 + outputs.shape[1]), method="L-BFGS-B").x
    return float(np.exp(found[0])), *map(float, found[1:])
