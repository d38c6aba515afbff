"""What a model is fed: the features, in order, with what was fitted on training people, and its targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.errors import InputError
from genospark.models.normaliser import Normaliser
from genospark.models.ridge import RidgeScores
from genospark.models.targets import Target
from genospark.models.variant_columns import Variant, Variants

__all__ = ["Covariate", "Expression", "FeatureSpec", "Variant", "Variants"]


@dataclass(frozen=True)
class Expression:
    """Expression of a gene in a cell type and state; mean and standard deviation are those after the transform.

    Attributes:
        neighbours: Features (positions among those of expression) that fill it where it was not measured, the nearest first.
        distances: How far these are.
    """

    gene_id: str
    cell_type: str
    state: str
    mean: float
    standard_deviation: float
    p_value: float
    neighbours: tuple[int, ...] = ()
    distances: tuple[float, ...] = ()


@dataclass(frozen=True)
class Covariate:
    """A covariate, in its own unit."""

    name: str
    mean: float
    standard_deviation: float


@dataclass(frozen=True)
class FeatureSpec:
    """The fused vector: `variants` (2-bit calls), then measurements: `expression` and `covariates` (float32, standardised).

    Attributes:
        transform: What raw expression goes through before it is standardised, see ``normaliser.steps_of``.
        targets: What is predicted, in order.
        normaliser: What was fitted for that; None where the transform needs nothing.
        ridge: Scores that are the last covariates; None where there are none.
    """

    variants: Variants
    expression: tuple[Expression, ...]
    covariates: tuple[Covariate, ...]
    transform: str
    targets: tuple[Target, ...]
    normaliser: Normaliser | None = None
    ridge: RidgeScores | None = None

    @property
    def diseases(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(target.name for target in self.targets)

    @property
    def call_bytes(self) -> int:
        """Bytes of the packed calls of one person."""
        return -(-len(self.variants) // 4)

    @property
    def row_bytes(self) -> int:
        """Bytes that a person's fused vector takes on its way through Spark, for ``core.batches``."""
        return 4 * (self.call_bytes + 4 * self.n_measurements)

    @property
    def n_measurements(self) -> int:
        return len(self.expression) + len(self.covariates)

    def variant_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Training means and standard deviations of the variants, each of shape [variants]."""
        return self._variant_scale

    @cached_property
    def _variant_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        # There may be a million, and it is asked for block by block.
        means, deviations = self.variants.column("mean"), self.variants.column("standard_deviation")
        return means.astype(np.float32), deviations.astype(np.float32)

    def measurement_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Training means and standard deviations of expression and covariates, each of shape [measurements]."""
        return _scale((*self.expression, *self.covariates))

    def neighbours(self) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Neighbours of the expression features and their distances, [expression, most neighbours]; -1 and NaN where there are fewer."""
        most = max((len(feature.neighbours) for feature in self.expression), default=0)
        near = np.full((len(self.expression), most), -1, np.int32)
        far = np.full(near.shape, np.nan)
        for row, feature in enumerate(self.expression):
            near[row, : len(feature.neighbours)] = feature.neighbours
            far[row, : len(feature.distances)] = feature.distances
        return near, far

    def to_json(self) -> dict[str, Any]:
        """All but what ``arrays`` holds."""
        parts = {name: part.to_json() if part else None for name, part in (("normaliser", self.normaliser), ("ridge", self.ridge))}
        lists = {name: [asdict(entry) for entry in getattr(self, name)] for name in ("expression", "covariates", "targets")}
        return lists | {"transform": self.transform} | parts

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The variants, and the arrays of the normaliser and of scores, by name."""
        return self.variants.arrays() | (self.normaliser.arrays() if self.normaliser else {}) | (self.ridge.arrays() if self.ridge else {})

    @classmethod
    def of(cls, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> FeatureSpec:
        """The inverse of ``to_json`` and ``arrays``.

        Raises:
            InputError: They are those of an earlier version, which had variants among its JSON.
        """
        if "variants" in values:
            raise InputError("the bundle was made by an earlier version of this program, with variants in its model.json", "train again")
        lists = ("neighbours", "distances")
        return cls(
            Variants.from_arrays(arrays),
            tuple(Expression(**entry | {name: tuple(entry.get(name, ())) for name in lists}) for entry in values["expression"]),
            tuple(Covariate(**entry) for entry in values["covariates"]),
            values["transform"],
            tuple(Target(**entry | {"classes": tuple(entry["classes"])}) for entry in values["targets"]),
            Normaliser.of(values["normaliser"], arrays) if values.get("normaliser") else None,
            RidgeScores.from_json(values["ridge"], arrays) if values.get("ridge") else None,
        )


def _scale(features: tuple[Expression | Covariate, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    means = np.array([feature.mean for feature in features], np.float32)
    deviations = np.array([feature.standard_deviation for feature in features], np.float32)
    return means, deviations
