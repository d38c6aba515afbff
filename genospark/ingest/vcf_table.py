"""VCF files as one table with every INFO and FORMAT field, in Glow's schema, read by our own engine or by Glow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import ArrayType, StructField, StructType

from genospark.core.config import expand
from genospark.core.failures import user_error
from genospark.core.glow_jars import has_glow, need_glow
from genospark.core.paths import is_url, place
from genospark.errors import ConfigError
from genospark.ingest.vcf import Split, plan_splits, read_header
from genospark.ingest.vcf.full import Declared, check_columns, declared_fields, full_schema, read_full
from genospark.ingest.vcf.full.left_align import left_aligned
from genospark.ingest.vcf_glow import read_by_glow

Engine = Literal["auto", "native", "glow"]
Paths = str | Path | Sequence[str | Path]
Use = Callable[[int, Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
_LEAST_BYTES, _MOST_BYTES = 1 << 20, 4 << 20
_TASKS_PER_CORE = 4
log = logging.getLogger("genospark.ingest.vcf")
_COUNTS = {".": "UNBOUNDED"}


def read_vcf(
    spark: SparkSession,
    paths: Paths,
    engine: Engine = "auto",
    split_multiallelics: bool = True,
    reference: str | Path | None = None,
    split_bytes: int | None = None,
) -> DataFrame:
    """Reads VCF files with all fields that their headers declare, whenever the rows are asked for; ``store_vcf`` reads them once.

    Both engines give the same table; `engine` decides about time only. The columns of every line are counted: by the native engine as it
    reads, and before Glow reads, which does not.

    Args:
        spark: Session; Glow needs its jars there.
        paths: VCF files (plain, gzip or bgzip), paths or globs.
        engine: ``native``, ``glow``, or ``auto``: Glow where the session has its jars.
        split_multiallelics: Make one row of each alternate allele, with genotypes and fields coded as ``bcftools norm -m-`` does; the
            column `INFO_OLD_MULTIALLELIC` then says what stood in the file.
        reference: FASTA with its index (``.fai``), on which alleles are trimmed and aligned to the left; None leaves them as they are.
        split_bytes: Stored bytes that one Spark task reads (native); None for so many that each core gets a few tasks.

    Returns:
        One row per record, or per alternate allele, with the columns of Glow's VCF schema: `contigName`, `start` (0-based), `end`
        (exclusive; INFO END where it is given), `names`, `referenceAllele`, `alternateAlleles`, `qual`, `filters`,
        `splitFromMultiAllelic`, one `INFO_...` per INFO field, and `genotypes`, an array with one struct per person. What a record does
        not have is null.

    Raises:
        ConfigError: There is no such engine.
        InputError: A file is missing, has no valid header, or headers do not fit together; with Glow also where a line has columns too many
            or too few. What is wrong with a line for the native engine fails the job that reads it.
        SetupError: Glow is asked for and its jars are not in the session.
    """
    plan = Plan.of(spark, paths, engine, split_bytes)
    schema = spark_schema(plan.fields, split_multiallelics)
    if plan.engine == "glow":
        guard(spark, [split for split, _ in plan.splits])
        raw = spark_schema(plan.fields, False)
        return read_by_glow(spark, plan.files, plan.fields, raw, schema, split_multiallelics, reference)
    return plan.run(spark, lambda _, rows: rows, schema, split_multiallelics, reference)


@dataclass(frozen=True)
class Plan:
    """What is to be read, and how.

    Attributes:
        files: VCF files.
        engine: Which engine reads them.
        fields: What their headers declare.
        splits: Their pieces, each with the ids of its people.
    """

    files: list[Path]
    engine: Literal["native", "glow"]
    fields: tuple[Declared, ...]
    splits: list[tuple[Split, Sequence[str]]]

    @classmethod
    def of(cls, spark: SparkSession, paths: Paths, engine: Engine, split_bytes: int | None) -> Plan:
        """The plan for some files; arguments and errors are those of ``read_vcf``."""
        files = expand([str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)])
        chosen = choose_engine(spark, engine, files)
        headers = [read_header(path) for path in files]
        fields = declared_fields((header.path, header.declarations) for header in headers)
        if split_bytes is None:
            each = sum(place(path).stat().st_size for path in files) // (_TASKS_PER_CORE * spark.sparkContext.defaultParallelism)
            split_bytes = min(max(each + 1, _LEAST_BYTES), _MOST_BYTES)
        log.info("%d VCF file(s) read by the engine %s", len(files), chosen)
        return cls(files, chosen, fields, [(split, header.sample_ids) for header in headers for split in plan_splits(header, split_bytes)])

    def run(self, spark: SparkSession, use: Use, schema: StructType | str, divide: bool, reference: str | Path | None) -> DataFrame:
        """Reads the pieces by the native engine, a Spark task each.

        Args:
            spark: Session.
            use: From the number of a piece and its rows to rows of ``schema``.
            schema: Columns of the result.
            divide: Whether to split multi-allelic records.
            reference: As in ``read_vcf``.
        """
        splits, fields = self.splits, self.fields

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for number in batch.column("id").to_pylist():
                    split, sample_ids = splits[number]
                    rows = read_full(split, fields, sample_ids, divide)
                    yield from use(number, left_aligned(rows, str(reference)) if reference else rows)

        return spark.range(0, len(splits), 1, numPartitions=len(splits)).mapInArrow(work, schema)


def choose_engine(spark: SparkSession, engine: str, files: Sequence[Path]) -> Literal["native", "glow"]:
    """The engine that a setting means in a session, for some files.

    Raises:
        ConfigError: There is no such engine, or Glow is to read files behind URLs.
        SetupError: Glow is asked for and its jars are not in the session.
    """
    if engine not in ("auto", "native", "glow"):
        raise ConfigError(f"engine {engine}: there is no such engine", "take auto, native or glow")
    if any(map(is_url, files)):
        if engine == "glow":
            raise ConfigError("engine glow: it reads files on disks alone", "take engine native or auto, which read URLs")
        return "native"
    if engine == "glow":
        need_glow(spark)
    return "glow" if engine == "glow" or (engine == "auto" and has_glow(spark)) else "native"


def guard(spark: SparkSession, splits: list[Split]) -> None:
    """Counts the columns of every line, as Glow does not: of a short line it keeps the calls of the line before.

    Raises:
        InputError: A line has columns too many or too few, or a file is damaged; the message names file, line and reason.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            counts = [check_columns(splits[index]) for index in batch.column("id").to_pylist()]
            yield pa.record_batch([pa.array(counts, pa.int64())], ["records"])

    collected(spark.range(0, len(splits), 1, numPartitions=len(splits)).mapInArrow(work, "records bigint"))


def collected(rows: DataFrame) -> list[Row]:
    """All rows; what is wrong with the files that they are made of is an error of ours."""
    try:
        return rows.collect()
    except (PySparkException, Py4JJavaError) as error:
        known = user_error(error)
        if known is None:
            raise
        raise known from None


def spark_schema(fields: Sequence[Declared], divide: bool) -> StructType:
    """``full_schema`` for Spark; fields carry what Glow's splitter and writer ask for, the header's Number and Description."""
    known = {(field.kind, field.column): field for field in fields}
    made = StructType()
    for column in full_schema(fields, divide):
        kind = from_arrow_type(column.type)
        if isinstance(kind, ArrayType) and isinstance(kind.elementType, StructType):
            kind = ArrayType(StructType([_described(entry, known.get(("FORMAT", entry.name))) for entry in kind.elementType]))
        made.add(_described(StructField(column.name, kind), known.get(("INFO", column.name))))
    return made


def _described(column: StructField, field: Declared | None) -> StructField:
    if field is None:
        return column
    number = _COUNTS.get(field.number, field.number)
    metadata = {"vcf_header_count": number, "vcf_header_description": field.description}
    return StructField(column.name, column.dataType, True, metadata)
