"""Weighted sums of people's copies over variants, from packed calls: polygenic scores as ``plink2 --score``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from genospark.core.calls import MISSING, Bytes, count_codes, unpack
from genospark.quality.packed import COPIES, Doubles, rows_at_once, widen


@dataclass(frozen=True)
class Weights:
    """What variants add to several scores: constant + slope x copies of the alternate allele, or `absent` where there is no call.

    Attributes:
        slope: (variants, scores).
        constant: (variants, scores).
        absent: (variants, scores).
        scored: Whether a variant is of a score, (variants, scores).
    """

    slope: Doubles
    constant: Doubles
    absent: Doubles
    scored: NDArray[np.bool_]

    @classmethod
    def of(cls, alternate: Doubles, reference: Doubles, mean: Doubles, scored: NDArray[np.bool_]) -> Weights:
        """Weights of copies of either allele.

        Args:
            alternate: Weights of copies of the alternate allele, (variants, scores); 0 where there is none.
            reference: Those of the reference allele, of which people have 2 less these copies.
            mean: Copies of the alternate allele that stand for a missing call, (variants,); NaN: such a call adds nothing.
            scored: Whether a variant is of a score, (variants, scores).
        """
        slope, constant = alternate - reference, 2 * reference
        absent = np.where(np.isnan(mean)[:, None], 0.0, constant + slope * np.nan_to_num(mean)[:, None])
        return cls(slope, constant, absent, scored)


def weighted_sums(packed: Bytes, weights: Weights) -> Doubles:
    """Sums over a block of variants, in one product of matrices for each score and person; missing calls, few, are put in sparse.

    Args:
        packed: Calls, (variants, bytes).
        weights: Of these variants.

    Returns:
        (2, scores, 4 x bytes): sums, then the variants of each score at which a person has no call.
    """
    n_scores, places = weights.slope.shape[1], 4 * packed.shape[1]
    found = np.zeros((2, n_scores, places))
    found[0] += weights.constant.sum(axis=0)[:, None]
    size = rows_at_once(packed.shape[1])
    for begin in range(0, len(packed), size):
        part, rows = packed[begin : begin + size], slice(begin, begin + size)
        found[0] += weights.slope[rows].T.astype(np.float32) @ widen(part, COPIES)
        gaps = np.flatnonzero(count_codes(part, places)[:, 2])
        if len(gaps):
            row, person = np.nonzero(unpack(part[gaps], places) == MISSING)
            missing = sparse.csr_matrix((np.ones(len(row)), (person, row)), (places, len(gaps)))
            found[0] += (missing @ (weights.absent[rows] - weights.constant[rows])[gaps]).T
            found[1] += (missing @ weights.scored[rows][gaps].astype(float)).T
    return found
