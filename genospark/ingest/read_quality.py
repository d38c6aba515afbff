"""Quality of samples' reads: the figures that the sums of all regions make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.ingest.base_quality import BaseQuality
from genospark.ingest.reads.quality import INSERT_BIN_BP, INSERT_BINS, MIN_SITES
from genospark.schema import table

_FIGURES = pa.schema(
    [
        ("sampleId", pa.string()),
        ("nReads", pa.int64()),
        ("dropped", pa.map_(pa.string(), pa.int64())),
        ("nLowQualityBases", pa.int64()),
        ("nOverlappingBases", pa.int64()),
        ("meanDepth", pa.float64()),
        ("referenceShare", pa.float64()),
        ("duplicateShare", pa.float64()),
        ("medianInsertBp", pa.int32()),
        ("errorRate", pa.float64()),
        ("contamination", pa.float64()),
        ("reportedQuality", pa.float64()),
        ("empiricalQuality", pa.float64()),
    ]
)
_BASE_SUMS = ("plainBases", "plainErrors", "alternateSites", "alternateBases", "alternateReference")


def read_quality(rows: DataFrame, qualities: Mapping[str, BaseQuality]) -> DataFrame:
    """Rows of ``readQuality`` from the sums that each region's first window has in ``regionQuality``.

    Args:
        rows: Windows of all people.
        qualities: What recalibration has found; nobody where it was not asked for.
    """
    sums = ("low", "mates", "bases", "matching", "positions", *_BASE_SUMS)
    counts = f"reads map<string, bigint>, inserts array<bigint>, {', '.join(f'{name} bigint' for name in sums)}"
    parsed = f.from_json("regionQuality", counts).alias("q")
    read = rows.where("regionQuality is not null").select("sampleId", parsed).select("sampleId", "q.*")
    summed = read.groupBy("sampleId").agg(
        f.collect_list("reads").alias("reads"),
        *(f.coalesce(f.sum(name), f.lit(0)).alias(name) for name in sums),
        f.array(*(f.sum(f.col("inserts")[index]) for index in range(INSERT_BINS))).alias("inserts"),
    )

    means = {person: (found.reported, found.empirical) for person, found in qualities.items()}

    def figures(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_pylist([_figures(row, means) for row in batch.to_pylist()], _FIGURES)

    columns = ", ".join(f"{column.name} {column.type}" for column in table("readQuality").columns if column.name != "runId")
    return summed.mapInArrow(figures, columns)


def _figures(row: dict[str, Any], means: Mapping[str, tuple[float | None, float | None]]) -> dict[str, Any]:
    reads: Counter[str] = Counter()
    for counted in row["reads"]:
        reads.update(dict(counted))
    seen = reads.pop("seen")
    error = row["plainErrors"] / row["plainBases"] if row["plainBases"] else None
    contamination = None
    if row["alternateSites"] >= MIN_SITES and error is not None:
        # Somebody else's alleles at such a site are the reference's in one case of three, where alleles are as common as in a population
        # of constant size (shares of f with density 1/f, of homozygous people f^2): 1 - E[f] = 1/3. Errors show it in one case of three.
        contamination = min(1.0, max(0.0, 3 * row["alternateReference"] / row["alternateBases"] - error))
    inserts = np.cumsum(row["inserts"])
    reported, empirical = means.get(row["sampleId"], (None, None))
    middle = int(np.searchsorted(inserts, inserts[-1] / 2)) if inserts[-1] else None
    return {
        "sampleId": row["sampleId"],
        "nReads": seen,
        "dropped": list(reads.items()),
        "nLowQualityBases": row["low"],
        "nOverlappingBases": row["mates"],
        "meanDepth": row["bases"] / row["positions"],
        "referenceShare": row["matching"] / row["bases"] if row["bases"] else None,
        "duplicateShare": reads["duplicate"] / (seen - reads["unmapped"]) if seen > reads["unmapped"] else None,
        "medianInsertBp": None if middle is None else INSERT_BIN_BP * middle + INSERT_BIN_BP // 2,
        "errorRate": error,
        "contamination": contamination,
        "reportedQuality": reported,
        "empiricalQuality": empirical,
    }
