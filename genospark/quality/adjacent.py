"""Blocks of people of a variant that stand next to each other in ``genotypes``, put together where they are read.

Stages that read files write a variant's blocks one after the other, and whole variants into a row group. So no calls need to go from one
task to another, as they have to where batches of other people are beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

_LOCUS = ["contigName", "start", "end", "referenceAllele", "alternateAlleles"]
_KEY = ["contigName", "start", "referenceAllele"]


def stand_together(genotypes: DataFrame, blocks: tuple[int, ...]) -> bool:
    """Whether all blocks of each variant follow each other, and no task has but some of them.

    Args:
        genotypes: Rows of ``genotypes``.
        blocks: Numbers of the blocks that a variant has.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        before: pa.RecordBatch | None = None
        place, good = 0, True
        for batch in filter(len, batches):
            good &= bool((batch.column("sampleBlock").to_numpy() == np.resize(blocks, place + len(batch))[place:]).all())
            rows = pa.Table.from_batches([batch] if before is None else [before, batch])
            # The first of a variant's blocks may follow another variant's.
            later = np.arange(place + (before is None), place + len(batch)) % len(blocks) != 0
            good &= all(bool(_same(rows.column(name))[later].all()) for name in (*_KEY, "alternate"))
            before, place = batch.slice(len(batch) - 1), (place + len(batch)) % len(blocks)
            if not good:
                break
        yield pa.RecordBatch.from_pydict({"good": [good and place == 0]})

    keys = genotypes.selectExpr(*_KEY, "alternateAlleles[0] as alternate", "sampleBlock")
    return all(row[0] for row in keys.mapInArrow(work, "good boolean").collect())


def _same(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which values but the first are as the one before."""
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = pc.equal(column[1:], column[:-1]).to_numpy()
    return found


def together(genotypes: DataFrame, n_blocks: int, columns: list[str]) -> DataFrame:
    """One row a variant, of blocks that stand together.

    Args:
        genotypes: Rows of ``genotypes``.
        n_blocks: Blocks of a variant.
        columns: What is taken of each block.

    Returns:
        contigName, start, end, referenceAllele, alternateAlleles and `blocks`, structs with the columns.
    """
    rows = genotypes.select(*_LOCUS, *columns)
    types = {field.name: field.dataType.simpleString() for field in rows.schema}
    of_block = ", ".join(f"{name}: {types[name]}" for name in columns)
    schema = ", ".join([*(f"{name} {types[name]}" for name in _LOCUS), f"blocks array<struct<{of_block}>>"])

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held: list[pa.RecordBatch] = []
        for batch in batches:
            held.append(batch)
            n = sum(map(len, held)) // n_blocks
            if not n:
                continue
            merged = pa.Table.from_batches(held).combine_chunks()
            (whole,) = merged.slice(0, n * n_blocks).to_batches()
            held = merged.slice(n * n_blocks).to_batches()
            blocks = pa.StructArray.from_arrays([whole.column(name) for name in columns], columns)
            offsets = pa.array(np.arange(n + 1, dtype=np.int32) * n_blocks)
            firsts = pa.array(np.arange(n) * n_blocks)
            yield pa.RecordBatch.from_arrays(
                [*(whole.column(name).take(firsts) for name in _LOCUS), pa.ListArray.from_arrays(offsets, blocks)], [*_LOCUS, "blocks"]
            )
        if any(map(len, held)):
            raise RuntimeError("blocks of a variant do not stand together: this is a mistake in genospark")

    return rows.mapInArrow(work, schema)
