"""Weighted sums of people's copies over variants, from packed calls: polygenic scores as ``plink2 --score``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import Bytes, by_person
from genospark.quality.packed import Doubles

# Calls of four variants that are looked at together, so that they stay in the processor's cache.
_AT_ONCE = 1 << 17


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

    def tables(self) -> tuple[Doubles, Doubles]:
        """What each four variants add by the byte of a person's four calls, and the unit of missing calls in it, of each score.

        A sum and the number of missing calls are one number, a multiple of the unit and a rest, so that one look-up gives both. The unit is
        a power of two beyond all sums, and takes some ten of a sum's 52 bits.

        Returns:
            (variants / 4, scores, 256) and (scores,).
        """
        most = np.abs(self.constant) + 2 * np.abs(self.slope) + np.abs(self.absent)
        unit = np.exp2(np.ceil(np.log2(np.maximum(most.sum(axis=0), 1e-300))) + 2)
        calls = [self.constant + copies * self.slope for copies in range(3)]
        values = np.stack([*calls, self.absent + unit * self.scored], axis=2)
        # (variants, scores, codes) to (variants / 4, 4, scores, codes).
        of_four = np.pad(values, ((0, -len(values) % 4), (0, 0), (0, 0))).reshape(-1, 4, *values.shape[1:])
        codes = np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3
        return np.asarray(np.sum([of_four[:, place][:, :, codes[:, place]] for place in range(4)], axis=0), np.float64), unit


def weighted_sums(packed: Bytes, weights: Weights) -> Doubles:
    """Sums over a block of some thousand variants at most: a look-up for each person and four variants.

    Args:
        packed: Calls, (variants, bytes).
        weights: Of these variants.

    Returns:
        (2, scores, 4 x bytes): sums, then the variants of each score at which a person has no call.
    """
    (tables, unit), width = weights.tables(), packed.shape[1]
    packed = np.pad(packed, ((0, -len(packed) % 4), (0, 0)), constant_values=0xFF) if len(packed) % 4 else packed
    total, told = np.zeros((tables.shape[1], 4, width)), np.empty((4, width))
    fours = max(1, _AT_ONCE // max(4 * width, 1))
    for begin in range(0, len(tables), fours):
        mine = tables[begin : begin + fours]
        for table, people in zip(mine, by_person(packed[4 * begin : 4 * (begin + len(mine))]), strict=True):
            for column, own in zip(table, total, strict=True):
                # Each byte is a place; `clip` leaves out the check of that.
                own += np.take(column, people, out=told, mode="clip")
    numbers = total.transpose(0, 2, 1).reshape(len(unit), 4 * width)
    missing = np.rint(numbers / unit[:, None])
    return np.stack([numbers - missing * unit[:, None], missing])
