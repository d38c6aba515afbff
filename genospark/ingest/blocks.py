"""Packed blocks of people cut anew: chosen columns of a parsed file, people taken out of a block, blocks put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.blocks import gather, gather_field, numbers, widened
from genospark.core.calls import MISSING, NUMBERS, SAMPLE_BLOCK, Bytes, nothing, pack, packed_rows, unpack
from genospark.core.tallies import TALLIES
from genospark.ingest.vcf.genotypes import Calls
from genospark.ingest.vcf.parse import BLOCK, KEPT, PARSED_SCHEMA, block_columns

KEY = ["contigName", "start", "referenceAllele", "alternateAlleles"]
TALLY_SUMS = list(TALLIES)


@dataclass
class Wide:
    """Calls of people side by side, (rows, people) each.

    Attributes:
        codes: As in ``core.calls``.
        haploid: Which are of one allele.
        phase: 2 bits as in ``Calls``, one byte each.
        numbers: As in ``Calls``; only those columns of which something is known.
    """

    codes: Bytes
    haploid: NDArray[np.bool_]
    phase: Bytes
    numbers: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, entries: pa.StructArray | pa.RecordBatch, n: int) -> Wide:
        """Of one block of `n` people, whose entries have the fields of ``BLOCK``; older tables lack those that may be kept."""

        def field(name: str) -> pa.BinaryArray:
            if isinstance(entries, pa.StructArray):
                return entries.field(name)
            return entries.column(name) if name in entries.schema.names else pa.nulls(len(entries), pa.binary())

        codes = unpack(packed_rows(field("calls").to_pylist()), n)
        kept = {name: numbers(found, n, name) for name in NUMBERS if _any_known(found := field(name))}
        return cls(codes, haploid_bits(field("haploid"), n), phases(field("phase"), n), kept)

    @classmethod
    def side_by_side(cls, parts: list[Wide]) -> Wide:
        """The people of several blocks, one after another."""
        kept = {
            name: np.hstack([part.numbers.get(name, np.full(part.codes.shape, nothing(name), NUMBERS[name])) for part in parts])
            for name in NUMBERS
            if any(name in part.numbers for part in parts)
        }
        codes, haploid, phase = (np.hstack([getattr(part, name) for part in parts]) for name in ("codes", "haploid", "phase"))
        return cls(codes, haploid, phase, kept)

    def take(self, columns: NDArray[np.int64]) -> Wide:
        """Some of the people, in another order."""
        kept = {name: values[:, columns] for name, values in self.numbers.items()}
        return Wide(self.codes[:, columns], self.haploid[:, columns], self.phase[:, columns], kept)

    def leave_out(self, columns: NDArray[np.int64]) -> None:
        """Makes all that is known of some people missing."""
        self.codes[:, columns], self.haploid[:, columns], self.phase[:, columns] = MISSING, False, 0
        for name, values in self.numbers.items():
            values[:, columns] = nothing(name)

    def packed(self) -> Calls:
        """The same, packed."""
        rows = np.flatnonzero(self.haploid.any(axis=1))
        bits = np.packbits(self.haploid[rows], axis=1, bitorder="little")
        phase = pack(np.ascontiguousarray(self.phase)) if self.phase.any() else None
        return Calls(pack(np.ascontiguousarray(self.codes)), rows, bits, phase, self.numbers)


def choose(batch: pa.RecordBatch, columns: NDArray[np.int64], n: int) -> pa.RecordBatch:
    """Parsed rows with some of the file's people, in another order.

    Args:
        batch: Rows of ``PARSED_SCHEMA``.
        columns: Places of the chosen people among the file's.
        n: People of the file.
    """
    rows = len(batch)
    entries = batch.column("blocks").flatten()
    per_row = -(-n // SAMPLE_BLOCK)
    parts = [
        Wide.of(entries.take(pa.array(np.arange(rows) * per_row + block)), min(SAMPLE_BLOCK, n - block * SAMPLE_BLOCK))
        for block in range(per_row)
    ]
    made = block_columns(Wide.side_by_side(parts).take(columns).packed(), len(columns))
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
                calls = Wide.of(part, 4 * len(part.column("calls")[0].as_py()))
                calls.leave_out(gone[block])
                yield with_blocks(part, calls)

    changed = genotypes.select(*columns).where(f.col("sampleBlock").isin(list(gone))).mapInArrow(work, schema)
    return untouched.unionByName(changed)


def with_blocks(rows: pa.RecordBatch, calls: Wide) -> pa.RecordBatch:
    """Rows of ``genotypes`` with other calls, and the counts of these."""
    made = block_columns(calls.packed(), calls.codes.shape[1])["blocks"].flatten()
    names = [field.name for field in BLOCK]
    return pa.record_batch([made.field(name) if name in names else rows.column(name) for name in rows.schema.names], rows.schema.names)


def haploid_bits(bits: pa.BinaryArray, n: int) -> NDArray[np.bool_]:
    """(rows, n) whose calls are of one allele; none where a row is null."""

    def widen(packed: Bytes) -> Bytes:
        return np.unpackbits(packed, axis=1, bitorder="little")

    return widened(bits, n, widen, 0, np.uint8).view(bool)


def _any_known(values: pa.BinaryArray) -> bool:
    return bool(values.null_count < len(values))


def phases(values: pa.BinaryArray, n: int) -> Bytes:
    """(rows, n) what is known of phase; nothing where a row is null."""
    return widened(values, n, lambda rows: unpack(rows, 4 * rows.shape[1]), 0, np.uint8)


def gather_wide(blocks: pa.ListArray, columns: NDArray[np.int64]) -> Wide:
    """Everything that blocks say of chosen people; see ``core.blocks.gather``."""

    def of(field: str, widen: Callable[[pa.BinaryArray, int], NDArray[Any]], missing: int, dtype: Any = np.uint8) -> NDArray[Any]:
        return gather_field(blocks, field, lambda values: widen(values, SAMPLE_BLOCK), columns, missing, dtype)

    haploid, entries = of("haploid", haploid_bits, 0).view(bool), blocks.flatten()
    kept = {
        name: of(name, partial(numbers, column=name), nothing(name), dtype)
        for name, dtype in NUMBERS.items()
        if _any_known(entries.field(name))
    }
    return Wide(gather(blocks, columns), haploid, of("phase", phases, 0), kept)


def repacked(batch: pa.RecordBatch, columns: NDArray[np.int64], first: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows of ``genotypes``, a batch of them a block, in which chosen people stand one after another.

    Args:
        batch: Variants with `blocks`, a list of structs: sampleBlock, calls, haploid and ``KEPT``.
        columns: `sampleIndex` of the people, in their new order.
        first: Number of the first new block.
        schema: Columns of the result.
    """
    blocks = batch.column("blocks")
    for number, start in enumerate(range(0, len(columns), SAMPLE_BLOCK)):
        wanted = columns[start : start + SAMPLE_BLOCK]
        made = block_columns(gather_wide(blocks, wanted).packed(), len(wanted))["blocks"].flatten()
        numbers = {"sampleBlock": pa.array(np.full(len(batch), first + number, np.int32))}
        found = {name: made.field(name) for name in ("calls", "haploid", *KEPT, *TALLY_SUMS)} | numbers
        columns_of = [found[field.name] if field.name in found else batch.column(field.name) for field in schema]
        yield pa.record_batch([column.cast(field.type) for column, field in zip(columns_of, schema, strict=True)], schema=schema)
