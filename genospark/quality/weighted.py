"""Weighted sums of people's copies over variants, from packed calls: polygenic scores as ``plink2 --score``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import Bytes
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

    def tables(self) -> Doubles:
        """Sums, then scored variants without a call, of each four variants by the byte of a person's four calls.

        Returns:
            (variants / 4, 2 x scores, 256).
        """
        missing = self.scored.astype(float)
        calls = [np.concatenate([self.constant + copies * self.slope, 0 * missing], axis=1) for copies in range(3)]
        values = np.stack([*calls, np.concatenate([self.absent, missing], axis=1)], axis=2)
        # (variants, columns, codes) to (variants / 4, 4, columns, codes).
        of_four = np.pad(values, ((0, -len(values) % 4), (0, 0), (0, 0))).reshape(-1, 4, *values.shape[1:])
        codes = np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3
        return np.asarray(np.sum([of_four[:, place][:, :, codes[:, place]] for place in range(4)], axis=0), np.float64)


def weighted_sums(packed: Bytes, weights: Weights) -> Doubles:
    """Sums over a block of variants: a look-up for each person and four variants.

    Args:
        packed: Calls, (variants, bytes).
        weights: Of these variants.

    Returns:
        (2, scores, 4 x bytes): sums, then the variants of each score at which a person has no call.
    """
    tables, places = weights.tables(), 4 * packed.shape[1]
    packed = np.pad(packed, ((0, -len(packed) % 4), (0, 0)), constant_values=0xFF)
    found, told = np.zeros((tables.shape[1], places)), np.empty(places)
    fours = max(1, _AT_ONCE // max(places, 1))
    for begin in range(0, len(tables), fours):
        mine = tables[begin : begin + fours]
        for table, people in zip(mine, by_person(packed[4 * begin : 4 * (begin + len(mine))]), strict=True):
            for column, total in zip(table, found, strict=True):
                # Each byte is a place; `clip` leaves out the check of that.
                total += np.take(column, people, out=told, mode="clip")
    return found.reshape(2, -1, places)


def by_person(packed: Bytes) -> Bytes:
    """Bytes of four people's calls of a variant, to bytes of a person's calls of four variants.

    Args:
        packed: (variants, bytes), variants a multiple of four.

    Returns:
        (variants / 4, 4 x bytes).
    """
    words = np.ascontiguousarray(packed.reshape(-1, 4, packed.shape[1]).transpose(0, 2, 1)).view("<u4")[:, :, 0]
    # A matrix of 4 x 4 calls in a word is transposed by two exchanges (Warren, Hacker's Delight, chapter 7).
    for shift, mask in ((6, 0x00CC00CC), (12, 0x0000F0F0)):
        other = (words ^ (words >> np.uint32(shift))) & np.uint32(mask)
        words = words ^ other ^ (other << np.uint32(shift))
    return words.view(np.uint8)
