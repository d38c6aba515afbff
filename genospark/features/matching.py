"""Calls of a model's variants for every person of a warehouse, whatever task the model is for.

Variants are found by position and alleles, also where REF and ALT are exchanged (their calls are then turned where that is sound); what
is not found is missing, and the network fills it with the training mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.broadcast import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core import delta
from genospark.core.calls import packed_bytes
from genospark.core.scans import collected
from genospark.core.storage import Warehouse
from genospark.features.sites import Sites, key_columns
from genospark.features.tiles import by_person
from genospark.models.variant_columns import Variant, Variants

_AT_ONCE = 1 << 16
"""Rows of ``variants``."""


@dataclass(frozen=True)
class Matched:
    """Calls of a warehouse's people.

    Attributes:
        rows: sampleId, calls (2 bits a variant): one row per person of ``samples``.
        variants_found: Of the model's variants, how many the warehouse has.
        variants_turned: Of these, how many with REF and ALT exchanged.
        turns_refused: Variants that are there with REF and ALT exchanged but cannot be turned, because the record had other alternate
            alleles or people have one copy only; they count as not found.
    """

    rows: DataFrame
    variants_found: int
    variants_turned: int
    turns_refused: int


def match(warehouse: Warehouse, variants: Iterable[Variant]) -> Matched:
    """Finds the variants and transposes their calls.

    Args:
        warehouse: Its ``samples``, ``variants`` and ``genotypes`` are read.
        variants: What to look for.

    Raises:
        TableError: There are no genotypes.
    """
    wanted = Variants.of(variants)
    if not len(wanted):
        no_calls = f.lit(bytes([255]) * packed_bytes(0)).alias("calls")
        return Matched(warehouse.read("samples").select("sampleId", no_calls), 0, 0, 0)
    sites = warehouse.spark.sparkContext.broadcast(Sites.of(wanted))
    here = _found(warehouse, sites)
    usable = here[~here["turned"] | here["turnable"]]
    found = usable.groupby("feature")["turned"].min()
    refused = len(set(here["feature"]) - set(usable["feature"]))
    usable_ways = np.zeros((2, len(wanted)), bool)
    usable_ways[usable["turned"].to_numpy(int), usable["feature"].to_numpy(int)] = True
    return Matched(by_person(warehouse, sites, usable_ways), len(found), int(found.sum()), refused)


_LOCUS = ["contigName", "start", "referenceAllele", "alternateAlleles"]
_TURNABLE = ["splitFromMultiAllelic", "nAllelesCalled", "nCalled"]


def _found(warehouse: Warehouse, sites: Broadcast[Sites]) -> pd.DataFrame:
    """Features among ``variants``: feature, turned (REF and ALT are exchanged), and turnable, where that would be sound."""

    def work(_: int, files: list[str]) -> Iterator[pa.RecordBatch]:
        for batch in (batch for path in files for batch in delta.batches(path, [*_LOCUS, *_TURNABLE], _AT_ONCE)):
            pairs = sites.value.find(batch.column("contigName")[0].as_py(), *key_columns(batch))
            # Copies of the other allele are 2 minus copies of this one only where everyone has two, and no third allele is about.
            split, alleles, called = (batch.column(name).to_numpy(zero_copy_only=False)[pairs.row] for name in _TURNABLE)
            turnable = ~split.astype(bool) & (alleles == 2 * called)
            yield pa.RecordBatch.from_arrays(
                [pa.array(pairs.feature, pa.int32()), pa.array(pairs.turned), pa.array(turnable)], ["feature", "turned", "turnable"]
            )

    rows = collected(warehouse.spark, warehouse.live_files("variants"), work, "feature int, turned boolean, turnable boolean")
    return rows.astype({"feature": int, "turned": bool, "turnable": bool})
