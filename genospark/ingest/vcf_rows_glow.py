"""Variants with genotypes read by Glow; lines and sites are checked by the native engine first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from genospark.core import delta
from genospark.core.calls import MISSING, pack
from genospark.errors import InputError
from genospark.ingest.blocks import KEY, choose
from genospark.ingest.vcf import PARSED_SCHEMA, Split
from genospark.ingest.vcf.full.declared import SITE_SCHEMA
from genospark.ingest.vcf.genotypes import Calls
from genospark.ingest.vcf.parse import block_columns
from genospark.ingest.vcf_glow import glow_session, repaired
from genospark.ingest.vcf_landing import Target, land
from genospark.ingest.vcf_rows import SCHEMA, Columns, Place, Source, check_lines, landed_row

_CELLS = 1 << 19
"""Genotypes that go from Spark to Python at once."""
_NO_CALL, _ABSENT = -1, -2
_PLOIDY = "take engine native, which keeps such calls as missing and counts them, or make them diploid (`bcftools +fixploidy`)"
_RAW = pa.schema([*SITE_SCHEMA, ("genotypes", pa.list_(pa.struct([("calls", pa.list_(pa.int32()))])))])


def by_glow(spark: SparkSession, splits: list[Split], people: list[Columns], split_bytes: int) -> Source:
    """The lines of pieces of VCFs, by Glow; `line` and `split` say nothing of variants but their file.

    Args:
        spark: Session with Glow's jars.
        splits: Pieces of all files.
        people: For each, which sample set its file belongs to, and which of its people.
        split_bytes: Compressed bytes that one task reads.

    Raises:
        InputError: When variants land: a line has columns too many or too few, or a site cannot be read.
    """
    reader = glow_session(spark)
    most = max(1, *(split.n_samples for split in splits))
    reader.conf.set("spark.sql.files.maxPartitionBytes", str(split_bytes))
    reader.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(max(16, _CELLS // most)))
    firsts = {split.path: number for number, split in reversed(list(enumerate(splits)))}
    rows = reduce(DataFrame.unionByName, (_variants(reader, splits[first], people[first], first) for first in firsts.values()))

    def land_all(target: Target, left_out: frozenset[Place]) -> DataFrame:
        assert not left_out, "Glow does not say which line a record is"
        checked = check_lines(spark, splits).collect()

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            # A partition is of one file.
            begun = iter(batches)
            first = next(begun, None)
            task = TaskContext.get()
            if first is not None and task is not None:
                own = first.column("sampleSet")[0].as_py()
                yield landed_row(land(chain([first], begun), task.partitionId(), own, target))

        landed = rows.mapInArrow(work, from_arrow_schema(SCHEMA))
        return landed.unionByName(landed.sparkSession.createDataFrame(checked, landed.schema))

    return Source(land_all, lambda: rows.select(*KEY, "line", "sampleSet", "split"))


def _variants(reader: SparkSession, split: Split, people: Columns, number: int) -> DataFrame:
    own, columns = people
    n = split.n_samples

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in batches:
            rows = parsed_rows(batch, n, done)
            done += len(batch)
            yield rows if columns is None else choose(rows, columns, n)

    raw = reader.read.format("vcf").schema(from_arrow_schema(_RAW)).load(delta.for_reader(split.path))
    rows = repaired(raw).mapInArrow(work, from_arrow_schema(PARSED_SCHEMA))
    return rows.withColumn("sampleSet", f.lit(own)).withColumn("split", f.lit(number))


def parsed_rows(batch: pa.RecordBatch, n: int, done: int) -> pa.RecordBatch:
    """Records of Glow's reader as rows of ``PARSED_SCHEMA``, one per alternate allele.

    Args:
        batch: Columns of a site and `genotypes` with `calls`.
        n: Columns.
        done: Records of the partition before these.

    Raises:
        InputError: A genotype has more than two alleles, or an allele that ALT has not.
    """
    alternates = _empty_where_null(batch.column("alternateAlleles"))
    n_alternates = np.diff(alternates.offsets.to_numpy()).astype(np.int64)
    record = np.repeat(np.arange(len(batch)), np.maximum(n_alternates, 1))
    stops = np.cumsum(np.maximum(n_alternates, 1))
    allele = np.arange(len(record)) - (stops - np.maximum(n_alternates, 1))[record] + 1
    pairs = _pairs(batch, n)
    _check(batch, pairs, n_alternates)
    missing = (pairs[..., 0] == _NO_CALL) | (pairs[..., 1] == _NO_CALL)
    haploid = pairs[..., 1] == _ABSENT
    codes = (pairs[record] == allele[:, None, None]).sum(axis=2).astype(np.uint8)
    codes[missing[record]] = MISSING
    rows = np.flatnonzero(haploid.any(axis=1)[record])
    calls = Calls(pack(codes), rows, np.packbits(haploid[record[rows]], axis=1, bitorder="little"))
    take = pa.array(record)
    offsets = np.concatenate([[0], np.cumsum(n_alternates[record] > 0)]).astype(np.int32)
    made = {
        **{name: batch.column(name).take(take) for name in ("contigName", "start", "end", "referenceAllele", "qual")},
        **{name: _empty_where_null(batch.column(name)).take(take) for name in ("names", "filters")},
        "alternateAlleles": pa.ListArray.from_arrays(pa.array(offsets), alternates.flatten()),
        "splitFromMultiAllelic": pa.array(n_alternates[record] > 1),
        **block_columns(calls, n),
        "line": pa.array(record + done),
    }
    return pa.record_batch([made[field.name].cast(field.type) for field in PARSED_SCHEMA], schema=PARSED_SCHEMA)


def _empty_where_null(lists: pa.ListArray) -> pa.ListArray:
    # Null lists have no length: without the validity bits they are empty lists.
    return pa.ListArray.from_arrays(lists.offsets, lists.values)


def _pairs(batch: pa.RecordBatch, n: int) -> NDArray[np.int32]:
    """(records, people, 2) alleles, -1 for a missing one; the second of a haploid genotype is ``_ABSENT``."""
    if not n:
        return np.zeros((len(batch), 0, 2), np.int32)
    calls = batch.column("genotypes").flatten().field("calls")
    offsets = calls.offsets.to_numpy()
    counts = np.diff(offsets).reshape(len(batch), n)
    if (counts > 2).any():
        record = int((counts > 2).any(axis=1).argmax())
        what = "a genotype has more than two alleles (ploidy above 2), which calls by Glow have no room for"
        raise InputError(f"{_place(batch, record)}: {what}", _PLOIDY)
    alleles: NDArray[np.int32] = calls.flatten().to_numpy(zero_copy_only=False).astype(np.int32)
    if (counts == 2).all():
        return alleles.reshape(len(batch), n, 2)
    pairs = np.full((counts.size, 2), _ABSENT, np.int32)
    first = offsets[:-1] - offsets[0]
    there = counts.ravel() > 0
    pairs[there, 0] = alleles[first[there]]
    pairs[~there] = _NO_CALL
    two = counts.ravel() == 2
    pairs[two, 1] = alleles[first[two] + 1]
    return pairs.reshape(len(batch), n, 2)


def _check(batch: pa.RecordBatch, pairs: NDArray[np.int32], n_alternates: NDArray[np.int64]) -> None:
    wrong = (pairs > n_alternates[:, None, None]).any(axis=(1, 2))
    if wrong.any():
        step = "correct the genotype or ALT, or leave the record out"
        raise InputError(f"{_place(batch, int(wrong.argmax()))}: a genotype has an allele that ALT has not", step)


def _place(batch: pa.RecordBatch, record: int) -> str:
    return f"{batch.column('contigName')[record]}:{batch.column('start')[record].as_py() + 1}"
