"""Rows of ``variantQuality`` out of what was counted, as Arrow: a task reads a file of ``variants`` and writes one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark import TaskContext
from pyspark.sql import DataFrame

from genospark.core import delta
from genospark.core.blocks import known_in
from genospark.core.landing import Landing
from genospark.core.scans import over_files
from genospark.core.storage import Warehouse
from genospark.quality.cohort import LOCUS
from genospark.quality.measured import MEASURED, SUMMARIES

Bools = NDArray[np.bool_]
_TRANSITIONS = ("AG", "GA", "CT", "TC")
_TRANSVERSIONS = tuple(one + other for one in "ACGT" for other in "ACGT" if one != other and one + other not in _TRANSITIONS)
_TAKEN = [*LOCUS, "callRate", "alleleCount", "nAllelesCalled", "alleleFrequency", "pValueHwe"]
NEEDED = [*_TAKEN, "filters"]
"""Columns of ``variants`` that are looked at."""
REASONS = ("filters", "callRate", "alleleFrequency", "alleleCount", "hwe")
_AMONG_FOUNDERS = {"founderAlleleFrequency": "alleleFrequency", "pValueHweFounders": "pValueHwe"}
"""What is counted among founders, and what it is where everyone is one."""
_BATCH_ROWS = 1 << 16
_LANDED = "landed string"


@dataclass(frozen=True)
class Limits:
    """What variants are filtered by; as in ``QcVariantsConfig``."""

    min_call_rate: float
    min_allele_frequency: float
    min_allele_count: int
    min_p_value_hwe: float
    passed_filters: bool

    def judge(self, rows: pa.RecordBatch, p_values: pa.DoubleArray) -> tuple[dict[str, pa.Array], Counter[str]]:
        """Columns `isSingleton`, `substitution` and `reasons` of some variants, and how many have each value of them.

        Args:
            rows: With ``NEEDED``.
            p_values: Hardy-Weinberg p-values among founders.
        """
        counts = [rows.column(name).to_numpy() for name in ("alleleCount", "nAllelesCalled")]
        minor = np.minimum(counts[0], counts[1] - counts[0])
        frequency = _numbers(rows.column("alleleFrequency"))
        p = _numbers(p_values, 1.0)
        against = {
            "filters": _has_filters(rows.column("filters")) if self.passed_filters else np.zeros(len(rows), bool),
            "callRate": _numbers(rows.column("callRate")) < self.min_call_rate,
            "alleleFrequency": np.minimum(frequency, 1 - frequency) < self.min_allele_frequency,
            "alleleCount": minor < self.min_allele_count,
            "hwe": p < self.min_p_value_hwe,
        }
        table = np.stack([against[name] for name in REASONS], axis=1)
        names = pa.array(REASONS)
        offsets = np.concatenate([[0], np.cumsum(table.sum(axis=1))]).astype(np.int32)
        reasons = pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(np.nonzero(table)[1])))
        kinds = _substitutions(rows.column("referenceAllele"), rows.column("alternateAlleles"))
        passes = ~table.any(axis=1)
        found = Counter({name: int(own.sum()) for name, own in against.items() if own.any()})
        for number, kind in enumerate(("transition", "transversion")):
            own = kinds == number
            found[f"{kind}s"] = int(own.sum())
            found[f"passing {kind}s"] = int((own & passes).sum())
        found["variants"], found["passing"] = len(rows), int(passes.sum())
        substitution = pa.array(["transition", "transversion"]).take(pa.array(kinds, mask=kinds < 0))
        return {"isSingleton": pa.array(minor == 1), "substitution": substitution, "reasons": reasons}, found


@dataclass(frozen=True)
class Landed:
    """What tasks have found and written.

    Attributes:
        files: Paths of files of ``variantQuality``.
        counts: Variants by what was found of them.
        kept: Columns of ``MEASURED`` that somebody has, where files of ``genotypes`` were looked at.
    """

    files: list[str]
    counts: Counter[str]
    kept: list[str]


@dataclass(frozen=True)
class Work:
    """What tasks do.

    Attributes:
        limits: What variants are filtered by.
        target: Where their rows land.
    """

    limits: Limits
    target: Landing

    def of_files(self, warehouse: Warehouse) -> Landed:
        """Rows of all of ``variants``, and what ``genotypes`` keeps of depths and qualities: of these the rows say nothing."""
        calls = set(warehouse.live_files("genotypes"))

        def work(number: int, files: list[str]) -> Iterator[pa.RecordBatch]:
            rows = chain.from_iterable(delta.batches(path, NEEDED, _BATCH_ROWS) for path in files if path not in calls)
            yield self._land(number, rows, known_in([path for path in files if path in calls], MEASURED))

        return _collected(over_files(warehouse.spark, [*warehouse.live_files("variants"), *sorted(calls)], work, _LANDED))

    def of_rows(self, rows: DataFrame) -> Landed:
        """Rows with ``NEEDED`` and what else is known of variants."""
        more = [name for name in (*_AMONG_FOUNDERS, *SUMMARIES) if name in rows.columns]

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            task = TaskContext.get()
            assert task is not None
            yield self._land(task.partitionId(), batches, [])

        return _collected(rows.select(*NEEDED, *more).mapInArrow(work, _LANDED))

    def _land(self, number: int, batches: Iterable[pa.RecordBatch], kept: list[str]) -> pa.RecordBatch:
        counts: Counter[str] = Counter()
        with self.target.writer(number) as writer:
            for batch in batches:
                names = batch.schema.names
                columns = {name: batch.column(name) for name in _TAKEN}
                columns |= {name: batch.column(name if name in names else other) for name, other in _AMONG_FOUNDERS.items()}
                nothing = pa.nulls(len(batch), pa.float64())
                columns |= {name: batch.column(name) if name in names else nothing for name in SUMMARIES}
                judged, found = self.limits.judge(batch, columns["pValueHweFounders"])
                counts.update(found)
                writer.add(columns | judged)
            return pa.RecordBatch.from_pydict({"landed": [json.dumps([writer.finish(), counts, kept])]})


def _collected(rows: DataFrame) -> Landed:
    files: list[str] = []
    counts: Counter[str] = Counter()
    kept: set[str] = set()
    for row in rows.collect():
        own, found, known = json.loads(row[0])
        files += own
        counts.update(found)
        kept.update(known)
    return Landed(files, counts, [name for name in MEASURED if name in kept])


def _numbers(column: pa.DoubleArray, instead: float = 0.0) -> NDArray[np.float64]:
    found: NDArray[np.float64] = pc.fill_null(column, instead).to_numpy()
    return found


def _has_filters(filters: pa.ListArray) -> Bools:
    """Whether FILTER names something but PASS."""
    others = np.concatenate([[0], np.cumsum(pc.not_equal(filters.flatten(), "PASS").to_numpy(zero_copy_only=False))])
    offsets = filters.offsets.to_numpy() - filters.offsets[0].as_py()
    found: Bools = others[offsets[1:]] > others[offsets[:-1]]
    return found


def _substitutions(reference: pa.StringArray, alternates: pa.ListArray) -> NDArray[np.int8]:
    """0 for a transition, 1 for a transversion, -1 for what is no substitution of one base."""
    found = np.full(len(reference), -1, np.int8)
    counts = pc.list_value_length(alternates).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero((counts == 1) & (pc.binary_length(reference).to_numpy(zero_copy_only=False) == 1))
    first = pc.list_flatten(alternates.take(pa.array(rows)))
    pairs = pc.utf8_upper(pc.binary_join_element_wise(reference.take(pa.array(rows)), first, "")).dictionary_encode()
    known = dict.fromkeys(_TRANSITIONS, 0) | dict.fromkeys(_TRANSVERSIONS, 1)
    kinds = np.array([known.get(pair, -1) for pair in pairs.dictionary.to_pylist()], np.int8)
    if len(rows):
        found[rows] = kinds[pairs.indices.to_numpy()]
    return found
