"""Calls of a model's variants for every person of a warehouse, whatever task the model is for.

Variants are found by position and alleles, also where REF and ALT are exchanged (their calls are then turned where that is sound); what
is not found is missing, and the network fills it with the training mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.calls import MISSING, SAMPLE_BLOCK, pack, packed_bytes, packed_rows, unpack
from genospark.core.storage import Warehouse
from genospark.models.spec import Variant

# Copies of one allele as copies of the other; missing stays missing.
_TURNED = np.array([2, 1, 0, MISSING], np.uint8)


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


def match(warehouse: Warehouse, variants: Sequence[Variant]) -> Matched:
    """Finds the variants and transposes their calls.

    Args:
        warehouse: Its ``samples``, ``variants`` and ``genotypes`` are read.
        variants: What to look for.

    Raises:
        TableError: There are no genotypes.
    """
    samples = warehouse.read("samples").select("sampleId", "sampleIndex")
    no_calls = f.lit(bytes([255]) * packed_bytes(len(variants)))
    if not variants:
        return Matched(samples.select("sampleId", no_calls.alias("calls")), 0, 0, 0)
    here: pd.DataFrame = _wanted(warehouse, variants).join(warehouse.read("variants").selectExpr(*_LOCUS), _KEY).toPandas()
    usable = here[(here["turned"] == 0) | here["turnable"]]
    found = usable.groupby("featureIndex")["turned"].min()
    sites = warehouse.spark.createDataFrame(usable.drop(columns="turnable").values.tolist(), _SITES)
    matches = warehouse.read("genotypes").withColumn("alternateAllele", f.col("alternateAlleles")[0]).join(f.broadcast(sites), _KEY)
    called = samples.join(_by_person(matches, len(variants)), "sampleIndex", "left")
    rows = called.select("sampleId", f.coalesce("calls", no_calls).alias("calls"))
    return Matched(rows, len(found), int(found.sum()), len(set(here["featureIndex"]) - set(usable["featureIndex"])))


_KEY = ["contigName", "start", "referenceAllele", "alternateAllele"]
# Copies of the other allele are 2 minus copies of this one only where everyone has two, and no third allele is about.
_TURNABLE = "not splitFromMultiAllelic and nAllelesCalled = 2 * nCalled as turnable"
_LOCUS = ["contigName", "start", "referenceAllele", "alternateAlleles[0] as alternateAllele", _TURNABLE]
_SITES = "contigName string, start bigint, referenceAllele string, alternateAllele string, featureIndex int, turned int"


def _wanted(warehouse: Warehouse, variants: Sequence[Variant]) -> DataFrame:
    """Each variant as the model has it, and with its alleles exchanged (`turned` 1)."""
    rows = []
    for index, variant in enumerate(variants):
        alleles = (variant.reference_allele, variant.alternate_allele)
        rows += [(variant.contig_name, variant.start, *order, index, turned) for turned, order in enumerate((alleles, alleles[::-1]))]
    return warehouse.spark.createDataFrame(rows, _SITES)


def _by_person(matches: DataFrame, n_variants: int) -> DataFrame:
    """Transposes packed calls, one block of samples at a time: rows of variants in, rows of people (sampleIndex, calls) out."""

    def transpose(block: pd.DataFrame) -> pd.DataFrame:
        # As the model has it comes last and so wins where a site is listed both ways.
        block = block.sort_values("turned", ascending=False)
        calls = unpack(packed_rows(list(block["calls"])), SAMPLE_BLOCK)
        turned = block["turned"].to_numpy(bool)
        calls[turned] = _TURNED[calls[turned]]
        people = np.full((calls.shape[1], n_variants), MISSING, np.uint8)
        people[:, block["featureIndex"].to_numpy()] = calls.T
        packed = pack(people)
        first = int(block["sampleBlock"].iloc[0]) * SAMPLE_BLOCK
        return pd.DataFrame(
            {"sampleIndex": np.arange(first, first + len(packed), dtype=np.int32), "calls": [row.tobytes() for row in packed]}
        )

    blocks = matches.selectExpr("sampleBlock", "featureIndex", "turned", "calls").groupBy("sampleBlock")
    return blocks.applyInPandas(transpose, "sampleIndex int, calls binary")
