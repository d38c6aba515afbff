"""Stage ``ingest-expression``: tables (TSV with people as rows, BED with genes as rows) and single cells (h5ad) to ``expression``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from genospark.core.config import expand
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest.batches import BatchConfig, write_batch
from genospark.ingest.pseudobulk import UNIT, PseudobulkSettings, count_cells, read_pseudobulk
from genospark.ingest.quarantine import REJECT, collected, read_in_worker
from genospark.ingest.tabular import numbers, read_table, require, unique

KEYS = ["sampleId", "cellType", "state"]
H5AD = ".h5ad"
# FastQTL and TensorQTL give genes in BED: the first four columns, then (in some tools) length and strand, then people.
BED_COLUMNS = ["chr", "start", "end", "gene", "length", "strand"]
ROWS = "sampleId string, geneId string, cellType string, state string, expressionValue double, expressionUnit string"


class IngestExpressionConfig(BatchConfig):
    """Settings of ``ingest-expression``.

    Attributes:
        inputs: TSV (columns sampleId, and where they differ cellType and state, then one column a gene) or BED files, plain or gzipped, or
            h5ad files with counts of single cells.
        unit: Unit of the values of TSV and BED files; those made of single cells are counts per million (CPM).
        cell_type: Cell type of files that do not name it.
        state: Cell state of files that do not name it.
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
        InputError: A file is not an expression table or holds no counts of single cells.
    """
    files = expand(config.inputs)
    warehouse = Warehouse(spark, config.warehouse)
    return run_stage("ingest-expression", config, warehouse, lambda run: _ingest(run, config, files), files={"expression": files})


def _ingest(run: Run, config: IngestExpressionConfig, files: list[Path]) -> None:
    spark = run.warehouse.spark

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for index in batch.column("id").to_pylist():
                yield from read_in_worker(files[index], config, partial(read_expression, files[index], config))

    read = spark.range(0, len(files), 1, numPartitions=len(files)).mapInArrow(work, f"{ROWS}, {REJECT}").repartition("sampleId")
    read = read.sortWithinPartitions("sampleId", "geneId").persist()
    try:
        rows, rejects = collected(read, config)
        twice = rows.groupBy("sampleId", "geneId", "cellType", "state").count().where("count > 1").limit(1).collect()
        if twice:
            _, gene, cell_type, state, _ = twice[0]
            raise InputError(
                f"expression of {gene} in {cell_type}, {state} of the same person stands in more than one file",
                "name each file once, and give files of different cell types or states their columns",
            )
        write_batch(run, "expression", rows, config, KEYS)
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


def read_expression(path: Path, config: IngestExpressionConfig, without: frozenset[int] = frozenset()) -> Iterator[pa.RecordBatch]:
    """Rows of the long table, in batches, from one file, without the lines of some numbers.

    Raises:
        InputError: The file is not an expression table or holds no counts of single cells.
        RecordError: Records of it are bad.
    """
    if path.suffix == H5AD:
        keys, genes, values = read_pseudobulk(path, config.pseudobulk, config.cell_type, config.state)
    else:
        frame = read_table(path, without=without)
        keys, genes, values = _from_bed(frame, path, config) if ".bed" in path.suffixes else _from_tsv(frame, path, config)
    unit = UNIT if path.suffix == H5AD else config.unit
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
        yield pa.RecordBatch.from_pandas(rows, preserve_index=False)


def _from_tsv(frame: pd.DataFrame, path: Path, config: IngestExpressionConfig) -> tuple[pd.DataFrame, list[str], NDArray[np.float64]]:
    require(frame, ["sampleId"], path)
    genes = [name for name in frame.columns if name not in KEYS]
    keys = pd.DataFrame({"sampleId": frame["sampleId"]})
    keys["cellType"] = frame.get("cellType", config.cell_type)
    keys["state"] = frame.get("state", config.state)
    unique(keys, KEYS, path)
    return keys, genes, numbers(frame, genes, path)


def _from_bed(frame: pd.DataFrame, path: Path, config: IngestExpressionConfig) -> tuple[pd.DataFrame, list[str], NDArray[np.float64]]:
    if frame.shape[1] < 5:
        raise InputError(
            f"{path}: line 1: {frame.shape[1]} columns; a BED table has chr, start, end, gene and people", "check the header line"
        )
    described = frame.columns[: 6 if list(frame.columns[4:6]) == BED_COLUMNS[4:] else 4]
    gene = described[3]
    unique(frame, [gene], path)
    people = list(frame.columns[len(described) :])
    keys = pd.DataFrame({"sampleId": people, "cellType": config.cell_type, "state": config.state})
    return keys, list(frame[gene]), numbers(frame, people, path, people=True).T
