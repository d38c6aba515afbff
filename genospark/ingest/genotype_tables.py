"""What all stages do that read files of genotypes, whichever their format: these become ``variants``, ``genotypes`` and ``samples``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
from pyspark import StorageLevel
from pyspark.sql import SparkSession

from genospark.core.calls import SAMPLE_BLOCK
from genospark.core.config import expand
from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.ingest import builds, quarantine, withdrawal
from genospark.ingest.batches import BatchConfig
from genospark.ingest.genotype_files import Header, Piece, piece_bytes, plan
from genospark.ingest.merged import merged
from genospark.ingest.on_reference import on_reference
from genospark.ingest.people import People, run_about_people
from genospark.ingest.sample_sets import SampleSets, arrange
from genospark.ingest.selection import check_regions, chosen_people
from genospark.ingest.vcf_landing import Landed, Target, no_repeats
from genospark.ingest.vcf_rows import REPEATED, Columns, Repeat, Source, Tally, bad_lines, native, repeats, reported

Sources = Callable[[list[Piece], list[Columns]], Source]
"""Reads pieces, given for each which sample set its file belongs to, and which of its people."""


class GenotypesConfig(BatchConfig):
    """What every stage is told that reads files of genotypes.

    Attributes:
        inputs: Files; paths or globs. Files of the same people, in any order, belong together; files of other people add people, who have
            no calls at variants that only others' files have.
        split_bytes: Stored bytes that one Spark task reads; where null, so many that each core gets a few tasks, but 4 to 64 MiB.
        reference_build: Name of the genome build, kept in ``runs``.
        reference: FASTA with its index, which every record's REF has to fit; not looked at where null.
        normalise: Trim alleles and align them to the left on the reference, as ``bcftools norm -f`` does.
        samples: Text file with one person a line who is read, as of ``bcftools view -S``; everyone where null. Files without any of them
            are left out.
    """

    split_bytes: int | None = None
    reference_build: str | None = None
    reference: str | None = None
    normalise: bool = False
    samples: str | None = None

    def identity(self) -> dict[str, Any]:
        """Files count by their content."""
        return {name: value for name, value in super().identity().items() if name not in ("reference", "samples")}

    def piece_bytes(self, files: Sequence[Path], spark: SparkSession) -> int:
        """Stored bytes that one task reads."""
        return piece_bytes(files, spark.sparkContext.defaultParallelism) if self.split_bytes is None else self.split_bytes


def ingest(
    stage: str,
    config: GenotypesConfig,
    spark: SparkSession,
    headers: Sequence[Header],
    files: list[Path],
    source: Sources | None = None,
    more: dict[str, list[Path]] | None = None,
    also: Callable[[Run, People, frozenset[str] | None], None] | None = None,
    **notes: str,
) -> str:
    """Reads files of any format into packed tables.

    Args:
        stage: Name of the stage.
        config: Its settings.
        spark: Session.
        headers: Of the files; they name people as the files do.
        files: All files that are read, companions included.
        source: Reads pieces; ``vcf_rows.native`` where it is not given.
        more: Other files that are read, by what they are.
        also: Writes other tables, given who is chosen.
        notes: For ``runs``.

    Returns:
        The run's id.

    Raises:
        InputError: A file holds people whom another batch or sample set has, or files are of different genome builds.
    """
    reference = on_reference(config.reference, config.normalise)
    people = People(config)
    named = [replace(cast(Any, header), sample_ids=tuple(people.named(header.sample_ids))) for header in headers]
    builds.check_headers(named)
    listed = expand([config.samples]) if config.samples else []
    chosen = chosen_people(named, listed[0], people.pseudonyms) if listed else None
    if chosen is not None:
        people.only(chosen)
        named = [header for header in named if chosen.intersection(header.sample_ids)]

    def own(splits: list[Piece], columns: list[Columns]) -> Source:
        return native(spark, splits, columns, config.quarantines, reference)

    def body(run: Run) -> None:
        run.note(**notes)
        _ingest(run, config, named, source or own, chosen, config.piece_bytes(files, spark))
        if also:
            also(run, people, chosen)

    read = {stage.removeprefix("ingest-"): files} | ({"reference": expand([reference.fasta])} if reference else {})
    read |= ({"samples": listed} if listed else {}) | (more or {})
    return run_about_people(stage, config, Warehouse(spark, config.warehouse), people, body, read)


def _ingest(
    run: Run, config: GenotypesConfig, headers: list[Header], source: Sources, chosen: frozenset[str] | None, split_bytes: int
) -> None:
    warehouse = run.warehouse
    others = warehouse.other_parts(f"samples/{config.batch}")
    there = pd.DataFrame({"sampleId": [], "sampleIndex": []})
    if others:
        there = warehouse.read_parts(others).select("sampleId", "sampleIndex").toPandas()
    sets = arrange(headers, frozenset(there["sampleId"]), config.on_overlap, chosen)
    first_block = int(there["sampleIndex"].max()) // SAMPLE_BLOCK + 1 if len(there) else 0
    planned = [(split, number) for number, header in enumerate(headers) for split in plan(header, split_bytes)]
    splits = [split for split, _ in planned]
    lines_of = source(splits, [(sets.of_file[number], sets.columns[number]) for _, number in planned])
    with run.landing(f"genotypes/{config.batch}") as genotypes, run.landing("variants") as variants:
        target = Target(genotypes, variants, _first_blocks(sets, first_block))
        lines = lines_of.land(target, frozenset()).persist(StorageLevel.DISK_ONLY)
        try:
            with step(f"{run.stage}: reading {len(headers)} file(s) in {len(splits)} piece(s), writing variants and genotypes"):
                tallies, landed = reported(lines)
            undeclared = builds.check_contigs(headers, [(splits[tally.split].path, tally.contigs) for tally in tallies])
            check_regions(headers, [name for tally in tallies for name in tally.contigs])
            repeated = [] if no_repeats(landed) else repeats(lines_of.keys(), config.quarantines)
            reasons = _reasons(config, splits, tallies, repeated)
            if repeated:
                with step(f"{run.stage}: writing them again, without lines whose variants stand on earlier ones"):
                    places = frozenset((repeat.split, repeat.line) for repeat in repeated)
                    landed = reported(lines_of.land(target, places))[1]
            if sets.replaced:
                run.note(people_replaced=len(sets.replaced))
                withdrawal.clear_genotypes(run, sets.replaced)
            _publish(run, config, target, landed, sets)
            quarantine.publish(run, lambda: bad_lines(lines, run.stage, headers, splits, tallies, repeated), reasons)
        finally:
            lines.unpersist()
    warnings = [*(header.warnings for header in headers), *(tally.warnings for tally in tallies)]
    quarantine.warn(run, sum(map(Counter, warnings), undeclared))


def _publish(run: Run, config: GenotypesConfig, target: Target, landed: list[Landed], sets: SampleSets) -> None:
    warehouse = run.warehouse
    run.publish(target.genotypes, [path for entry in landed for path in entry.genotypes])
    people = [
        (person, first * SAMPLE_BLOCK + place)
        for first, own in zip(target.first_blocks, sets.people, strict=True)
        for place, person in enumerate(own)
    ]
    ids, places = [person for person, _ in people], [place for _, place in people]
    run.write_small(f"samples/{config.batch}", {"sampleId": ids, "sampleIndex": places, "batch": [config.batch] * len(people)})
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
