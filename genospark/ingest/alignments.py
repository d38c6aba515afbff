"""Stage ``ingest-reads``: aligned reads (BAM, CRAM) of many people to ``readWindows``, ``readQuality`` and ``referenceContigs``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydantic import Field
from pyspark.sql import DataFrame, SparkSession

from genospark.core.config import expand
from genospark.core.paths import place
from genospark.core.pileup import WINDOW_BP
from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest.base_quality import STRETCH_BP, BaseQuality, fit_qualities
from genospark.ingest.batches import BatchConfig, write_batch
from genospark.ingest.people import People, run_about_people
from genospark.ingest.read_files import read_headers
from genospark.ingest.read_quality import read_quality
from genospark.ingest.reads import (
    AlignmentHeader,
    ReadFilters,
    Region,
    check_reference,
    pile_up,
    plan_regions,
    windows,
)
from genospark.ingest.reads.fasta_index import check_fasta_index
from genospark.ingest.reads.index_check import check_index
from genospark.ingest.reads.known_sites import KnownSites
from genospark.ingest.reads.recalibration import Recalibration
from genospark.ingest.reads.reference import reference_contigs
from genospark.ingest.selection import read_bed

_INDELS = "array<struct<position: bigint, rank: int, referenceAllele: string, alternateAllele: string>>"
# Windows of a region, and with the first of them what became of the region's reads (JSON).
_ROWS = f"sampleId string, contigName string, start bigint, pileup binary, indels {_INDELS}, regionQuality string"
_INDEL_TYPE = pa.struct(
    [("position", pa.int64()), ("rank", pa.int32()), ("referenceAllele", pa.string()), ("alternateAllele", pa.string())]
)
# Bases of another sequence agree at one position in four.
_MIN_REFERENCE_SHARE = 0.7
_INDEL_NAMES = [field.name for field in _INDEL_TYPE]


class IngestReadsConfig(BatchConfig):
    """Settings of ``ingest-reads``.

    Attributes:
        inputs: BAM or CRAM files, sorted and indexed, one person each; paths or globs. ``samples=path`` for a sheet of files and their
            people: columns sampleId and path.
        reference: FASTA file that they were aligned to, with its index.
        regions: BED file of the regions to look at, widened to whole windows; everything where not given.
        region_bp: Positions that one Spark task looks at.
        filters: Which reads and bases count.
        recalibrate: Give bases the qualities that mismatches bear out, by their reported quality, cycle and context.
        recalibrate_bp: Positions of a person, spread over the regions, that this is fitted on.
        known_sites: Bgzipped and indexed VCF of sites that vary, which say nothing of qualities; positions where reads agree on another
            base are left out anyway.
        reference_build: Name of the genome build, kept in ``runs``.
        named_by_file: Call people as their files, without the ending, where no read group and no sheet says who they are.
    """

    reference: str | None = None
    regions: str | None = None
    named_by_file: bool = False
    region_bp: int = Field(100_000, ge=WINDOW_BP, multiple_of=WINDOW_BP)
    filters: ReadFilters = ReadFilters()
    recalibrate: bool = False
    recalibrate_bp: int = Field(2_000_000, ge=STRETCH_BP)
    known_sites: str | None = None
    reference_build: str | None = None

    def identity(self) -> dict[str, object]:
        return {name: value for name, value in super().identity().items() if name not in ("reference", "regions", "known_sites")}


def ingest_reads(config: IngestReadsConfig, spark: SparkSession) -> str:
    """Piles up the reads of every person over every region.

    Returns:
        The run's id.

    Raises:
        ConfigError: No reference, or no file of reads is given.
        InputError: A file is missing, damaged, of nobody, or does not fit the reference; or two files are of one person.
    """
    if config.reference is None:
        raise ConfigError("no reference is given", "name the FASTA file with --set reference=PATH")
    reference = expand([config.reference])[0]
    bed = expand([config.regions]) if config.regions else []
    sites = _known_sites(config, reference)
    people = People(config)
    headers, sheets = read_headers(config.inputs, config.named_by_file)
    check_fasta_index(reference)
    intervals = read_bed(bed[0]) if bed else None
    if intervals == []:
        raise InputError(f"{bed[0]}: names no region", "write BED: contig, 0-based start, exclusive end; or give no regions, for all of it")
    wanted = None if intervals is None else {name for name, _, _ in intervals}
    absent: set[str] = set()
    for header in headers:
        absent |= set(check_reference(header, reference, wanted))
        check_index(header)
    unnamed = sum(not header.samples and header.sample_id == place(header.path).stem for header in headers)
    seen: dict[str, str] = {}
    shown = {str(sheet): str(sheet) for sheet in sheets}
    for index, (header, name) in enumerate(zip(headers, people.named(header.sample_id for header in headers), strict=True)):
        if name in seen:
            advice = "merge them (`samtools merge`), or say in a sample sheet whose they are"
            raise InputError(f"{header.path}: reads of the same person as {seen[name]}", advice)
        seen[name] = header.path
        # Files of one person each are often called by the person.
        shown[header.path] = _renamed(header.path, {header.sample_id, *header.samples}, name)
        headers[index] = replace(header, sample_id=name)
    regions = [
        region
        for header in headers
        for region in plan_regions(header, config.region_bp, [name for name in header.contigs if name not in absent], intervals)
    ]
    warehouse = Warehouse(spark, config.warehouse)
    read = {
        "reads": [place(header.path) for header in headers],
        "samples": sheets,
        "reference": [reference],
        "regions": bed,
        "sites": sites,
    }

    def work(run: Run) -> None:
        run.shown = shown
        if absent:
            run.note(contigs_not_in_reference=len(absent))
        if unnamed:
            run.note(people_named_by_file=unnamed)
        _ingest(run, config, reference, regions, headers, KnownSites(str(sites[0])) if sites else None)

    return run_about_people("ingest-reads", config, warehouse, people, work, read)


def _renamed(path: str, ids: set[str], name: str) -> str:
    called = "|".join(re.escape(one) for one in sorted(ids, key=len, reverse=True))
    return re.sub(rf"(?<![A-Za-z0-9])({called})(?![A-Za-z0-9])", name, path)


def _known_sites(config: IngestReadsConfig, reference: Path) -> list[Path]:
    if config.known_sites is None:
        return []
    if not config.recalibrate:
        raise ConfigError("known_sites are given, and recalibrate is not", "add --set recalibrate=true, or leave known_sites out")
    (path, *others) = expand([config.known_sites])
    if others:
        raise ConfigError(f"known_sites: {config.known_sites} names {1 + len(others)} files", "put all sites into one (`bcftools concat`)")
    KnownSites(str(path)).check(reference_contigs(reference))
    return [path]


def _ingest(
    run: Run, config: IngestReadsConfig, reference: Path, regions: list[Region], headers: list[AlignmentHeader], known: KnownSites | None
) -> None:
    spark = run.warehouse.spark
    contigs = [(name, index, length) for index, (name, length) in enumerate(reference_contigs(reference).items())]
    _check_same_reference(run.warehouse, config.batch, contigs)
    qualities: dict[str, BaseQuality] = {}
    if config.recalibrate:
        with step(f"ingest-reads: base qualities of {len(headers)} file(s)"):
            qualities = fit_qualities(spark, regions, str(reference), config.filters, config.recalibrate_bp, known)
    rows = pile(spark, regions, str(reference), config.filters, qualities)
    # Written once and never kept: windows are the bulk of the data.
    with step(f"ingest-reads: {len(headers)} file(s), {len(regions)} region(s)"):
        write_batch(run, "readWindows", rows, config, ["sampleId", "contigName", "start"])
    written = run.outputs[-1]
    run.note(people=len(headers), windows=written.rows)
    write_batch(run, "readQuality", read_quality(run.warehouse.written(written), qualities), config, ["sampleId"])
    _check_bases(run, reference, headers)
    names, places, lengths = ([contig[part] for contig in contigs] for part in range(3))
    run.write_small("referenceContigs", {"contigName": names, "contigIndex": places, "lengthBp": lengths})


def _check_same_reference(warehouse: Warehouse, batch: str, contigs: list[tuple[str, int, int]]) -> None:
    """Reads of all batches have to be aligned to one reference."""
    if warehouse.other_parts(f"readWindows/{batch}"):
        known = {(row["contigName"], row["contigIndex"], row["lengthBp"]) for row in warehouse.read("referenceContigs").collect()}
        if known != set(contigs):
            raise InputError(f"{warehouse.path}: other batches are aligned to another reference", "align all reads to one reference")


def _check_bases(run: Run, reference: Path, headers: list[AlignmentHeader]) -> None:
    """Names and lengths of contigs may agree where bases do not."""
    other = run.warehouse.written(run.outputs[-1]).where(f"referenceShare < {_MIN_REFERENCE_SHARE}").orderBy("referenceShare").first()
    if other is not None:
        path = next(header.path for header in headers if header.sample_id == other["sampleId"])
        raise InputError(
            f"{path}: only {other['referenceShare']:.0%} of the reads' bases are those of {reference}",
            "give the FASTA file that the reads were aligned to",
        )


def pile(
    spark: SparkSession, regions: list[Region], reference: str, filters: ReadFilters, qualities: Mapping[str, BaseQuality] | None = None
) -> DataFrame:
    """The windows of all regions, one Spark task a region."""
    fitted = qualities or {}

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for index in batch.column("id").to_pylist():
                found = fitted.get(regions[index].sample_id)
                yield rows_of(regions[index], reference, filters, found.recalibration if found else None)

    return spark.range(0, len(regions), 1, numPartitions=len(regions)).mapInArrow(work, _ROWS)


def rows_of(region: Region, reference: str, filters: ReadFilters, recalibration: Recalibration | None = None) -> pa.RecordBatch:
    """The windows of a region, and in the first of them what became of its reads."""
    found = pile_up(region, reference, filters, recalibration)
    tensors = windows(found)
    starts = range(region.start, region.end, WINDOW_BP)
    indels: list[list[tuple[int, int, str, str]]] = [[] for _ in starts]
    seen = found.candidates
    for entry in zip(seen.position.tolist(), seen.rank.tolist(), seen.reference.tolist(), seen.alternate.tolist(), strict=True):
        indels[(entry[0] - region.start) // WINDOW_BP].append(entry)
    counts = {"reads": found.reads, "low": found.bases_below_quality, "mates": found.bases_of_mates, "bases": found.bases}
    counts |= {"matching": found.bases_of_reference, "inserts": found.inserts.tolist()}
    counts |= {name: np.asarray(value).tolist() for name, value in found.sums.items()}
    n = len(starts)
    columns = [
        pa.array([region.sample_id] * n),
        pa.array([region.contig_name] * n),
        pa.array(list(starts), pa.int64()),
        pa.array([tensor.tobytes() for tensor in tensors], pa.binary()),
        pa.array([[dict(zip(_INDEL_NAMES, entry, strict=True)) for entry in window] for window in indels], pa.list_(_INDEL_TYPE)),
        pa.array([json.dumps(counts | {"positions": len(found.tensor)}), *[None] * (n - 1)], pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, ["sampleId", "contigName", "start", "pileup", "indels", "regionQuality"])
