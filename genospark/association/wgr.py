"""Whole-genome ridge regression by Glow (``glow.wgr``): what variants of all other contigs say of a phenotype, to ``wgrOffsets``.

Method: Mbatchou et al. 2021, Nat Genet 53:1097-1103 (regenie), which Glow implements: blocks of variants are reduced to ridge predictions,
these are stacked by another ridge regression, and predictions leave one contig out.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark import StorageLevel
from pyspark.sql import DataFrame

from genospark.association.design import Design
from genospark.core.batches import bounded_batches
from genospark.core.calls import MISSING, unpack
from genospark.core.config import Settings
from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.errors import TableError
from genospark.quality.cohort import KEY, LOCUS, Cohort, SitesConfig
from genospark.quality.contigs import autosomes

Places = NDArray[np.int64]

# Glow's names.
_BLOCKS = "header string, size int, values array<double>, header_block string, sample_block string, sort_key int, mu double, sig double"


class WgrConfig(Settings):
    """Settings of the predictions.

    Attributes:
        sites: Variants that predict; best those that are not linked (`qc prune`), on at least two contigs.
        block_variants: Variants that are reduced together.
        people_blocks: Parts of the people, each of which is predicted from the others.
        reduction_alphas: Ridge penalties of the reduction,
        regression_alphas: and of the regression on what it gives; Glow's own where empty.
    """

    sites: SitesConfig = SitesConfig(pruned=True, min_allele_frequency=0.01)
    block_variants: int = Field(1000, ge=2)
    people_blocks: int = Field(10, ge=2)
    reduction_alphas: list[float] = []
    regression_alphas: list[float] = []


def loco_offsets(
    run: Run,
    config: WgrConfig,
    cohort: Cohort,
    values: pd.DataFrame,
    binary: list[str],
    adjusted: pd.DataFrame,
    designs: list[tuple[Design, list[str]]],
) -> dict[str, pd.DataFrame]:
    """Predictions of each phenotype for each contig from the others, less what covariates say, which tests adjust for anyway.

    Returns:
        By contig, people by phenotypes, NaN for those who are not tested: in standard deviations, or as logarithms of odds.

    Raises:
        TableError: Variants that predict are on fewer than two contigs.
    """
    used = np.isin(cohort.places, np.unique(np.concatenate([design.places for design, _ in designs])))
    people, places = cohort.people["sampleId"][used].tolist(), cohort.places[used]
    parts = {str(i + 1): part for i, part in enumerate(np.array_split(np.arange(len(people)), min(config.people_blocks, len(people) // 2)))}
    covariates = adjusted[used].loc[:, adjusted[used].nunique() > 1].rename(columns=str)
    with cohort.bounded(), bounded_batches(run.warehouse.spark, 16 * len(people)):
        blocks = _blocks(cohort, config, places, parts).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            with step("gwas: blocks of variants that predict"):
                names = [row[0] for row in blocks.select("header_block").distinct().collect()]
            if (n_contigs := len({name.rpartition("_block_")[0] for name in names})) < 2:
                raise TableError(
                    f"{run.warehouse.path}: variants that predict are on {n_contigs} contigs, leaving one out wants two",
                    "choose others under `wgr.sites`, or set offsets=none",
                )
            there = [row[0] for row in run.warehouse.read("variants").select("contigName").distinct().collect()]
            tested = autosomes(there)
            samples = {part: [people[i] for i in rows] for part, rows in parts.items()}
            found = []
            for is_binary in (True, False):
                labels = values.loc[used, [name for name in values if (name in binary) == is_binary]]
                if labels.shape[1]:
                    with step(f"gwas: whole-genome regression of {'diseases' if is_binary else 'traits'} (glow.wgr)"):
                        found.append(_by_glow(blocks, labels, samples, covariates, config, tested, is_binary))
        finally:
            blocks.unpersist()
    predicted = pd.concat(found, axis=1)
    offsets = {contig: _left(predicted.xs(contig, level="contigName"), cohort, values, designs) for contig in tested}
    melted = {contig: rows.melt(ignore_index=False, var_name="phenotype", value_name="offsetValue") for contig, rows in offsets.items()}
    long = pd.concat(rows.assign(contigName=contig) for contig, rows in melted.items())
    rows = long.dropna().rename_axis("sampleId").reset_index()[["sampleId", "contigName", "phenotype", "offsetValue"]]
    schema = "sampleId string, contigName string, phenotype string, offsetValue double"
    run.write("wgrOffsets", run.warehouse.spark.createDataFrame(rows, schema))
    return offsets


def _left(predicted: pd.DataFrame, cohort: Cohort, values: pd.DataFrame, designs: list[tuple[Design, list[str]]]) -> pd.DataFrame:
    """What covariates leave of predictions, among the people of each phenotype."""
    found = pd.DataFrame(np.nan, values.index, values.columns)
    for design, names in designs:
        mine = values.index[np.isin(cohort.places, design.places)]
        found.loc[mine, names] = design.left(predicted.loc[mine, names].to_numpy(float))
    return found


def _by_glow(
    blocks: DataFrame,
    labels: pd.DataFrame,
    samples: dict[str, list[str]],
    covariates: pd.DataFrame,
    config: WgrConfig,
    contigs: list[str],
    is_binary: bool,
) -> pd.DataFrame:
    # Imported here: it changes how PySpark makes NumPy literals.
    from glow.wgr import (
        LogisticRidgeRegression,
        RidgeReduction,
        RidgeRegression,
        logistic_ridge_regression,
        ridge_reduction,
        ridge_regression,
    )

    for module in (ridge_reduction, ridge_regression, logistic_ridge_regression):
        # Tells a log of Databricks, by Glow's jar, which need not be there.
        module.record_hls_event = _no_event
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reduction = RidgeReduction(blocks, labels, samples, covariates, True, config.reduction_alphas)
        reduced = reduction.fit_transform().persist(StorageLevel.MEMORY_AND_DISK)
        try:
            if is_binary:
                logistic = LogisticRidgeRegression.from_ridge_reduction(reduction, config.regression_alphas)
                return logistic.fit_transform_loco("linear", contigs)
            return RidgeRegression.from_ridge_reduction(reduction, config.regression_alphas).fit_transform_loco(contigs)
        finally:
            reduced.unpersist()


def _no_event(*_: Any, **__: Any) -> None:
    pass


def _blocks(cohort: Cohort, config: WgrConfig, places: Places, parts: dict[str, Places]) -> DataFrame:
    """Copies as Glow wants them: a row a variant and part of the people; missing calls have the mean, what does not vary is left out."""
    layout, size = cohort.layout, config.block_variants

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        seen: Counter[str] = Counter()
        for batch in batches:
            codes = unpack(layout.side_by_side(batch.column("blocks")), 4 * layout.width)[:, places]
            called = codes != MISSING
            mean = np.where(called, codes, 0).sum(axis=1) / np.maximum(called.sum(axis=1), 1)
            copies = np.where(called, codes, mean[:, None])
            deviation = copies.std(axis=1, ddof=1)
            varies = np.flatnonzero(deviation > 1e-8)
            headers, blocks = [], []
            for name, start, reference, alternate in zip(*(batch.column(c).take(pa.array(varies)).to_pylist() for c in KEY), strict=True):
                headers.append(f"{name}:{start}:{reference}:{alternate[0]}")
                blocks.append(f"chr_{name}_block_{seen[name] // size}")
                seen[name] += 1
            start = batch.column("start").take(pa.array(varies)).cast(pa.int32())
            for part, mine in parts.items():
                n = len(varies)
                values = pa.ListArray.from_arrays(np.arange(n + 1, dtype=np.int32) * len(mine), copies[np.ix_(varies, mine)].ravel())
                columns = [headers, [len(mine)] * n, values, blocks, [part] * n, start, mean[varies], deviation[varies]]
                types = (pa.string(), pa.int32(), None, pa.string(), pa.string(), None, pa.float64(), pa.float64())
                arrays = [values if kind is None else pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
                yield pa.RecordBatch.from_arrays(
                    arrays, ["header", "size", "values", "header_block", "sample_block", "sort_key", "mu", "sig"]
                )

    rows = cohort.rows(config.sites).repartition("contigName").sortWithinPartitions(*LOCUS)
    return rows.mapInArrow(work, _BLOCKS)
