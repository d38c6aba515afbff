"""Which of the tested features a model gets."""

from __future__ import annotations

import pandas as pd


def best(tested: pd.DataFrame, count: int) -> pd.DataFrame:
    """The features that rank best for any disease: every disease's first, then every disease's second, and so on.

    Args:
        tested: Rows of ``associate``: key columns, mean, standardDeviation, phenotype, pvalue, place (rank within the disease).
        count: How many to take; all where there are fewer.

    Returns:
        One row per feature, sorted by key, with the smallest `pvalue` over the diseases.
    """
    key = [name for name in tested.columns if name not in ("phenotype", "pvalue", "place", "mean", "standardDeviation")]
    features = tested.groupby(key, as_index=False).agg(
        {"mean": "first", "standardDeviation": "first", "place": "min", "pvalue": "min"},
    )
    chosen = features.sort_values(["place", "pvalue", *key]).head(count)
    return chosen.drop(columns="place").sort_values(key).reset_index(drop=True)
