"""Guilt by association: how many neighbours vote, and with what weight, chosen on validation genes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genospark.models.terms import Floats
from genospark.tasks.curves import Ranking
from genospark.tasks.function import Neighbours

Genes = tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.float32]]
"""Names, embedding [genes, features], and labels [genes, terms]: 1, 0 or NaN."""


def fit(training: Genes, validation: Genes, prevalence: Floats, counts: list[int], powers: list[float]) -> Neighbours:
    """The vote whose average precision over all genes and terms together is best on validation genes.

    Args:
        training: Genes that vote.
        validation: Genes that are voted on to choose.
        prevalence: Of the terms among the training genes.
        counts: Numbers of neighbours to choose from.
        powers: Powers of the cosine to choose from.
    """
    counts = sorted({min(count, len(training[0])) for count in counts})
    order, cosines = Neighbours(*training, counts[-1], 0.0).nearest(validation[0], validation[1])
    best: tuple[float, Neighbours] | None = None
    for count in counts:
        for power in powers:
            voters = Neighbours(*training, count, power)
            score = micro_precision(voters.counted(order[:, :count], cosines[:, :count], prevalence), validation[2])
            if best is None or score > best[0]:
                best = (score, voters)
    assert best is not None
    return best[1]


def micro_precision(scores: Floats, labels: NDArray[np.float32]) -> float:
    """Average precision over all genes and terms together; 0 without a positive label."""
    return float(np.nan_to_num(Ranking(scores.reshape(1, -1), labels.reshape(1, -1).astype(float)).areas()[1][0]))
