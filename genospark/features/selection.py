"""Which of the tested features a model gets."""

from __future__ import annotations

import pandas as pd


def best(tested: pd.DataFrame, count: int) -> pd.DataFrame:
    """The features that rank best for any disease: every disease's first, then every disease's second, and so on.

    Args:
        tested: One row per feature and disease: key columns, mean, standardDeviation, phenotype, pvalue.
        count: How many to take; all where there are fewer.

    Returns:
        One row per feature, sorted by key, with the smallest `pvalue` over the diseases.
    """
    key = [name for name in tested.columns if name not in ("phenotype", "pvalue", "mean", "standardDeviation")]
    # Sorted by key first: equal p-values (variants in full linkage) rank the same way in every run.
    known = tested.dropna(subset=["pvalue"]).sort_values(key)
    ranked = known.assign(rank=known.groupby("phenotype")["pvalue"].rank(method="first"))
    features = ranked.groupby(key, as_index=False).agg(
        {"mean": "first", "standardDeviation": "first", "rank": "min", "pvalue": "min"},
    )
    chosen = features.sort_values(["rank", "pvalue", *key]).head(count)
    return chosen.drop(columns="rank").sort_values(key).reset_index(drop=True)
