"""From outputs of two models to one calibrated response a target, decided on people whom the models did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genospark.models.calibration import Calibration, Reference
from genospark.models.targets import Target, heads, losses, null_outputs
from genospark.tasks.risk_model import Said, TargetModel
from genospark.training.calibrators import beta, isotonic, line, platt, temperature

Floats = NDArray[np.float64]

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_FOLDS = 5
# A disease's slope is drawn to that of all diseases as if it were known from theirs with this standard error.
_SLOPE_ERROR = 0.15
_QUANTILES = 201
_FEWEST_JUDGES = 50


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


@dataclass(frozen=True)
class Unseen:
    """What members say of people whose families they left out: calibration learns from all of them, not from validation people alone.

    Attributes:
        people: Training people.
        network, linear: Of them, [people, heads].
        judges_network, judges_linear: Of the validation people by one member each, [judges, heads].
    """

    people: Judges
    network: Floats
    linear: Floats
    judges_network: Floats
    judges_linear: Floats

    def beside(self, share: float, mixed: Floats, judges: Judges) -> tuple[Floats, Judges]:
        """Outputs and labels of validation and training people.

        A member is fitted on fewer people than all together, so its outputs tell less: they are brought to what is to be expected of the
        mix of all members, by a line through the validation people's.

        Args:
            share: Of the network in the mix.
            mixed: Outputs of the mix of all members for validation people, [judges, heads].
            judges: Validation people.
        """
        if len(mixed) < _FEWEST_JUDGES:
            return mixed, judges
        member = share * self.judges_network + (1 - share) * self.judges_linear
        theirs = share * self.network + (1 - share) * self.linear
        expected = np.empty_like(theirs)
        for head in range(mixed.shape[1]):
            slope, intercept = line(member[:, head], mixed[:, head], np.ones(len(mixed)))
            expected[:, head] = intercept + slope * theirs[:, head]
        pairs = ((getattr(judges, name), getattr(self.people, name)) for name in ("labels", "weights", "families"))
        return np.concatenate([mixed, expected]), Judges(*(np.concatenate(pair) for pair in pairs))


def shipped(said: Said, judges: Judges, targets: Sequence[Target], unseen: Unseen | None = None) -> tuple[TargetModel, ...]:
    """The mix and calibration of each target.

    One share for all targets: validation people hold too few cases of a rare disease to choose for each. The regression is shipped unless a
    mix with the network has less loss by more than its standard error.

    Args:
        said: Outputs of both models.
        judges: The validation people.
        targets: Targets.
        unseen: What members say of people whom they left out; None where there are none.
    """
    share = _share(said, judges, targets)
    mixed = share * said.network + (1 - share) * said.linear
    everyone, judges = unseen.beside(share, mixed, judges) if unseen else (mixed, judges)
    simple = _simple(everyone, judges, targets)
    found = []
    for index, (target, mine) in enumerate(zip(targets, heads(targets), strict=True)):
        known, labels, weights = judges.of(targets, index)
        outputs = everyone[known, mine]
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
        # Outputs that are the same for everyone, of a regression without features, tell of no slope.
        pooled = float(np.average([slope[0] for slope in slopes], weights=information)) if information.sum() > 0 else pooled
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
