"""Stage ``qc components``: principal components of the genotypes, with what new people need to be put among these.

Calls are standardised as plink2 does it, by founders' allele frequencies, and missing ones have the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from genospark.core.config import StageConfig
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.quality import eigen
from genospark.quality.cohort import LOCUS, LOCUS_DDL, Cohort, SitesConfig
from genospark.quality.packed import Doubles, Floats, frequencies, genotype_counts, only, rows_at_once, standardised
from genospark.quality.sums import summed

_ROWS = f"{LOCUS_DDL}, alleleFrequency double, calls binary"


class QcComponentsConfig(StageConfig):
    """Settings of ``qc components``.

    Attributes:
        sites: Variants that are looked at; best those that are not linked (`qc prune`).
        components: How many.
        exact_people: Up to so many people the relationship matrix is made and its eigenvectors are exact.
        tolerance: Else, by passes over the variants: what is left of a component is at most this share of it.
        max_passes: Passes, at most.
        seed: Of the start of the passes.
    """

    sites: SitesConfig = SitesConfig(pruned=True, min_allele_frequency=0.01)
    components: int = Field(10, ge=1)
    exact_people: int = Field(1000, ge=0)
    tolerance: float = Field(1e-4, gt=0)
    max_passes: int = Field(30, ge=1)
    seed: int = 1


def qc_components(config: QcComponentsConfig, spark: SparkSession) -> str:
    """Computes principal components of everyone.

    Returns:
        The run's id.

    Raises:
        TableError: A table or a contig that is chosen is not there, or no chosen variant varies.
    """
    warehouse = Warehouse(spark, config.warehouse)
    tables = [*Cohort.tables(warehouse), *config.sites.tables()]
    return run_stage("qc components", config, warehouse, lambda run: _compute(run, config), tables=tables)


def _compute(run: Run, config: QcComponentsConfig) -> None:
    cohort = Cohort.read(run.warehouse)
    with cohort.bounded():
        rows = _varying(cohort, config.sites).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            with step("qc components: reading calls"):
                n_variants = rows.count()
            if not n_variants:
                raise TableError(f"{run.warehouse.path}: no variant is left to compare people by", "choose others under `sites`")
            values, vectors = _components(run, config, rows, cohort, n_variants)
            _write(run, rows, cohort, values, vectors, n_variants)
        finally:
            rows.unpersist()


def _varying(cohort: Cohort, sites: SitesConfig) -> DataFrame:
    """Variants that vary among founders: key, frequency among these, everyone's calls."""
    layout, founders = cohort.layout, only(cohort.at(cohort.people["isFounder"]))

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            packed = layout.side_by_side(batch.column("blocks"))
            frequency = frequencies(genotype_counts(packed | founders))
            varies = (frequency > 0) & (frequency < 1)
            calls = pa.array([row.tobytes() for row in packed[varies]], pa.binary())
            kept = batch.select(LOCUS).filter(pa.array(varies))
            yield pa.RecordBatch.from_arrays([*kept.columns, pa.array(frequency[varies]), calls], [*LOCUS, "alleleFrequency", "calls"])

    return cohort.rows(sites).mapInArrow(work, _ROWS)


def _standardised(batch: pa.RecordBatch, width: int) -> Iterator[tuple[slice, Floats]]:
    """Blocks of the variants of a batch, and their calls, (variants, 4 x bytes)."""
    calls = batch.column("calls")
    packed = np.frombuffer(b"".join(calls.to_pylist()), np.uint8).reshape(len(batch), width)
    frequency = batch.column("alleleFrequency").to_numpy()
    at_once = rows_at_once(width)
    for i in range(0, len(batch), at_once):
        rows = slice(i, i + at_once)
        yield rows, standardised(packed[rows], frequency[rows])


def _components(run: Run, config: QcComponentsConfig, rows: DataFrame, cohort: Cohort, n_variants: int) -> tuple[Doubles, Doubles]:
    """Eigenvalues and eigenvectors, (people, components)."""
    places, width = cohort.places, cohort.layout.width
    n = len(places)
    count = min(config.components, n)
    if n <= config.exact_people:

        def matrix(batch: pa.RecordBatch) -> NDArray[Any]:
            total = np.zeros((n, n))
            for _, calls in _standardised(batch, width):
                # Double precision: sums of few people's calls, which then hardly depend on how variants are dealt to tasks.
                mine = calls[:, places].astype(float)
                total += mine.T @ mine
            return total

        with step("qc components: relationship matrix"):
            relationship = summed(rows, matrix, (n, n)) / n_variants
        run.note(people=n, variants=n_variants, method="exact")
        return eigen.exact(relationship, count)

    def product(columns: Doubles) -> Doubles:
        spread = np.zeros((4 * width, columns.shape[1]), np.float32)
        spread[places] = columns

        def work(batch: pa.RecordBatch) -> NDArray[Any]:
            total = np.zeros(spread.shape)
            for _, calls in _standardised(batch, width):
                total += eigen.times(calls, spread)
            return total

        with step("qc components: pass"):
            made: Doubles = summed(rows, work, spread.shape)[places] / n_variants
        return made

    values, vectors, passes = eigen.by_passes(product, n, count, config.seed, config.tolerance, config.max_passes)
    run.note(people=n, variants=n_variants, method="passes", passes=passes)
    return values, vectors


def _write(run: Run, rows: DataFrame, cohort: Cohort, values: Doubles, vectors: Doubles, n_variants: int) -> None:
    spark = run.warehouse.spark
    n, count = vectors.shape
    numbers = np.arange(1, count + 1)
    components = pd.DataFrame(
        {"sampleId": np.repeat(cohort.people["sampleId"].to_numpy(), count), "component": np.tile(numbers, n), "value": vectors.ravel()}
    )
    run.write("principalComponents", spark.createDataFrame(components, "sampleId string, component int, value double"))
    width, spread = cohort.layout.width, np.zeros((4 * cohort.layout.width, count))
    spread[cohort.places] = vectors

    def squares(batch: pa.RecordBatch) -> NDArray[Any]:
        return np.array([sum(float(np.vdot(calls, calls)) for _, calls in _standardised(batch, width))])

    # The trace of the relationship matrix.
    whole = summed(rows, squares, (1,))[0] / n_variants
    shares = pd.DataFrame({"component": numbers, "eigenvalue": values, "varianceShare": values / whole})
    run.write("componentVariances", spark.createDataFrame(shares, "component int, eigenvalue double, varianceShare double"))

    def loadings(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            made = np.zeros((len(batch), count))
            for some, calls in _standardised(batch, width):
                made[some] = calls @ spread / (values * n_variants)
            offsets = pa.array(np.arange(len(batch) + 1, dtype=np.int32) * count)
            lists = pa.ListArray.from_arrays(offsets, pa.array(made.ravel()))
            kept = batch.select([*LOCUS, "alleleFrequency"])
            yield pa.RecordBatch.from_arrays([*kept.columns, lists], [*kept.schema.names, "loadings"])

    run.write("componentLoadings", rows.mapInArrow(loadings, f"{LOCUS_DDL}, alleleFrequency double, loadings array<double>"))
    run.note(eigenvalues=[round(float(value), 4) for value in values])
