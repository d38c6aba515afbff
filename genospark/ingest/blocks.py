"""Packed blocks of people cut anew: chosen columns of a parsed file, people taken out of a block, blocks put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.blocks import gather, gather_field
from genospark.core.calls import MISSING, SAMPLE_BLOCK, Bytes, pack, packed_rows, unpack
from genospark.ingest.vcf.genotypes import Calls
from genospark.ingest.vcf.parse import BLOCK, PARSED_SCHEMA, block_columns

KEY = ["contigName", "start", "referenceAllele", "alternateAlleles"]
TALLY_SUMS = [field.name for field in BLOCK if field.name not in ("calls", "haploid")]


def choose(batch: pa.RecordBatch, columns: NDArray[np.int64], n: int) -> pa.RecordBatch:
    """Parsed rows with some of the file's people, in another order.

    Args:
        batch: Rows of ``PARSED_SCHEMA``.
        columns: Places of the chosen people among the file's.
        n: People of the file.
    """
    rows = len(batch)
    entries = batch.column("blocks").flatten()
    codes = np.empty((rows, 0), np.uint8)
    haploid = np.empty((rows, 0), bool)
    per_row = -(-n // SAMPLE_BLOCK)
    for block in range(per_row):
        here = entries.take(pa.array(np.arange(rows) * per_row + block))
        size = min(SAMPLE_BLOCK, n - block * SAMPLE_BLOCK)
        codes = np.hstack([codes, unpack(packed_rows(here.field("calls").to_pylist()), size)])
        haploid = np.hstack([haploid, _haploid(here.field("haploid"), size)])
    made = block_columns(_calls(codes[:, columns], haploid[:, columns]), len(columns))
    return pa.record_batch(
        [made[field.name].cast(field.type) if field.name in made else batch.column(field.name) for field in PARSED_SCHEMA],
        schema=PARSED_SCHEMA,
    )


def clear(genotypes: DataFrame, gone: dict[int, NDArray[np.int64]]) -> DataFrame:
    """Rows of ``genotypes`` in which the calls of some people are missing; counts follow.

    Args:
        genotypes: Rows.
        gone: For a block the places of these people in it.
    """
    columns = [name for name in genotypes.columns if name != "runId"]
    schema = genotypes.select(*columns).schema
    untouched = genotypes.select(*columns).where(~f.col("sampleBlock").isin(list(gone)))

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for block in np.unique(batch.column("sampleBlock").to_numpy()).tolist():
                part = batch.filter(pa.array(batch.column("sampleBlock").to_numpy() == block))
                packed = packed_rows(part.column("calls").to_pylist())
                codes = unpack(packed, 4 * packed.shape[1])
                haploid = _haploid(part.column("haploid"), codes.shape[1])
                codes[:, gone[block]] = MISSING
                haploid[:, gone[block]] = False
                yield with_blocks(part, codes, haploid)

    changed = genotypes.select(*columns).where(f.col("sampleBlock").isin(list(gone))).mapInArrow(work, schema)
    return untouched.unionByName(changed)


def with_blocks(rows: pa.RecordBatch, codes: Bytes, haploid: NDArray[np.bool_]) -> pa.RecordBatch:
    """Rows of ``genotypes`` with other calls, and the counts of these."""
    made = block_columns(_calls(codes, haploid), codes.shape[1])["blocks"].flatten()
    names = [field.name for field in BLOCK]
    return pa.record_batch([made.field(name) if name in names else rows.column(name) for name in rows.schema.names], rows.schema.names)


def _haploid(bits: pa.BinaryArray, n: int) -> NDArray[np.bool_]:
    """(rows, n) whose calls are of one allele; none where a row is null."""
    found = np.zeros((len(bits), n), bool)
    rows = np.flatnonzero(bits.is_valid().to_numpy(zero_copy_only=False))
    if len(rows):
        packed = packed_rows(bits.take(pa.array(rows)).to_pylist())
        unpacked = np.unpackbits(packed, axis=1, bitorder="little")[:, :n]
        found[rows, : unpacked.shape[1]] = unpacked.view(bool)
    return found


def _calls(codes: Bytes, haploid: NDArray[np.bool_]) -> Calls:
    codes = np.ascontiguousarray(codes)
    rows = np.flatnonzero(haploid.any(axis=1))
    return Calls(pack(codes), rows, np.packbits(haploid[rows], axis=1, bitorder="little"))


def repacked(batch: pa.RecordBatch, columns: NDArray[np.int64], first: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows of ``genotypes``, a batch of them a block, in which chosen people stand one after another.

    Args:
        batch: Variants with `blocks`, a list of structs (sampleBlock, calls, haploid).
        columns: `sampleIndex` of the people, in their new order.
        first: Number of the first new block.
        schema: Columns of the result.
    """
    blocks = batch.column("blocks")
    for number, start in enumerate(range(0, len(columns), SAMPLE_BLOCK)):
        wanted = columns[start : start + SAMPLE_BLOCK]
        codes = gather(blocks, wanted)
        haploid = gather_field(blocks, "haploid", lambda bits: _haploid(bits, SAMPLE_BLOCK), wanted, 0).view(bool)
        made = block_columns(_calls(codes, haploid), len(wanted))["blocks"].flatten()
        numbers = {"sampleBlock": pa.array(np.full(len(batch), first + number, np.int32))}
        found = {name: made.field(name) for name in ("calls", "haploid", *TALLY_SUMS)} | numbers
        columns_of = [found[field.name] if field.name in found else batch.column(field.name) for field in schema]
        yield pa.record_batch([column.cast(field.type) for column, field in zip(columns_of, schema, strict=True)], schema=schema)
