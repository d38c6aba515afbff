"""Records of files in Spark: variants land in the tables' files, one task a piece; bad records and what pieces are found to be are rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from genospark.errors import InputError
from genospark.ingest import genotype_files
from genospark.ingest.blocks import KEY, choose
from genospark.ingest.genotype_files import Header, Piece
from genospark.ingest.on_reference import OnReference
from genospark.ingest.vcf import PARSED_SCHEMA, Findings, Split
from genospark.ingest.vcf_landing import Landed, Target, land

# Which sample set a split's file belongs to, and which of its people, in which order (None: all of them).
Columns = tuple[int, NDArray[np.int64] | None]
Place = tuple[int, int]
"""Number of a split, and of a line in it, from 0."""
REPEATED = "a variant that stands on an earlier line too"
# In a sample set: other people may have the same variant.
_KEY = [*KEY, "sampleSet"]
_BAD = pa.struct([("columnName", pa.string()), ("reason", pa.string()), ("content", pa.string())])
_COUNTS = pa.map_(pa.string(), pa.int64())
_TALLY = pa.struct([(name, pa.int64()) for name in ("lines", "records")] + [(name, _COUNTS) for name in ("reasons", "warnings", "contigs")])
# A row is the key of a variant, a bad line (`bad`), what a task has written (`landed`), or the last of its split (`tally`).
_EXTRA = [("sampleSet", pa.int32()), ("split", pa.int32()), ("bad", _BAD), ("landed", pa.string()), ("tally", _TALLY)]
SCHEMA = pa.schema([*(PARSED_SCHEMA.field(name).with_nullable(True) for name in (*KEY, "line")), *_EXTRA])
_Use = Callable[[Iterator[pa.RecordBatch], int, int], Iterator[pa.RecordBatch]]
"""What becomes of the variants of a split, given its number and its sample set: rows of ``SCHEMA``."""


@dataclass(frozen=True)
class Tally:
    """What a split was found to be.

    Attributes:
        split: Its number.
        lines: Lines.
        records: Records, bad ones included.
        reasons: Bad records by reason.
        warnings: Findings that touch no stored value.
        contigs: Last position (0-based) on each contig.
    """

    split: int
    lines: int
    records: int
    reasons: dict[str, int]
    warnings: dict[str, int]
    contigs: dict[str, int]


@dataclass(frozen=True)
class Repeat:
    """A line with a variant that an earlier line has too.

    Attributes:
        split: Number of its split.
        line: Number of the line in the split, from 0.
        content: What may be shown of it.
    """

    split: int
    line: int
    content: str


@dataclass(frozen=True)
class Source:
    """The lines of all pieces, whatever reads them.

    Attributes:
        land: Writes their variants, but those of lines that are to be left out; returns rows of ``SCHEMA``: what was written, one row for
            each piece, and one for each bad line that is put aside.
        keys: Rows of ``SCHEMA`` with the key of each variant, and where it stands; the pieces are read once more for them.
    """

    land: Callable[[Target, frozenset[Place]], DataFrame]
    keys: Callable[[], DataFrame]


def native(
    spark: SparkSession, splits: list[Piece], people: list[Columns], quarantine: bool, reference: OnReference | None = None
) -> Source:
    """The lines of pieces, by our engines, one Spark task a piece.

    Args:
        spark: Session.
        splits: Pieces of all files.
        people: For each, which sample set its file belongs to, and which of its people.
        quarantine: Whether bad lines are put aside.
        reference: What is done with a reference.
    """

    def land_all(target: Target, left_out: frozenset[Place]) -> DataFrame:
        def use(batches: Iterator[pa.RecordBatch], index: int, own: int) -> Iterator[pa.RecordBatch]:
            gone = pa.array([line for split, line in left_out if split == index], pa.int64())
            kept = (batch.filter(pc.invert(pc.is_in(batch.column("line"), gone))) for batch in batches) if len(gone) else batches
            yield landed_row(land(kept, index, own, target))

        return _lines(spark, splits, people, quarantine, use, reference)

    def keys() -> DataFrame:
        return _lines(spark, splits, people, quarantine, _keys, reference).where("tally is null and bad is null")

    return Source(land_all, keys)


def landed_row(landed: Landed) -> pa.RecordBatch:
    """What a task has written, as a row of ``SCHEMA``."""
    return _as_rows([{"landed": landed.as_text()}])


def _as_rows(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, SCHEMA)


def _keys(batches: Iterator[pa.RecordBatch], index: int, own: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        n = batch.num_rows
        known = {"sampleSet": pa.array(np.full(n, own, np.int32)), "split": pa.array(np.full(n, index, np.int32))}
        known |= {name: batch.column(name) for name in (*KEY, "line")}
        yield pa.RecordBatch.from_arrays([known.get(entry.name, pa.nulls(n, entry.type)) for entry in SCHEMA], schema=SCHEMA)


def check_lines(spark: SparkSession, splits: list[Split]) -> DataFrame:
    """Reads the lines and sites of pieces of VCFs, and nobody's genotypes: a row of ``SCHEMA`` for each piece."""
    without: list[Piece] = [replace(split, n_samples=0) for split in splits]
    return _lines(spark, without, [(0, None)] * len(splits), False, _nothing)


def _nothing(batches: Iterator[pa.RecordBatch], *_: int) -> Iterator[pa.RecordBatch]:
    for _batch in batches:
        pass
    return iter(())


def _lines(
    spark: SparkSession, splits: list[Piece], people: list[Columns], quarantine: bool, use: _Use, reference: OnReference | None = None
) -> DataFrame:
    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for index in batch.column("id").to_pylist():
                yield from _rows(splits[index], people[index], index, quarantine, use, reference)

    ids = spark.range(0, len(splits), 1, numPartitions=len(splits))
    return ids.mapInArrow(work, from_arrow_schema(SCHEMA))


def _rows(
    split: Piece, people: Columns, index: int, quarantine: bool, use: _Use, reference: OnReference | None
) -> Iterator[pa.RecordBatch]:
    found = Findings()
    own, columns = people
    batches = genotype_files.parse(split, found, quarantine)
    if reference:
        batches = reference.rows(batches, split.path, found, quarantine)
    yield from use(batches if columns is None else (choose(batch, columns, split.n_samples) for batch in batches), index, own)
    bad = [
        {"split": index, "line": entry.line, "bad": {"columnName": entry.column, "reason": entry.reason, "content": entry.content}}
        for entry in found.bad
    ]
    counts = {"reasons": Counter(entry.reason for entry in found.bad), "warnings": found.warnings, "contigs": found.contigs}
    tally = {"lines": found.lines, "records": found.records} | {name: list(n.items()) for name, n in counts.items()}
    yield _as_rows([*bad, {"split": index, "tally": tally}])


def reported(lines: DataFrame) -> tuple[list[Tally], list[Landed]]:
    """What the splits were found to be, and what was written of them, both in the splits' order."""
    rows = lines.where("tally is not null or landed is not null").select("split", "tally", "landed").collect()
    tallies = [Tally(row["split"], **row["tally"].asDict()) for row in rows if row["tally"]]
    landed = [Landed.from_text(row["landed"]) for row in rows if row["landed"]]
    return sorted(tallies, key=lambda tally: tally.split), sorted(landed, key=lambda entry: entry.number)


def repeats(rows: DataFrame, quarantine: bool) -> list[Repeat]:
    """Lines with a variant that stands twice, which would be two features with one name; the first line with it stays.

    Args:
        rows: The keys of all variants.
        quarantine: Whether such lines are to be left out.

    Raises:
        InputError: There is one, and `quarantine` is not given.
    """
    several = rows.groupBy(*_KEY).count().where("count > 1")
    if not quarantine:
        _refuse(several.limit(1).collect())
        return []
    keys = several.drop("count").collect()
    if not keys:
        return []
    key_rows = rows.sparkSession.createDataFrame(keys, rows.select(*_KEY).schema)
    found = rows.select("split", "line", *_KEY).join(f.broadcast(key_rows), _KEY).orderBy("split", "line").collect()
    taken: dict[tuple[Any, ...], tuple[int, int]] = {}
    again: dict[tuple[int, int], Repeat] = {}
    places: dict[tuple[int, int], list[Any]] = {}
    for row in found:
        places.setdefault((row["split"], row["line"]), []).append(row)
    # A line goes with all its alleles, and what it had may then stay on a later one.
    for place, alleles in places.items():
        named = [(row["sampleSet"], row["contigName"], row["start"], row["referenceAllele"], *row["alternateAlleles"]) for row in alleles]
        if any(key in taken for key in named) or len(set(named)) < len(named):
            _, contig, start, reference, *alternate = named[0]
            again[place] = Repeat(*place, f"{contig}\t{start + 1}\t.\t{reference}\t{','.join(alternate) or '.'}"[:200])
        else:
            taken |= dict.fromkeys(named, place)
    return list(again.values())


def _refuse(twice: list[Any]) -> None:
    if twice:
        row = twice[0]
        alleles = f"{row['referenceAllele']}>{','.join(row['alternateAlleles'])}"
        raise InputError(
            f"{row['contigName']}:{row['start'] + 1} {alleles}: the variant stands {row['count']} times in the input",
            "drop duplicates with `bcftools norm -d exact`",
        )


def bad_lines(
    lines: DataFrame, stage: str, headers: list[Header], splits: list[Piece], tallies: list[Tally], left_out: list[Repeat]
) -> DataFrame:
    """Rows of ``quarantine``, with the lines' numbers in their files."""
    spark = lines.sparkSession
    next_line = {header.path: header.data_line for header in headers}
    begins = []
    for split, tally in zip(splits, tallies, strict=True):
        begins.append((tally.split, split.path, next_line[split.path]))
        next_line[split.path] += tally.lines
    bad = lines.where("bad is not null").select("split", "line", "bad.*")
    if left_out:
        repeated = [(repeat.split, repeat.line, "", REPEATED, repeat.content) for repeat in left_out]
        bad = bad.unionByName(spark.createDataFrame(repeated, bad.schema))
    placed = bad.join(f.broadcast(spark.createDataFrame(begins, "split int, path string, begin bigint")), "split")
    return placed.select(f.lit(stage).alias("stage"), "path", f.expr("begin + line").alias("line"), "columnName", "reason", "content")
