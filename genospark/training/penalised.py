"""Elastic-net regressions of diseases, classes and quantities, along a path of penalties.

Newton's steps (``newton``) are over those features that the sequential strong rule leaves in, with a check of all others (Tibshirani et al.
2012): a pass over the whole matrix a penalty, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genospark.models.targets import Target, heads, losses
from genospark.training.design import Design, cross, times
from genospark.training.newton import Model, Side

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_CHECKS = 5
# Of the features of a fit: its columns, and what it holds of products of any two.
_MOST_CANDIDATES, _LEAST_CANDIDATES = 4096, 2048
_COLUMN_BYTES = 1 << 30
# Penalties without a better validation loss after which a target's path ends.
_PATIENCE = 3


@dataclass(frozen=True)
class Sample:
    """People to fit or choose on.

    Attributes:
        design: Standardised vectors [people, features].
        labels: [people, targets], NaN for not known; see ``Target``.
        weights: Of each person and target, [people, targets]; 0 leaves a label out.
        offset: Outputs to which the regression adds, [people, heads].
    """

    design: Design
    labels: NDArray[np.float32]
    weights: Floats
    offset: Floats

    @classmethod
    def of(cls, design: Design, labels: NDArray[np.float32], weights: NDArray[np.float32] | None, targets: Sequence[Target]) -> Sample:
        """People without offset; every known label counts `weights`, or once."""
        counted = (~np.isnan(labels)) * (1.0 if weights is None else weights.astype(float))
        return cls(design, labels, counted, np.zeros((len(labels), sum(target.n_heads for target in targets))))

    def loss(self, targets: Sequence[Target], outputs: Floats) -> Floats:
        """Weighted mean loss of each target, [targets]; NaN where no label is known."""
        found = np.full(len(targets), np.nan)
        for index, (target, mine) in enumerate(zip(targets, heads(targets), strict=True)):
            used = self.weights[:, index] > 0
            if used.any():
                each = losses(target, outputs[used, mine], self.labels[used, index])
                found[index] = np.average(each, weights=self.weights[used, index])
        return found


@dataclass(frozen=True)
class Linear:
    """Regressions of all targets.

    Attributes:
        coefficients: [features, heads].
        intercepts: [heads].
        strengths: Penalty of each target on the mean loss, [targets].
        l1_ratios: Share of it that is L1, [targets].
        loss: Mean loss on validation people, [targets].
        candidates: Features that could have a weight, [features, targets].
    """

    coefficients: Floats
    intercepts: Floats
    strengths: Floats
    l1_ratios: Floats
    loss: Floats
    candidates: Bools

    def outputs(self, sample: Sample) -> Floats:
        """[people, heads]."""
        return sample.offset + self.intercepts + times(sample.design, self.coefficients)


def fit(
    training: Sample, validation: Sample, targets: Sequence[Target], l1_ratios: Sequence[float], shares: Sequence[float]
) -> tuple[Linear, list[Linear]]:
    """The regression of least validation loss of each target.

    Args:
        training: People to fit on.
        validation: People to choose on.
        targets: Targets.
        l1_ratios: Shares of the penalty that are L1, each above 0.
        shares: Penalties as shares of the least that leaves no weight, falling.

    Returns:
        The chosen regression, and the best one of each of `l1_ratios`.
    """
    each = [_best(training, validation, targets, ratio, shares) for ratio in l1_ratios]
    return chosen(each, targets), each


def chosen(each: Sequence[Linear], targets: Sequence[Target]) -> Linear:
    """Of some regressions the one of least validation loss for each target."""
    found = each[0]
    for other in each[1:]:
        found = _merged(found, other, other.loss < found.loss, targets)
    return found


def _merged(one: Linear, other: Linear, better: Bools, targets: Sequence[Target]) -> Linear:
    by_head = np.repeat(better, [target.n_heads for target in targets])
    return Linear(
        np.where(by_head, other.coefficients, one.coefficients),
        np.where(by_head, other.intercepts, one.intercepts),
        np.where(better, other.strengths, one.strengths),
        np.where(better, other.l1_ratios, one.l1_ratios),
        np.where(better, other.loss, one.loss),
        np.where(better, other.candidates, one.candidates),
    )


def _best(training: Sample, validation: Sample, targets: Sequence[Target], l1_ratio: float, shares: Sequence[float]) -> Linear:
    """The penalty of least validation loss of each target, along one path."""
    best: Linear | None = None
    since = np.zeros(len(targets), int)
    going = np.ones(len(targets), bool)
    path = _path(training, targets, l1_ratio, shares, going)
    for found in path:
        loss = validation.loss(targets, found.outputs(validation))
        # Without validation labels the mildest choice is made: no weights.
        found = replace(found, loss=np.where(np.isnan(loss), np.inf, loss))
        better = going & (found.loss < best.loss) if best is not None else np.ones(len(targets), bool)
        best = found if best is None else _merged(best, found, better, targets)
        since = np.where(better, 0, since + 1)
        going &= since < _PATIENCE
        if not going.any():
            break
    assert best is not None
    return best


def _path(training: Sample, targets: Sequence[Target], l1_ratio: float, shares: Sequence[float], going: Bools) -> Iterator[Linear]:
    """Fits of falling penalties, each begun at the one before; the first has no weights. Targets that are not `going` stay as they are.

    Where the strong rule leaves more features in than memory should hold, the strongest are taken, and the check brings in those that are
    missed. A target of which more have a weight goes no further.
    """
    design, owned = training.design, heads(targets)
    width, n_heads = design.shape[1], training.offset.shape[1]
    weights, intercepts = np.zeros((width, n_heads)), np.zeros(n_heads)
    sides = [_side(training, target, mine, index) for index, (target, mine) in enumerate(zip(targets, owned, strict=True))]
    for side in sides:
        intercepts[side.heads] = side.start()
    gradient = _gradient(design, sides, weights, intercepts)
    top = np.array([np.abs(gradient[:, side.heads]).max(initial=1e-12) for side in sides]) / l1_ratio
    candidates = np.zeros((width, len(targets)), bool)
    most = _most_candidates(design.shape[0])
    ratios = np.full(len(targets), l1_ratio)
    nothing = np.full(len(targets), np.inf)
    yield Linear(weights.copy(), intercepts.copy(), top, ratios, nothing, candidates.copy())
    last, strengths = top.copy(), top.copy()
    for share in shares:
        strengths = np.where(going, share * top, strengths)
        for side in (side for side in sides if going[side.index]):
            reach = np.abs(gradient[:, side.heads]).max(axis=1, initial=0)
            own = candidates[:, side.index]
            if width > most:
                own &= (weights[:, side.heads] != 0).any(axis=1)
                if own.sum() >= most:
                    going[side.index] = False
                    continue
            own |= _strongest(reach >= l1_ratio * (2 * strengths[side.index] - last[side.index]), own, reach, most)
        pending = going.copy()
        for _ in range(_CHECKS):
            for side in (side for side in sides if pending[side.index]):
                reach = np.abs(gradient[:, side.heads]).max(axis=1, initial=0)
                model = side.model(design, candidates[:, side.index], reach, most)
                used, strength = model.features, strengths[side.index]
                some, intercepts[side.heads] = side.newton(model, weights[used, side.heads], intercepts[side.heads], strength, l1_ratio)
                weights[used, side.heads] = some
                candidates[used, side.index] |= some.any(axis=1)
            gradient = _gradient(design, sides, weights, intercepts)
            for side in (side for side in sides if pending[side.index]):
                reach = np.abs(gradient[:, side.heads]).max(axis=1, initial=0)
                missed = (reach > 1.01 * l1_ratio * strengths[side.index]) & ~candidates[:, side.index]
                if width > most and missed.sum() + candidates[:, side.index].sum() > most:
                    candidates[:, side.index] &= (weights[:, side.heads] != 0).any(axis=1)
                missed = _strongest(missed, candidates[:, side.index], reach, most)
                candidates[:, side.index] |= missed
                pending[side.index] = missed.any()
            if not pending.any():
                break
        last = strengths.copy()
        yield Linear(weights.copy(), intercepts.copy(), strengths.copy(), ratios, nothing, candidates.copy())


def _most_candidates(people: int) -> int:
    """Features of which a fit may hold columns of so many people."""
    return min(_MOST_CANDIDATES, max(_LEAST_CANDIDATES, min(2 * people, _COLUMN_BYTES // (4 * max(people, 1)))))


def _strongest(wanted: Bools, there: Bools, reach: Floats, most: int) -> Bools:
    """Of the features that are wanted and not there yet, as many of the largest gradients as there is room for."""
    fresh = np.flatnonzero(wanted & ~there)
    room = max(most - int(there.sum()), 0)
    found = np.zeros(len(wanted), bool)
    found[fresh if len(fresh) <= room else fresh[np.argsort(-reach[fresh], kind="stable")[:room]]] = True
    return found


def without(training: Sample, targets: Sequence[Target], full: Linear, left_out: Bools) -> Linear:
    """The regressions of people but some, with the penalties of `full` and among its candidates.

    Args:
        training: People.
        targets: Targets.
        full: Fit of all of them.
        left_out: Whom to leave out, [people].
    """
    fewer = replace(training, weights=np.where(left_out[:, None], 0.0, training.weights))
    weights, intercepts = full.coefficients.copy(), full.intercepts.copy()
    for index, (target, mine) in enumerate(zip(targets, heads(targets), strict=True)):
        used = np.flatnonzero(full.candidates[:, index])
        side = _side(fewer, target, mine, index)
        model = Model.of(training.design, used, side.people)
        weights[used, mine], intercepts[mine] = side.newton(
            model, weights[used, mine], intercepts[mine], full.strengths[index], full.l1_ratios[index]
        )
    return replace(full, coefficients=weights, intercepts=intercepts)


def _side(sample: Sample, target: Target, mine: slice, index: int) -> Side:
    return Side(sample.labels[:, index], sample.weights[:, index], sample.offset, target, mine, index)


def _gradient(design: Design, sides: Sequence[Side], weights: Floats, intercepts: Floats) -> Floats:
    """Minus the mean loss' gradient by each weight, [features, heads]."""
    outputs = intercepts + times(design, weights)
    residuals = np.zeros(outputs.shape)
    for side in sides:
        residuals[side.people, side.heads] = side.residuals(outputs[side.people, side.heads])
    return cross(design, residuals)
