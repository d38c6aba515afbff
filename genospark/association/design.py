"""Who is compared and what is adjusted for: the people of a phenotype, and their covariates as an orthonormal basis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genospark.errors import TableError

Doubles = NDArray[np.float64]
# Of a covariate, as a share of its spread: what others leave of it when it is no combination of these.
_INDEPENDENT = 1e-6


@dataclass(frozen=True)
class Design:
    """Covariates of some people, with a constant before them.

    Attributes:
        places: Where each person's calls stand once they are unpacked, (people,).
        basis: Orthonormal columns that span the constant and the covariates, (people, columns).
        precisions: Inverse of the upper triangle that makes covariates of the basis, (columns, columns).
        spreads: Sum of squares of each covariate around its mean; 0 for the constant, (columns,).
    """

    places: NDArray[np.int64]
    basis: Doubles
    precisions: Doubles
    spreads: Doubles

    @classmethod
    def of(cls, places: NDArray[np.int64], covariates: pd.DataFrame, what: str) -> Design:
        """Those of people who have a phenotype and every covariate; covariates that are the same in all of them say nothing and go.

        Args:
            places: Where their calls stand.
            covariates: A column a covariate, a row a person, nothing missing.
            what: Their phenotypes, for errors.

        Raises:
            TableError: A covariate is a linear combination of those before it, or they are as many as people.
        """
        values = covariates.to_numpy(float)
        spread = values - values.mean(axis=0)
        varying = np.abs(spread).max(axis=0) > 1e-12 * np.maximum(1, np.abs(values).max(axis=0))
        # Scaled, so that units do not decide what is independent.
        scaled = spread[:, varying] / np.sqrt((spread[:, varying] ** 2).sum(axis=0))
        design = np.column_stack([np.full(len(values), 1 / np.sqrt(len(values))), scaled])
        if design.shape[0] <= design.shape[1]:
            problem = f"{what}: {design.shape[0]} people have it and all covariates, of which there are {design.shape[1] - 1}"
            raise TableError(problem, "name fewer `covariates` or `components`")
        basis, triangle = np.linalg.qr(design)
        dependent = np.abs(np.diag(triangle)) < _INDEPENDENT
        if dependent.any():
            name = covariates.columns[varying][np.flatnonzero(dependent)[0] - 1]
            raise TableError(f"{what}: covariate {name} is a linear combination of those before it", "leave it out of `covariates`")
        spreads = np.append(0.0, np.ones(scaled.shape[1]))
        return cls(places, basis, np.linalg.inv(triangle), spreads)

    @property
    def n(self) -> int:
        """People."""
        return len(self.places)

    @property
    def columns(self) -> int:
        """The constant and the covariates."""
        return self.basis.shape[1]

    def left(self, values: Doubles) -> Doubles:
        """What covariates leave of values, (people, columns)."""
        found: Doubles = values - self.basis @ (self.basis.T @ values)
        return found

    @cached_property
    def pairs(self) -> Doubles:
        """Products of each two columns of the basis, the first not behind the second, (people, pairs)."""
        one, other = np.triu_indices(self.columns)
        return np.ascontiguousarray(self.basis[:, one] * self.basis[:, other])


def symmetric(pairs: Doubles, columns: int) -> Doubles:
    """Matrices (variants, columns, columns) of their upper triangles (variants, pairs)."""
    one, other = np.triu_indices(columns)
    found = np.empty((len(pairs), columns, columns))
    found[:, one, other] = pairs
    found[:, other, one] = pairs
    return found
