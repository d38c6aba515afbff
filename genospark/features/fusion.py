"""The fused vector of every person of a warehouse, for training and scoring alike.

Variants are found by position and alleles, also where REF and ALT are exchanged (their calls are then turned where that is sound); what
is not found is missing, and the network fills it with the training mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.calls import MISSING, SAMPLE_BLOCK, pack, packed_rows, unpack
from genospark.core.storage import Warehouse
from genospark.features.dense import scatter, transformed
from genospark.models.spec import FeatureSpec

# Copies of one allele as copies of the other; missing stays missing.
_TURNED = np.array([2, 1, 0, MISSING], np.uint8)


@dataclass(frozen=True)
class Fused:
    """The vectors of a warehouse's people.

    Attributes:
        rows: sampleId, calls, measurements, expressionCoverage: one row per person of ``samples``.
        variants_found: Of the specification's variants, how many the warehouse has.
        variants_turned: Of these, how many with REF and ALT exchanged.
        turns_refused: Variants that are there with REF and ALT exchanged but cannot be turned, because the record had other alternate
            alleles or people have one copy only; they count as not found.
    """

    rows: DataFrame
    variants_found: int
    variants_turned: int
    turns_refused: int


def fuse(warehouse: Warehouse, spec: FeatureSpec) -> Fused:
    """Makes the fused vectors.

    Args:
        warehouse: Its ``samples`` and ``genotypes`` are read, ``expression`` and ``covariates`` where they are there.
        spec: What to look for.

    Raises:
        TableError: There are no genotypes, or an expression value does not fit the transform.
    """
    samples = warehouse.read("samples").select("sampleId", "sampleIndex")
    here: pd.DataFrame = _wanted(warehouse, spec).join(warehouse.read("variants").selectExpr(*_LOCUS), _KEY).toPandas()
    usable = here[(here["turned"] == 0) | here["turnable"]]
    found = usable.groupby("featureIndex")["turned"].min()
    sites = warehouse.spark.createDataFrame(usable.drop(columns="turnable").values.tolist(), _SITES)
    matches = warehouse.read("genotypes").withColumn("alternateAllele", f.col("alternateAlleles")[0]).join(f.broadcast(sites), _KEY)
    no_calls = f.lit(bytes([255]) * spec.call_bytes)
    called = samples.join(_by_person(matches, spec), "sampleIndex", "left")
    measured = _measurements(warehouse, spec)
    rows = (
        called.join(measured, "sampleId", "left")
        if measured
        else called.withColumns({"measurements": f.lit(None).cast("binary"), "expressionCoverage": f.lit(None).cast("double")})
    )
    nothing = f.lit(np.full(spec.n_measurements, np.nan, "<f4").tobytes())
    rows = rows.select(
        "sampleId",
        f.coalesce("calls", no_calls).alias("calls"),
        f.coalesce("measurements", nothing).alias("measurements"),
        f.coalesce("expressionCoverage", f.lit(0.0)).alias("expressionCoverage"),
    )
    return Fused(rows, len(found), int(found.sum()), len(set(here["featureIndex"]) - set(usable["featureIndex"])))


_KEY = ["contigName", "start", "referenceAllele", "alternateAllele"]
# Copies of the other allele are 2 minus copies of this one only where everyone has two, and no third allele is about.
_TURNABLE = "not splitFromMultiAllelic and nAllelesCalled = 2 * nCalled as turnable"
_LOCUS = ["contigName", "start", "referenceAllele", "alternateAlleles[0] as alternateAllele", _TURNABLE]
_SITES = "contigName string, start bigint, referenceAllele string, alternateAllele string, featureIndex int, turned int"


def _wanted(warehouse: Warehouse, spec: FeatureSpec) -> DataFrame:
    """Each variant as the model has it, and with its alleles exchanged (`turned` 1)."""
    rows = []
    for index, variant in enumerate(spec.variants):
        alleles = (variant.reference_allele, variant.alternate_allele)
        rows += [(variant.contig_name, variant.start, *order, index, turned) for turned, order in enumerate((alleles, alleles[::-1]))]
    return warehouse.spark.createDataFrame(rows, _SITES)


def _by_person(matches: DataFrame, spec: FeatureSpec) -> DataFrame:
    """Transposes packed calls, one block of samples at a time: rows of variants in, rows of people (sampleIndex, calls) out."""
    n_variants = len(spec.variants)

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


def _measurements(warehouse: Warehouse, spec: FeatureSpec) -> DataFrame | None:
    """Standardised expression and covariates: sampleId, measurements (float32), expressionCoverage."""
    parts = []
    if spec.expression and warehouse.producer("expression"):
        places = [(x.gene_id, x.cell_type, x.state, index) for index, x in enumerate(spec.expression)]
        wanted = warehouse.spark.createDataFrame(places, "geneId string, cellType string, state string, place int")
        rows = warehouse.read("expression").join(f.broadcast(wanted), ["geneId", "cellType", "state"])
        parts.append(rows.selectExpr("sampleId", "place", "expressionValue as value"))
    if spec.covariates and warehouse.producer("covariates"):
        named = [(x.name, len(spec.expression) + index) for index, x in enumerate(spec.covariates)]
        wanted = warehouse.spark.createDataFrame(named, "covariate string, place int")
        rows = warehouse.read("covariates").join(f.broadcast(wanted), "covariate")
        parts.append(rows.selectExpr("sampleId", "place", "covariateValue as value"))
    if not parts:
        return None
    rows = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])
    lists = rows.groupBy("sampleId").agg(f.collect_list("place").alias("places"), f.collect_list("value").alias("values"))
    means, deviations = spec.measurement_scale()
    n_expression = len(spec.expression)

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values = scatter(batch.column("places"), batch.column("values"), spec.n_measurements)
            values[:, :n_expression] = transformed(values[:, :n_expression], spec.transform)
            known = ~np.isnan(values[:, :n_expression])
            vectors = ((values - means) / deviations).astype("<f4")
            yield pa.RecordBatch.from_arrays(
                [
                    batch.column("sampleId"),
                    pa.array([vector.tobytes() for vector in vectors], pa.binary()),
                    pa.array(known.mean(axis=1) if n_expression else np.zeros(len(known))),
                ],
                ["sampleId", "measurements", "expressionCoverage"],
            )

    return lists.mapInArrow(work, "sampleId string, measurements binary, expressionCoverage double")
