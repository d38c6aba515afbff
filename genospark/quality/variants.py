"""Stage ``qc variants``: ``variants`` to ``variantQuality``, with the reasons for which each variant would be filtered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pyspark.sql import DataFrame, SparkSession

from genospark.core.config import StageConfig
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.core.tallies import statistics, tally
from genospark.quality.cohort import KEY, KEY_DDL, Cohort
from genospark.quality.contigs import Build, X, kinds
from genospark.quality.measured import LowConfig, kept, of_variants
from genospark.quality.packed import only
from genospark.quality.variant_rows import REASONS, Limits, Work


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
    run.note(people=len(cohort.people), founders=int(cohort.people["isFounder"].sum()))
    with run.landing("variantQuality") as target, cohort.bounded():
        work = Work(Limits(**config.model_dump(include={entry.name for entry in fields(Limits)})), target)
        founders = [] if cohort.people["isFounder"].all() and not _looks_at_x(cohort) else [_among_founders(cohort, config.reference_build)]
        with step("qc variants: writing variantQuality"):
            landed = None if founders else work.of_files(warehouse)
            columns = kept(cohort) if landed is None else landed.kept
            if landed is None or columns:
                more = [*founders, *([of_variants(cohort, columns, config.low)] if columns else [])]
                landed = work.of_rows(reduce(lambda rows, found: rows.join(found, KEY, "left"), more, warehouse.read("variants")))
        run.publish(target, landed.files)
    _summarise(run, landed.counts)


def _looks_at_x(cohort: Cohort) -> bool:
    """Whether men have to be left out of Hardy-Weinberg proportions somewhere."""
    contigs = cohort.warehouse.values("variants", "contigName")
    return bool((cohort.people["sex"] == 1).any() and (kinds(contigs, np.zeros(len(contigs), np.int64), None) == X).any())


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


def _summarise(run: Run, counts: Counter[str]) -> None:
    """Notes what was found: numbers of variants by reason, Ti/Tv of all and of those that pass."""
    ratios = {"TiTv": ("transitions", "transversions"), "TiTv_passing": ("passing transitions", "passing transversions")}
    shown = {name: _ratio(counts[one], counts[other]) for name, (one, other) in ratios.items()}
    run.note(variants=counts["variants"], passing=counts["passing"], **shown)
    run.note(**{name: counts[name] for name in sorted(REASONS) if counts[name]})


def _ratio(one: int, other: int) -> float | None:
    return round(one / other, 4) if other else None
