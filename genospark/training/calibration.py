"""From outputs of two models to one calibrated response a target, all decided on validation people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from genospark.models.calibration import Calibration, Reference
from genospark.models.targets import Target, heads, losses, null_outputs, sigmoid, wanted
from genospark.tasks.risk_model import Said, TargetModel

Floats = NDArray[np.float64]

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_FOLDS = 5
# A disease's slope is drawn to that of all diseases as if it were known from theirs with this standard error.
_SLOPE_ERROR = 0.15
_QUANTILES = 201


@dataclass(frozen=True)
class Judges:
    """Validation people.

    Attributes:
        labels: [people, targets], NaN for not known.
        weights: Of each label, [people, targets].
        families: Of each person, [people].
    """

    labels: NDArray[np.float32]
    weights: Floats
    families: NDArray[np.str_]

    def of(self, targets: Sequence[Target], index: int) -> tuple[NDArray[np.bool_], NDArray[np.float32], Floats]:
        """Who has a label of one target, these labels, and their weights, which bring cases to the prevalence in the population."""
        known = ~np.isnan(self.labels[:, index]) & (self.weights[:, index] > 0)
        labels, weights = self.labels[known, index], self.weights[known, index].copy()
        prevalence = targets[index].prevalence
        if prevalence is not None and len(labels):
            found = np.clip(np.average(labels, weights=weights), 1e-9, 1 - 1e-9)
            weights *= np.where(labels == 1, prevalence / found, (1 - prevalence) / (1 - found))
        return known, labels, weights


def shipped(said: Said, judges: Judges, targets: Sequence[Target]) -> tuple[TargetModel, ...]:
    """The mix and calibration of each target.

    One share for all targets: validation people hold too few cases of a rare disease to choose for each. The regression is shipped unless a
    mix with the network has less loss by more than its standard error.

    Args:
        said: Outputs of both models.
        judges: The validation people.
        targets: Targets.
    """
    share = _share(said, judges, targets)
    mixed = share * said.network + (1 - share) * said.linear
    simple = _simple(mixed, judges, targets)
    found = []
    for index, (target, mine) in enumerate(zip(targets, heads(targets), strict=True)):
        known, labels, weights = judges.of(targets, index)
        outputs = mixed[known, mine]
        calibration = simple[index]
        if target.kind == "binary" and 0 < labels.sum() < len(labels):
            calibration = _chosen(outputs[:, 0], labels, weights, judges.families[known], calibration)
        reference = None if target.kind == "multiclass" or not len(mixed) else reference_of(mixed[:, mine.start], said.ancestry)
        found.append(TargetModel(share, calibration, reference))
    return tuple(found)


def _share(said: Said, judges: Judges, targets: Sequence[Target]) -> float:
    """Share of the network: the one of least loss after calibration, or none where that gains no more than chance would."""
    _, family = np.unique(judges.families, return_inverse=True)
    each = []
    for share in SHARES:
        mixed = share * said.network + (1 - share) * said.linear
        simple = _simple(mixed, judges, targets)
        total = np.zeros(len(mixed))
        for index, (target, mine) in enumerate(zip(targets, heads(targets), strict=True)):
            known, labels, weights = judges.of(targets, index)
            if not known.any():
                continue
            nothing = np.broadcast_to(null_outputs(target, labels, weights), (len(labels), target.n_heads))
            least = max(float(np.average(losses(target, nothing, labels), weights=weights)), 1e-9)
            loss = losses(target, _recalibrated(simple[index], mixed[known, mine]), labels)
            total[known] += loss * weights / weights.sum() / least / len(targets)
        each.append(np.bincount(family, total, minlength=1))
    best = min(range(len(SHARES)), key=lambda place: each[place].sum())
    gain = each[0] - each[best]
    error = np.sqrt(len(gain)) * gain.std()
    return SHARES[best] if gain.sum() > error else 0.0


def _recalibrated(calibration: Calibration, outputs: Floats) -> Floats:
    """Outputs whose response is the calibrated one, of the simple methods."""
    slope, *intercepts = calibration.parameters
    return np.asarray(slope * outputs + np.array(intercepts))


def _simple(mixed: Floats, judges: Judges, targets: Sequence[Target]) -> list[Calibration]:
    """Slope and intercepts of each target: Platt's for diseases, whose slopes are drawn together."""
    parts = [(judges.of(targets, index), mine) for index, mine in enumerate(heads(targets))]
    pooled = 1.0
    diseases = [
        (mixed[known, mine][:, 0], labels, weights)
        for (known, labels, weights), mine, target in ((*part, target) for part, target in zip(parts, targets, strict=True))
        if target.kind == "binary" and 0 < labels.sum() < len(labels)
    ]
    if diseases:
        slopes = [platt(*disease, 1.0, 1.0) for disease in diseases]
        information = np.array([slope[2] for slope in slopes])
        pooled = float(np.average([slope[0] for slope in slopes], weights=information))
    found = []
    for ((known, labels, weights), mine), target in zip(parts, targets, strict=True):
        outputs = mixed[known, mine]
        if target.kind == "binary" and 0 < labels.sum() < len(labels):
            slope, intercept, _ = platt(outputs[:, 0], labels, weights, pooled, _SLOPE_ERROR)
            found.append(Calibration("platt", (slope, intercept)))
        elif target.kind == "continuous" and len(labels) > 2:
            found.append(Calibration("line", line(outputs[:, 0], labels, weights)))
        elif target.kind == "multiclass" and len(labels):
            found.append(Calibration("temperature", temperature(target, outputs, labels, weights)))
        else:
            found.append(Calibration.none(target))
    return found


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


def _chosen(logits: Floats, labels: NDArray[np.float32], weights: Floats, families: NDArray[np.str_], simple: Calibration) -> Calibration:
    """Platt's, beta or isotonic calibration: by cross-validation, Platt's unless another has less loss by more than its standard error."""
    methods: dict[str, Callable[[Floats, NDArray[np.float32], Floats], Calibration]] = {"beta": beta, "isotonic": isotonic}
    names, family = np.unique(families, return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(names))[family] % _FOLDS
    target = Target("")
    each = {name: np.zeros(len(logits)) for name in ("platt", *methods)}
    for left in range(_FOLDS):
        rest, mine = fold != left, fold == left
        if not mine.any() or not 0 < labels[rest].sum() < rest.sum():
            return simple
        slope, intercept, _ = platt(logits[rest], labels[rest], weights[rest], simple.parameters[0], _SLOPE_ERROR)
        made = {"platt": Calibration("platt", (slope, intercept))}
        made |= {name: method(logits[rest], labels[rest], weights[rest]) for name, method in methods.items()}
        for name, calibration in made.items():
            p = np.clip(calibration.apply(target, logits[mine][:, None])[:, 0], 1e-7, 1 - 1e-7)
            each[name][mine] = -weights[mine] * np.where(labels[mine] == 1, np.log(p), np.log1p(-p))
    best, found = "platt", simple
    for name, method in methods.items():
        gain = each[best] - each[name]
        if gain.sum() > np.sqrt(len(gain)) * gain.std():
            best, found = name, method(logits, labels, weights)
    return found


def line(outputs: Floats, labels: NDArray[np.float32], weights: Floats) -> tuple[float, float]:
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


def reference_of(outputs: Floats, ancestry: Floats) -> Reference:
    """Means, spreads and quantiles of some people's outputs.

    Args:
        outputs: [people].
        ancestry: Standardised components, [people, components].
    """
    design = np.concatenate([np.ones((len(outputs), 1)), ancestry], axis=1)
    means = np.linalg.lstsq(design, outputs, rcond=None)[0]
    rest = outputs - design @ means
    # The mean of the logarithm of a squared normal deviate is -1.27.
    spreads = np.linalg.lstsq(design, np.log(np.maximum(rest**2, 1e-6 * max(rest.var(), 1e-12))) + 1.27, rcond=None)[0]
    standardised = rest / np.exp(0.5 * (design @ spreads))
    return Reference(means, spreads, np.quantile(standardised, np.linspace(0, 1, _QUANTILES)))
