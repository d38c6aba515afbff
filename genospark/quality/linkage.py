"""Pruning of linked variants, one contig after the other, as ``plink2 --indep-pairwise``.

A window of variants moves over the contig. In it, from the first variant on, each is compared with those behind it; where the squared
correlation of their calls is above the threshold, the one with the rarer minor allele goes, of equal ones the later, and the next variant
follows. That is done until nothing goes any more. Variants without variation go at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import Bytes
from genospark.quality.packed import HOM_SIGN, at_gaps, frequencies, gaps, genotype_counts, widen

# plink2 calls frequencies equal that differ by less.
_EPSILON = 2.0**-44
# Bytes of packed calls that are widened at once: sums over their people are exact in float32.
_SLICE = 4096
_BLOCK = 128
MONOMORPHIC, LINKED = "monomorphic", "linked"


@dataclass(frozen=True)
class Window:
    """How far variants are compared.

    Attributes:
        variants: Variants of a window; 0 where it is one of bases.
        step: Variants that a window of variants moves by.
        bases: Bases of a window that begins at a variant.
        r2: Squared correlations above this are linked.
    """

    variants: int
    step: int
    bases: int
    r2: float


@dataclass
class Pruner:
    """Variants of one contig, taken in order of their position, a block at a time; those behind the window are forgotten.

    Attributes:
        window: How far variants are compared.
    """

    window: Window
    _first: int = field(default=0, init=False)
    _end: int = field(default=0, init=False)
    _told: int = field(default=0, init=False)
    _starts: NDArray[np.int64] = field(init=False, default_factory=lambda: np.zeros(0, np.int64))
    _major: dict[int, float] = field(init=False, default_factory=dict)
    _dropped: dict[int, str] = field(init=False, default_factory=dict)
    _before: dict[int, list[int]] = field(init=False, default_factory=dict)
    _calls: dict[int, Bytes] = field(init=False, default_factory=dict)

    @property
    def _n(self) -> int:
        """Variants that were taken."""
        return self._told + len(self._starts)

    def add(self, starts: NDArray[np.int64], packed: Bytes) -> Iterator[str]:
        """Takes the next variants.

        Args:
            starts: Positions, (variants,).
            packed: Calls, (variants, bytes).

        Yields:
            Why a variant goes, or nothing where it stays: of variants in the order in which they came, as soon as it is known.
        """
        for i in range(0, len(starts), _BLOCK):
            self._link(starts[i : i + _BLOCK], packed[i : i + _BLOCK])
            while (end := self._window_end()) is not None:
                self._settle(end)
                self._first = self._next(end)
            yield from self._known(min(self._first, self._n))

    def finish(self) -> Iterator[str]:
        """The same of the variants that are left, once the contig has ended."""
        while self._end < self._n:
            end = min(self._behind(), self._n)
            self._settle(end)
            if end < self._n:
                self._first = self._next(end)
        yield from self._known(self._n)

    def _link(self, starts: NDArray[np.int64], packed: Bytes) -> None:
        """Finds which of the new variants are linked with each other, or with earlier ones that are still there."""
        begin = self._n
        counts = genotype_counts(packed)
        frequency = frequencies(counts)
        varies = np.sort(counts, axis=1)[:, 1] > 0
        self._starts = np.append(self._starts, starts)
        self._dropped |= {begin + int(i): MONOMORPHIC for i in np.flatnonzero(~varies)}
        self._calls = {number: calls for number, calls in self._calls.items() if number not in self._dropped}
        n_earlier = len(self._calls)
        for i in np.flatnonzero(varies).tolist():
            self._calls[begin + i] = packed[i]
            self._major[begin + i] = max(frequency[i], 1 - frequency[i])
        if len(self._calls) == n_earlier:
            return
        numbers = np.array(list(self._calls))
        linked = linked_pairs(np.stack(list(self._calls.values())), n_earlier, self.window.r2)
        for i, j in zip(*(numbers[side].tolist() for side in linked), strict=True):
            self._before.setdefault(j, []).append(i)

    def _behind(self) -> int:
        """The variant behind the window; of the last ones there may be none yet."""
        if self.window.variants:
            return self._first + self.window.variants
        last = self._starts[self._first - self._told] + self.window.bases
        return self._told + int(np.searchsorted(self._starts, last, "right"))

    def _window_end(self) -> int | None:
        """The same, where it is known by now."""
        if self._first >= self._n:
            return None
        end = self._behind()
        return end if end < self._n else None

    def _next(self, end: int) -> int:
        """The first variant of the next window: where bases are counted, of the next one that reaches further."""
        if self.window.variants:
            return self._first + self.window.step
        return self._told + int(np.searchsorted(self._starts, self._starts[end - self._told] - self.window.bases, "left"))

    def _settle(self, end: int) -> None:
        """Takes linked variants out of the window; only new ones are linked with any that is left."""
        pairs: dict[int, list[int]] = {}
        for new in range(max(self._end, self._first), end):
            for one in self._before.pop(new, ()):
                if one >= self._first:
                    pairs.setdefault(one, []).append(new)
        self._end = end
        went = True
        while went:
            went = False
            for one in sorted(pairs):
                other = next((new for new in pairs[one] if new not in self._dropped), None)
                if one not in self._dropped and other is not None:
                    rarer = self._major[one] > self._major[other] * (1 + _EPSILON)
                    self._dropped[one if rarer else other] = LINKED
                    went = True

    def _known(self, end: int) -> Iterator[str]:
        for number in range(self._told, end):
            yield self._dropped.pop(number, "")
            self._calls.pop(number, None)
            self._major.pop(number, None)
        self._starts = self._starts[max(end - self._told, 0) :]
        self._told = max(self._told, end)


def linked_pairs(calls: Bytes, n_earlier: int, r2: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of variants whose squared correlation, over people who have both calls, is above a threshold.

    Args:
        calls: (variants, bytes); people who are not counted have no calls.
        n_earlier: Variants that are not compared with each other any more: the second of each pair stands behind these.
        r2: The threshold.

    Returns:
        First and second variant of each pair, by the second.
    """
    shape = len(calls), len(calls) - n_earlier
    both, one, other, one_squared, other_squared, product = (np.zeros(shape) for _ in range(6))
    for i in range(0, calls.shape[1], _SLICE):
        part = calls[:, i : i + _SLICE]
        # Whole numbers that float32 holds.
        sign = widen(part, HOM_SIGN)
        product += sign @ sign[n_earlier:].T
        # What else is summed is each variant's own, less that of people without the other's call.
        gone, some = gaps(part)
        n_gone = np.asarray(gone.sum(axis=1))
        both += some.sum() - n_gone - n_gone[n_earlier:].T + (gone @ gone[n_earlier:].T).toarray()
        for mine, theirs, values in ((one, other, sign), (one_squared, other_squared, np.abs(sign))):
            own = values.sum(axis=1)
            mine += own[:, None] - at_gaps(values, gone[n_earlier:])
            theirs += own[n_earlier:] - at_gaps(values[n_earlier:], gone).T
    covariance = product * both - one * other
    variances = (one_squared * both - one**2) * (other_squared * both - other**2)
    linked = covariance**2 > r2 * (1 + _EPSILON) * variances
    second, first = np.nonzero(linked.T)
    earlier = first < second + n_earlier
    return first[earlier], second[earlier] + n_earlier
