"""Stage ``qc fst``: how far populations differ, to ``populationFst``."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import SparkSession

from genospark.core.config import StageConfig
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.quality.cohort import Cohort, SitesConfig
from genospark.quality.hudson import FstSums, hudson
from genospark.quality.packed import only, rows_at_once
from genospark.quality.sums import summed
from genospark.quality.weir_cockerham import weir_cockerham

_SCHEMA = "population string, otherPopulation string, nPeople bigint, nOtherPeople bigint, nVariants bigint, method string, fst double"


class QcFstConfig(StageConfig):
    """Settings of ``qc fst``.

    Attributes:
        sites: Variants that are looked at.
        min_people: Populations with fewer people with genotypes are left out.
        method: Estimator: ``hudson``, or ``wc`` for Weir and Cockerham's.
    """

    sites: SitesConfig = SitesConfig()
    min_people: int = Field(2, ge=1)
    method: Literal["hudson", "wc"] = "hudson"


def qc_fst(config: QcFstConfig, spark: SparkSession) -> str:
    """Compares all pairs of populations that ``populations`` names.

    Returns:
        The run's id.

    Raises:
        TableError: Fewer than two populations have enough people, or a table or a contig that is chosen is not there.
    """
    warehouse = Warehouse(spark, config.warehouse)
    tables = [*Cohort.tables(warehouse), "populations", *config.sites.tables()]
    return run_stage("qc fst", config, warehouse, lambda run: _compare(run, config), tables=tables)


def _compare(run: Run, config: QcFstConfig) -> None:
    warehouse = run.warehouse
    cohort = Cohort.read(warehouse)
    known: pd.DataFrame = warehouse.read("populations").select("sampleId", "population").toPandas()
    of = cohort.people.merge(known, "left", "sampleId")["population"]
    sizes = of.value_counts()
    names = sorted(sizes.index[sizes >= config.min_people])
    if len(names) < 2:
        raise TableError(
            f"{warehouse.path}: {len(names)} populations have {config.min_people} or more people with genotypes, two are needed",
            "ingest who is of which population: ingest-phenotypes --input populations=FILE",
        )
    layout = cohort.layout
    members = np.stack([cohort.at(of == name) for name in names], axis=1).astype(np.float32)
    nobody, at_once = only(members.any(axis=1)), rows_at_once(layout.width)
    estimate = weir_cockerham if config.method == "wc" else hudson

    def work(batch: pa.RecordBatch) -> NDArray[Any]:
        packed = layout.side_by_side(batch.column("blocks")) | nobody
        total = np.zeros((3, len(names), len(names)))
        for i in range(0, len(packed), at_once):
            found = estimate(packed[i : i + at_once], members)
            total += np.stack([found.numerator, found.denominator, found.n_variants])
        return total

    with step("qc fst: counting alleles"), cohort.bounded():
        sums = summed(cohort.rows(config.sites), work, (3, len(names), len(names)))
    found = FstSums(sums[0], sums[1], np.rint(sums[2]).astype(np.int64))
    fst = found.fst
    rows = [
        (names[i], names[j], int(sizes[names[i]]), int(sizes[names[j]]), int(found.n_variants[i, j]), config.method, _number(fst[i, j]))
        for i in range(len(names))
        for j in range(i + 1, len(names))
    ]
    run.note(populations=len(names), people=int(sizes[names].sum()))
    run.write("populationFst", warehouse.spark.createDataFrame(rows, _SCHEMA))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
