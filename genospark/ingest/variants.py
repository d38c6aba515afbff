"""Stage ``ingest-vcf``: multi-sample VCF files to ``variants``, ``genotypes`` and ``samples``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from genospark.core.config import StageConfig, expand
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest.vcf import PARSED_SCHEMA, Split, VcfHeader, parse_split, plan_splits, read_header
from genospark.schema import table


class IngestVcfConfig(StageConfig):
    """Settings of ``ingest-vcf``.

    Attributes:
        inputs: VCF files (plain, gzip or bgzip); paths or globs. All of the same people in the same order.
        split_bytes: Compressed bytes that one Spark task reads.
        reference_build: Name of the genome build, kept in ``runs``.
    """

    inputs: list[str] = []
    split_bytes: int = 4 << 20
    reference_build: str | None = None


def ingest_vcf(config: IngestVcfConfig, spark: SparkSession) -> str:
    """Reads VCF files into packed tables.

    Returns:
        The run's id.

    Raises:
        InputError: A file is missing, is no valid VCF, or holds other people than the first.
    """
    files = expand(config.inputs)
    headers = [read_header(path) for path in files]
    for header in headers[1:]:
        _check_same_people(headers[0], header)
    warehouse = Warehouse(spark, config.warehouse)
    return run_stage("ingest-vcf", config, warehouse, lambda run: _ingest(run, headers, config.split_bytes), files={"vcf": files})


def _check_same_people(first: VcfHeader, other: VcfHeader) -> None:
    if first.sample_ids != other.sample_ids:
        raise InputError(
            f"{other.path}: its {len(other.sample_ids)} samples are not the {len(first.sample_ids)} of {first.path}, in the same order",
            "ingest files of one sample set together; reorder with `bcftools view -S`",
        )


def _ingest(run: Run, headers: list[VcfHeader], split_bytes: int) -> None:
    spark = run.warehouse.spark
    splits = [split for header in headers for split in plan_splits(header, split_bytes)]
    parsed = parse(spark, splits).persist(StorageLevel.DISK_ONLY)
    try:
        with step(f"ingest-vcf: parsing {len(headers)} file(s) in {len(splits)} piece(s)"):
            count = parsed.count()
        run.note(people=len(headers[0].sample_ids), variants=count)
        _check_unique(parsed)
        # Splits of sorted files are sorted; sorting inside them costs little and covers the others.
        ordered = parsed.sortWithinPartitions("contigName", "start")
        run.write("variants", ordered.drop("calls"))
        blocks = ordered.select("*", f.posexplode("calls").alias("sampleBlock", "block")).drop("calls")
        names = [name for name in table("genotypes").names if name not in ("calls", "runId")]
        run.write("genotypes", blocks.select(*names, f.col("block").alias("calls")))
    finally:
        parsed.unpersist()
    people = [(name, index) for index, name in enumerate(headers[0].sample_ids)]
    run.write("samples", spark.createDataFrame(people, "sampleId string, sampleIndex int"))


def parse(spark: SparkSession, splits: list[Split]) -> DataFrame:
    """The rows of all splits, one Spark task a split.

    Returns:
        One row per biallelic variant with the columns of ``variants`` and `calls`, an array of one binary per 16,384 samples.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for index in batch.column("id").to_pylist():
                yield from parse_split(splits[index])

    ids = spark.range(0, len(splits), 1, numPartitions=len(splits))
    return ids.mapInArrow(work, from_arrow_schema(PARSED_SCHEMA))


def _check_unique(parsed: DataFrame) -> None:
    """A variant that stands twice would be two features with one name."""
    key = ["contigName", "start", "referenceAllele", "alternateAlleles"]
    twice = parsed.groupBy(*key).count().where("count > 1").limit(1).collect()
    if twice:
        row = twice[0]
        alleles = f"{row['referenceAllele']}>{','.join(row['alternateAlleles'])}"
        raise InputError(
            f"{row['contigName']}:{row['start'] + 1} {alleles}: the variant stands {row['count']} times in the input",
            "drop duplicates with `bcftools norm -d exact`",
        )
