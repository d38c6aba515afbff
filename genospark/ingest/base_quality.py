"""Base qualities fitted before the pile-up: a Spark job over a sample of each person's regions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import SparkSession

from genospark.core.pileup import WINDOW_BP
from genospark.ingest.reads import ReadFilters, Region
from genospark.ingest.reads.known_sites import KnownSites
from genospark.ingest.reads.mismatches import count_mismatches
from genospark.ingest.reads.recalibration import CELLS, Recalibration, fit, mean_qualities
from genospark.ingest.reads.records import Ints

STRETCH_BP = 10 * WINDOW_BP
"""Positions that are looked at together: a pileup of so many is in memory."""
_TASK_STRETCHES = 10
_COUNTS = "sampleId string, cells array<int>, bases array<bigint>, errors array<bigint>"
_FITTED = "sampleId string, qualities binary, reported double, empirical double"


@dataclass(frozen=True)
class BaseQuality:
    """Of one person.

    Attributes:
        qualities: A ``Recalibration`` as bytes.
        reported: Phred of the mean chance of an error that qualities state; None without any.
        empirical: The same as mismatches show it.
    """

    qualities: bytes
    reported: float | None
    empirical: float | None

    @property
    def recalibration(self) -> Recalibration:
        return Recalibration.from_bytes(self.qualities)


def fit_qualities(
    spark: SparkSession, regions: list[Region], reference: str, filters: ReadFilters, sample_bp: int, known: KnownSites | None
) -> dict[str, BaseQuality]:
    """Qualities of each person of some regions.

    Args:
        spark: Session.
        regions: All that will be piled up.
        reference: FASTA that reads were aligned to.
        filters: Which reads count.
        sample_bp: Positions to look at, of each person.
        known: Sites to leave out.
    """
    sample = stretches(regions, sample_bp)

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total: dict[str, tuple[Ints, Ints]] = {}
        for batch in batches:
            for index in batch.column("id").to_pylist():
                region = sample[index]
                found = count_mismatches(region, reference, filters, None if known is None else known.mask(region))
                sums = total.setdefault(region.sample_id, (np.zeros(CELLS, np.int64), np.zeros(CELLS, np.int64)))
                for counts, more in zip(sums, found, strict=True):
                    counts += more
        for person, (bases, errors) in total.items():
            cells = np.flatnonzero(bases)
            columns = [[cells.astype(np.int32)], [bases[cells]], [errors[cells]]]
            yield pa.RecordBatch.from_arrays([pa.array([person]), *map(pa.array, columns)], ["sampleId", "cells", "bases", "errors"])

    def fitted(rows: pd.DataFrame) -> pd.DataFrame:
        cells = np.concatenate([np.asarray(part, np.int64) for part in rows["cells"]])
        # Sums of whole numbers are exact in doubles.
        sums = [np.bincount(cells, np.concatenate(rows[name].tolist()), CELLS).astype(np.int64) for name in ("bases", "errors")]
        means = mean_qualities(*sums) or (None, None)
        names = ["sampleId", "qualities", "reported", "empirical"]
        return pd.DataFrame([(rows["sampleId"].iloc[0], fit(*sums).to_bytes(), *means)], columns=names)

    counted = spark.range(0, len(sample), 1, numPartitions=-(-len(sample) // _TASK_STRETCHES)).mapInArrow(count, _COUNTS)
    rows = counted.groupBy("sampleId").applyInPandas(fitted, _FITTED).collect()
    return {row["sampleId"]: BaseQuality(bytes(row["qualities"]), row["reported"], row["empirical"]) for row in rows}


def stretches(regions: list[Region], sample_bp: int) -> list[Region]:
    """Evenly spread parts of each person's regions, ``sample_bp`` positions in all; all of them where they are no more."""
    parts: dict[str, list[Region]] = {}
    for region in regions:
        starts = range(region.start, region.end, STRETCH_BP)
        cut = [Region(region.path, region.sample_id, region.contig_name, at, min(at + STRETCH_BP, region.end)) for at in starts]
        parts.setdefault(region.sample_id, []).extend(cut)
    most = max(1, sample_bp // STRETCH_BP)
    return [found[i * len(found) // min(most, len(found))] for found in parts.values() for i in range(min(most, len(found)))]
