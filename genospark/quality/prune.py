"""Stage ``qc prune``: variants in linkage equilibrium, as ``plink2 --indep-pairwise`` finds them, to ``prunedVariants``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator
from pyspark.sql import SparkSession

from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.quality.cohort import LOCUS, LOCUS_DDL, Cohort, SitesConfig
from genospark.quality.linkage import Pruner, Window
from genospark.quality.packed import only


class QcPruneConfig(StageConfig):
    """Settings of ``qc prune``.

    Attributes:
        sites: Variants that are looked at.
        window_variants: Variants of a window,
        step_variants: by how many it moves on,
        window_bases: or instead bases that a window reaches behind its first variant; it then moves by one variant.
        r2: Variants whose squared correlation is larger are linked.
    """

    sites: SitesConfig = SitesConfig()
    window_variants: int = Field(50, ge=2)
    step_variants: int = Field(5, ge=1)
    window_bases: int | None = Field(None, ge=1)
    r2: float = Field(0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _overlapping(self) -> QcPruneConfig:
        if self.step_variants > self.window_variants:
            raise ValueError(f"step_variants {self.step_variants} is more than window_variants {self.window_variants}")
        if self.sites.pruned:
            raise ValueError("sites.pruned would prune what was pruned")
        return self

    @property
    def window(self) -> Window:
        """The same as ``linkage`` takes it."""
        return Window(0 if self.window_bases else self.window_variants, self.step_variants, self.window_bases or 0, self.r2)


def qc_prune(config: QcPruneConfig, spark: SparkSession) -> str:
    """Says of variants, contig by contig, which are linked with one that stays; correlations are over founders.

    Returns:
        The run's id.

    Raises:
        TableError: A table or a contig that is chosen is not there.
    """
    warehouse = Warehouse(spark, config.warehouse)
    tables = [*Cohort.tables(warehouse), *config.sites.tables()]
    return run_stage("qc prune", config, warehouse, lambda run: _prune(run, config), tables=tables)


def _prune(run: Run, config: QcPruneConfig) -> None:
    cohort = Cohort.read(run.warehouse)
    layout, window = cohort.layout, config.window
    founders, n = only(cohort.at(cohort.people["isFounder"])), int(cohort.people["isFounder"].sum())

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        waiting = pa.Table.from_batches([], _schema())
        contig, pruner = None, Pruner(window)
        reasons: list[str] = []
        for batch in batches:
            # A contig's variants follow each other.
            for part in _by_contig(batch):
                if part.column("contigName")[0] != contig:
                    reasons += pruner.finish()
                    contig, pruner = part.column("contigName")[0], Pruner(window)
                packed = layout.side_by_side(part.column("blocks")) | founders
                reasons += pruner.add(part.column("start").to_numpy(), packed)
                waiting = pa.concat_tables([waiting, pa.Table.from_batches([part.select(LOCUS)])])
            yield from _with_reasons(waiting.slice(0, len(reasons)), reasons)
            waiting, reasons = waiting.slice(len(reasons)), []
        yield from _with_reasons(waiting, list(pruner.finish()))

    rows = cohort.rows(config.sites).repartition("contigName").sortWithinPartitions(*LOCUS)
    with cohort.bounded():
        run.write("prunedVariants", rows.mapInArrow(work, f"{LOCUS_DDL}, reason string"))
    counts = run.warehouse.written(run.outputs[-1]).groupBy("reason").count().collect()
    run.note(founders=n, **{row["reason"] or "kept": row["count"] for row in sorted(counts, key=str)})


def _schema() -> pa.Schema:
    types = (pa.string(), pa.int64(), pa.int64(), pa.string(), pa.list_(pa.string()))
    return pa.schema(list(zip(LOCUS, types, strict=True)))


def _by_contig(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    contigs = batch.column("contigName").to_numpy(zero_copy_only=False)
    borders = [0, *(np.flatnonzero(contigs[1:] != contigs[:-1]) + 1), len(batch)]
    for begin, end in pairwise(borders):
        if end > begin:
            yield batch.slice(begin, end - begin)


def _with_reasons(rows: pa.Table, reasons: list[str]) -> Iterator[pa.RecordBatch]:
    table = rows.append_column("reason", pa.array([reason or None for reason in reasons], pa.string()))
    yield from table.combine_chunks().to_batches()
