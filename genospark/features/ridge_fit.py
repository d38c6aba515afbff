"""Glow's stacked ridge regression (``glow.wgr``) as features: for each target the sum of all variants' effects, fitted on training people.

Method: Mbatchou et al. 2021, Nat Genet 53:1097-1103 (regenie's first step), which Glow implements: blocks of variants are reduced to ridge
predictions, and these are stacked by another ridge regression. Both are linear, so what they say of a person is a weighted sum of copies.
Training people are told by the models of other training people, everybody else by the mean of all of these.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.core.blocks import KEY, by_variant, gather
from genospark.core.calls import MISSING
from genospark.core.config import Settings
from genospark.core.storage import Warehouse
from genospark.features.ridge_scores import Ridge, score_rows
from genospark.models.ridge import PREFIX, RidgeScores, Site
from genospark.models.spec import Covariate, FeatureSpec

# Glow's names.
_BLOCKS = "header string, size int, values array<double>, header_block string, sample_block string, sort_key int, mu double, sig double"
# Of scores that do not vary.
_LEAST = 1e-12
_COMPOSED = "header string, sample_block string, mu double, weights array<double>"

Stacked = dict[tuple[str, str], NDArray[np.float64]]


class RidgeConfig(Settings):
    """Settings of ridge scores.

    Attributes:
        use: Whether there are such features.
        block_variants: Variants that are reduced together.
        people_blocks: Parts of the training people, each of which is told by models of the others.
        reduction_alphas: Ridge penalties of the reduction,
        regression_alphas: and of the regression on what it gives; Glow's own where empty.
    """

    use: bool = False
    block_variants: int = Field(1000, ge=2)
    people_blocks: int = Field(5, ge=2)
    reduction_alphas: list[float] = []
    regression_alphas: list[float] = []


def with_scores(
    warehouse: Warehouse,
    spec: FeatureSpec,
    training: pd.DataFrame,
    labels: pd.DataFrame,
    covariates: pd.DataFrame,
    config: RidgeConfig,
    min_call_rate: float,
    min_count: int,
) -> tuple[FeatureSpec, Ridge]:
    """A specification with a score a target as its last covariates, scaled by what training people have; arguments as of ``fit``."""
    ridge = fit(warehouse.read("genotypes"), training, labels, covariates, config, min_call_rate, min_count)
    rows = score_rows(warehouse, ridge, 0).join(f.broadcast(warehouse.spark.createDataFrame(training[["sampleId"]])), "sampleId")
    scale = rows.groupBy("place").agg(f.avg("value").alias("mean"), f.stddev_pop("value").alias("deviation")).orderBy("place").collect()
    added = (Covariate(name, row["mean"], max(row["deviation"], _LEAST)) for name, row in zip(ridge.scores.names, scale, strict=True))
    return replace(spec, covariates=(*spec.covariates, *added), ridge=ridge.scores), ridge


def fit(
    genotypes: DataFrame,
    training: pd.DataFrame,
    labels: pd.DataFrame,
    covariates: pd.DataFrame,
    config: RidgeConfig,
    min_call_rate: float,
    min_count: int,
) -> Ridge:
    """Fits the regressions on training people.

    Args:
        genotypes: Rows of ``genotypes``.
        training: sampleId and sampleIndex of training people.
        labels: Targets as columns, the same people as rows; NaN where not known.
        covariates: Standardised covariates of the same people, nothing missing.
        config: Settings.
        min_call_rate: Variants called in a smaller share of the training people are left out,
        min_count: so are variants with fewer copies of the rarer allele among them.
    """
    spark = genotypes.sparkSession
    people = training["sampleId"].tolist()
    parts = dict(enumerate(np.array_split(np.random.default_rng(0).permutation(len(people)), config.people_blocks)))
    samples = {str(part): [people[i] for i in rows] for part, rows in parts.items()}
    columns = training["sampleIndex"].to_numpy(np.int64)
    labels, covariates = (frame.set_axis(pd.Index(people)).rename(columns=str) for frame in (labels, covariates))
    level = logging.getLogger("py4j").level
    logging.getLogger("py4j").setLevel(logging.ERROR)
    with bounded_batches(spark, 16 * len(people)):
        blocks = _blocks(genotypes, columns, parts, config, min_call_rate, min_count).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            composed = _composed(blocks, labels, samples, covariates, config)
        finally:
            blocks.unpersist()
            logging.getLogger("py4j").setLevel(level)
    headers = sorted(composed["header"].unique(), key=_site)
    place = {header: i for i, header in enumerate(headers)}
    of_parts = np.zeros((len(parts), len(headers), labels.shape[1]))
    rows, which = composed["header"].map(place).to_numpy(), composed["sample_block"].astype(int).to_numpy()
    of_parts[which, rows] = np.stack(list(composed["weights"]))
    means = np.zeros(len(headers))
    means[rows] = composed["mu"]
    names = tuple(f"{PREFIX}{name}" for name in labels)
    scores = RidgeScores(names, tuple(_site(header) for header in headers), means, of_parts.mean(axis=0))
    return Ridge(scores, {people[i]: part for part, rows in parts.items() for i in rows}, of_parts)


def _site(header: str) -> Site:
    contig, start, reference, alternate = header.rsplit(":", 3)
    return contig, int(start), reference, alternate


def _blocks(
    genotypes: DataFrame, columns: NDArray[np.int64], parts: dict[int, NDArray[np.int64]], config: RidgeConfig, rate: float, count: int
) -> DataFrame:
    """Copies as Glow wants them: a row a variant and part of the people; missing calls have the mean."""
    size = config.block_variants

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        seen: Counter[str] = Counter()
        for batch in batches:
            codes = gather(batch.column("blocks"), columns)
            called = codes != MISSING
            n, copies = called.sum(axis=1), np.where(called, codes, 0).sum(axis=1, dtype=np.int64)
            kept = np.flatnonzero((n >= rate * len(columns)) & (np.minimum(copies, 2 * n - copies) >= count))
            mean = copies[kept] / np.maximum(n[kept], 1)
            filled = np.where(called[kept], codes[kept], mean[:, None])
            deviation = filled.std(axis=1, ddof=1)
            kept, mean, filled, deviation = (values[deviation > 1e-8] for values in (kept, mean, filled, deviation))
            keys = [batch.column(name).take(pa.array(kept)).to_pylist() for name in KEY]
            headers = [":".join(map(str, key)) for key in zip(*keys, strict=True)]
            blocks = []
            for contig in keys[0]:
                blocks.append(f"chr_{contig}_block_{seen[contig] // size}")
                seen[contig] += 1
            for part, mine in parts.items():
                offsets = np.arange(len(kept) + 1, dtype=np.int32) * len(mine)
                arrays = [
                    pa.array(headers, pa.string()),
                    pa.array([len(mine)] * len(kept), pa.int32()),
                    pa.ListArray.from_arrays(offsets, filled[:, mine].ravel()),
                    pa.array(blocks, pa.string()),
                    pa.array([str(part)] * len(kept), pa.string()),
                    pa.array(keys[1], pa.int32()),
                    pa.array(mean),
                    pa.array(deviation),
                ]
                yield pa.RecordBatch.from_arrays(arrays, [entry.split()[0] for entry in _BLOCKS.split(", ")])

    return by_variant(genotypes).repartition("contigName").sortWithinPartitions(*KEY).mapInArrow(work, _BLOCKS)


def _composed(
    blocks: DataFrame, labels: pd.DataFrame, samples: dict[str, list[str]], covariates: pd.DataFrame, config: RidgeConfig
) -> pd.DataFrame:
    """Weight of each copy of each variant in the model of all parts of the people but one: header, sample_block, mu, weights."""
    # Imported here: it changes how PySpark makes NumPy literals.
    from glow.wgr import RidgeReduction, RidgeRegression, ridge_reduction, ridge_regression

    for module in (ridge_reduction, ridge_regression):
        # Tells a log of Databricks, by Glow's jar, which need not be there.
        module.record_hls_event = _no_event
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reduction = RidgeReduction(blocks, labels, samples, covariates, True, config.reduction_alphas, "quantitative")
        reduction.fit()
        reduction.model_df = reduction.model_df.persist(StorageLevel.MEMORY_AND_DISK)
        reduced = reduction.transform().persist(StorageLevel.MEMORY_AND_DISK)
        try:
            regression = RidgeRegression.from_ridge_reduction(reduction, config.regression_alphas)
            model, chosen = regression.fit()
            stacked = _stacked(model.toPandas(), dict(chosen.select("label", "alpha").collect()), reduced, list(labels))
            scales = blocks.where("sample_block = '0'").select("header", "mu", "sig")
            variants = reduction.model_df.join(scales, "header")
            return variants.groupBy("header_block", "sample_block").applyInPandas(_composer(stacked, list(labels)), _COMPOSED).toPandas()
        finally:
            reduced.unpersist()
            reduction.model_df.unpersist()


def _stacked(
    model: pd.DataFrame, chosen: dict[str, str], reduced: DataFrame, labels: list[str]
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Weight of each reduced column in the regression of each label, [labels], by its part of the people and its name.

    Reduced columns are scaled in each part by itself, which are scales of chance: here by the mean of these.
    """
    spread: pd.DataFrame = reduced.groupBy("header").avg("sig").toPandas()
    scale = dict(spread.itertuples(index=False, name=None))
    found: Stacked = {}
    for row in model.itertuples():
        label = row.labels[0]
        if row.header not in scale:
            continue
        (column,) = (i for i, alpha in enumerate(row.alphas) if alpha == chosen[label])
        weights = found.setdefault((row.sample_block, row.header), np.zeros(len(labels)))
        weights[labels.index(label)] = row.coefficients[column] / scale[row.header]
    return found


def _composer(stacked: Stacked, labels: list[str]) -> Any:
    nothing = np.zeros(len(labels))

    def compose(key: tuple[str, str], rows: pd.DataFrame) -> pd.DataFrame:
        block, part = key
        columns = zip(rows["alphas"].iloc[0], rows["labels"].iloc[0], strict=True)
        second = np.stack([stacked.get((part, f"{block}_{alpha}_label_{label}"), nothing) for alpha, label in columns])
        weights = np.stack(list(rows["coefficients"])) @ second / rows["sig"].to_numpy()[:, None]
        return pd.DataFrame({"header": rows["header"], "sample_block": part, "mu": rows["mu"], "weights": list(weights)})

    return compose


def _no_event(*_: Any, **__: Any) -> None:
    pass
