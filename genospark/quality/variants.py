"""Stage ``qc variants``: ``variants`` to ``variantQuality``, with the reasons for which each variant would be filtered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.core.tallies import statistics, tally
from genospark.quality.cohort import KEY, KEY_DDL, LOCUS, Cohort
from genospark.quality.contigs import Build, X, kinds
from genospark.quality.measured import SUMMARIES, LowConfig, kept, of_variants
from genospark.quality.packed import only

_TAKEN = ["callRate", "alleleCount", "nAllelesCalled", "alleleFrequency", "pValueHwe"]
_TRANSITIONS = ["AG", "GA", "CT", "TC"]


class QcVariantsConfig(StageConfig):
    """Settings of ``qc variants``.

    Attributes:
        min_call_rate: Variants called in a smaller share of people are filtered.
        min_allele_frequency: So are those whose rarer allele is less frequent,
        min_allele_count: or was seen less often,
        min_p_value_hwe: whose founders are less probable in Hardy-Weinberg equilibrium,
        passed_filters: and those whose FILTER names something but PASS.
        reference_build: GRCh37 or GRCh38, which say where X is like an autosome; nowhere if not given.
        low: Below what depths and qualities count as low, where they are kept.
    """

    min_call_rate: float = Field(0.95, ge=0, le=1)
    min_allele_frequency: float = Field(0.0, ge=0, le=0.5)
    min_allele_count: int = Field(0, ge=0)
    min_p_value_hwe: float = Field(1e-6, ge=0, le=1)
    passed_filters: bool = True
    reference_build: Build | None = None
    low: LowConfig = LowConfig()


def qc_variants(config: QcVariantsConfig, spark: SparkSession) -> str:
    """Says of every variant what it is like; nothing is taken out of ``variants``.

    Returns:
        The run's id.

    Raises:
        TableError: There are no variants.
    """
    warehouse = Warehouse(spark, config.warehouse)
    tables = ["variants", *Cohort.tables(warehouse)]
    return run_stage("qc variants", config, warehouse, lambda run: _check(run, config), tables=tables)


def _check(run: Run, config: QcVariantsConfig) -> None:
    warehouse = run.warehouse
    cohort = Cohort.read(warehouse)
    variants = warehouse.read("variants").drop("runId")
    n_founders = int(cohort.people["isFounder"].sum())
    run.note(people=len(cohort.people), founders=n_founders)
    if n_founders == len(cohort.people) and not _looks_at_x(variants, cohort):
        same = {"founderAlleleFrequency": f.col("alleleFrequency"), "pValueHweFounders": f.col("pValueHwe")}
        known = variants.withColumns(same)
    else:
        known = variants.join(_among_founders(cohort, config.reference_build), KEY, "left")
    if columns := kept(cohort):
        known = known.join(of_variants(cohort, columns, config.low), KEY, "left")
    else:
        known = known.withColumns({name: f.lit(None).cast("double") for name in SUMMARIES})
    pair = f.upper(f.concat("referenceAllele", f.col("alternateAlleles")[0]))
    substitution = f.when(pair.isin(_TRANSITIONS), "transition").when(pair.rlike("^[ACGT]{2}$"), "transversion")
    minor = f.least("alleleCount", f.col("nAllelesCalled") - f.col("alleleCount"))
    rows = known.select(
        *LOCUS,
        *_TAKEN,
        "founderAlleleFrequency",
        "pValueHweFounders",
        (minor == 1).alias("isSingleton"),
        substitution.alias("substitution"),
        *SUMMARIES,
        f.array_compact(f.array(*_reasons(config, minor))).alias("reasons"),
    )
    with cohort.bounded():
        run.write("variantQuality", rows)
    _summarise(run)


def _looks_at_x(variants: DataFrame, cohort: Cohort) -> bool:
    """Whether men have to be left out of Hardy-Weinberg proportions somewhere."""
    if not (cohort.people["sex"] == 1).any():
        return False
    contigs = [row[0] for row in variants.select("contigName").distinct().collect()]
    return bool((kinds(contigs, np.zeros(len(contigs), np.int64), None) == X).any())


def _reasons(config: QcVariantsConfig, minor: Column) -> Iterator[Column]:
    frequency = f.least("alleleFrequency", 1 - f.col("alleleFrequency"))
    if config.passed_filters:
        yield f.when(f.size(f.array_except("filters", f.array(f.lit("PASS")))) > 0, "filters")
    yield f.when(f.coalesce("callRate", f.lit(0.0)) < config.min_call_rate, "callRate")
    yield f.when(f.coalesce(frequency, f.lit(0.0)) < config.min_allele_frequency, "alleleFrequency")
    yield f.when(minor < config.min_allele_count, "alleleCount")
    yield f.when(f.col("pValueHweFounders") < config.min_p_value_hwe, "hwe")


def _among_founders(cohort: Cohort, build: Build | None) -> DataFrame:
    """Frequency and Hardy-Weinberg p-value of each variant among founders."""
    layout, founders = cohort.layout, cohort.at(cohort.people["isFounder"])
    women = founders & ~cohort.at(cohort.people["sex"] == 1)
    masks, n = (only(founders), only(women)), len(founders)
    schema = f"{KEY_DDL}, founderAlleleFrequency double, pValueHweFounders double"

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            packed = layout.side_by_side(batch.column("blocks"))
            rows, haploid = layout.haploid(batch.column("blocks"))
            bits = np.packbits(haploid, axis=1, bitorder="little")
            of_all, of_women = (statistics(tally(packed | mask, n, rows, bits), n) for mask in masks)
            on_x = kinds(batch.column("contigName").to_pylist(), batch.column("start").to_numpy(), build) == X
            p_value = pc.if_else(pa.array(on_x), of_women["pValueHwe"], of_all["pValueHwe"])
            columns = [*(batch.column(name) for name in KEY), of_all["alleleFrequency"], p_value]
            yield pa.RecordBatch.from_arrays(columns, [*KEY, "founderAlleleFrequency", "pValueHweFounders"])

    return cohort.rows(haploid=True).mapInArrow(work, schema)


def _summarise(run: Run) -> None:
    """Notes what was found: numbers of variants by reason, Ti/Tv of all and of those that pass."""
    written = run.warehouse.written(run.outputs[-1])
    good = f.size("reasons") == 0
    counts = written.groupBy(good.alias("passes"), "substitution").count().collect()
    n = {(row["passes"], row["substitution"]): row["count"] for row in counts}
    of = {kind: sum(count for key, count in n.items() if key[1] == kind) for kind in ("transition", "transversion")}
    run.note(
        variants=sum(n.values()),
        passing=sum(count for key, count in n.items() if key[0]),
        TiTv=_ratio(of["transition"], of["transversion"]),
        TiTv_passing=_ratio(n.get((True, "transition"), 0), n.get((True, "transversion"), 0)),
    )
    reasons = written.select(f.explode("reasons").alias("reason")).groupBy("reason").count().collect()
    run.note(**{row["reason"]: row["count"] for row in sorted(reasons)})


def _ratio(one: int, other: int) -> float | None:
    return round(one / other, 4) if other else None
