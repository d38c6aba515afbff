"""Exact test of Hardy-Weinberg equilibrium.

Method: Wigginton, Cutler and Abecasis 2005, Am J Hum Genet 76:887-893: given the allele counts, the p-value is the probability of
all heterozygote counts that are no more probable than the one observed (no mid-p correction, as in ``plink --hardy``).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_WINDOW, _NEXT_WINDOW = 16, 64
"""Heterozygote counts whose probabilities are summed in a first step, for each variant, and in each that follows."""
_BLOCK = 1 << 14
_NEGLIGIBLE = 1e-17
_TIE = 1e-7
"""Counts whose log-probabilities differ by less are equally probable; rounding makes differences up to 1e-8."""


def hwe_p_values(n_hom_ref: Ints, n_het: Ints, n_hom_alt: Ints) -> Doubles:
    """Exact p-value of each variant, from the counts of diploid people.

    The probabilities are log-concave in the number of heterozygotes. So those not above the observed one make two tails, which
    begin at the observed count and, beyond the mode, at a count found by bisection; each is summed outwards by the ratios of
    successive terms until these do not matter. Memory does not depend on the number of people.

    Args:
        n_hom_ref: (variants,) people with two copies of the reference allele; at most two million.
        n_het: (variants,) heterozygotes.
        n_hom_alt: (variants,) people with two copies of the alternate allele.

    Returns:
        (variants,) p-values in [0, 1]; NaN where nobody is counted.
    """
    counts = [np.asarray(c, np.int64) for c in (n_hom_ref, n_het, n_hom_alt)]
    # Rare variants and small cohorts have the same counts again and again: each table is tested once.
    keys, where = np.unique(sum(c << 21 * i for i, c in enumerate(counts)), return_inverse=True)
    tables = [keys >> 21 * i & (1 << 21) - 1 for i in range(3)]
    p = np.empty(len(keys))
    for i in range(0, len(p), _BLOCK):
        p[i : i + _BLOCK] = _block(*(t[i : i + _BLOCK] for t in tables))
    p[keys == 0] = np.nan
    each: Doubles = p[where]
    return each


def _block(hom_ref: Ints, het: Ints, hom_alt: Ints) -> Doubles:
    n, rare = hom_ref + het + hom_alt, 2 * np.minimum(hom_ref, hom_alt) + het
    observed = _log_probability(n, rare, het)
    # Outwards from the observed count, away from the mode: up where the next probability is not larger.
    up = _ratio(n, rare, het, upwards=True) <= 1
    outwards = np.where(up, 1, -1)
    lowest = rare % 2
    # Steps of two from the observed count, over the mode, to the last possible count.
    steps = np.where(up, het - lowest, rare - het) // 2
    other = _first_step_below(n, rare, het, -outwards, steps, observed + _TIE)
    p = np.exp(observed) * _tail(n, rare, het, outwards)
    two = other <= steps
    n, rare, het, outwards = n[two], rare[two], (het - 2 * outwards * other)[two], outwards[two]
    p[two] += np.exp(_log_probability(n, rare, het)) * _tail(n, rare, het, -outwards)
    clipped: Doubles = np.minimum(p, 1.0)
    return clipped


def _log_probability(n: Ints, rare: Ints, het: Ints) -> Doubles:
    """Log-probability of ``het`` heterozygotes among ``n`` people with ``rare`` copies of the rarer allele."""
    factorial = _log_factorials(int(2 * n.max(initial=0) + 1).bit_length())
    hom_rare = (rare - het) >> 1
    given = factorial[n] + factorial[rare] + factorial[2 * n - rare] - factorial[2 * n]
    ways = factorial[hom_rare] + factorial[het] + factorial[n - het - hom_rare]
    total: Doubles = given + het * np.log(2) - ways
    return total


@cache
def _log_factorials(bits: int) -> Doubles:
    """Logarithms of the factorials of all numbers of so many bits: looking them up is several times as fast as the gamma function."""
    logarithms = np.log(np.maximum(np.arange(1 << bits), 1))
    # The sum of millions would lose digits.
    return np.cumsum(logarithms, dtype=np.longdouble).astype(np.float64)


def _ratio(n: Ints, rare: Ints, het: Ints, upwards: bool) -> Doubles:
    """Probability of two heterozygotes more, or else two less, divided by that of ``het``; 0 beyond the last possible count."""
    # Beyond the last possible count in either direction, clipping makes the ratio 0 (and never infinite).
    het = np.maximum(het, 0)
    hom_rare = np.maximum(rare - het, 0) / 2
    hom_common = np.maximum(n - het - hom_rare, 0)
    if upwards:
        up: Doubles = 4 * hom_rare * hom_common / ((het + 2.0) * (het + 1.0))
        return up
    down: Doubles = het * (het - 1.0) / (4 * (hom_rare + 1) * (hom_common + 1))
    return down


def _first_step_below(n: Ints, rare: Ints, het: Ints, direction: Ints, steps: Ints, limit: Doubles) -> Ints:
    """First step in 1..steps whose log-probability is at most ``limit``, by bisection; steps + 1 where none is."""
    low, high = np.ones_like(steps), steps + 1
    while (open_ := low < high).any():
        middle = (low + high) // 2
        below = _log_probability(n, rare, het + 2 * direction * np.minimum(middle, steps)) <= limit
        high = np.where(open_ & below, middle, high)
        low = np.where(open_ & ~below, middle + 1, low)
    return low


def _tail(n: Ints, rare: Ints, het: Ints, direction: Ints) -> Doubles:
    """Sum of the probabilities from ``het`` on in a direction, relative to that of ``het``."""
    sums, last = np.ones(len(het)), np.ones(len(het))
    for sign in (1, -1):
        active, window = np.flatnonzero(direction == sign), _WINDOW
        first = het
        while len(active):
            counts = first[active, None] + 2 * sign * np.arange(window)
            terms = np.cumprod(_ratio(n[active, None], rare[active, None], counts, sign > 0), axis=1)
            terms *= last[active, None]
            sums[active] += terms.sum(axis=1)
            last[active] = terms[:, -1]
            first, window = first + 2 * sign * window, _NEXT_WINDOW
            active = active[last[active] > _NEGLIGIBLE * sums[active]]
    return sums
