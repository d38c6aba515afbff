"""What a risk model says of a person: diseases, classes and quantities, and the loss of each kind in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["binary", "multiclass", "continuous"]
Floats = NDArray[np.float64]

NOBODY = 255
"""In place of a family's draw: no member of the network leaves the person out."""
DRAWS = 240
"""Draws of families: from 0; divided evenly by most numbers of members."""


@dataclass(frozen=True)
class Target:
    """One target.

    A label is 0 or 1 (binary), the place of the class (multi-class) or the standardised value (continuous); NaN where not known.

    Attributes:
        name: Disease or trait.
        kind: binary, multiclass or continuous.
        classes: Classes of a multi-class target.
        mean: Training mean of a continuous target; share of cases of a binary one.
        standard_deviation: Training standard deviation of a continuous target.
        prevalence: Of a binary target in the population, where cases were sampled more often than controls.
    """

    name: str
    kind: Kind = "binary"
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    standard_deviation: float = 1.0
    prevalence: float | None = None

    @property
    def n_heads(self) -> int:
        """Outputs that the target takes: one a class of a multi-class target, otherwise one."""
        return len(self.classes) if self.kind == "multiclass" else 1


def heads(targets: Sequence[Target]) -> list[slice]:
    """Which outputs are whose."""
    ends = np.cumsum([target.n_heads for target in targets])
    return [slice(int(end) - target.n_heads, int(end)) for end, target in zip(ends, targets, strict=True)]


def response(target: Target, outputs: Floats) -> Floats:
    """Probabilities, or the standardised value, of outputs [people, heads of the target]; of the same shape."""
    if target.kind == "continuous":
        return outputs
    if target.kind == "binary":
        return sigmoid(outputs)
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def wanted(target: Target, labels: NDArray[np.float32]) -> Floats:
    """What ``response`` ought to be, [people, heads of the target]; 0 where the label is not known."""
    filled = np.nan_to_num(labels).astype(float)
    if target.kind != "multiclass":
        return filled[:, None]
    return np.asarray(np.eye(len(target.classes))[filled.astype(int)], np.float64)


def losses(target: Target, outputs: Floats, labels: NDArray[np.float32]) -> Floats:
    """Loss of each person, [people]: cross-entropy, or half the squared error; the label must be known."""
    if target.kind == "continuous":
        return np.asarray(0.5 * (outputs[:, 0] - labels) ** 2, np.float64)
    if target.kind == "binary":
        return np.asarray(np.logaddexp(0, outputs[:, 0]) - labels * outputs[:, 0], np.float64)
    most = outputs.max(axis=1, keepdims=True)
    whole = np.log(np.exp(outputs - most).sum(axis=1)) + most[:, 0]
    return np.asarray(whole - outputs[np.arange(len(labels)), labels.astype(int)])


def null_outputs(target: Target, labels: NDArray[np.float32], weights: Floats) -> Floats:
    """Outputs, [heads of the target], of who knows nothing but the labels' (weighted) shares."""
    known = ~np.isnan(labels) & (weights > 0)
    if not known.any():
        return np.zeros(target.n_heads)
    means = np.average(wanted(target, labels[known]), axis=0, weights=weights[known])
    if target.kind == "continuous":
        return np.asarray(means)
    shares = np.clip(means, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(shares) - (np.log1p(-shares) if target.kind == "binary" else np.log(shares).mean()))


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))
