"""A block of variants among the people of a design: copies of the alternate allele, who has no call, what covariates say of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from genospark.association.design import Design, Doubles, symmetric
from genospark.core.calls import MISSING, Bytes, unpack

REASONS = ("constantGenotype", "tooFewPeople", "collinear", "separation", "notConverged")
"""Why a variant has no result."""
CONSTANT, FEW, COLLINEAR, SEPARATED, UNFINISHED = range(1, 6)
METHODS = ("linear", "logistic", "firth", "score")
LINEAR, LOGISTIC, FIRTH, SCORE = range(4)
# What a block's values may take: a few arrays of it stay in the processor's cache.
_BLOCK_BYTES = 4 << 20


class Found(NamedTuple):
    """Results of a block: arrays (variants,).

    Attributes:
        beta: Change with each copy of the alternate allele: of the phenotype, or of the logarithm of the odds. NaN where there is none.
        error: Its standard error.
        reason: Why there is none: 0, or one more than the place in `REASONS`.
        method: Place in `METHODS`.
    """

    beta: Doubles
    error: Doubles
    reason: NDArray[np.int8]
    method: NDArray[np.int8]


@dataclass
class Block:
    """Variants of one design.

    Attributes:
        design: Its people.
        copies: Copies of the alternate allele, 0 where there is no call, (variants, people).
        gaps: Variant and person of each missing call.
        n: People with a call, (variants,).
        alternate: Copies of the alternate allele of all of them, (variants,).
        squares: Sum of squares of the copies, (variants,).
        on_basis: Copies times the basis, (variants, columns).
        left: Sum of squares of what covariates leave of the copies, over people with a call, (variants,).
        weights: For each variant the coefficients of the basis that predict its copies, (variants, columns).
        reason: Why there can be no result, of `REASONS`, (variants,).
    """

    design: Design
    copies: Doubles
    gaps: tuple[NDArray[np.int64], NDArray[np.int64]]
    n: NDArray[np.int64]
    alternate: Doubles
    squares: Doubles
    on_basis: Doubles
    left: Doubles
    weights: Doubles
    reason: NDArray[np.int8]

    @classmethod
    def of(cls, packed: Bytes, design: Design, max_vif: float) -> Block:
        """Unpacks calls, and says which variants cannot be tested.

        Args:
            packed: Calls of everyone, (variants, bytes).
            design: Whose calls count.
            max_vif: Variance inflation factor above which a variant and the covariates are collinear, as plink2's ``--vif``.
        """
        codes = unpack(packed, 4 * packed.shape[1])
        if not np.array_equal(design.places, np.arange(codes.shape[1])):
            codes = codes[:, design.places]
        row, person = np.nonzero(codes == MISSING)
        copies = codes.astype(np.float64)
        copies[row, person] = 0
        n = design.n - np.bincount(row, minlength=len(copies))
        made = cls(
            design,
            copies,
            (row, person),
            n,
            copies.sum(axis=1),
            np.einsum("vp,vp->v", copies, copies),
            copies @ design.basis,
            np.zeros(len(copies)),
            np.zeros((len(copies), design.columns)),
            np.zeros(len(copies), np.int8),
        )
        made._adjust(max_vif)
        return made

    def _adjust(self, max_vif: float) -> None:
        self.weights[:] = self.solved(self.on_basis)
        self.left[:] = self.squares - (self.on_basis * self.weights).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = self.squares - self.alternate**2 / self.n
            of_covariates = (self.weights @ self.design.precisions.T) ** 2 / self.left[:, None] + (self.design.precisions**2).sum(axis=1)
            worst = np.maximum(spread / self.left, (of_covariates * self.design.spreads).max(axis=1))
        constant = spread < 1e-9 * np.maximum(1, self.squares)
        few = self.n <= self.design.columns + 1
        collinear = ~(worst <= max_vif) | ~(self.left > 1e-9 * spread)
        self.reason[:] = np.where(constant, CONSTANT, np.where(few, FEW, np.where(collinear, COLLINEAR, 0)))

    @property
    def frequency(self) -> Doubles:
        """Of the alternate allele; NaN without calls."""
        with np.errstate(invalid="ignore"):
            found: Doubles = self.alternate / (2 * self.n)
        return found

    def missing(self, values: Doubles) -> Doubles:
        """Sums of people's values over those without a call: (people, columns) to (variants, columns)."""
        found: Doubles = self._absent @ values
        return found

    @cached_property
    def _absent(self) -> sparse.csr_matrix:
        row, person = self.gaps
        return sparse.csr_matrix((np.ones(len(row)), person, np.searchsorted(row, np.arange(len(self.n) + 1))), self.copies.shape)

    def solved(self, right: Doubles) -> Doubles:
        """Coefficients of the basis, over people with a call, whose products with it are `right`, (variants, columns)."""
        found = right.copy()
        here = np.flatnonzero((self.n < self.design.n) & (self.n > self.design.columns))
        if len(here):
            gone = symmetric(self.missing(self.design.pairs)[here], self.design.columns)
            # People without a call may have been all that told covariates apart.
            found[here] = solve(np.eye(self.design.columns) - gone, right[here])
        return found


def solve(matrices: Doubles, right: Doubles) -> Doubles:
    """Solutions of many small systems, (variants, k, k) and (variants, k); NaN where a matrix is singular."""
    try:
        found: Doubles = np.linalg.solve(matrices, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        found = np.full(right.shape, np.nan)
        for i, (matrix, values) in enumerate(zip(matrices, right, strict=True)):
            if np.linalg.matrix_rank(matrix) == len(values):
                found[i] = np.linalg.solve(matrix, values)
    return found


def variants_at_once(n: int) -> int:
    """Variants of one block of so many people."""
    return int(np.clip(_BLOCK_BYTES // (8 * max(n, 1)), 16, 1024))
