"""Stage ``gwas``: association of each variant with each phenotype, to ``associations``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field, field_validator
from pyspark.sql import SparkSession

from genospark.association.analysis import Analysis, Results
from genospark.association.people import PeopleConfig, covariates, designs, phenotypes
from genospark.association.wgr import WgrConfig, loco_offsets
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.quality.cohort import LOCUS, LOCUS_DDL, Cohort, SitesConfig
from genospark.quality.contigs import AUTOSOME, kind

_SCHEMA = (
    f"{LOCUS_DDL}, phenotype string, method string, nPeople int, alleleFrequency double, beta double, standardError double, "
    "statistic double, pValue double, reason string"
)


class GwasConfig(PeopleConfig):
    """Settings of ``gwas``; phenotypes and covariates are in ``PeopleConfig``.

    Attributes:
        sites: Variants that are tested; of autosomes alone.
        binary: Test of diseases: logistic regression with Firth's where that has no fit, Firth's for all, none of it (`wald`), or the score
            test alone, which is fastest.
        max_vif: Variance inflation factor above which a variant and the covariates are collinear.
        offsets: What is predicted from the other contigs is left out: by whole-genome ridge regression (`wgr`), or not.
        wgr: Of these predictions.
    """

    sites: SitesConfig = SitesConfig()
    binary: Literal["firth-fallback", "firth", "wald", "score"] = "firth-fallback"
    max_vif: float = Field(50.0, gt=1)
    offsets: Literal["none", "wgr"] = "none"
    wgr: WgrConfig = WgrConfig()

    @field_validator("sites")
    @classmethod
    def _autosomes(cls, sites: SitesConfig) -> SitesConfig:
        if others := [name for name in sites.contigs if kind(name) != AUTOSOME]:
            raise ValueError(f"{', '.join(others)} is no autosome: men's calls would want a model of their own, which there is not")
        return sites


def gwas(config: GwasConfig, spark: SparkSession) -> str:
    """Tests every variant for association with every phenotype, over people who have the phenotype, all covariates and the call.

    Returns:
        The run's id.

    Raises:
        TableError: A table, a contig, a phenotype or a covariate is not there, or phenotype and covariates allow no test.
    """
    warehouse = Warehouse(spark, config.warehouse)
    others = config.wgr.sites.tables() if config.offsets == "wgr" else []
    tables = dict.fromkeys([*Cohort.tables(warehouse), *config.tables(warehouse), *config.sites.tables(), *others])
    return run_stage("gwas", config, warehouse, lambda run: _test(run, config), tables=list(tables))


def _test(run: Run, config: GwasConfig) -> None:
    warehouse = run.warehouse
    cohort = Cohort.read(warehouse)
    with step("gwas: people"):
        values, binary = phenotypes(warehouse, config, cohort)
        adjusted = covariates(warehouse, config, cohort)
        found = designs(values, binary, adjusted, cohort)
    offsets: dict[str, pd.DataFrame] = {}
    if config.offsets == "wgr":
        offsets = loco_offsets(run, config.wgr, cohort, values, binary, adjusted, found)
    analyses = [Analysis.of(design, values[names], binary, offsets, cohort, config.binary) for design, names in found]
    run.note(phenotypes=values.shape[1], covariates=adjusted.shape[1])
    run.note(**{name: f"{design.n} people" for design, names in found for name in names})
    layout, max_vif = cohort.layout, config.max_vif
    by_contig = config.offsets != "none"

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for part in _by_contig(batch) if by_contig else [batch]:
                packed, rows = layout.side_by_side(part.column("blocks")), part.select(LOCUS)
                for analysis in analyses:
                    for name, results in analysis.test(packed, part.column("contigName")[0].as_py(), max_vif):
                        yield _rows(rows, name, results)

    with cohort.bounded():
        run.write("associations", cohort.rows(config.sites).mapInArrow(work, _SCHEMA))
    counts = warehouse.written(run.outputs[-1]).groupBy("method", "reason").count().collect()
    run.note(**{f"{row['method']} {row['reason'] or 'tests'}": row["count"] for row in sorted(counts, key=str)})


def _by_contig(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    contigs = batch.column("contigName").to_numpy(zero_copy_only=False)
    for begin, end in pairwise([0, *(np.flatnonzero(contigs[1:] != contigs[:-1]) + 1).tolist(), len(batch)]):
        if end > begin:
            yield batch.slice(begin, end - begin)


def _rows(rows: pa.RecordBatch, phenotype: str, results: Results) -> pa.RecordBatch:
    numbers = (results.frequency, results.beta, results.error, results.statistic, results.p_value)
    columns = [
        *rows.columns,
        pa.array([phenotype] * len(rows), pa.string()),
        results.methods,
        pa.array(results.n, pa.int32()),
        *(pa.array(values, pa.float64(), from_pandas=True) for values in numbers),
        results.reasons,
    ]
    names = ["phenotype", "method", "nPeople", "alleleFrequency", "beta", "standardError", "statistic", "pValue", "reason"]
    return pa.RecordBatch.from_arrays(columns, [*LOCUS, *names])
