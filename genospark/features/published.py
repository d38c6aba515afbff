"""Weights of published scores found among a cohort's variants, by place and alleles, on either strand."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as f

from genospark.core import delta
from genospark.core.delta import partition_values
from genospark.core.scans import collected
from genospark.core.storage import Warehouse
from genospark.quality.cohort import KEY, SitesConfig

REASONS = ("absent", "otherAlleles", "severalAlleles", "ambiguous", "notTurnable")
"""Why a weight has no variant: none at its place, other alleles there, several where the weight has no other allele, A/T or C/G, or
copies of REF cannot be counted."""
_SITE = ["contigName", "start", "referenceAllele", "alternateAllele"]
_COLUMNS = ["start", "referenceAllele", "alternateAlleles", "splitFromMultiAllelic", "nAllelesCalled", "nCalled"]
_ROWS = "contigName string, start bigint, referenceAllele string, alternateAllele string, turnable boolean"
_AT_ONCE = 1 << 16
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True)
class Found:
    """Weights and variants.

    Attributes:
        weights: pgsId, weight, contigName, start, referenceAllele, alternateAllele, ofReference (the effect allele is REF): a row a
            weight that has a variant.
        counts: Weights of each score (pgsId), how many have a variant (`matched`), how many of these with the effect allele as REF
            (`turned`) or on the other strand (`flipped`), and how many have none for each of ``REASONS``.
    """

    weights: pd.DataFrame
    counts: pd.DataFrame


def find_weights(
    warehouse: Warehouse, ids: list[str], contigs: Collection[str], sites: SitesConfig, keep_ambiguous: bool, flip: bool
) -> Found:
    """Looks weights up among variants.

    Args:
        warehouse: Its ``pgsWeights`` and ``variants`` are read.
        ids: Scores.
        contigs: Contigs whose variants are looked at.
        sites: Which variants on them are.
        keep_ambiguous: Take variants of A and T, or C and G, as they stand; else they are left out, as their strand cannot be told.
        flip: Look also for the complement of single bases, on the other strand.
    """
    columns = ["pgsId", "line", "weight", "effectAllele", "otherAllele", "contigName", "start"]
    table = warehouse.small_arrow("pgsWeights", columns)
    table = table.filter(pc.is_in(table["pgsId"], pa.array(ids)))
    weights: pd.DataFrame = table.to_pandas()
    weights["place"] = weights.pop("contigName").str.replace("^chr", "", regex=True)
    weights["start"] = weights["start"].fillna(-1).astype(np.int64)
    there = _variants(warehouse, weights.loc[weights["start"] >= 0, ["place", "start"]], contigs)
    if (chosen := sites.chosen(warehouse)) is not None:
        keys = chosen.select(*KEY[:3], f.col("alternateAlleles")[0].alias("alternateAllele"))
        there = warehouse.spark.createDataFrame(there, _ROWS).join(keys, _SITE, "leftsemi").toPandas()
    there["place"] = there["contigName"].str.replace("^chr", "", regex=True)
    ways = weights.reset_index(names="number").merge(there, "left", ["place", "start"])
    ways["way"] = _way(ways, flip)
    of_weight = ways.groupby("number")
    ways["there"], ways["fitting"] = of_weight["alternateAllele"].transform("count"), of_weight["way"].transform("count")
    best = ways.sort_values(["number", "way", "referenceAllele", "alternateAllele"]).drop_duplicates("number")
    best["ofReference"] = best["way"] % 2 == 1
    complement = best["referenceAllele"].fillna("").map(lambda allele: allele.translate(_COMPLEMENT))
    reasons = {
        "absent": best["there"] == 0,
        "otherAlleles": best["fitting"] == 0,
        "severalAlleles": (best["fitting"] > 1) & best["otherAllele"].isna(),
        "ambiguous": (complement == best["alternateAllele"]) & (not keep_ambiguous),
        "notTurnable": best["ofReference"] & ~best["turnable"].eq(True),
    }
    best["reason"] = np.select(list(reasons.values()), list(reasons), "")
    kept = best[best["reason"] == ""]
    counts = pd.DataFrame({"weights": best.groupby("pgsId").size()})
    told = {"matched": kept, "turned": kept[kept["ofReference"]], "flipped": kept[kept["way"] >= 2]}
    for name, rows in (told | {name: best[best["reason"] == name] for name in REASONS}).items():
        counts[name] = rows.groupby("pgsId").size().reindex(counts.index, fill_value=0)
    return Found(kept[["pgsId", "weight", *_SITE, "ofReference"]], counts.sort_index())


def _variants(warehouse: Warehouse, places: pd.DataFrame, contigs: Collection[str]) -> pd.DataFrame:
    """Variants at some places (contig without `chr`, start), and whether copies of REF can be counted at them."""
    starts = {str(name): np.unique(own["start"].to_numpy(np.int64)) for name, own in places.groupby("place")}
    shared = warehouse.spark.sparkContext.broadcast(starts)

    def work(_: int, files: list[str]) -> Iterator[pa.RecordBatch]:
        for path in files:
            contig = str(partition_values(path)["contigName"])
            wanted = shared.value.get(contig.removeprefix("chr"), np.zeros(0, np.int64))
            for batch in delta.batches(path, _COLUMNS, _AT_ONCE) if len(wanted) else ():
                start = batch.column("start").to_numpy()
                here = wanted[np.minimum(np.searchsorted(wanted, start), len(wanted) - 1)] == start
                rows = batch.filter(pa.array(here & (batch.column("alternateAlleles").value_lengths().to_numpy() == 1)))
                split, alleles, called = (rows.column(name) for name in _COLUMNS[3:])
                # Copies of REF are 2 less those of the other only where everyone has two alleles, and no third is about.
                turnable = pc.and_(pc.invert(split), pc.equal(alleles, pc.multiply(called, 2)))
                arrays = [rows.column("start"), rows.column("referenceAllele"), rows.column("alternateAlleles").flatten(), turnable]
                yield pa.RecordBatch.from_arrays([pa.repeat(contig, len(rows)), *arrays], [*_SITE, "turnable"])

    files = [path for path in warehouse.live_files("variants") if partition_values(path)["contigName"] in contigs]
    return collected(warehouse.spark, files, work, _ROWS)


def _way(rows: pd.DataFrame, flip: bool) -> pd.Series[float]:
    """How a weight's alleles are a variant's: 0 effect is ALT, 1 effect is REF; 2 and 3 the same on the other strand; NaN not at all."""
    effect, other = rows["effectAllele"], rows["otherAllele"]
    unknown = other.isna()

    def fits(effect: pd.Series[str], other: pd.Series[str]) -> list[pd.Series[bool]]:
        of_alternate = (effect == rows["alternateAllele"]) & (unknown | (other == rows["referenceAllele"]))
        return [of_alternate, (effect == rows["referenceAllele"]) & (unknown | (other == rows["alternateAllele"]))]

    ways = fits(effect, other)
    if flip:
        single = (effect.str.len() == 1) & (other.str.len() == 1)
        ways += [single & way for way in fits(*(alleles.str.translate(_COMPLEMENT) for alleles in (effect, other)))]
    return pd.Series(np.select([way.to_numpy(bool) for way in ways], [float(number) for number in range(len(ways))], np.nan), rows.index)
