"""A ranking of edges against edges that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genospark.errors import InputError
from genospark.models.terms import Floats
from genospark.tasks.curves import Ranking, interval


def read_gold(path: Path) -> set[tuple[str, str]]:
    """Pairs of regulator and target that a table with columns regulatorId and targetId names.

    Raises:
        InputError: It is no such table.
    """
    try:
        with path.open("rb") as file:
            table = pd.read_csv(file, sep="\t", dtype=str)[["regulatorId", "targetId"]].dropna()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not a table of regulatorId and targetId ({error})", "name the columns so, tab-separated") from None
    return set(table.itertuples(index=False, name=None))


def areas(weights: Floats, known: Floats) -> tuple[Floats, Floats]:
    """AUROC and AUPRC of all pairs together.

    Args:
        weights: [targets, regulators].
        known: 1, 0, or NaN for pairs that do not count, [targets, regulators].

    Returns:
        Both figures, and their 95% intervals over targets, [2, 2].
    """
    ranking = Ranking(weights.reshape(1, -1), known.reshape(1, -1))

    def figures(times: Floats) -> Floats:
        return np.concatenate(ranking.areas(np.repeat(times, weights.shape[1])))

    return figures(np.ones(len(weights))), interval(figures, len(weights))
