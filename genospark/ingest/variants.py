"""Stage ``ingest-vcf``: multi-sample VCF files to ``variants``, ``genotypes`` and ``samples``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from genospark.core.calls import SAMPLE_BLOCK
from genospark.core.config import BatchConfig, expand
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest import withdrawal
from genospark.ingest.blocks import choose
from genospark.ingest.merged import SITE, merged
from genospark.ingest.sample_sets import SampleSets, arrange
from genospark.ingest.vcf import PARSED_SCHEMA, VcfHeader, parse_split, plan_splits, read_header
from genospark.schema import table

KEY = ["contigName", "start", "referenceAllele", "alternateAlleles"]
# Parsed rows, and which sample set they are about.
ROWS = pa.schema([*PARSED_SCHEMA, pa.field("sampleSet", pa.int32())])


class IngestVcfConfig(BatchConfig):
    """Settings of ``ingest-vcf``.

    Attributes:
        inputs: VCF files (plain, gzip or bgzip); paths or globs. Files of the same people, in any order, belong together; files of
            other people add people, who have no calls at variants that only others' files have.
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
        InputError: A file is missing, is no valid VCF, or holds people whom another batch or sample set has.
    """
    files = expand(config.inputs)
    headers = [read_header(path) for path in files]
    warehouse = Warehouse(spark, config.warehouse)
    return run_stage("ingest-vcf", config, warehouse, lambda run: _ingest(run, config, headers), files={"vcf": files})


def _ingest(run: Run, config: IngestVcfConfig, headers: list[VcfHeader]) -> None:
    warehouse = run.warehouse
    others = warehouse.other_parts(f"samples/{config.batch}")
    there = warehouse.read_parts(others).select("sampleId", "sampleIndex").toPandas() if others else None
    sets = arrange(headers, frozenset() if there is None else frozenset(there["sampleId"]), config.on_overlap)
    first_block = 0 if there is None else int(there["sampleIndex"].max()) // SAMPLE_BLOCK + 1
    parsed = parse(warehouse.spark, headers, sets, config.split_bytes).persist(StorageLevel.DISK_ONLY)
    try:
        with step(f"ingest-vcf: parsing {len(headers)} file(s)"):
            count = parsed.count()
        _check_unique(parsed)
        run.note(people=sum(map(len, sets.people)), variants=count)
        if sets.replaced:
            run.note(people_replaced=len(sets.replaced))
            withdrawal.clear_genotypes(run, sets.replaced)
        _write(run, config, parsed, sets, first_block)
    finally:
        parsed.unpersist()


def _write(run: Run, config: IngestVcfConfig, parsed: DataFrame, sets: SampleSets, first_block: int) -> None:
    warehouse = run.warehouse
    firsts = _first_blocks(sets, first_block)
    # Splits of sorted files are sorted; sorting inside them costs little and covers the others.
    ordered = parsed.sortWithinPartitions("contigName", "start")
    blocks = ordered.select("*", f.posexplode("blocks").alias("place", "block")).drop("blocks", *_COUNTS)
    block = f.element_at(f.lit(firsts), f.col("sampleSet") + 1) + f.col("place")
    names = [name for name in table("genotypes").names if name != "runId"]
    run.write(f"genotypes/{config.batch}", blocks.select("*", block.alias("sampleBlock"), "block.*").select(*names))
    people = [
        (person, first * SAMPLE_BLOCK + place, config.batch)
        for first, own in zip(firsts, sets.people, strict=True)
        for place, person in enumerate(own)
    ]
    run.write(f"samples/{config.batch}", warehouse.spark.createDataFrame(people, "sampleId string, sampleIndex int, batch string"))
    others = withdrawal.parts_now(run, "genotypes", f"genotypes/{config.batch}")
    if not others and len(sets.people) == 1:
        run.write("variants", ordered.drop("blocks", "sampleSet"))
        return
    sites = [parsed.where(f.col("sampleSet") == number) for number in range(len(sets.people))]
    if others:
        sites.append(warehouse.read("variants").select(*KEY, *SITE))
    genotypes = withdrawal.rows_now(run, "genotypes")
    run.write("variants", merged(sites, genotypes, withdrawal.rows_now(run, "samples").count()))


_COUNTS = [name for name in PARSED_SCHEMA.names if name.startswith("n") and name != "names"]


def _first_blocks(sets: SampleSets, first: int) -> list[int]:
    """The number of each set's first block of people."""
    firsts = []
    for own in sets.people:
        firsts.append(first)
        first += -(-len(own) // SAMPLE_BLOCK)
    return firsts


def parse(spark: SparkSession, headers: list[VcfHeader], sets: SampleSets, split_bytes: int) -> DataFrame:
    """The rows of all files, one Spark task a piece of one.

    Returns:
        One row per biallelic variant and sample set, with the columns of ``variants``, `blocks` (an array of what ``genotypes`` says
        of each 16,384 people) and `sampleSet`.
    """
    splits = [(split, number) for number, header in enumerate(headers) for split in plan_splits(header, split_bytes)]

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for index in batch.column("id").to_pylist():
                split, number = splits[index]
                columns = sets.columns[number]
                for rows in parse_split(split):
                    found = rows if columns is None else choose(rows, columns, split.n_samples)
                    own = pa.array([sets.of_file[number]] * len(rows), pa.int32())
                    yield pa.RecordBatch.from_arrays([*found.columns, own], schema=ROWS)

    ids = spark.range(0, len(splits), 1, numPartitions=len(splits))
    return ids.mapInArrow(work, from_arrow_schema(ROWS))


def _check_unique(parsed: DataFrame) -> None:
    """A variant that stands twice would be two features with one name."""
    twice = parsed.groupBy(*KEY, "sampleSet").count().where("count > 1").limit(1).collect()
    if twice:
        row = twice[0]
        alleles = f"{row['referenceAllele']}>{','.join(row['alternateAlleles'])}"
        raise InputError(
            f"{row['contigName']}:{row['start'] + 1} {alleles}: the variant stands {row['count']} times in the input",
            "drop duplicates with `bcftools norm -d exact`",
        )
