"""Stage ``ingest-vcf``: multi-sample VCF files to ``variants``, ``genotypes`` and ``samples``."""

from __future__ import annotations

from collections import Counter

from pyspark import StorageLevel
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core.config import expand
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest import builds, quarantine
from genospark.ingest.quarantine import IngestConfig
from genospark.ingest.vcf import Split, VcfHeader, plan_splits, read_header
from genospark.ingest.vcf_rows import REPEATED, Repeat, Tally, bad_lines, parse, repeats, tallied, variants, without
from genospark.schema import table


class IngestVcfConfig(IngestConfig):
    """Settings of ``ingest-vcf``.

    Attributes:
        inputs: VCF files (plain, gzip or bgzip); paths or globs. All of the same people in the same order.
        split_bytes: Compressed bytes that one Spark task reads.
        reference_build: Name of the genome build, kept in ``runs``.
    """

    split_bytes: int = 4 << 20
    reference_build: str | None = None


def ingest_vcf(config: IngestVcfConfig, spark: SparkSession) -> str:
    """Reads VCF files into packed tables.

    Returns:
        The run's id.

    Raises:
        InputError: A file is missing, is no valid VCF, holds other people than the first, or files are of different genome builds.
    """
    files = expand(config.inputs)
    headers = [read_header(path) for path in files]
    for header in headers[1:]:
        _check_same_people(headers[0], header)
    builds.check_headers(headers)
    warehouse = Warehouse(spark, config.warehouse)
    return run_stage("ingest-vcf", config, warehouse, lambda run: _ingest(run, config, headers), files={"vcf": files})


def _check_same_people(first: VcfHeader, other: VcfHeader) -> None:
    if first.sample_ids != other.sample_ids:
        raise InputError(
            f"{other.path}: its {len(other.sample_ids)} samples are not the {len(first.sample_ids)} of {first.path}, in the same order",
            "ingest files of one sample set together; reorder with `bcftools view -S`",
        )


def _ingest(run: Run, config: IngestVcfConfig, headers: list[VcfHeader]) -> None:
    spark = run.warehouse.spark
    splits = [split for header in headers for split in plan_splits(header, config.split_bytes)]
    lines = parse(spark, splits, config.quarantines).persist(StorageLevel.DISK_ONLY)
    try:
        with step(f"ingest-vcf: parsing {len(headers)} file(s) in {len(splits)} piece(s)"):
            tallies = tallied(lines)
        undeclared = builds.check_contigs(headers, [(splits[tally.split].path, tally.contigs) for tally in tallies])
        repeated = repeats(variants(lines), config.quarantines)
        reasons = _reasons(config, splits, tallies, repeated)
        parsed = without(variants(lines), repeated)
        # Splits of sorted files are sorted; sorting inside them costs little and covers the others.
        ordered = parsed.sortWithinPartitions("contigName", "start")
        run.write("variants", ordered.drop("calls", "split", "line"))
        run.note(people=len(headers[0].sample_ids), variants=run.outputs[-1].rows)
        blocks = ordered.select("*", f.posexplode("calls").alias("sampleBlock", "block")).drop("calls")
        names = [name for name in table("genotypes").names if name not in ("calls", "runId")]
        run.write("genotypes", blocks.select(*names, f.col("block").alias("calls")))
        quarantine.publish(run, lambda: bad_lines(lines, run.stage, headers, splits, tallies, repeated), reasons)
    finally:
        lines.unpersist()
    people = [(name, index) for index, name in enumerate(headers[0].sample_ids)]
    run.write("samples", spark.createDataFrame(people, "sampleId string, sampleIndex int"))
    warnings = [*(header.warnings for header in headers), *(tally.warnings for tally in tallies)]
    quarantine.warn(run, sum(map(Counter, warnings), undeclared))


def _reasons(config: IngestVcfConfig, splits: list[Split], tallies: list[Tally], repeated: list[Repeat]) -> Counter[str]:
    """Bad records by reason.

    Raises:
        InputError: A file has too many of them.
    """
    total: Counter[str] = Counter()
    by_file: dict[str, Counter[str]] = {}
    for tally in tallies:
        total[splits[tally.split].path] += tally.records
        by_file.setdefault(splits[tally.split].path, Counter()).update(tally.reasons)
    for repeat in repeated:
        by_file[splits[repeat.split].path][REPEATED] += 1
    for path, reasons in by_file.items():
        if reasons:
            quarantine.check_share(path, reasons.total(), total[path], config.max_bad, f"most often: {reasons.most_common(1)[0][0]}")
    return sum(by_file.values(), Counter())
