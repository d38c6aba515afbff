"""Records of files as rows of Spark: variants, bad lines, and what each split was found to be, all in one pass over the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from genospark.errors import InputError
from genospark.ingest import genotype_files
from genospark.ingest.blocks import choose
from genospark.ingest.genotype_files import Header, Piece
from genospark.ingest.on_reference import OnReference
from genospark.ingest.vcf import PARSED_SCHEMA, Findings

# In a sample set: other people may have the same variant.
_KEY = ["contigName", "start", "referenceAllele", "alternateAlleles", "sampleSet"]
# Which sample set a split's file belongs to, and which of its people, in which order (None: all of them).
Columns = tuple[int, NDArray[np.int64] | None]
REPEATED = "a variant that stands on an earlier line too"
_BAD = pa.struct([("columnName", pa.string()), ("reason", pa.string()), ("content", pa.string())])
_COUNTS = pa.map_(pa.string(), pa.int64())
_TALLY = pa.struct(
    [(name, pa.int64()) for name in ("rows", "lines", "records")] + [(name, _COUNTS) for name in ("reasons", "warnings", "contigs")]
)
# A row is a variant, a bad line (`bad`), or the last of its split (`tally`).
_EXTRA = [("sampleSet", pa.int32()), ("split", pa.int32()), ("bad", _BAD), ("tally", _TALLY)]
_SCHEMA = pa.schema([*(field.with_nullable(True) for field in PARSED_SCHEMA), *_EXTRA])


@dataclass(frozen=True)
class Tally:
    """What a split was found to be.

    Attributes:
        split: Its number.
        rows: Variants.
        lines: Lines.
        records: Records, bad ones included.
        reasons: Bad records by reason.
        warnings: Findings that touch no stored value.
        contigs: Last position (0-based) on each contig.
    """

    split: int
    rows: int
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


def parse(
    spark: SparkSession, splits: list[Piece], people: list[Columns], quarantine: bool, reference: OnReference | None = None
) -> DataFrame:
    """The lines of all splits, one Spark task a split.

    Returns:
        One row per biallelic variant and sample set with the columns of ``variants``, `blocks` (an array of what ``genotypes`` says of each
        16,384 people), `line` (of the split, from 0), `sampleSet` and `split`; with `quarantine`, one per bad line; and one per split.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for index in batch.column("id").to_pylist():
                yield from _rows(splits[index], people[index], index, quarantine, reference)

    ids = spark.range(0, len(splits), 1, numPartitions=len(splits))
    return ids.mapInArrow(work, from_arrow_schema(_SCHEMA))


def _rows(split: Piece, people: Columns, index: int, quarantine: bool, reference: OnReference | None) -> Iterator[pa.RecordBatch]:
    found, rows = Findings(), 0
    own, columns = people
    batches = genotype_files.parse(split, found, quarantine)
    for batch in reference.rows(batches, split.path, found, quarantine) if reference else batches:
        rows += batch.num_rows
        n = batch.num_rows
        if columns is not None:
            batch = choose(batch, columns, split.n_samples)
        numbers = [pa.array(np.full(n, number, np.int32)) for number in (own, index)]
        extra = [*numbers, pa.nulls(n, _BAD), pa.nulls(n, _TALLY)]
        yield pa.RecordBatch.from_arrays([*batch.columns, *extra], schema=_SCHEMA)
    bad = [
        {"split": index, "line": entry.line, "bad": {"columnName": entry.column, "reason": entry.reason, "content": entry.content}}
        for entry in found.bad
    ]
    counts = {"reasons": Counter(entry.reason for entry in found.bad), "warnings": found.warnings, "contigs": found.contigs}
    tally = {"rows": rows, "lines": found.lines, "records": found.records} | {name: list(n.items()) for name, n in counts.items()}
    yield from pa.Table.from_pylist([*bad, {"split": index, "tally": tally}], _SCHEMA).to_batches()


def tallied(lines: DataFrame) -> list[Tally]:
    """What the splits were found to be, in their order."""
    rows = lines.where("tally is not null").select("split", "tally.*").collect()
    return sorted((Tally(**row.asDict()) for row in rows), key=lambda tally: tally.split)


def variants(lines: DataFrame) -> DataFrame:
    """The rows that are variants."""
    return lines.where("tally is null and bad is null").drop("tally", "bad")


def repeats(rows: DataFrame, quarantine: bool) -> list[Repeat]:
    """Lines with a variant that stands twice, which would be two features with one name; the first line with it stays.

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


def without(rows: DataFrame, left_out: list[Repeat]) -> DataFrame:
    """The rows of other lines."""
    if not left_out:
        return rows
    places = rows.sparkSession.createDataFrame([(repeat.split, repeat.line) for repeat in left_out], "split int, line bigint")
    return rows.join(f.broadcast(places), ["split", "line"], "left_anti")


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
