"""Counts to log counts per million with TMM factors (Robinson & Oshlack 2010, as edgeR's ``calcNormFactors`` and ``cpm`` do it)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Doubles = NDArray[np.float64]
LOG_RATIO_TRIM, ABUNDANCE_TRIM = 0.3, 0.05
PRIOR_COUNT = 2.0


def upper_quartiles(counts: Doubles) -> Doubles:
    """75% quantile of each sample's shares of its library, by which edgeR chooses the reference sample.

    Args:
        counts: [samples, genes], NaN where not measured; genes without a count in any sample are left out before.

    Returns:
        [samples].
    """
    quartiles: Doubles = np.nanquantile(counts, 0.75, axis=1) / np.maximum(np.nansum(counts, axis=1), 1e-300)
    return quartiles


def reference_sample(quartiles: Doubles, root_sums: Doubles) -> int:
    """The sample whose upper quartile is nearest to the mean one.

    Where most of these are 0, the sample with the largest sum of roots.

    Args:
        quartiles: Of ``upper_quartiles``, [samples].
        root_sums: Sums of the square roots of each sample's counts, [samples].
    """
    if np.median(quartiles) < 1e-20:
        return int(np.argmax(root_sums))
    return int(np.argmin(np.abs(quartiles - quartiles.mean())))


def log_factors(counts: Doubles, reference: Doubles) -> Doubles:
    """Natural logarithms of each sample's TMM factor against the reference, before they are scaled to multiply to 1.

    The factor is the mean of log ratios of shares, weighted by their inverse variances, over genes that are among neither the most
    extreme 30% of ratios at either end nor the most extreme 5% of abundances.

    Args:
        counts: [samples, genes], NaN where not measured.
        reference: Counts of the reference sample, [genes].

    Returns:
        [samples].
    """
    size, whole = np.nansum(counts, axis=1, keepdims=True), np.nansum(reference)
    both = (counts > 0) & (reference > 0)
    seen, expected = np.where(both, counts, 1.0), np.where(both, reference, 1.0)
    share, base = np.log2(seen / np.maximum(size, 1e-300)), np.log2(expected / whole)
    ratio = np.where(both, share - base, np.nan)
    abundance = np.where(both, (share + base) / 2, np.nan)
    variance = (size - seen) / size / seen + (whole - expected) / whole / expected
    n = both.sum(axis=1, keepdims=True)
    kept = both.copy()
    for values, trim in ((ratio, LOG_RATIO_TRIM), (abundance, ABUNDANCE_TRIM)):
        low = np.floor(n * trim) + 1
        place = rankdata(values, axis=1, nan_policy="omit")
        kept &= (place >= low) & (place <= n + 1 - low)
    # A gene that is its whole library varies not at all: no weight is infinite.
    weights = np.where(kept, 1 / np.maximum(variance, 1e-12), 0.0)
    total = weights.sum(axis=1)
    same = np.nanmax(np.abs(np.where(both, ratio, 0.0)), axis=1, initial=0.0) < 1e-6
    mean = (weights * np.nan_to_num(ratio)).sum(axis=1) / np.where(total > 0, total, 1.0)
    factors: Doubles = np.where(same | (total <= 0), 0.0, mean) * np.log(2.0)
    return factors


def log_cpm(counts: Doubles, reference: Doubles, log_scale: float, mean_library: float) -> Doubles:
    """Log2 counts per million of the effective library, with a prior count in proportion to it.

    Args:
        counts: [samples, genes], NaN where not measured.
        reference: Counts of the reference sample, [genes].
        log_scale: Mean of the training samples' ``log_factors``, so that their factors multiply to 1.
        mean_library: Mean effective library (its size times its factor) of the training samples.

    Returns:
        [samples, genes].
    """
    library = effective_libraries(counts, reference, log_scale)[:, None]
    prior = PRIOR_COUNT * library / mean_library
    values: Doubles = np.log2((counts + prior) / np.maximum(library + 2 * prior, 1e-300) * 1e6)
    return values


def effective_libraries(counts: Doubles, reference: Doubles, log_scale: float) -> Doubles:
    """Each sample's counts times its scaled TMM factor, [samples]."""
    libraries: Doubles = np.nansum(counts, axis=1) * np.exp(log_factors(counts, reference) - log_scale)
    return libraries
