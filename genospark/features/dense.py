"""From rows that list what is known to dense arrays in which the rest is NaN."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genospark.errors import TableError
from genospark.models.normaliser import scaled


def scatter(places: pa.ListArray, values: pa.ListArray, width: int) -> NDArray[np.float64]:
    """Puts the values of each row at their places.

    Args:
        places: For each row the columns it has values for.
        values: For each row as many values.
        width: Columns of the result.

    Returns:
        Array [rows, width], NaN where a row has no value.
    """
    dense = np.full((len(places), width), np.nan)
    rows = np.repeat(np.arange(len(places)), places.value_lengths().to_numpy())
    dense[rows, places.flatten().to_numpy()] = values.flatten().to_numpy(zero_copy_only=False)
    return dense


def transformed(expression: NDArray[np.float64], transform: str) -> NDArray[np.float64]:
    """Expression after log1p or log, or as it is.

    Raises:
        TableError: A value is negative where the logarithm is to be taken.
    """
    if transform != "none":
        check_not_negative(float(np.nanmin(expression, initial=0.0)))
    return scaled(expression, transform)


def check_not_negative(least: float) -> None:
    """Checks the least of the values whose logarithm is to be taken.

    Raises:
        TableError: It is negative.
    """
    if least < 0:
        raise TableError(
            f"expression of {least:g} is negative, so its logarithm cannot be taken",
            "expression that is already normalised needs `expression_transform: none` in the configuration of build-features",
        )
