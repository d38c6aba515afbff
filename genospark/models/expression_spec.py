"""What an expression model is fed and what it says: genes, contexts and variants, in order, with what was fitted on training people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.models.spec import Variant


@dataclass(frozen=True)
class ExpressionSpec:
    """Inputs and targets of a model of one person's cell type.

    Attributes:
        panel: Genes whose expression is given, in order.
        targets: Genes whose expression is predicted, in order.
        cell_types: Cell types, in order.
        states: States of each cell type, in the order of the recurrence.
        transform: What raw expression goes through before it is standardised: log1p or none.
        unit: Unit of raw expression.
        variants: Variants whose calls are given.
        cis: For each target the variants that lie near it and speak to it alone, [targets, most], -1 where there are fewer; None where
            every target hears every variant.
        panel_scale: Training means and standard deviations of the panel's transformed expression, [2, cell types, states, panel]; NaN
            where training people have none.
        target_scale: The same of the targets, [2, cell types, states, targets].
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
        lists = {name: list(getattr(self, name)) for name in ("panel", "targets", "cell_types", "states")}
        return lists | {"transform": self.transform, "unit": self.unit, "variants": [vars(variant) for variant in self.variants]}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays, by name."""
        cis = {} if self.cis is None else {"spec.cis": self.cis}
        return {"spec.panel_scale": self.panel_scale, "spec.target_scale": self.target_scale} | cis

    @classmethod
    def of(cls, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ExpressionSpec:
        """The inverse of ``to_json`` and ``arrays``."""
        lists = {name: tuple(values[name]) for name in ("panel", "targets", "cell_types", "states")}
        variants = tuple(Variant(**entry) for entry in values["variants"])
        scales = arrays["spec.panel_scale"], arrays["spec.target_scale"]
        return cls(**lists, transform=values["transform"], unit=values["unit"], variants=variants, cis=arrays.get("spec.cis"),
                   panel_scale=scales[0], target_scale=scales[1])  # fmt: skip
