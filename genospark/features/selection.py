"""Which of the tested features a model gets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from genospark.core.blocks import KEY
from genospark.features.association import associate, variant_values
from genospark.features.linkage import LinkageConfig, clumped, pruned


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


def best_variants(
    genotypes: DataFrame,
    columns: NDArray[np.int64],
    labels: pd.DataFrame,
    covariates: pd.DataFrame,
    count: int,
    linkage: LinkageConfig,
    min_call_rate: float,
    min_count: int,
) -> pd.DataFrame:
    """The variants of ``best``, of those that linkage leaves.

    Args:
        genotypes: Rows of ``genotypes``.
        columns: `sampleIndex` of each training person.
        labels: As of ``associate``.
        covariates: As of ``associate``.
        count: How many to take.
        linkage: What is done about linked variants.
        min_call_rate: Variants called in a smaller share of the training people are left out.
        min_count: So are variants with fewer copies of the rarer allele among them.
    """
    values = variant_values(genotypes, columns, min_call_rate, min_count)
    if linkage.method == "clump":
        tested = associate(values, labels, covariates, None, linkage.p_value)
        return best(clumped(genotypes, columns, tested, linkage) if len(tested) else tested, count)
    if linkage.method == "prune":
        kept = pruned(genotypes, columns, linkage, min_call_rate, min_count)
        values = values.join(genotypes.sparkSession.createDataFrame(kept), list(KEY), "leftsemi")
    return best(associate(values, labels, covariates, count), count)
