"""Expression brought to another distribution: the mean one of training samples (quantile), or each gene's to the normal one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

Doubles = NDArray[np.float64]
BLOM = 3 / 8
MOST_KNOTS = 256
"""Training values that are kept of a gene, at most, evenly spaced in their normal scores: those between are within 0.04 of their own."""


def sorted_profiles(values: Doubles) -> Doubles:
    """Each sample's values in ascending order, as if all genes were measured: those between are interpolated.

    Args:
        values: [samples, genes], NaN where not measured; at least one value a sample.

    Returns:
        [samples, genes].
    """
    n_genes = values.shape[1]
    known = (~np.isnan(values)).sum(axis=1, keepdims=True)
    ordered = np.sort(values, axis=1)
    place = np.arange(n_genes) / max(n_genes - 1, 1) * (known - 1)
    return _at(ordered, place, known)


def quantile_normalised(values: Doubles, reference: Doubles) -> Doubles:
    """Each sample's values replaced by those that have the same rank in the reference (Bolstad et al. 2003; ties get their mean rank).

    Args:
        values: [samples, genes], NaN where not measured.
        reference: Mean of the training samples' ``sorted_profiles``, [genes].

    Returns:
        [samples, genes], NaN where not measured.
    """
    n_genes = values.shape[1]
    known = (~np.isnan(values)).sum(axis=1, keepdims=True)
    rank = rankdata(values, axis=1, nan_policy="omit")
    place = (rank - 1) / np.maximum(known - 1, 1) * (n_genes - 1)
    found = _at(np.broadcast_to(reference, values.shape), np.nan_to_num(place), np.full_like(known, n_genes))
    return np.where(np.isnan(values), np.nan, found)


def _at(ordered: Doubles, place: Doubles, known: NDArray[np.int64]) -> Doubles:
    """Values of each row at places between its first `known` ones, linearly interpolated."""
    last = np.maximum(known - 1, 0)
    low = np.clip(np.floor(place).astype(np.int64), 0, last)
    high = np.minimum(low + 1, last)
    below, above = np.take_along_axis(ordered, low, axis=1), np.take_along_axis(ordered, high, axis=1)
    return below + (place - low) * (above - below)


def knots(values: Doubles) -> tuple[Doubles, Doubles]:
    """What ``inverse_normal`` needs of training values: some of each gene's, ascending, with their places in the normal distribution.

    Args:
        values: [genes, samples], NaN where not measured; at least one value a gene.

    Returns:
        Values and their probabilities (rank - 3/8) / (n + 1/4) (Blom 1958; ties have their mean rank), each [genes, knots]; a gene with
        fewer values repeats its last.
    """
    known = (~np.isnan(values)).sum(axis=1, keepdims=True)
    ordered = np.sort(values, axis=1)
    ranks = rankdata(ordered, axis=1, nan_policy="omit")
    count = min(values.shape[1], MOST_KNOTS)
    if values.shape[1] <= MOST_KNOTS:
        place = np.minimum(np.arange(count), known - 1)
    else:
        highest = ndtri(1 - (1 - BLOM) / (known + 1 - 2 * BLOM))
        place = ndtr(highest * np.linspace(-1, 1, count)) * (known + 1 - 2 * BLOM) + BLOM - 1
        place = np.clip(np.rint(place).astype(np.int64), 0, known - 1)
    probabilities = (np.take_along_axis(ranks, place, axis=1) - BLOM) / (known + 1 - 2 * BLOM)
    return np.take_along_axis(ordered, place, axis=1), probabilities


def inverse_normal(values: Doubles, knot_values: Doubles, knot_probabilities: Doubles) -> Doubles:
    """Each value's normal score at its rank among the gene's training values: ranks between two are interpolated, beyond all are the last.

    Args:
        values: [samples, genes], NaN where not measured.
        knot_values: [genes, knots], ascending.
        knot_probabilities: [genes, knots].

    Returns:
        [samples, genes], NaN where not measured.
    """
    gene = np.arange(values.shape[1])[None]
    n_knots = knot_values.shape[1]
    if n_knots == 1:
        return np.where(np.isnan(values), np.nan, ndtri(knot_probabilities[:, 0]))
    # Bisection of all cells at once: the last knot that is not above the value.
    low, high = np.zeros(values.shape, np.int64), np.full(values.shape, n_knots)
    for _ in range(n_knots.bit_length()):
        middle = (low + high) // 2
        reached = (knot_values[gene, np.minimum(middle, n_knots - 1)] <= values) & (middle < high)
        low, high = np.where(reached, middle, low), np.where(reached, high, middle)
    low = np.minimum(low, n_knots - 2)
    below, above = knot_values[gene, low], knot_values[gene, low + 1]
    share = np.clip((values - below) / np.where(above > below, above - below, 1.0), 0, 1)
    start = knot_probabilities[gene, low]
    scores: Doubles = ndtri(start + share * (knot_probabilities[gene, low + 1] - start))
    return scores
