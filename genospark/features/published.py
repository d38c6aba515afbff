"""Weights of published scores found among a cohort's variants, by place and alleles, on either strand."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

KEY = ["contigName", "start", "referenceAllele", "alternateAlleles"]
# Copies of the reference allele are 2 less those of the other only where everyone has two alleles, and no third is about.
_TURNABLE = "not splitFromMultiAllelic and nAllelesCalled = 2 * nCalled"
REASONS = ("absent", "otherAlleles", "severalAlleles", "ambiguous", "notTurnable")
"""Why a weight has no variant: none at its place, other alleles there, several where the weight has no other allele, A/T or C/G, or
copies of REF cannot be counted."""


@dataclass(frozen=True)
class Found:
    """Weights and variants.

    Attributes:
        weights: pgsId, line, weight, ``KEY``, ofReference (the effect allele is REF): a row a weight that has a variant.
        counts: Weights of each score (pgsId), how many have a variant (`matched`), how many of these with the effect allele as REF
            (`turned`) or on the other strand (`flipped`), and how many have none for each of ``REASONS``.
    """

    weights: DataFrame
    counts: pd.DataFrame


def find_weights(variants: DataFrame, weights: DataFrame, keep_ambiguous: bool, flip: bool) -> Found:
    """Looks weights up among variants.

    Args:
        variants: Rows of ``variants``.
        weights: Rows of ``pgsWeights``.
        keep_ambiguous: Take variants of A and T, or C and G, as they stand; else they are left out, as their strand cannot be told.
        flip: Look also for the complement of single bases, on the other strand.
    """
    places = variants.select(*KEY, f.expr(_TURNABLE).alias("turnable"), _bare("contigName").alias("place")).where(
        "size(alternateAlleles) = 1"
    )
    places = places.withColumn("alternate", f.col("alternateAlleles")[0])
    wanted = weights.select("pgsId", "line", "weight", "effectAllele", "otherAllele", _bare("contigName").alias("place"), "start")
    ways = wanted.join(places, ["place", "start"], "left").withColumn("way", _way(flip))
    weight = Window.partitionBy("pgsId", "line")
    order = weight.orderBy(f.col("way").asc_nulls_last(), "referenceAllele", "alternate")
    counted = ways.withColumns({"there": f.count("alternate").over(weight), "fitting": f.count("way").over(weight)})
    best = counted.withColumn("place", f.row_number().over(order)).where("place = 1")
    of_reference = f.col("way") % 2 == 1
    reason = (
        f.when(f.col("there") == 0, "absent")
        .when(f.col("fitting") == 0, "otherAlleles")
        .when((f.col("fitting") > 1) & f.col("otherAllele").isNull(), "severalAlleles")
        .when(f.lit(not keep_ambiguous) & (f.translate("referenceAllele", "ACGT", "TGCA") == f.col("alternate")), "ambiguous")
        .when(of_reference & ~f.col("turnable"), "notTurnable")
    )
    chosen = best.select("pgsId", "line", "weight", *KEY, "way", of_reference.alias("ofReference"), reason.alias("reason"))
    matched = f.col("reason").isNull()
    counts: pd.DataFrame = (
        chosen.groupBy("pgsId")
        .agg(
            f.count("line").alias("weights"),
            f.count_if(matched).alias("matched"),
            f.count_if(matched & f.col("ofReference")).alias("turned"),
            f.count_if(matched & (f.col("way") >= 2)).alias("flipped"),
            *(f.count_if(f.col("reason") == name).alias(name) for name in REASONS),
        )
        .toPandas()
    )
    kept = chosen.where(matched).select("pgsId", "line", "weight", *KEY, "ofReference")
    return Found(kept, counts.set_index("pgsId").sort_index())


def _bare(name: str) -> Column:
    """A contig's name as all files have it: without the prefix chr."""
    return f.regexp_replace(name, "^chr", "")


def _way(flip: bool) -> Column:
    """How a weight's alleles are a variant's: 0 effect is ALT, 1 effect is REF; 2 and 3 the same on the other strand; null not at all."""

    def fits(effect: Column, other: Column) -> tuple[Column, Column]:
        unknown = f.col("otherAllele").isNull()
        of_alternate = (effect == f.col("alternate")) & (unknown | (other == f.col("referenceAllele")))
        return of_alternate, (effect == f.col("referenceAllele")) & (unknown | (other == f.col("alternate")))

    ways = [*fits(f.col("effectAllele"), f.col("otherAllele"))]
    if flip:
        single = (f.length("effectAllele") == 1) & (f.length("otherAllele") == 1)
        complements = (f.translate(name, "ACGT", "TGCA") for name in ("effectAllele", "otherAllele"))
        ways += [single & way for way in fits(*complements)]
    return f.coalesce(*(f.when(way, number) for number, way in enumerate(ways)))
