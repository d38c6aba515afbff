"""The strongest simple model of expression: ridge and multi-task elastic net, tuned on validation people.

Candidates differ in penalty, in whether cell types share their weights, and, where variants speak to the genes near them only, in whether
each gene hears just its own variants or all. What targets lack is their training mean, in the rows in which their state was measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genospark.models.expression_spec import ExpressionSpec
from genospark.tasks.expression import Inputs, Kernels, linear_prediction, own_prediction
from genospark.training.elastic_net import Matrix, Penalty, Solver, own_ridge

Ints = NDArray[np.int64]
RIDGE = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
ELASTIC_NET = (0.5, 0.25, 0.12, 0.06, 0.04, 0.02)
L1_RATIOS = (0.5, 0.9)
OWN_RIDGE = (0.03, 0.3)
ROUNDS = 3
NAMES = {"panel": "the panel", "dense": "all variants"}
OWN = "ridge of each gene on its own variants"


@dataclass(frozen=True)
class Rows:
    """Examples in memory.

    Attributes:
        given: Panel, variants and cell types.
        targets: Standardised, missing values NaN, [rows, states, targets].
    """

    given: Inputs
    targets: NDArray[np.float32]

    @property
    def types(self) -> NDArray[np.int32]:
        """Cell types [rows]."""
        return self.given.types

    @property
    def variants(self) -> Matrix:
        """Standardised copies [rows, variants]."""
        return self.given.variants

    @property
    def seen(self) -> Matrix:
        """The panel [rows, states * panel], missing values 0."""
        return np.nan_to_num(self.given.panel).reshape(len(self.targets), -1)

    @property
    def filled(self) -> NDArray[np.float32]:
        """The targets, missing values 0."""
        return np.nan_to_num(self.targets)


@dataclass
class Fit:
    """A fitted candidate.

    Attributes:
        method: What it is, in words.
        kernels: Its weights for one pass, as of ``LinearSkip`` without the axis of passes.
        penalties: For each kernel strengths of half the sum of squares and of the rows' norms.
        error: Mean squared error on validation people, over known values.
    """

    method: str
    kernels: Kernels
    penalties: dict[str, tuple[float, float]]
    error: float = field(default=float("inf"))


def fit(spec: ExpressionSpec, training: Rows, validation: Rows, dense_features: int) -> list[list[Fit]]:
    """Fits all candidates, with the panel (where there is one) and without.

    Args:
        spec: Genes, contexts and variants.
        training: Training examples.
        validation: Validation examples.
        dense_features: Most features of a candidate in which every target hears all variants though they are near few.

    Returns:
        For each pass the candidates, each with its best penalties; the best first.
    """
    fitter = _Fitter(spec, training, validation)
    own = spec.cis is not None and spec.cis.shape[1] > 0
    near_enough = spec.panel_width + len(spec.variants) <= dense_features
    found = []
    for panel in (True, False) if spec.panel else (False,):
        if not panel and not spec.variants:
            found.append([fitter.measured(Fit("the mean", {}, {}))])
            continue
        structures = [True] if own else [False]
        if own and panel and near_enough:
            structures.append(False)
        candidates = [one for structure in structures for one in fitter.candidates(panel, structure)]
        found.append(sorted(candidates, key=lambda one: one.error))
    return found


def assembled(spec: ExpressionSpec, chosen: list[Fit]) -> Kernels:
    """One linear model of the fit of each pass, as of ``LinearSkip``."""
    outputs, types = spec.target_width, len(spec.cell_types)
    kernels: Kernels = {"intercept": np.zeros((spec.passes, types, outputs), np.float32)}
    if "panel" in chosen[0].kernels:
        kernels["panel"] = chosen[0].kernels["panel"]
    for name in ("dense", "cis"):
        parts = [one.kernels.get(name) for one in chosen]
        groups = max((len(part) for part in parts if part is not None), default=0)
        if groups:
            shape = next(part.shape[1:] for part in parts if part is not None)
            kernels[name] = np.stack(
                [np.zeros((groups, *shape), np.float32) if p is None else np.broadcast_to(p, (groups, *shape)) for p in parts]
            )
    return kernels


def error_of(predicted: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
    """Mean squared error over known values."""
    known = ~np.isnan(targets)
    return float(np.square(predicted - targets)[known].mean()) if known.any() else 0.0


class _Fitter:
    """Fits on training rows and measures on validation rows."""

    def __init__(self, spec: ExpressionSpec, training: Rows, validation: Rows) -> None:
        self._spec, self._training, self._validation = spec, training, validation
        measured = ~np.isnan(training.targets).all(axis=2)
        by_type = [np.flatnonzero(training.types == which) for which in range(len(spec.cell_types))]
        # Rows in which each state was measured, by whether cell types share weights, and by group of them.
        self._rows: dict[bool, list[list[Ints]]] = {
            shared: [[rows[measured[rows, s]] for s in range(len(spec.states))] for rows in groups]
            for shared, groups in ((True, [np.arange(len(measured))]), (False, by_type))
        }

    def candidates(self, panel: bool, own: bool) -> list[Fit]:
        """Ridge with shared weights and without, then the elastic net of the better of the two."""
        if own and not panel:
            return [self._best(self._own_alone(penalty) for penalty in OWN_RIDGE)]
        seen, variants = self._training.seen, self._training.variants
        features = seen if own else np.concatenate([seen, variants], axis=1) if panel else variants
        of = self._panel_and_own if own else self._dense
        found: dict[bool, Fit] = {}
        made: dict[bool, _Solvers] = {}
        for shared in (True, False) if len(self._spec.cell_types) > 1 else (True,):
            made[shared] = _Solvers(features, self._rows[shared], _sharing(shared))
            found[shared] = self._best(of(made[shared], Penalty(share)) for share in RIDGE)
        better = min(found, key=lambda shared: found[shared].error)
        grid = [Penalty(share, l1_ratio) for l1_ratio in L1_RATIOS for share in ELASTIC_NET]
        return [*found.values(), self._best(of(made[better], penalty) for penalty in grid)]

    def measured(self, one: Fit) -> Fit:
        """With its error on validation rows."""
        rows, spec = self._validation, self._spec
        kernels = assembled(spec, [one] * spec.passes)
        one.error = error_of(linear_prediction(spec, kernels, rows.given)[:, 0], rows.targets)
        return one

    def _best(self, fits: Iterable[Fit]) -> Fit:
        return min(map(self.measured, fits), key=lambda one: one.error)

    def _dense(self, solvers: _Solvers, penalty: Penalty) -> Fit:
        """Every target hears all features."""
        kernel, strengths = solvers.kernel(self._training.filled, penalty)
        split = kernel.shape[1] - self._training.variants.shape[1]
        parts = {"panel": kernel[:, :split], "dense": kernel[:, split:]}
        kernels = {name: part for name, part in parts.items() if part.shape[1]}
        names = " and ".join(NAMES[name] for name in kernels)
        return Fit(f"{_method(penalty)} on {names}{solvers.sharing}", kernels, dict.fromkeys(kernels, strengths))

    def _own_alone(self, penalty: float) -> Fit:
        return Fit(OWN, {"cis": self._own(self._training.filled, penalty)}, {"cis": (penalty, 0.0)})

    def _panel_and_own(self, solvers: _Solvers, penalty: Penalty) -> Fit:
        """Every target hears the panel and its own variants: in turn, each fitted to what the other leaves."""
        whole = self._training.filled
        by_own = np.zeros_like(whole)
        for _ in range(ROUNDS):
            kernel, strengths = solvers.kernel(whole - by_own, penalty)
            cis = self._own(whole - solvers.through(kernel, whole.shape), OWN_RIDGE[0])
            by_own = self._by_own(cis).reshape(whole.shape)
        method = f"{_method(penalty)} on {NAMES['panel']}{solvers.sharing}, {OWN}"
        return Fit(method, {"panel": kernel, "cis": cis}, {"panel": strengths, "cis": (OWN_RIDGE[0], 0.0)})

    def _own(self, left: NDArray[np.float32], penalty: float) -> Matrix:
        """Weights of each target's own variants for what is left, [cell types, states * targets, most]."""
        spec = self._spec
        assert spec.cis is not None
        n_targets = len(spec.targets)
        weights = np.zeros((len(spec.cell_types), spec.target_width, spec.cis.shape[1]), np.float32)
        for c, by_state in enumerate(self._rows[False]):
            for s, rows in enumerate(by_state):
                part = slice(s * n_targets, (s + 1) * n_targets)
                weights[c, part] = own_ridge(self._training.variants[rows], spec.cis, left[rows, s], penalty)
        return weights

    def _by_own(self, cis: Matrix) -> Matrix:
        rows = self._training
        total = np.zeros((len(rows.types), cis.shape[1]), np.float32)
        for which in np.unique(rows.types):
            of = rows.types == which
            total[of] = own_prediction(self._spec, cis[which], rows.variants[of])
        return total


class _Solvers:
    """A solver for each group of cell types and state; states that were measured in the same rows have the same."""

    def __init__(self, features: Matrix, rows: list[list[Ints]], sharing: str) -> None:
        self.sharing = sharing
        self._features, self._rows = features, rows
        made: dict[bytes, Solver] = {}
        for by_state in rows:
            for found in by_state:
                if len(found) and found.tobytes() not in made:
                    made[found.tobytes()] = Solver(features[found])
        self._made = made

    def kernel(self, targets: NDArray[np.float32], penalty: Penalty) -> tuple[Matrix, tuple[float, float]]:
        """Weights [groups, features, states * targets] for targets [rows, states, targets], and the mean strengths of their penalty."""
        n_targets = targets.shape[2]
        kernel = np.zeros((len(self._rows), self._features.shape[1], targets.shape[1] * n_targets), np.float32)
        strengths = []
        for g, by_state in enumerate(self._rows):
            for s, rows in enumerate(by_state):
                if len(rows):
                    weights, *strength = self._made[rows.tobytes()].solve(targets[rows, s], penalty)
                    kernel[g, :, s * n_targets : (s + 1) * n_targets] = weights
                    strengths.append(strength)
        l2, by_row = np.mean(strengths, axis=0) if strengths else (0.0, 0.0)
        return kernel, (float(l2), float(by_row))

    def through(self, kernel: Matrix, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """What the features say, of `shape` [rows, states, targets]."""
        total = np.zeros(shape, np.float32)
        for g, by_state in enumerate(self._rows):
            for s, rows in enumerate(by_state):
                total[rows, s] = self._features[rows] @ kernel[g, :, s * shape[2] : (s + 1) * shape[2]]
        return total


def _method(penalty: Penalty) -> str:
    return "multi-task elastic net" if penalty.l1_ratio else "ridge"


def _sharing(shared: bool) -> str:
    return "" if shared else " of each cell type"
