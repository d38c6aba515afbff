"""Stage ``ingest-expression``: tables (people or genes as rows) and single cells (h5ad) to ``expression``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import SparkSession

from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest.batches import BatchConfig, write_batch
from genospark.ingest.expression_tables import Block, check_blocks_of, has_genes_as_rows, read_blocks_of
from genospark.ingest.people import People, run_about_people
from genospark.ingest.pseudobulk import UNIT, PseudobulkSettings, count_cells, read_pseudobulk
from genospark.ingest.quarantine import REJECT, collected, read_in_worker
from genospark.ingest.roles import by_role
from genospark.ingest.sample_sheet import KEYS, SampleSheet, read_sheet

ROLES = ("expression", "samples")
H5AD = ".h5ad"
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("sampleId", "geneId", "cellType", "state")]
    + [("expressionValue", pa.float64()), ("expressionUnit", pa.string())]
)
ROWS = "sampleId string, geneId string, cellType string, state string, expressionValue double, expressionUnit string"


class IngestExpressionConfig(BatchConfig):
    """Settings of ``ingest-expression``.

    Attributes:
        inputs: TSV or CSV (columns sampleId, and where they differ cellType and state, then one column a gene), BED or GCT files, plain or
            gzipped, or h5ad files with counts of single cells; and ``samples=path`` for a sample sheet: what columns (of BED and GCT) or
            rows are.
        unit: Unit of the values of tables; those made of single cells are counts per million (CPM).
        cell_type: Cell type where neither file nor sheet names it.
        state: Cell state where neither names it.
        pseudobulk: How single cells are put together.
    """

    unit: str = "TPM"
    cell_type: str = "bulk"
    state: str = "unspecified"
    pseudobulk: PseudobulkSettings = PseudobulkSettings()


def ingest_expression(config: IngestExpressionConfig, spark: SparkSession) -> str:
    """Reads expression files into the long table of raw values; missing values have no row.

    Returns:
        The run's id.

    Raises:
        InputError: A file is not an expression table or holds no counts of single cells, or does not go with the sample sheet.
        ConfigError: An input's role is not known.
    """
    people = People(config)
    roles = by_role(config.inputs, ROLES, needed=("expression",))
    warehouse = Warehouse(spark, config.warehouse)
    return run_about_people("ingest-expression", config, warehouse, people, lambda run: _ingest(run, config, roles, people), roles)


def _ingest(run: Run, config: IngestExpressionConfig, roles: dict[str, list[Path]], people: People) -> None:
    spark, files, sheet = run.warehouse.spark, roles["expression"], None
    if sheets := roles.get("samples"):
        if len(sheets) > 1:
            raise ConfigError(f"{len(sheets)} sample sheets are given", "put all samples into one")
        sheet = read_sheet(sheets[0])

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for index in batch.column("id").to_pylist():
                yield from read_in_worker(files[index], config, partial(read_expression, files[index], config, sheet=sheet))

    read = spark.range(0, len(files), 1, numPartitions=len(files)).mapInArrow(work, f"{ROWS}, {REJECT}").repartition("sampleId").persist()
    try:
        rows, rejects = collected(read, config)
        twice = rows.groupBy("sampleId", "geneId", "cellType", "state").count().where("count > 1").limit(1).collect()
        if twice:
            _, gene, cell_type, state, _ = twice[0]
            raise InputError(
                f"expression of {gene} in {cell_type}, {state} of the same person stands in more than one file",
                "name each file once, and give files of different cell types or states their columns",
            )
        if sheet:
            left_out = sum(not has_genes_as_rows(Path(path)) for path, _ in rejects.found)
            sheet.check_used(rows.select(*KEYS).distinct().toPandas(), left_out)
        write_batch(run, "expression", people.named_rows(rows).sortWithinPartitions("sampleId", "geneId"), config, KEYS)
        seen = rows.selectExpr("count(distinct sampleId)", "count(distinct geneId)").collect()[0]
        run.note(people=seen[0], genes=seen[1])
        _note_cells(run, config, [path for path in files if path.suffix == H5AD])
        rejects.publish(run)
    finally:
        read.unpersist()


def _note_cells(run: Run, config: IngestExpressionConfig, files: list[Path]) -> None:
    if files:
        counts = [count_cells(path, config.pseudobulk, config.cell_type, config.state) for path in files]
        total = {name: sum(found[name] for found in counts) for name in counts[0]}
        run.note(**total)


def read_expression(
    path: Path, config: IngestExpressionConfig, without: frozenset[int] = frozenset(), sheet: SampleSheet | None = None
) -> Iterator[pa.RecordBatch]:
    """Rows of the long table, in batches, from one file, without the records of some lines.

    Args:
        path: The file.
        config: Settings.
        without: Numbers of lines.
        sheet: What its columns or rows are; in h5ad files, what their people are.

    Raises:
        InputError: The file is not an expression table or holds no counts of single cells, or the sheet lacks one of its samples.
        RecordError: Records of it are bad: of the first block that has such, or, where these are put aside, all, before the first batch.
    """
    unit = UNIT if path.suffix == H5AD else config.unit
    for keys, genes, values in _blocks(path, config, without, sheet):
        for start in range(0, len(keys), 1000):
            part, block = keys.iloc[start : start + 1000], values[start : start + 1000]
            person, gene = np.nonzero(~np.isnan(block))
            columns = [part[name].to_numpy(object)[person] for name in KEYS]
            rows = pd.DataFrame(
                {
                    "sampleId": columns[0],
                    "geneId": np.asarray(genes, object)[gene],
                    "cellType": columns[1],
                    "state": columns[2],
                    "expressionValue": block[person, gene],
                    "expressionUnit": unit,
                }
            )
            yield pa.RecordBatch.from_pandas(rows, SCHEMA, preserve_index=False)


def _blocks(path: Path, config: IngestExpressionConfig, without: frozenset[int], sheet: SampleSheet | None) -> Iterator[Block]:
    if path.suffix != H5AD:
        if config.quarantines and not without:
            check_blocks_of(path, config.cell_type, config.state, sheet)
        yield from read_blocks_of(path, config.cell_type, config.state, sheet, without)
        return
    keys, genes, values = read_pseudobulk(path, config.pseudobulk, config.cell_type, config.state)
    yield sheet.people(keys, path, "profile") if sheet else keys, genes, values
