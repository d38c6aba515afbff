"""Newton steps of a penalised regression, their quadratic solved by coordinate descent (Friedman, Hastie and Tibshirani 2010)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

from genospark.models.targets import Target, null_outputs, response, wanted
from genospark.training.design import Design, Matrix

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_STEPS = 25
# Steps at which the quadratic is made anew.
_ANEW = (4, 10)
# A model has half as many features more than are wanted: few have to be made along a path.
_AHEAD, _AT_LEAST_AHEAD = 0.5, 32


@dataclass
class Model:
    """Some features of some people, and the quadratics of the losses there.

    Attributes:
        features: Their places, ascending.
        x: [people, features].
        quadratics: Of each head, as it was made last.
    """

    features: NDArray[np.int64]
    x: Matrix
    quadratics: dict[int, _Quadratic]

    @classmethod
    def of(cls, design: Design, features: NDArray[np.int64], people: NDArray[np.int64]) -> Model:
        """Of some people."""
        x = design.columns(features)
        return cls(features, x if len(people) == len(x) else x[people], {})


class Side:
    """One target of some people.

    Args:
        labels: See ``Target``, [people].
        weights: 0 leaves a person out, [people].
        offset: Outputs to which the regression adds, [people, heads of all targets].
        target: The target.
        mine: Its heads.
        index: Its place among all targets.

    Attributes:
        people: Those who count.
    """

    def __init__(self, labels: NDArray[np.float32], weights: Floats, offset: Floats, target: Target, mine: slice, index: int) -> None:
        self.target, self.heads, self.index = target, mine, index
        self.people = np.flatnonzero(weights > 0)
        self._labels = labels[self.people]
        self._weights = weights[self.people] / max(weights.sum(), 1e-12)
        self._wanted = wanted(target, self._labels)
        self._offset = offset[self.people, mine]
        self._model: Model | None = None

    def start(self) -> Floats:
        """The intercepts that go with no weights, [heads]."""
        if not len(self.people):
            return np.zeros(self.target.n_heads)
        nothing = Model(np.zeros(0, np.int64), np.zeros((len(self.people), 0), np.float32), {})
        start = np.zeros(self.target.n_heads) if self._offset.any() else null_outputs(self.target, self._labels, self._weights)
        return self.newton(nothing, np.zeros((0, self.target.n_heads)), start, 1.0, 1.0)[1]

    def model(self, design: Design, wanted: Bools, reach: Floats, most: int) -> Model:
        """One that has all wanted features: the last, or a new one with those that will be wanted next, by their reach; `most` in all."""
        if self._model is None or wanted[self._model.features].sum() < wanted.sum():
            ahead = int(wanted.sum() * _AHEAD) + _AT_LEAST_AHEAD
            next_best = np.argsort(np.where(wanted, np.inf, -reach), kind="stable")[: min(ahead, max(most - int(wanted.sum()), 0))]
            chosen = wanted.copy()
            chosen[next_best] = True
            # The old one goes first: both together might not fit.
            self._model = None
            self._model = Model.of(design, np.flatnonzero(chosen), self.people)
        return self._model

    def residuals(self, outputs: Floats) -> Floats:
        """Weighted differences from what was wanted, [people of the target, heads]; their products with features are the gradient."""
        return np.asarray(self._weights[:, None] * (self._wanted - response(self.target, outputs + self._offset)), np.float64)

    def newton(self, model: Model, weights: Floats, intercepts: Floats, strength: float, l1_ratio: float) -> tuple[Floats, Floats]:
        """Weights [features of the model, heads] and intercepts [heads] at one penalty, from those given on."""
        if not len(self.people):
            return weights, intercepts
        weights, intercepts = weights.copy(), intercepts.copy()
        x, quadratics = model.x, model.quadratics
        outputs = self._offset + intercepts + x @ weights.astype(np.float32)
        for step in range(_STEPS):
            moved = 0.0
            for head in range(weights.shape[1]):
                means = response(self.target, outputs)[:, head]
                # That of the penalty before is near enough to begin with: it decides how fast the end is reached, not where it is.
                if head not in quadratics or step in _ANEW:
                    curvature = np.ones(len(means)) if self.target.kind == "continuous" else np.maximum(means * (1 - means), 1e-4)
                    quadratics[head] = _Quadratic(x, self._weights * curvature)
                if step in (0, *_ANEW):
                    quadratics[head].penalise(strength * (1 - l1_ratio))
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

    def __init__(self, x: Matrix, curvature: Floats) -> None:
        self._total = curvature.sum()
        self._means = (curvature.astype(np.float32) @ x).astype(float) / self._total
        scaled = (x - self._means.astype(np.float32)) * np.sqrt(curvature).astype(np.float32)[:, None]
        self._gram = (scaled.T @ scaled).astype(float)
        # Features in full linkage make it singular. What is added here slows Newton's steps and does not change where they end.
        self._gram.flat[:: len(self._gram) + 1] += 1e-4 * max(float(np.trace(self._gram)) / max(len(self._gram), 1), 1e-12)
        self._root = self._gram

    def penalise(self, ridge: float) -> None:
        """Adds a ridge penalty, in place of the one before."""
        if len(self._gram):
            self._root = cholesky(self._gram + ridge * np.eye(len(self._gram)), lower=True)

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
