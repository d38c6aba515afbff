"""Quality of samples' reads: the figures that the sums of all regions make."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from genospark.core.profile import BY_CLASS, CLASSES, OVERALL, of_sums
from genospark.ingest.base_quality import BaseQuality
from genospark.ingest.reads import DROP_REASONS
from genospark.ingest.reads.quality import INSERT_BIN_BP, MIN_SITES
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
        ("errorProfile", pa.binary()),
        ("reportedQuality", pa.float64()),
        ("empiricalQuality", pa.float64()),
    ]
)
_ALTERNATES = ("alternateSites", "alternateBases", "alternateReference")


def read_quality(rows: DataFrame, qualities: Mapping[str, BaseQuality]) -> DataFrame:
    """Rows of ``readQuality`` from the sums that each region's first window has in ``regionQuality``.

    Args:
        rows: Windows of all people.
        qualities: What recalibration has found; nobody where it was not asked for.
    """
    regions, names = rows.where("regionQuality is not null").select("sampleId", "regionQuality"), ["sampleId", "regionQuality"]
    columns = ", ".join(f"{column.name} {column.type}" for column in table("readQuality").columns if column.name != "runId")

    def parts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found = _added(batches)
        texts = [json.dumps(sums, default=np.ndarray.tolist) for sums in found.values()]
        yield pa.RecordBatch.from_arrays([pa.array(found, pa.string()), pa.array(texts, pa.string())], names)

    means = {person: (found.reported, found.empirical) for person, found in qualities.items()}

    def figures(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([_figures(name, sums, means) for name, sums in _added(batches).items()], _FIGURES)

    # Each partition adds its own regions up: few rows are left to be brought together.
    return regions.mapInArrow(parts, regions.schema).repartition("sampleId").mapInArrow(figures, columns)


def _added(batches: Iterable[pa.RecordBatch]) -> dict[str, dict[str, Any]]:
    """Sums of each sample."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for batch in batches:
        for name, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            sums = found[name]
            for key, value in json.loads(text).items():
                if isinstance(value, dict):
                    sums[key] = Counter(sums.get(key, {})) + Counter(value)
                else:
                    sums[key] = sums.get(key, 0) + (np.array(value) if isinstance(value, list) else value)
    return found


def _figures(name: str, row: dict[str, Any], means: Mapping[str, tuple[float | None, float | None]]) -> dict[str, Any]:
    reads = Counter(row["reads"])
    seen = reads.pop("seen", 0)
    # A sample without any reads has no sums of bases.
    row = dict.fromkeys((*_ALTERNATES, *OVERALL), 0) | {name: np.zeros(CLASSES) for name in BY_CLASS} | row
    error = row["plainErrors"] / row["plainBases"] if row["plainBases"] else None
    contamination = None
    if row["alternateSites"] >= MIN_SITES and error is not None:
        # Somebody else's alleles at such a site are the reference's in one case of three, where alleles are as common as in a population
        # of constant size (shares of f with density 1/f, of homozygous people f^2): 1 - E[f] = 1/3. Errors show it in one case of three.
        contamination = min(1.0, max(0.0, 3 * row["alternateReference"] / row["alternateBases"] - error))
    inserts = np.cumsum(row["inserts"])
    reported, empirical = means.get(name, (None, None))
    middle = int(np.searchsorted(inserts, inserts[-1] / 2)) if inserts[-1] else None
    return {
        "sampleId": name,
        "nReads": seen,
        "dropped": [(reason, reads[reason]) for reason in DROP_REASONS],
        "nLowQualityBases": row["low"],
        "nOverlappingBases": row["mates"],
        "meanDepth": row["bases"] / row["positions"],
        "referenceShare": row["matching"] / row["bases"] if row["bases"] else None,
        "duplicateShare": reads["duplicate"] / (seen - reads["unmapped"]) if seen > reads["unmapped"] else None,
        "medianInsertBp": None if middle is None else INSERT_BIN_BP * middle + INSERT_BIN_BP // 2,
        "errorRate": error,
        "contamination": contamination,
        "errorProfile": of_sums(row).tobytes(),
        "reportedQuality": reported,
        "empiricalQuality": empirical,
    }
