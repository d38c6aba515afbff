"""Association of every variant and expression value with every disease on training people, by Glow's score test (``glow.gwas``)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from functools import reduce

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as f

from genospark.core.blocks import KEY, by_variant, gather
from genospark.core.calls import MISSING
from genospark.features.dense import scatter, transformed

# What one Arrow batch of `values` may take in a Python worker.
_BATCH_BYTES = 16 << 20


def associate(values: DataFrame, labels: pd.DataFrame, covariates: pd.DataFrame, most: int | None, p_value: float = 1.0) -> pd.DataFrame:
    """Test of each row of `values` with each label, adjusted for covariates: logistic score test (regenie's) or linear regression, by Glow.

    Args:
        values: Rows that end with `mean`, `standardDeviation` and `values`, an array of one double per training person.
        labels: Labels as columns, training people as rows: 0, 1 or NaN for the logistic test, other numbers for the linear one.
        covariates: Standardised covariates of the same people, nothing missing and none a combination of others.
        most: Rows to return for each disease; all where not given.
        p_value: Rows of larger ones are not returned.

    Returns:
        The other columns of `values`, `phenotype` and `pvalue`: for each disease its `most` features of smallest p-value.
    """
    # Imported here: it changes how PySpark makes NumPy literals.
    from glow.gwas import linear_regression, logistic_regression

    spark = values.sparkSession
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(key)
    spark.conf.set(key, str(max(16, _BATCH_BYTES // (8 * len(labels)))))
    logging.getLogger("py4j").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            is_case = labels.isin([0, 1]).where(labels.notna(), True).all()
            kinds = []
            if is_case.any():
                by_cases = logistic_regression(values, labels.loc[:, is_case], covariates, correction="none", values_column="values")
                kinds.append(by_cases.drop("chisq"))
            if not is_case.all():
                by_value = linear_regression(values, labels.loc[:, ~is_case], covariates, values_column="values")
                kinds.append(by_value.select(*kinds[0].columns) if kinds else by_value.drop("effect", "stderror", "tvalue"))
            tested = reduce(DataFrame.unionByName, kinds)
            # Rounded: the last bits depend on which variants share a batch. Equal ones (in full linkage) rank by key.
            key_columns = [name for name in values.columns if name not in ("mean", "standardDeviation", "values")]
            size = f.round(f.log10(f.greatest("pvalue", f.lit(1e-300))), 9)
            order = Window.partitionBy("phenotype").orderBy(size, *key_columns)
            ranked = tested.where(~f.isnan("pvalue") & (f.col("pvalue") <= p_value)).withColumn("place", f.row_number().over(order))
            return (ranked if most is None else ranked.where(f.col("place") <= most)).toPandas()
    finally:
        spark.conf.set(key, before or "10000")


def variant_values(genotypes: DataFrame, columns: NDArray[np.int64], min_call_rate: float, min_count: int) -> DataFrame:
    """Copies of the alternate allele of training people, missing ones filled with their mean.

    Args:
        genotypes: Rows of ``genotypes``.
        columns: `sampleIndex` of each training person.
        min_call_rate: Variants called in a smaller share of the training people are left out.
        min_count: So are variants with fewer copies of the rarer allele among them.

    Returns:
        Rows of contigName, start, referenceAllele, alternateAllele, mean, standardDeviation, values.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            calls = gather(batch.column("blocks"), columns)
            called = calls != MISSING
            n = called.sum(axis=1)
            copies = np.where(called, calls, 0).sum(axis=1, dtype=np.int64)
            kept = (n >= min_call_rate * len(columns)) & (np.minimum(copies, 2 * n - copies) >= min_count)
            values = np.where(called[kept], calls[kept], np.nan)
            yield _with_values(batch.select(list(KEY)).filter(pa.array(kept)), values)

    schema = "contigName string, start bigint, referenceAllele string, alternateAllele string"
    return by_variant(genotypes).mapInArrow(work, f"{schema}, mean double, standardDeviation double, values array<double>")


def expression_values(expression: DataFrame, order: pd.DataFrame, transform: str) -> DataFrame:
    """Transformed expression of training people, missing ones filled with their mean.

    Args:
        expression: Rows of ``expression``.
        order: Training people: `sampleId`, `place` (0-based).
        transform: Of ``dense.transformed``.

    Returns:
        Rows of geneId, cellType, state, mean, standardDeviation, values.
    """
    people = expression.sparkSession.createDataFrame(order, "sampleId string, place int")
    measured = expression.join(f.broadcast(people), "sampleId").groupBy("geneId", "cellType", "state")
    lists = measured.agg(f.collect_list("place").alias("places"), f.collect_list("expressionValue").alias("measured"))
    n = len(order)

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values = transformed(scatter(batch.column("places"), batch.column("measured"), n), transform)
            yield _with_values(batch.select(["geneId", "cellType", "state"]), values)

    schema = "geneId string, cellType string, state string, mean double, standardDeviation double, values array<double>"
    return lists.mapInArrow(work, schema)


def _with_values(rows: pa.RecordBatch, values: NDArray[np.float64]) -> pa.RecordBatch:
    """Adds mean, standard deviation and the filled values; leaves out rows that do not vary."""
    means, deviations = np.nanmean(values, axis=1), np.nanstd(values, axis=1)
    varies = deviations > 1e-8
    filled = np.where(np.isnan(values), means[:, None], values)[varies]
    offsets = pa.array(np.arange(len(filled) + 1, dtype=np.int32) * values.shape[1])
    kept = rows.filter(pa.array(varies))
    arrays = [pa.array(means[varies]), pa.array(deviations[varies]), pa.ListArray.from_arrays(offsets, pa.array(filled.ravel()))]
    return pa.RecordBatch.from_arrays([*kept.columns, *arrays], [*kept.schema.names, "mean", "standardDeviation", "values"])
