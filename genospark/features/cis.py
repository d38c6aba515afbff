"""Variants near genes, and which of them say most about a gene's expression in training people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f
from scipy import stats

from genospark.core.blocks import by_variant, gather
from genospark.core.calls import MISSING, pack, packed_rows, unpack

VARIANT = "contigName string, start bigint, referenceAllele string, alternateAllele string, mean double, standardDeviation double"
_LINKED = 0.1
_BIN_BP = 100_000


def training_calls(genotypes: DataFrame, columns: NDArray[np.int64], min_call_rate: float, min_count: int) -> DataFrame:
    """Packed calls of some training people at the variants that vary enough among them.

    Args:
        genotypes: Rows of ``genotypes``.
        columns: `sampleIndex` of each training person.
        min_call_rate: Variants called in a smaller share of them are left out.
        min_count: So are variants with fewer copies of the rarer allele among them.

    Returns:
        Rows of contigName, start, referenceAllele, alternateAllele, mean, standardDeviation, calls (in the order of `columns`).
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            calls = gather(batch.column("blocks"), columns)
            called = calls != MISSING
            n = called.sum(axis=1)
            copies = np.where(called, calls, 0)
            total, squares = copies.sum(axis=1, dtype=np.int64), (copies.astype(np.int64) ** 2).sum(axis=1)
            mean = total / np.maximum(n, 1)
            deviation = np.sqrt(np.maximum(squares / np.maximum(n, 1) - mean**2, 0))
            kept = (n >= min_call_rate * len(columns)) & (np.minimum(total, 2 * n - total) >= min_count) & (deviation > 1e-8)
            rows = batch.select(batch.schema.names[:-1]).filter(pa.array(kept))
            arrays = [pa.array(mean[kept]), pa.array(deviation[kept]), pa.array([row.tobytes() for row in pack(calls[kept])], pa.binary())]
            yield pa.RecordBatch.from_arrays([*rows.columns, *arrays], [*rows.schema.names, "mean", "standardDeviation", "calls"])

    return by_variant(genotypes).mapInArrow(work, f"{VARIANT}, calls binary")


def near_genes(calls: DataFrame, genes: DataFrame, window_bp: int) -> DataFrame:
    """Every gene with every variant within so many bases of it: the rows of `calls` with `geneId`.

    Args:
        calls: Rows with contigName and start.
        genes: geneId, contigName, start, end.
        window_bp: Bases before its start and after its end that belong to a gene's neighbourhood.
    """
    spans = genes.selectExpr("geneId", "contigName", f"start - {window_bp} as lowest", f"end + {window_bp} as highest")
    bins = spans.withColumn("bin", f.explode(f.expr(f"sequence(floor(lowest / {_BIN_BP}), floor(highest / {_BIN_BP}))")))
    placed = calls.withColumn("bin", f.expr(f"floor(start / {_BIN_BP})"))
    return (
        placed.join(f.broadcast(bins), ["contigName", "bin"]).where("start >= lowest and start < highest").drop("bin", "lowest", "highest")
    )


def best_variants(near: DataFrame, expression: DataFrame, n_people: int, count: int) -> pd.DataFrame:
    """For each gene the variants that together say most about its expression in all contexts: forward selection.

    Args:
        near: Rows of ``near_genes``.
        expression: geneId, values (float32 [people] as binary): a row for each context, standardised, missing values 0.
        n_people: Training people.
        count: Variants to take for each gene, at most.

    Returns:
        geneId, the variant's columns, pValue (smallest over contexts, of the variant alone, not corrected), place (order of choice).
    """

    def choose(variants: pd.DataFrame, contexts: pd.DataFrame) -> pd.DataFrame:
        # In an order of their own, so that ties do not depend on how rows arrive.
        variants = variants.sort_values(["start", "referenceAllele", "alternateAllele"]).reset_index(drop=True)
        contexts = contexts.sort_values(["cellType", "state"])
        if variants.empty or contexts.empty:
            return variants.drop(columns="calls").assign(pValue=0.0, place=0).iloc[:0]
        calls = unpack(packed_rows(list(variants["calls"])), n_people)
        means, deviations = (variants[name].to_numpy()[:, None] for name in ("mean", "standardDeviation"))
        copies = np.where(calls == MISSING, 0, (calls - means) / deviations)
        values = packed_rows(list(contexts["values"])).view("<f4").astype(float)
        chosen = forward(copies, values, count)
        return variants.loc[chosen].drop(columns="calls").assign(pValue=smallest_p(copies[chosen], values), place=range(len(chosen)))

    made = f"geneId string, {VARIANT}, pValue double, place int"
    order = [part.split()[0] for part in made.split(", ")]
    groups = near.groupBy("geneId").cogroup(expression.groupBy("geneId"))
    chosen: pd.DataFrame = groups.applyInPandas(lambda one, other: choose(one, other)[order], made).toPandas()
    return chosen.sort_values(["geneId", "place"]).reset_index(drop=True)


def forward(copies: NDArray[np.float64], values: NDArray[np.float64], count: int) -> list[int]:
    """Indices of variants, each the one that explains most of what those before it leave, over all contexts together.

    Args:
        copies: Standardised copies [variants, people].
        values: Standardised expression [contexts, people].
        count: Variants to take, at most; those that others say nearly are not taken.
    """
    copies, values = copies.copy(), values.copy()
    n = copies.shape[1]
    chosen: list[int] = []
    for _ in range(min(count, len(copies))):
        left = (copies**2).sum(axis=1)
        gain = ((copies @ values.T) ** 2).sum(axis=1) / np.maximum(left, 1e-9)
        gain[left < _LINKED * n] = -1
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        chosen.append(best)
        direction = copies[best] / np.sqrt(left[best])
        values -= np.outer(values @ direction, direction)
        copies -= np.outer(copies @ direction, direction)
    return chosen


def smallest_p(copies: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest p-value over contexts of each variant's correlation with expression, [variants]."""
    n = copies.shape[1]
    scale = np.maximum(np.linalg.norm(copies, axis=1)[:, None] * np.linalg.norm(values, axis=1), 1e-12)
    r = np.clip(np.abs(copies @ values.T / scale).max(axis=1, initial=0.0), 0, 1 - 1e-12)
    return np.asarray(2 * stats.t.sf(r * np.sqrt((n - 2) / (1 - r**2)), n - 2))
