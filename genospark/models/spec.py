"""What a model is fed: the features, in order, with what was fitted on training people, and its diseases."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Variant:
    """A variant feature: copies of the alternate allele. `start` is 0-based."""

    contig_name: str
    start: int
    reference_allele: str
    alternate_allele: str
    mean: float
    standard_deviation: float
    p_value: float


@dataclass(frozen=True)
class Expression:
    """Expression of a gene in a cell type and state; mean and standard deviation are those after the transform."""

    gene_id: str
    cell_type: str
    state: str
    mean: float
    standard_deviation: float
    p_value: float


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
        transform: What raw expression goes through before it is standardised: log1p or none.
        diseases: The targets, in order.
    """

    variants: tuple[Variant, ...]
    expression: tuple[Expression, ...]
    covariates: tuple[Covariate, ...]
    transform: str
    diseases: tuple[str, ...]

    @property
    def call_bytes(self) -> int:
        """Bytes of the packed calls of one person."""
        return -(-len(self.variants) // 4)

    @property
    def n_measurements(self) -> int:
        return len(self.expression) + len(self.covariates)

    def variant_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Training means and standard deviations of the variants, each of shape [variants]."""
        return _scale(self.variants)

    def measurement_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Training means and standard deviations of expression and covariates, each of shape [measurements]."""
        return _scale((*self.expression, *self.covariates))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FeatureSpec:
        """The inverse of ``to_json``."""
        return cls(
            tuple(Variant(**entry) for entry in values["variants"]),
            tuple(Expression(**entry) for entry in values["expression"]),
            tuple(Covariate(**entry) for entry in values["covariates"]),
            values["transform"],
            tuple(values["diseases"]),
        )


def _scale(features: tuple[Variant | Expression | Covariate, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    means = np.array([feature.mean for feature in features], np.float32)
    deviations = np.array([feature.standard_deviation for feature in features], np.float32)
    return means, deviations
