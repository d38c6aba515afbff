"""Packed calls of some variants from rows of variants to rows of people, two bits all the way.

Tasks read the files of ``genotypes`` themselves, transpose the calls of some thousand variants at a time, and hand on tiles: calls of a
group of people at some variants. Where a group's tiles meet they are laid into vectors. So what goes through Spark are a few rows of some
ten kilobytes, and memory grows neither with people nor, but for the vectors of a group, with variants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyspark.broadcast import Broadcast
from pyspark.sql import DataFrame

from genospark.core import calls as packing
from genospark.core import paths
from genospark.core.calls import MISSING, SAMPLE_BLOCK, Bytes, packed_bytes
from genospark.core.delta import partition_values
from genospark.core.scans import groups_within, over_files
from genospark.core.storage import Warehouse
from genospark.features.sites import Bools, Ints, Sites, key_columns

_READ_ROWS = 4096
_PENDING_BYTES = 8 << 20
"""Calls that a task transposes at once."""
_TILE_BYTES = 32 << 10
"""Of a tile: thousands of them are in a batch of Spark's."""
_GROUP_BYTES = 16 << 20
"""Of the vectors of a group of people."""
_MOST_PEOPLE, _LEAST_PEOPLE = 1024, 16
_COLUMNS = ["start", "referenceAllele", "alternateAlleles", "sampleBlock", "calls"]
_TILES = "people int, kind int, places binary, mask binary, calls binary, ids array<string>"
# In this order tiles of a group come: as the model has a variant it comes last, and so wins where it is listed both ways.
_TURNED, _AS_IT_IS, _NAMES = range(3)
_CODES = np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3
_EXCHANGED = np.bitwise_or.reduce(np.array([2, 1, 0, MISSING], np.uint8)[_CODES] << np.arange(0, 8, 2, dtype=np.uint8), axis=1)
"""Bytes of copies of one allele as those of copies of the other; missing stays missing."""


def by_person(warehouse: Warehouse, sites: Broadcast[Sites], usable: NDArray[np.bool_]) -> DataFrame:
    """Calls of everyone of ``samples``: sampleId, calls (2 bits a feature, missing where the tables have none).

    Args:
        warehouse: Its ``samples`` and ``genotypes`` are read.
        sites: Features.
        usable: Which of them are taken as they are, and with REF and ALT exchanged, [2, features].
    """
    spark = warehouse.spark
    width = packed_bytes(usable.shape[1])
    size = _MOST_PEOPLE
    while size > _LEAST_PEOPLE and size * width > _GROUP_BYTES:
        size //= 2
    chosen = spark.sparkContext.broadcast(usable)

    def read(_: int, files: list[str]) -> Iterator[pa.RecordBatch]:
        pending = _Pending(size)
        for path in files:
            yield from pending.add_all(_matched(path, sites.value, chosen.value))
        yield from pending.flush()

    def assemble(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        group = np.zeros((0, 0), np.uint8)
        for batch in batches:
            for row in range(len(batch)):
                if not len(group):
                    group = np.full((size, width), 0xFF, np.uint8)
                places = np.frombuffer(batch.column("places")[row].as_py(), np.int32)
                mask, calls = (np.frombuffer(batch.column(name)[row].as_py(), np.uint8) for name in ("mask", "calls"))
                if batch.column("kind")[row].as_py() == _NAMES:
                    yield _people(batch.column("ids")[row].values, group[places])
                    group = group[:0]
                else:
                    tile = calls.reshape(len(places), -1).T
                    before = group[: len(tile), places]
                    group[: len(tile), places] = before & ~mask | tile & mask

    tiles = over_files(spark, warehouse.live_files("genotypes"), read, _TILES)
    names = spark.createDataFrame(_names(warehouse, size), _TILES)
    dealt = tiles.unionByName(names).repartition(4 * spark.sparkContext.defaultParallelism, "people")
    return dealt.sortWithinPartitions("people", "kind").mapInArrow(assemble, "sampleId string, calls binary")


def _people(ids: pa.StringArray, calls: Bytes) -> pa.RecordBatch:
    offsets = np.arange(len(calls) + 1, dtype=np.int32) * calls.shape[1]
    packed = pa.Array.from_buffers(pa.binary(), len(calls), [None, pa.py_buffer(offsets), pa.py_buffer(calls)])
    return pa.RecordBatch.from_arrays([ids, packed], ["sampleId", "calls"])


def _names(warehouse: Warehouse, size: int) -> list[tuple[int, int, bytes, bytes, bytes, list[str]]]:
    """Of each group its people: their places in it, and their ids."""
    people: pd.DataFrame = warehouse.small("samples", ["sampleId", "sampleIndex"]).sort_values("sampleIndex")
    group, within = np.divmod(people["sampleIndex"].to_numpy(np.int64), size)
    ids, edges = people["sampleId"].tolist(), [*np.flatnonzero(np.diff(group, prepend=-1)).tolist(), len(group)]
    return [
        (int(group[first]), _NAMES, within[first:last].astype(np.int32).tobytes(), b"", b"", ids[first:last])
        for first, last in pairwise(edges)
    ]


def _matched(path: str, sites: Sites, usable: Bools) -> Iterator[tuple[int, int, Ints, Bytes]]:
    """Block of people, kind, features and packed calls of rows of a file; groups of rows among which there is no feature are not read."""
    contig = str(partition_values(path)["contigName"])
    with paths.open_bytes(path) as stream:
        file = pq.ParquetFile(stream)
        groups = groups_within(file, partial(sites.any_within, contig))
        for batch in file.iter_batches(_READ_ROWS, row_groups=groups, columns=_COLUMNS):
            pairs = sites.find(contig, *key_columns(batch))
            pairs = pairs.some(usable[pairs.turned.astype(int), pairs.feature])
            blocks = batch.column("sampleBlock").to_numpy()[pairs.row]
            for block in np.unique(blocks).tolist():
                for kind, turned in ((_TURNED, True), (_AS_IT_IS, False)):
                    mine = pairs.some((blocks == block) & (pairs.turned == turned))
                    if len(mine.row):
                        packed = _rows(batch.column("calls").take(pa.array(mine.row)))
                        yield block, kind, mine.feature, _EXCHANGED[packed] if turned else packed


def _rows(values: pa.BinaryArray) -> Bytes:
    """Binaries as rows of the longest one's bytes; people whom a row does not have are missing in it."""
    lengths = pc.binary_length(values).to_numpy()
    most = int(lengths.max(initial=0))
    if (lengths == most).all():
        offsets = np.frombuffer(values.buffers()[1], np.int32)
        return np.frombuffer(values.buffers()[2], np.uint8)[offsets[values.offset] :][: most * len(values)].reshape(len(values), most)
    return np.frombuffer(b"".join(value.ljust(most, b"\xff") for value in values.to_pylist()), np.uint8).reshape(len(values), most)


class _Pending:
    """Calls of some variants that wait to be transposed.

    Args:
        size: People of a group.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: dict[tuple[int, int], list[tuple[Ints, Bytes]]] = {}
        self._bytes = 0

    def add_all(self, found: Iterable[tuple[int, int, Ints, Bytes]]) -> Iterator[pa.RecordBatch]:
        for block, kind, features, packed in found:
            self._held.setdefault((block, kind), []).append((features, packed))
            self._bytes += packed.nbytes
            if self._bytes >= _PENDING_BYTES:
                yield from self.flush()

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Tiles of what is held."""
        held, self._held, self._bytes = self._held, {}, 0
        for (block, kind), parts in held.items():
            yield self._tiles(block, kind, parts)

    def _tiles(self, block: int, kind: int, parts: list[tuple[Ints, Bytes]]) -> pa.RecordBatch:
        features = np.concatenate([found for found, _ in parts])
        width = max(packed.shape[1] for _, packed in parts)
        places, at = np.unique(features >> 2, return_inverse=True)
        rows = np.full((4 * len(places), width), 0xFF, np.uint8)
        where = 4 * at + (features & 3)
        first = 0
        for found, packed in parts:
            rows[where[first : first + len(found)], : packed.shape[1]] = packed
            first += len(found)
        mask = np.zeros(len(places), np.uint8)
        np.bitwise_or.at(mask, at, (3 << 2 * (features & 3)).astype(np.uint8))
        planes = packing.by_person(rows)
        turned_round = planes.transpose(0, 2, 1).reshape(len(places), 4 * width)
        some = max(1, _TILE_BYTES // self._size)
        found_tiles: list[tuple[int, bytes, bytes, bytes]] = []
        for group in range(0, turned_round.shape[1], self._size):
            number = (block * SAMPLE_BLOCK + group) // self._size
            for begin in range(0, len(places), some):
                part = slice(begin, begin + some)
                tile = turned_round[part, group : group + self._size]
                found_tiles.append((number, places[part].astype(np.int32).tobytes(), mask[part].tobytes(), tile.tobytes()))
        numbers, *binaries = (list(column) for column in zip(*found_tiles, strict=True))
        n = len(found_tiles)
        columns = [pa.array(numbers, pa.int32()), pa.array([kind] * n, pa.int32()), *(pa.array(column, pa.binary()) for column in binaries)]
        names = ["people", "kind", "places", "mask", "calls", "ids"]
        return pa.RecordBatch.from_arrays([*columns, pa.nulls(n, pa.list_(pa.string()))], names)
