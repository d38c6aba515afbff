"""Functions of rows that say the same of a row whoever is beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Kernels of matrix products take 6 rows at a time, or 8, 16 or 48: of these many, no row is at an edge (of the last, at hardly any).
_ROWS = (240, 48, 12)
# Of 16 columns and more, some kernels sum every other group of rows in another order.
_COLUMNS = 12


def rows_at_once(row_bytes: int, limit: int) -> int:
    """Rows of ``in_blocks`` whose arrays take `limit` bytes at most, but never fewer than a few."""
    return next((rows for rows in _ROWS if rows * row_bytes <= limit), _ROWS[-1])


def in_blocks(say: Callable[..., tuple[NDArray[Any], ...]], size: int) -> Callable[..., tuple[NDArray[Any], ...]]:
    """The same function of arrays [rows, ...], called for `size` rows at a time, zeros where there are fewer.

    In which order a matrix product is summed depends on its shape, and on the processor: without this, the last digits of a person's
    score would depend on how many others Spark happens to put into a batch.
    """

    def each(*given: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        n, parts = len(given[0]), []
        for first in range(0, max(n, 1), size):
            some = [array[first : first + size] for array in given]
            missing = size - len(some[0])
            if missing:
                some = [np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)]) for array in some]
            parts.append(say(*some))
        return tuple(np.concatenate(part)[:n] for part in zip(*parts, strict=True))

    return each


def product(rows: NDArray[Any], matrix: NDArray[Any]) -> NDArray[Any]:
    """``rows @ matrix`` for functions of ``in_blocks``: a row's sums are the same at any place in a block."""
    parts = [rows @ matrix[:, first : first + _COLUMNS] for first in range(0, matrix.shape[1], _COLUMNS)]
    return np.concatenate(parts, axis=1)
