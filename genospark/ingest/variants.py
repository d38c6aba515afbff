"""Stage ``ingest-vcf``: multi-sample VCF files to ``variants``, ``genotypes`` and ``samples``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import pandas as pd
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from genospark.core.calls import SAMPLE_BLOCK
from genospark.core.config import expand
from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError
from genospark.ingest import builds, quarantine, withdrawal
from genospark.ingest.batches import BatchConfig
from genospark.ingest.merged import merged
from genospark.ingest.people import People, run_about_people
from genospark.ingest.sample_sets import SampleSets, arrange
from genospark.ingest.vcf import Split, VcfHeader, plan_splits, read_header
from genospark.ingest.vcf_landing import Landed, Target, no_repeats
from genospark.ingest.vcf_rows import REPEATED, Chosen, Place, Repeat, Tally, bad_lines, land_lines, read_keys, repeats, reported
from genospark.ingest.vcf_rows_glow import GlowLines
from genospark.ingest.vcf_table import choose_engine


class IngestVcfConfig(BatchConfig):
    """Settings of ``ingest-vcf``.

    Attributes:
        inputs: VCF files (plain, gzip or bgzip); paths or globs. Files of the same people, in any order, belong together; files of
            other people add people, who have no calls at variants that only others' files have.
        split_bytes: Compressed bytes that one Spark task reads.
        reference_build: Name of the genome build, kept in ``runs``.
        engine: What reads genotypes: ``native``, ``glow``, or ``auto`` (Glow where the session has its jars, but for quarantine). The
            tables are the same.
    """

    split_bytes: int = 4 << 20
    reference_build: str | None = None
    engine: Literal["auto", "native", "glow"] = "native"


def ingest_vcf(config: IngestVcfConfig, spark: SparkSession) -> str:
    """Reads VCF files into packed tables.

    Returns:
        The run's id.

    Raises:
        InputError: A file is missing, is no valid VCF, holds people whom another batch or sample set has, or files are of different
            genome builds.
    """
    files = expand(config.inputs)
    people = People(config)
    headers = [read_header(path) for path in files]
    headers = [replace(header, sample_ids=tuple(people.named(header.sample_ids))) for header in headers]
    builds.check_headers(headers)
    warehouse = Warehouse(spark, config.warehouse)
    return run_about_people("ingest-vcf", config, warehouse, people, lambda run: _ingest(run, config, headers), {"vcf": files})


def _ingest(run: Run, config: IngestVcfConfig, headers: list[VcfHeader]) -> None:
    warehouse = run.warehouse
    others = warehouse.other_parts(f"samples/{config.batch}")
    there = pd.DataFrame({"sampleId": [], "sampleIndex": []})
    if others:
        there = warehouse.read_parts(others).select("sampleId", "sampleIndex").toPandas()
    sets = arrange(headers, frozenset(there["sampleId"]), config.on_overlap)
    first_block = int(there["sampleIndex"].max()) // SAMPLE_BLOCK + 1 if len(there) else 0
    planned = [(split, number) for number, header in enumerate(headers) for split in plan_splits(header, config.split_bytes)]
    splits = [split for split, _ in planned]
    people = [(sets.of_file[number], sets.columns[number]) for _, number in planned]
    engine = _engine(config, warehouse.spark)
    run.note(engine=engine)
    source = _source(config, warehouse.spark, engine, splits, people)
    with run.landing(f"genotypes/{config.batch}") as genotypes, run.landing("variants") as variants:
        target = Target(genotypes, variants, _first_blocks(sets, first_block))
        lines = source.land(target, frozenset()).persist(StorageLevel.DISK_ONLY)
        try:
            with step(f"ingest-vcf: reading {len(headers)} file(s) in {len(splits)} piece(s) and writing variants, genotypes"):
                tallies, landed = reported(lines)
            undeclared = builds.check_contigs(headers, [(splits[tally.split].path, tally.contigs) for tally in tallies])
            repeated = [] if no_repeats(landed) else repeats(source.keys(), config.quarantines)
            if repeated:
                with step("ingest-vcf: writing them again without lines whose variants stand on earlier ones"):
                    landed = reported(source.land(target, frozenset((repeat.split, repeat.line) for repeat in repeated)))[1]
            reasons = _reasons(config, splits, tallies, repeated)
            if sets.replaced:
                run.note(people_replaced=len(sets.replaced))
                withdrawal.clear_genotypes(run, sets.replaced)
            _publish(run, config, target, landed, sets)
            quarantine.publish(run, lambda: bad_lines(lines, run.stage, headers, splits, tallies, repeated), reasons)
        finally:
            lines.unpersist()
    warnings = [*(header.warnings for header in headers), *(tally.warnings for tally in tallies)]
    quarantine.warn(run, sum(map(Counter, warnings), undeclared))


@dataclass(frozen=True)
class _Source:
    """The lines of all splits, by one engine or the other.

    Attributes:
        land: Writes their variants, but those of lines to be left out; returns rows of ``vcf_rows.SCHEMA``.
        keys: The key of each variant, and where it stands.
    """

    land: Callable[[Target, frozenset[Place]], DataFrame]
    keys: Callable[[], DataFrame]


def _source(config: IngestVcfConfig, spark: SparkSession, engine: str, splits: list[Split], people: list[Chosen]) -> _Source:
    if engine == "glow":
        lines = GlowLines(spark, splits, people, config.split_bytes)
        # Glow does not quarantine, so no line is left out.
        return _Source(lambda target, _: lines.land(target), lines.keys)
    own = (spark, splits, people, config.quarantines)
    return _Source(partial(land_lines, *own), partial(read_keys, *own))


def _engine(config: IngestVcfConfig, spark: SparkSession) -> str:
    """The engine that the configuration means.

    Raises:
        ConfigError: Glow is to quarantine.
        SetupError: Glow is asked for and its jars are not in the session.
    """
    if config.quarantines:
        if config.engine == "glow":
            raise ConfigError("engine glow with mode quarantine: Glow does not say which line a record is", "take engine native or auto")
        return "native"
    return choose_engine(spark, config.engine, expand(config.inputs))


def _publish(run: Run, config: IngestVcfConfig, target: Target, landed: list[Landed], sets: SampleSets) -> None:
    warehouse = run.warehouse
    run.publish(target.genotypes, [path for entry in landed for path in entry.genotypes])
    people = [
        (person, first * SAMPLE_BLOCK + place, config.batch)
        for first, own in zip(target.first_blocks, sets.people, strict=True)
        for place, person in enumerate(own)
    ]
    run.write(f"samples/{config.batch}", warehouse.spark.createDataFrame(people, "sampleId string, sampleIndex int, batch string"))
    others = withdrawal.parts_now(run, "genotypes", f"genotypes/{config.batch}")
    files = [[path for entry in landed if entry.sample_set == number for path in entry.variants] for number in range(len(sets.people))]
    if not others and len(sets.people) == 1:
        run.publish(target.variants, files[0])
    else:
        sites = [warehouse.landed(target.variants, own) for own in files]
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
