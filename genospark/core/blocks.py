"""Calls of some people out of packed blocks of people, variant by variant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core import paths
from genospark.core.calls import MISSING, NUMBERS, SAMPLE_BLOCK, Bytes, nothing, packed_rows, unpack
from genospark.core.scans import over_files
from genospark.core.storage import Warehouse

_AT_ONCE = 512
"""Rows, of which the first tells of most files."""
KEY = ("contigName", "start", "referenceAllele", "alternateAllele")


def by_variant(genotypes: DataFrame) -> DataFrame:
    """One row a variant that has an alternate allele: contigName, start, referenceAllele, alternateAllele, blocks.

    Args:
        genotypes: Rows of ``genotypes``.
    """
    key = (*KEY[:3], f.col("alternateAlleles")[0].alias(KEY[3]))
    blocks = f.collect_list(f.struct("sampleBlock", "calls")).alias("blocks")
    return genotypes.where("size(alternateAlleles) = 1").groupBy(*key).agg(blocks)


def known(warehouse: Warehouse, columns: Iterable[str]) -> list[str]:
    """Those columns of ``genotypes`` of which something is known of somebody."""
    names = list(columns)

    def work(_: int, files: list[str]) -> Iterator[pa.RecordBatch]:
        found = known_in(files, names)
        yield pa.RecordBatch.from_pydict({name: [name in found] for name in names})

    rows = over_files(warehouse.spark, warehouse.live_files("genotypes"), work, ", ".join(f"{name} boolean" for name in names)).collect()
    return [name for name in names if any(row[name] for row in rows)]


def known_in(files: list[str], columns: Iterable[str]) -> list[str]:
    """The same of some files; where nothing is known, next to nothing is stored."""
    return [name for name in columns if any(_some(path, name) for path in files)]


def _some(path: str, column: str) -> bool:
    with paths.open_bytes(path) as stream:
        return any(len(batch) > batch.column(0).null_count for batch in pq.ParquetFile(stream).iter_batches(_AT_ONCE, columns=[column]))


def gather(blocks: pa.ListArray, columns: NDArray[np.int64]) -> Bytes:
    """Calls of chosen people; missing where a variant has no block of theirs.

    Args:
        blocks: For each variant a list of structs (sampleBlock, calls), in any order.
        columns: `sampleIndex` of each person.

    Returns:
        (variants, people) uint8: copies of the alternate allele, or 3 for missing.
    """

    def widen(packed: pa.BinaryArray) -> Bytes:
        rows = packed_rows(packed.to_pylist())
        return unpack(rows, 4 * rows.shape[1])

    return gather_field(blocks, "calls", widen, columns, MISSING)


def gather_field(
    blocks: pa.ListArray,
    field: str,
    widen: Callable[[pa.BinaryArray], NDArray[Any]],
    columns: NDArray[np.int64],
    missing: int,
    dtype: Any = np.uint8,
) -> NDArray[Any]:
    """What a field of blocks says of chosen people.

    Args:
        blocks: For each variant a list of structs with `sampleBlock` and the field.
        field: Its name.
        widen: From values of one block to an array (values, people of the block).
        columns: `sampleIndex` of each person.
        missing: Stands where a variant has no block of a person's.
        dtype: Of the values.

    Returns:
        (variants, people).
    """
    found = np.full((len(blocks), len(columns)), missing, dtype)
    variant = np.repeat(np.arange(len(blocks)), blocks.value_lengths().to_numpy())
    entries = blocks.flatten()
    block, values = entries.field("sampleBlock").to_numpy(), entries.field(field)
    wanted, within = np.divmod(columns, SAMPLE_BLOCK)
    for one in np.unique(wanted):
        here, people = np.flatnonzero(block == one), np.flatnonzero(wanted == one)
        if len(here):
            found[np.ix_(variant[here], people)] = widen(values.take(pa.array(here)))[:, within[people]]
    return found


def numbers(values: pa.BinaryArray, n: int, column: str) -> NDArray[Any]:
    """(rows, n) of one of ``NUMBERS``; nothing is known where a row is null."""
    return widened(values, n, lambda rows: rows.view(NUMBERS[column]), nothing(column), NUMBERS[column])


def widened(values: pa.BinaryArray, n: int, widen: Callable[[Bytes], NDArray[Any]], missing: int, dtype: Any) -> NDArray[Any]:
    """(rows, n) of what equally long binaries hold of people; `missing` where a row is null, or of fewer."""
    found = np.full((len(values), n), missing, dtype)
    rows = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    if len(rows):
        wide = widen(packed_rows(values.take(pa.array(rows)).to_pylist()))[:, :n]
        found[rows, : wide.shape[1]] = wide
    return found
