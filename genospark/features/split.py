"""Train, validation and test people, with families kept together."""

from __future__ import annotations

import hashlib

import pandas as pd

SPLITS = ("train", "validation", "test")


def split_of(families: pd.Series[str], fractions: tuple[float, float, float], seed: int) -> pd.Series[str]:
    """The side on which each person stands: decided by a hash of the family, so people who come later move nobody.

    Args:
        families: Family of each person.
        fractions: Shares of train, validation and test; they add to 1.
        seed: Another seed, another split.

    Returns:
        One of ``SPLITS`` for each person, with the index of `families`.
    """
    place = {family: _uniform(f"{seed}:{family}") for family in families.unique()}
    edges = (fractions[0], fractions[0] + fractions[1])
    return families.map(lambda family: SPLITS[(place[family] >= edges[0]) + (place[family] >= edges[1])])


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64
