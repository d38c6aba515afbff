"""What an expression model is fed and what it says: genes, contexts and variants, in order, with what was fitted on training people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.models.normaliser import Normaliser
from genospark.models.spec import Variant


@dataclass(frozen=True)
class ExpressionSpec:
    """Inputs and targets of a model of one person's cell type.

    Attributes:
        panel: Genes whose expression is given, in order.
        targets: Genes whose expression is predicted, in order.
        cell_types: Cell types, in order.
        states: States of each cell type, in the order of the recurrence.
        transform: What raw expression goes through before it is standardised, see ``normaliser.steps_of``.
        unit: Unit of raw expression.
        variants: Variants whose calls are given.
        cis: For each target the variants that lie near it and speak to it alone, [targets, most], -1 where there are fewer; None where
            every target hears every variant.
        panel_scale: Training means and standard deviations of the panel's transformed expression, [2, cell types, states, panel]; NaN
            where training people have none.
        target_scale: The same of the targets, [2, cell types, states, targets].
        normaliser: What was fitted for the transform; None where it needs nothing.
        neighbours: Places of the panel (state by state) that fill one that was not measured, the nearest first,
            [cell types, states * panel, neighbours], -1 where there are fewer; None where the training mean does.
        distances: How far these are.
    """

    panel: tuple[str, ...]
    targets: tuple[str, ...]
    cell_types: tuple[str, ...]
    states: tuple[str, ...]
    transform: str
    unit: str
    variants: tuple[Variant, ...]
    cis: NDArray[np.int32] | None
    panel_scale: NDArray[np.float64]
    target_scale: NDArray[np.float64]
    normaliser: Normaliser | None = None
    neighbours: NDArray[np.int32] | None = None
    distances: NDArray[np.float64] | None = None

    @property
    def call_bytes(self) -> int:
        """Bytes of the packed calls of one person."""
        return -(-len(self.variants) // 4)

    @property
    def panel_width(self) -> int:
        """Values of the panel over all states."""
        return len(self.states) * len(self.panel)

    @property
    def target_width(self) -> int:
        """Values of the targets over all states."""
        return len(self.states) * len(self.targets)

    @property
    def passes(self) -> int:
        """Ways of predicting: with the panel seen, then without; where there is no panel only the latter."""
        return 2 if self.panel else 1

    def variant_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Training means and standard deviations of the variants, each of shape [variants]."""
        means = np.array([variant.mean for variant in self.variants], np.float32)
        deviations = np.array([variant.standard_deviation for variant in self.variants], np.float32)
        return means, deviations

    def to_json(self) -> dict[str, Any]:
        """All but the arrays."""
        lists: dict[str, Any] = {name: list(getattr(self, name)) for name in ("panel", "targets", "cell_types", "states")}
        lists |= {"transform": self.transform, "unit": self.unit, "variants": [vars(variant) for variant in self.variants]}
        return lists | {"normaliser": self.normaliser.to_json() if self.normaliser else None}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays, by name."""
        names = ("panel_scale", "target_scale", "cis", "neighbours", "distances")
        own = {f"spec.{name}": getattr(self, name) for name in names if getattr(self, name) is not None}
        return own | (self.normaliser.arrays() if self.normaliser else {})

    @classmethod
    def of(cls, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ExpressionSpec:
        """The inverse of ``to_json`` and ``arrays``."""
        lists = {name: tuple(values[name]) for name in ("panel", "targets", "cell_types", "states")}
        variants = tuple(Variant(**entry) for entry in values["variants"])
        return cls(
            **lists,
            transform=values["transform"],
            unit=values["unit"],
            variants=variants,
            cis=arrays.get("spec.cis"),
            panel_scale=arrays["spec.panel_scale"],
            target_scale=arrays["spec.target_scale"],
            normaliser=Normaliser.of(values["normaliser"], arrays) if values.get("normaliser") else None,
            neighbours=arrays.get("spec.neighbours"),
            distances=arrays.get("spec.distances"),
        )
