"""Whole variants out of files of ``genotypes``: tasks read them, and the blocks of a variant that stand together are never copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from genospark.core import paths
from genospark.core.calls import Bytes, Counts
from genospark.core.delta import partition_values
from genospark.core.scans import groups_within
from genospark.quality.cohort import Layout

_TALLIES = ["nCalled", "nHet", "nHaploidAlt", "nHomAlt"]
_COLUMNS = ["start", "referenceAllele", "alternateAlleles", "sampleBlock", "calls", *_TALLIES]
_BATCH_BYTES = 16 << 20
Within = Callable[[str, int, int], bool]
"""Whether something is wanted on a contig between two starts, both of which count."""


class ApartError(Exception):
    """Blocks of a variant do not stand next to each other, as where batches of other people are beside them."""


@dataclass(frozen=True)
class Rows:
    """Some variants of one contig.

    Attributes:
        contig: The contig.
        start, reference, alternates: Of each variant.
        packed: Calls of all blocks of people, (variants, bytes).
        counts: People without, with one and with two copies of the alternate allele, as of ``packed.genotype_counts``, (variants, 3).
    """

    contig: str
    start: NDArray[np.int64]
    reference: pa.StringArray
    alternates: pa.ListArray
    packed: Bytes
    counts: Counts


def whole_variants(path: str, layout: Layout, within: Within) -> Iterator[Rows]:
    """Variants of a file, some at a time; groups of rows in which nothing is wanted are not read.

    Raises:
        ApartError: Blocks of a variant do not stand together.
    """
    contig = str(partition_values(path)["contigName"])
    n = len(layout.blocks)
    at_once = n * max(16, _BATCH_BYTES // layout.width)
    with paths.open_bytes(path) as stream:
        file = pq.ParquetFile(stream)
        groups = groups_within(file, partial(within, contig))
        held: list[pa.RecordBatch] = []
        for number in groups:
            for batch in file.iter_batches(at_once, row_groups=[number], columns=_COLUMNS):
                held.append(batch)
                whole = sum(map(len, held)) // n * n
                if whole:
                    rows = held[0] if len(held) == 1 else pa.Table.from_batches(held).combine_chunks().to_batches()[0]
                    held = [rows.slice(whole)] if whole < len(rows) else []
                    yield _rows(contig, rows.slice(0, whole), layout)
            if held:
                raise ApartError(path)


def _rows(contig: str, batch: pa.RecordBatch, layout: Layout) -> Rows:
    n = len(layout.blocks)
    start, reference, alternates = (batch.column(name) for name in _COLUMNS[:3])
    firsts = pa.array(np.arange(0, len(batch), n))
    if n > 1:
        later = np.arange(1, len(batch)) % n != 0
        same = (_same(column)[later].all() for column in (start, reference, _first(alternates)))
        if not (batch.column("sampleBlock").to_numpy().reshape(-1, n) == layout.blocks).all() or not all(same):
            raise ApartError(contig)
        start, reference, alternates = (column.take(firsts) for column in (start, reference, alternates))
    elif not (batch.column("sampleBlock").to_numpy() == layout.blocks[0]).all():
        raise ApartError(contig)
    called, het, haploid, two = (batch.column(name).to_numpy().reshape(-1, n).sum(axis=1, dtype=np.int64) for name in _TALLIES)
    counts = np.stack([called - het - haploid - two, het + haploid, two], axis=1)
    return Rows(contig, start.to_numpy(), reference, alternates, _side_by_side(batch.column("calls"), layout), counts)


def _first(alternates: pa.ListArray) -> pa.Array:
    """The first alternate allele of each row; empty where there is none."""
    lengths = alternates.value_lengths().to_numpy()
    starts = alternates.offsets.to_numpy()[:-1]
    return alternates.values.take(pa.array(np.where(lengths > 0, starts, 0), mask=lengths == 0)).fill_null("")


def _same(column: pa.Array) -> NDArray[np.bool_]:
    """Which values but the first are as the one before."""
    return np.asarray(pc.equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False), bool)


def _side_by_side(values: pa.BinaryArray, layout: Layout) -> Bytes:
    """Binaries of blocks that stand together, a variant's in one row; where they are as long as they should be that is how they stand."""
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    content = np.frombuffer(values.buffers()[2], np.uint8)
    lengths = np.diff(offsets).reshape(-1, len(layout.blocks))
    if (lengths == layout.sizes).all():
        return content[offsets[0] : offsets[-1]].reshape(len(lengths), layout.width)
    found = np.full((len(lengths), layout.width), 0xFF, np.uint8)
    begins = np.cumsum(layout.sizes) - layout.sizes
    for block, (begin, size) in enumerate(zip(begins.tolist(), layout.sizes, strict=True)):
        own, firsts = lengths[:, block], offsets[block : -1 : len(layout.blocks)]
        for length in np.unique(own):
            rows = np.flatnonzero(own == length)
            some = min(size, int(length))
            found[rows, begin : begin + some] = content[firsts[rows][:, None] + np.arange(some)]
    return found
