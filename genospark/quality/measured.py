"""Summaries of depths (DP) and qualities (GQ) of calls, where ``genotypes`` keeps them: of variants, and of people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from genospark.core.blocks import known, numbers
from genospark.core.calls import NUMBERS, SAMPLE_BLOCK, nothing
from genospark.core.config import Settings
from genospark.quality.cohort import KEY, KEY_DDL, Cohort
from genospark.quality.sums import summed

MEASURED = {"depth": "Depth", "conditionalQuality": "ConditionalQuality"}
"""Columns of ``genotypes``, and what their summaries are called: ``meanDepth``, ``lowDepthShare`` ..."""
SUMMARIES = tuple(name for word in MEASURED.values() for name in (f"mean{word}", f"low{word}Share"))
_SUMS = ("n", "total", "low")


class LowConfig(Settings):
    """Below what depths and qualities count as low.

    Attributes:
        depth: Reads (DP).
        quality: Phred-scaled quality of a call (GQ).
    """

    depth: int = Field(10, ge=0)
    quality: int = Field(20, ge=0)

    def below(self, column: str) -> int:
        """The limit of a column."""
        return self.depth if column == "depth" else self.quality


def kept(cohort: Cohort) -> list[str]:
    """Columns of ``MEASURED`` that somebody has."""
    return known(cohort.warehouse, MEASURED)


def of_variants(cohort: Cohort, columns: list[str], low: LowConfig) -> DataFrame:
    """``KEY`` and ``SUMMARIES`` of each variant; null where nobody has a value."""
    sums = [f"{column}_{name}" for column in MEASURED for name in _SUMS]
    schema = ", ".join([KEY_DDL, *(f"{name} bigint" for name in sums)])

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = [_sums(batch.column(column), column, low, 1) for column in columns]
            of = dict(zip(columns, found, strict=True))
            zeros = np.zeros((len(_SUMS), len(batch)), np.int64)
            counted = [pa.array(row) for column in MEASURED for row in of.get(column, zeros)]
            yield pa.RecordBatch.from_arrays([*(batch.column(name) for name in KEY), *counted], [*KEY, *sums])

    rows = cohort.warehouse.read("genotypes").select(*KEY, *columns).mapInArrow(work, schema)
    if len(cohort.layout.blocks) > 1:
        rows = rows.groupBy(*KEY).agg(*(f.sum(name).alias(name) for name in sums))
    return rows.select(*KEY, *(one for column in MEASURED for one in _ratios(column)))


def _ratios(column: str) -> list[Column]:
    word, n = MEASURED[column], f.col(f"{column}_n")
    pairs = ((f"{column}_total", f"mean{word}"), (f"{column}_low", f"low{word}Share"))
    return [f.when(n > 0, f.col(part) / n).alias(name) for part, name in pairs]


def of_people(cohort: Cohort, columns: list[str], low: LowConfig) -> dict[str, NDArray[np.float64]]:
    """``SUMMARIES`` of everyone over all rows of ``genotypes``, in the order of the cohort; NaN without a value."""
    layout = cohort.layout
    shape = (len(columns), len(_SUMS), 4 * layout.width)

    def work(batch: pa.RecordBatch) -> NDArray[Any]:
        total = np.zeros(shape, np.int64)
        blocks = batch.column("sampleBlock").to_numpy()
        for block in np.unique(blocks).tolist():
            rows = pa.array(np.flatnonzero(blocks == block))
            begin = int(layout.places(np.array([block * SAMPLE_BLOCK]))[0])
            for number, column in enumerate(columns):
                found = _sums(batch.column(column).take(rows), column, low, 0)[:, : shape[2] - begin]
                total[number, :, begin : begin + found.shape[1]] += found
        return total

    rows = cohort.warehouse.read("genotypes").where(f.col("sampleBlock").isin(list(layout.blocks))).select("sampleBlock", *columns)
    sums = summed(rows, work, shape, np.int64)[:, :, cohort.places] if columns else np.zeros((0, 0, 0))
    of = dict(zip(columns, sums, strict=True))
    empty = np.full((2, len(cohort.people)), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        pairs = [of[column][1:] / of[column][0] if column in of else empty for column in MEASURED]
    return dict(zip(SUMMARIES, np.concatenate(pairs), strict=True))


def _sums(values: pa.BinaryArray, column: str, low: LowConfig, axis: int) -> NDArray[np.int64]:
    """``_SUMS`` of each variant (axis 1) or person (axis 0), (3, k)."""
    longest = (pc.max(pc.binary_length(values)).as_py() or 0) // NUMBERS[column].itemsize
    found = numbers(values, longest, column)
    there = found != nothing(column)
    below = there & (found < low.below(column))
    return np.stack([there.sum(axis=axis), np.where(there, found, 0).sum(axis=axis, dtype=np.int64), below.sum(axis=axis)])
