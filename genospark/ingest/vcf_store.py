"""VCF files with all their fields as a Delta table: the task that reads a piece writes its rows, and none passes through the JVM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from genospark.core import delta, landing, ledger, paths, stores
from genospark.core.session import prepare
from genospark.errors import ConfigError
from genospark.ingest.vcf.full import full_schema
from genospark.ingest.vcf_table import Engine, Paths, Plan, collected, read_vcf, spark_schema

_VERSION = 1


def store_vcf(
    spark: SparkSession,
    inputs: Paths,
    folder: str | Path,
    engine: Engine = "native",
    split_multiallelics: bool = True,
    reference: str | Path | None = None,
    split_bytes: int | None = None,
) -> DataFrame:
    """Stores the rows of ``read_vcf`` as a Delta table, in the place of what it held, and reads them there.

    Nothing is published unless every line of every file can be read.

    Args:
        spark: As in ``read_vcf``, as all arguments but `folder`.
        inputs: VCF files.
        folder: Folder of the table, new or a Delta table: on a disk that driver and executors share, or behind a URL.
        engine: Which engine reads.
        split_multiallelics: Whether to make one row of each alternate allele.
        reference: FASTA to align on.
        split_bytes: Stored bytes that one Spark task reads, and of which a file of the table is made (native).

    Returns:
        The table. Later sessions read it by ``spark.read.format("delta").load(folder)``, DuckDB by ``delta_scan``.

    Raises:
        ConfigError: There is no such engine, or the folder holds what is no Delta table.
        InputError: A file is missing or is no valid VCF, or headers do not fit together.
        SetupError: Glow is asked for and its jars are not in the session; the disk or the store refused.
    """
    location = str(paths.absolute(folder))
    if paths.is_url(location):
        prepare(spark, location)
    there = ledger.exists(location)
    if not there and paths.place(location).exists() and any(paths.place(location).iterdir()):
        raise ConfigError(f"{folder}: this folder holds something else than a Delta table", "name a new folder")
    plan = Plan.of(spark, inputs, engine, split_bytes)
    schema = spark_schema(plan.fields, split_multiallelics)
    written = f"{location}/{uuid4().hex}"
    published: set[str] = set()
    try:
        if plan.engine == "glow":
            read_vcf(spark, inputs, engine, split_multiallelics, reference).write.parquet(stores.for_hadoop(written))
            files = [str(path) for path in paths.place(written).rglob("*.parquet")]
        else:
            files = _land(spark, plan, written, split_multiallelics, reference)
        if there:
            ledger.update(location, schema.json(), _VERSION)
        else:
            ledger.create(location, schema.json(), [], _VERSION)
        delta.publish(location, files, schema.json(), ())
        published.update(files)
    finally:
        landing.remove(written, published)
    return delta.rows(spark, ledger.live_files(location), schema)


def _land(spark: SparkSession, plan: Plan, folder: str, divide: bool, reference: str | Path | None) -> list[str]:
    """Paths of the files that tasks have written."""
    schema = full_schema(plan.fields, divide)

    def use(number: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        path = f"{folder}/part-{number:06d}-{uuid4().hex}.parquet"
        if write_file(path, batches, schema):
            yield pa.record_batch([pa.array([path])], ["path"])

    return [row.path for row in collected(plan.run(spark, use, "path string", divide, reference))]


def write_file(path: str, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> bool:
    """Writes a file of a table; returns whether there were rows. Memory: a row group."""
    first = next(batches, None)
    if first is None:
        return False
    # Smallest and largest values of what people have tell nothing.
    of_sites = [
        f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name for field in schema if field.name != "genotypes"
    ]
    with landing.created(path) as stream, pq.ParquetWriter(stream, schema, compression="zstd", write_statistics=of_sites) as writer:
        pending, size = [first], first.nbytes
        for batch in batches:
            if size >= landing.ROW_GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(pending))
                pending, size = [], 0
            pending.append(batch)
            size += batch.nbytes
        writer.write_table(pa.Table.from_batches(pending))
    return True
