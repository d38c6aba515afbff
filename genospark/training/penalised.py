"""Elastic-net regressions of diseases, classes and quantities, along a path of penalties.

Newton's quadratic is solved by coordinate descent (Friedman, Hastie and Tibshirani 2010), over those features that the sequential strong
rule leaves in, with a check of all others (Tibshirani et al. 2012): a pass over the whole matrix a penalty, whatever it holds.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

from genospark.models.targets import Target, heads, losses, null_outputs, response, wanted
from genospark.training.design import Design, Matrix, cross, times

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NEWTON_STEPS = 25
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
    sides = [_Side(training, target, mine, index) for index, (target, mine) in enumerate(zip(targets, owned, strict=True))]
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
                used = np.flatnonzero(candidates[:, side.index])
                strength = strengths[side.index]
                some, intercepts[side.heads] = side.solve(
                    design.columns(used), weights[used, side.heads], intercepts[side.heads], strength, l1_ratio
                )
                weights[used, side.heads] = some
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
        side = _Side(fewer, target, mine, index)
        weights[used, mine], intercepts[mine] = side.solve(
            training.design.columns(used), weights[used, mine], intercepts[mine], full.strengths[index], full.l1_ratios[index]
        )
    return replace(full, coefficients=weights, intercepts=intercepts)


class _Side:
    """One target's part of a sample."""

    def __init__(self, sample: Sample, target: Target, mine: slice, index: int) -> None:
        self.target, self.heads, self.index = target, mine, index
        self.people = np.flatnonzero(sample.weights[:, index] > 0)
        self._labels = sample.labels[self.people, index]
        self._weights = sample.weights[self.people, index]
        self._weights = self._weights / max(self._weights.sum(), 1e-12)
        self._wanted = wanted(target, self._labels)
        self._offset = sample.offset[self.people, mine]
        self._all = len(self.people) == len(sample.labels)

    def start(self) -> Floats:
        """The intercepts that go with no weights, [heads]."""
        if not len(self.people):
            return np.zeros(self.target.n_heads)
        nothing = np.zeros((0, self.target.n_heads))
        start = np.zeros(self.target.n_heads) if self._offset.any() else null_outputs(self.target, self._labels, self._weights)
        return self._newton(np.zeros((len(self.people), 0), np.float32), nothing, start, 1.0, 1.0)[1]

    def residuals(self, outputs: Floats) -> Floats:
        """Weighted differences from what was wanted, [people of the target, heads]; their products with features are the gradient."""
        return np.asarray(self._weights[:, None] * (self._wanted - response(self.target, outputs + self._offset)), np.float64)

    def solve(self, x: Matrix, weights: Floats, intercepts: Floats, strength: float, l1_ratio: float) -> tuple[Floats, Floats]:
        """Weights [features of x, heads] and intercepts [heads] at one penalty, from those given on; `x` is of everyone."""
        if not len(self.people):
            return weights, intercepts
        return self._newton(x if self._all else x[self.people], weights, intercepts, strength, l1_ratio)

    def _newton(self, x: Matrix, weights: Floats, intercepts: Floats, strength: float, l1_ratio: float) -> tuple[Floats, Floats]:
        weights, intercepts = weights.copy(), intercepts.copy()
        quadratics: dict[int, _Quadratic] = {}
        outputs = self._offset + intercepts + x @ weights.astype(np.float32)
        for step in range(_NEWTON_STEPS):
            moved = 0.0
            for head in range(weights.shape[1]):
                means = response(self.target, outputs)[:, head]
                if step in (0, 4, 10):
                    curvature = np.ones(len(means)) if self.target.kind == "continuous" else np.maximum(means * (1 - means), 1e-4)
                    quadratics[head] = _Quadratic(x, self._weights * curvature, strength * (1 - l1_ratio))
                residual = self._weights * (self._wanted[:, head] - means)
                change, shift = quadratics[head].step(x, residual, weights[:, head], strength * l1_ratio)
                weights[:, head] += change
                intercepts[head] += shift
                difference = shift + x @ change.astype(np.float32)
                outputs[:, head] += difference
                moved = max(moved, float(np.abs(difference).max(initial=0)))
            if moved < 1e-3:
                break
        return weights, intercepts


class _Quadratic:
    """The second-order model of a loss at some outputs."""

    def __init__(self, x: Matrix, curvature: Floats, ridge: float) -> None:
        self._total = curvature.sum()
        self._means = (curvature.astype(np.float32) @ x).astype(float) / self._total
        scaled = (x - self._means.astype(np.float32)) * np.sqrt(curvature).astype(np.float32)[:, None]
        self._gram = (scaled.T @ scaled).astype(float)
        # Features in full linkage make it singular. What is added here slows Newton's steps and does not change where they end.
        self._gram.flat[:: len(self._gram) + 1] += 1e-4 * max(float(np.trace(self._gram)) / max(len(self._gram), 1), 1e-12)
        self._root = cholesky(self._gram + ridge * np.eye(len(self._gram)), lower=True) if len(self._gram) else self._gram

    def step(self, x: Matrix, residual: Floats, weights: Floats, l1: float) -> tuple[Floats, float]:
        """Change of the weights and of the intercept to the quadratic's least point."""
        shift = float(residual.sum() / self._total)
        if not len(weights):
            return np.zeros(0), shift
        slope = (residual.astype(np.float32) @ x).astype(float) - self._means * residual.sum() + self._gram @ weights
        target = solve_triangular(self._root, slope, lower=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            _, found, _ = enet_path(
                self._root.T, target, l1_ratio=1.0, alphas=[l1 / len(weights)], coef_init=weights.copy(), tol=1e-5, max_iter=2000
            )
        change = found[:, 0] - weights
        return change, shift - float(self._means @ change)


def _gradient(design: Design, sides: Sequence[_Side], weights: Floats, intercepts: Floats) -> Floats:
    """Minus the mean loss' gradient by each weight, [features, heads]."""
    outputs = intercepts + times(design, weights)
    residuals = np.zeros(outputs.shape)
    for side in sides:
        residuals[side.people, side.heads] = side.residuals(outputs[side.people, side.heads])
    return cross(design, residuals)
