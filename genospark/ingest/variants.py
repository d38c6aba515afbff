"""Stage ``ingest-vcf``, and what all stages do that read files of genotypes: these become ``variants``, ``genotypes`` and ``samples``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.calls import SAMPLE_BLOCK
from genospark.core.config import expand
from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError
from genospark.ingest import builds, quarantine, withdrawal
from genospark.ingest.batches import BatchConfig
from genospark.ingest.bcf import BcfHeader, is_bcf, read_bcf_header
from genospark.ingest.genotype_files import Header, Piece, plan
from genospark.ingest.merged import STATISTICS, merged
from genospark.ingest.on_reference import OnReference
from genospark.ingest.people import People, run_about_people
from genospark.ingest.reads.fasta_index import check_fasta_index
from genospark.ingest.sample_sets import SampleSets, arrange
from genospark.ingest.vcf import Split, VcfHeader, read_header
from genospark.ingest.vcf_rows import REPEATED, Columns, Repeat, Tally, bad_lines, parse, repeats, tallied, variants, without
from genospark.ingest.vcf_rows_glow import parse_by_glow
from genospark.ingest.vcf_table import choose_engine
from genospark.schema import table


class GenotypesConfig(BatchConfig):
    """What every stage is told that reads files of genotypes.

    Attributes:
        inputs: Files; paths or globs. Files of the same people, in any order, belong together; files of other people add people, who have
            no calls at variants that only others' files have.
        split_bytes: Stored bytes that one Spark task reads.
        reference_build: Name of the genome build, kept in ``runs``.
        reference: FASTA with its index, which every record's REF has to fit; not looked at where null.
        normalise: Trim alleles and align them to the left on the reference, as ``bcftools norm -f`` does.
    """

    split_bytes: int = 4 << 20
    reference_build: str | None = None
    reference: str | None = None
    normalise: bool = False

    def identity(self) -> dict[str, Any]:
        """The reference counts by its content."""
        return {name: value for name, value in super().identity().items() if name != "reference"}


class IngestVcfConfig(GenotypesConfig):
    """Settings of ``ingest-vcf``; inputs are VCF files (plain, gzip or bgzip) and BCF files.

    Attributes:
        engine: What reads genotypes: ``native``, ``glow``, or ``auto`` (Glow where the session has its jars, but for quarantine). The
            tables are the same.
        keep: What is kept of genotypes beside the calls: ``phase``. Natively read only.
    """

    engine: Literal["auto", "native", "glow"] = "native"
    keep: list[Literal["phase"]] = []


def ingest_vcf(config: IngestVcfConfig, spark: SparkSession) -> str:
    """Reads VCF files into packed tables.

    Returns:
        The run's id.

    Raises:
        InputError: A file is missing, is no valid VCF, holds people whom another batch or sample set has, or files are of different
            genome builds.
    """
    files = expand(config.inputs)
    engine = _engine(config, spark)

    def parsed(splits: list[Piece], people: list[Columns]) -> DataFrame:
        if engine == "glow":
            return parse_by_glow(spark, cast(list[Split], splits), people, config.split_bytes)
        return parse(spark, splits, people, config.quarantines, on_reference(config))

    headers = [_header(path, config, engine) for path in files]
    return ingest("ingest-vcf", config, spark, headers, files, parsed, engine=engine)


def _header(path: Path, config: IngestVcfConfig, engine: str) -> VcfHeader | BcfHeader:
    if not is_bcf(path):
        return replace(read_header(path), keep=tuple(config.keep))
    if engine == "glow":
        raise ConfigError(f"{path}: Glow reads no BCF", "take engine native")
    return replace(read_bcf_header(path), keep=tuple(config.keep))


def ingest(
    stage: str,
    config: GenotypesConfig,
    spark: SparkSession,
    headers: Sequence[Header],
    files: list[Path],
    parsed: Callable[[list[Piece], list[Columns]], DataFrame] | None = None,
    **notes: str,
) -> str:
    """Reads files of any format into packed tables.

    Args:
        stage: Name of the stage.
        config: Its settings.
        spark: Session.
        headers: Of the files; they name people as the files do.
        files: All files that are read, companions included.
        parsed: Makes the rows of pieces, as ``vcf_rows.parse``, which is taken where this is not given.
        notes: For ``runs``.

    Returns:
        The run's id.

    Raises:
        InputError: A file holds people whom another batch or sample set has, or files are of different genome builds.
    """
    reference = on_reference(config)
    people = People(config)
    named = [replace(cast(Any, header), sample_ids=tuple(people.named(header.sample_ids))) for header in headers]
    builds.check_headers(named)

    def rows(splits: list[Piece], columns: list[Columns]) -> DataFrame:
        return parse(spark, splits, columns, config.quarantines, reference)

    def body(run: Run) -> None:
        run.note(**notes)
        _ingest(run, config, named, parsed or rows)

    read = {stage.removeprefix("ingest-"): files} | ({"reference": expand([reference.fasta])} if reference else {})
    return run_about_people(stage, config, Warehouse(spark, config.warehouse), people, body, read)


def on_reference(config: GenotypesConfig) -> OnReference | None:
    """What is done with a reference, where there is one.

    Raises:
        ConfigError: Variants are to be normalised without one.
        InputError: It is not there, or not indexed.
    """
    if config.reference is None:
        if config.normalise:
            raise ConfigError("normalise without a reference", "name the FASTA file with --set reference=PATH")
        return None
    reference = str(expand([config.reference])[0])
    check_fasta_index(reference)
    return OnReference(reference, config.normalise)


def _ingest(run: Run, config: GenotypesConfig, headers: list[Header], parsed: Callable[[list[Piece], list[Columns]], DataFrame]) -> None:
    warehouse = run.warehouse
    others = warehouse.other_parts(f"samples/{config.batch}")
    there = pd.DataFrame({"sampleId": [], "sampleIndex": []})
    if others:
        there = warehouse.read_parts(others).select("sampleId", "sampleIndex").toPandas()
    sets = arrange(headers, frozenset(there["sampleId"]), config.on_overlap)
    first_block = int(there["sampleIndex"].max()) // SAMPLE_BLOCK + 1 if len(there) else 0
    planned = [(split, number) for number, header in enumerate(headers) for split in plan(header, config.split_bytes)]
    splits = [split for split, _ in planned]
    lines = parsed(splits, [(sets.of_file[number], sets.columns[number]) for _, number in planned]).persist(StorageLevel.DISK_ONLY)
    try:
        with step(f"{run.stage}: parsing {len(headers)} file(s) in {len(splits)} piece(s)"):
            tallies = tallied(lines)
        undeclared = builds.check_contigs(headers, [(splits[tally.split].path, tally.contigs) for tally in tallies])
        repeated = repeats(variants(lines), config.quarantines)
        reasons = _reasons(config, splits, tallies, repeated)
        if sets.replaced:
            run.note(people_replaced=len(sets.replaced))
            withdrawal.clear_genotypes(run, sets.replaced)
        _write(run, config, without(variants(lines), repeated), sets, first_block)
        quarantine.publish(run, lambda: bad_lines(lines, run.stage, headers, splits, tallies, repeated), reasons)
    finally:
        lines.unpersist()
    warnings = [*(header.warnings for header in headers), *(tally.warnings for tally in tallies)]
    quarantine.warn(run, sum(map(Counter, warnings), undeclared))


def _engine(config: IngestVcfConfig, spark: SparkSession) -> str:
    """The engine that the configuration means.

    Raises:
        ConfigError: Glow is to quarantine, or to read more than calls.
        SetupError: Glow is asked for and its jars are not in the session.
    """
    if config.quarantines:
        if config.engine == "glow":
            raise ConfigError("engine glow with mode quarantine: Glow does not say which line a record is", "take engine native or auto")
        return "native"
    if config.keep or config.reference:
        if config.engine == "glow":
            raise ConfigError("engine glow with keep or reference: Glow reads calls alone", "take engine native or auto")
        return "native"
    return choose_engine(spark, config.engine, expand(config.inputs))


def _write(run: Run, config: GenotypesConfig, parsed: DataFrame, sets: SampleSets, first_block: int) -> None:
    warehouse = run.warehouse
    firsts = _first_blocks(sets, first_block)
    # Splits of sorted files are sorted; sorting inside them costs little and covers the others.
    ordered = parsed.sortWithinPartitions("contigName", "start")
    blocks = ordered.select("*", f.posexplode("blocks").alias("place", "block")).drop("blocks", *STATISTICS)
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
        run.write("variants", ordered.drop("blocks", "sampleSet", "split", "line"))
    else:
        sites = [parsed.where(f.col("sampleSet") == number) for number in range(len(sets.people))]
        if others:
            sites.append(warehouse.read("variants"))
        genotypes = withdrawal.rows_now(run, "genotypes")
        run.write("variants", merged(sites, genotypes, withdrawal.rows_now(run, "samples").count()))
    run.note(people=len(people), variants=run.outputs[-1].rows)


def _first_blocks(sets: SampleSets, first: int) -> list[int]:
    """The number of each set's first block of people."""
    firsts = []
    for own in sets.people:
        firsts.append(first)
        first += -(-len(own) // SAMPLE_BLOCK)
    return firsts


def _reasons(config: GenotypesConfig, splits: list[Piece], tallies: list[Tally], repeated: list[Repeat]) -> Counter[str]:
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
