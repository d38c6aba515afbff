"""Packed calls of many variants as matrices: a row a variant, a column a person, missing calls as zeros."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from genospark.core.calls import MISSING, Bytes, Counts, count_codes

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_SHIFTS = np.arange(0, 8, 2, dtype=np.uint8)
_LOW_BITS = np.uint8(0b01010101)
_CODES = np.arange(256)[:, None] >> _SHIFTS & 3
COPIES = np.array([0, 1, 2, 0], np.float32)[_CODES]
"""Copies of the alternate allele of the four people of a byte; 0 where missing."""
KNOWN = np.array([1, 1, 1, 0], np.float32)[_CODES]
"""1 where there is a call."""
HET = np.array([0, 1, 0, 0], np.float32)[_CODES]
"""1 where there is one copy."""
HOM_SIGN = np.array([-1, 0, 1, 0], np.float32)[_CODES]
"""1 for two copies, -1 for none, 0 for one or a missing call."""
# What float32 values of one block of variants may take.
_BLOCK_BYTES = 32 << 20


def rows_at_once(width: int) -> int:
    """Variants of one block, so that its float32 values take little memory.

    Args:
        width: Bytes of a variant's packed calls.
    """
    return max(16, _BLOCK_BYTES // (16 * max(width, 1)))


def widen(packed: Bytes, values: Floats) -> Floats:
    """What each call stands for.

    Args:
        packed: (variants, bytes).
        values: (256, 4), such as ``COPIES``.

    Returns:
        (variants, 4 x bytes) float32.
    """
    return np.take(values, packed, axis=0).reshape(len(packed), 4 * packed.shape[1])


def gaps(packed: Bytes) -> tuple[sparse.csr_matrix, Floats]:
    """Who has no call where others have one: few, so that products with it cost little.

    Args:
        packed: (variants, bytes), at least one variant.

    Returns:
        (variants, 4 x bytes), 1 where a call is missing, but of people without any call; and (4 x bytes,), 0 for these and else 1.
    """
    always = np.bitwise_and.reduce(packed, axis=0)
    always &= always >> 1 & _LOW_BITS
    missing = packed & packed >> 1 & _LOW_BITS & ~always
    rows, at = np.nonzero(missing)
    entry, person = np.nonzero(missing[rows, at][:, None] >> _SHIFTS & 1)
    shape = len(packed), 4 * packed.shape[1]
    found = sparse.csr_matrix((np.ones(len(entry), np.float32), (rows[entry], 4 * at[entry] + person)), shape)
    some: Floats = 1 - (always[:, None] >> _SHIFTS & 1).ravel().astype(np.float32)
    return found, some


def at_gaps(values: Floats, gone: sparse.csr_matrix) -> Floats:
    """Sums over the people whose calls are missing.

    Args:
        values: (rows, 4 x bytes).
        gone: Of ``gaps``, (variants, 4 x bytes).

    Returns:
        (rows, variants).
    """
    found = np.zeros((len(values), gone.shape[0]), np.float32)
    some = np.flatnonzero(np.diff(gone.indptr))
    if len(some):
        found[:, some] = np.add.reduceat(values[:, gone.indices], gone.indptr[some], axis=1)
    return found


def only(people: NDArray[np.bool_]) -> Bytes:
    """Bits to put on packed calls so that all people but some have missing calls.

    Args:
        people: Those that stay, (4 x bytes,).
    """
    codes = np.where(people, 0, MISSING).astype(np.uint8).reshape(-1, 4)
    bits: Bytes = (codes << np.arange(0, 8, 2, dtype=np.uint8)).sum(axis=1).astype(np.uint8)
    return bits


def genotype_counts(packed: Bytes) -> Counts:
    """People without, with one and with two copies of the alternate allele, (variants, 3)."""
    places = 4 * packed.shape[1]
    one, two, missing = count_codes(packed, places).T
    return np.stack([places - one - two - missing, one, two], axis=1)


def frequencies(counts: Counts) -> Doubles:
    """Frequency of the alternate allele; NaN without calls.

    Args:
        counts: Of ``genotype_counts``.
    """
    with np.errstate(invalid="ignore"):
        found: Doubles = (counts[:, 1] + 2 * counts[:, 2]) / (2 * counts.sum(axis=1))
    return found


def standardised(packed: Bytes, frequency: Doubles) -> Floats:
    """Copies less their mean, over the standard deviation of Hardy-Weinberg proportions; 0, the mean, where missing.

    Args:
        packed: (variants, bytes).
        frequency: Of the alternate allele, (variants,), between 0 and 1.

    Returns:
        (variants, 4 x bytes) float32.
    """
    scale = 1 / np.sqrt(2 * frequency * (1 - frequency))
    values = widen(packed, COPIES)
    values -= (2 * frequency).astype(np.float32)[:, None]
    values *= scale.astype(np.float32)[:, None]
    gaps = np.flatnonzero(count_codes(packed, 4 * packed.shape[1])[:, 2])
    if len(gaps) == len(packed):
        values *= widen(packed, KNOWN)
    elif len(gaps):
        values[gaps] *= widen(packed[gaps], KNOWN)
    return values
