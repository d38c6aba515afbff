"""Filling what was not measured from the nearest genes (Troyanskaya et al. 2001), whose order was fitted on training people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
_COMMON = 3
"""People in whom two genes need to be known before they count as near."""


def nearest(values: Doubles, count: int) -> tuple[NDArray[np.int32], Doubles]:
    """The nearest other columns of each column: by root mean square difference over people who have both.

    Args:
        values: Standardised training values [people, columns], NaN where not measured.
        count: Neighbours, at most.

    Returns:
        Indices [columns, neighbours], the nearest first, -1 where there are fewer, and distances, NaN there.
    """
    known = ~np.isnan(values)
    filled, mine = np.where(known, values, 0.0), known.astype(float)
    common = mine.T @ mine
    squares = (filled**2).T @ mine
    distance = np.sqrt(np.maximum(squares + squares.T - 2 * filled.T @ filled, 0) / np.maximum(common, 1))
    distance[common < _COMMON] = np.inf
    np.fill_diagonal(distance, np.inf)
    count = min(count, max(values.shape[1] - 1, 0))
    chosen = np.argsort(distance, axis=1, kind="stable")[:, :count]
    found = np.take_along_axis(distance, chosen, axis=1)
    reached = np.isfinite(found)
    return np.where(reached, chosen, -1).astype(np.int32), np.where(reached, found, np.nan)


def filled(values: Doubles, neighbours: NDArray[np.int32], distances: Doubles) -> Doubles:
    """Missing values as the mean of the person's own values at the nearest columns, weighted by 1 / distance.

    Args:
        values: Standardised [people, columns], NaN where not measured.
        neighbours: [columns, neighbours], -1 for none.
        distances: [columns, neighbours].

    Returns:
        [people, columns]; still NaN where none of the neighbours was measured either.
    """
    gaps = np.isnan(values)
    person, column = np.nonzero(gaps)
    if not len(person) or not neighbours.shape[1]:
        return values
    near = neighbours[column]
    given = np.where(near >= 0, values[person[:, None], np.maximum(near, 0)], np.nan)
    weights = np.where(np.isnan(given), 0.0, 1 / np.maximum(np.nan_to_num(distances[column]), 1e-6))
    total = weights.sum(axis=1)
    made = values.copy()
    made[person, column] = np.where(total > 0, (weights * np.nan_to_num(given)).sum(axis=1) / np.where(total > 0, total, 1), np.nan)
    return made
