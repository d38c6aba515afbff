"""Stage ``qc kinship``: KING-robust kinship of all pairs of people to ``kinship``.

People are dealt to tiles; a task has the calls of two tiles, one block of variants after the other, so what it holds grows neither with
people nor with variants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.core.calls import Bytes
from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.quality.cohort import Cohort, SitesConfig
from genospark.quality.king import PairCounts, pairs_above

_TILE_BYTES = (32, 256)
"""Packed bytes of a variant in a tile: no fewer and no more."""
_CHUNK = 4096
"""Variants of a block."""
_CHUNKS = "chunk bigint, tile int, calls binary"
_PAIRS = "place int, otherPlace int, nVariants bigint, hetHetShare double, ibs0Share double, kinship double"
LIMITS = (0.354, 0.177, 0.0884, 0.0442)
"""Kinship from which on people are related in degree 0, 1, 2 and 3 (Manichaikul et al. 2010, table 1)."""


class QcKinshipConfig(StageConfig):
    """Settings of ``qc kinship``.

    Attributes:
        sites: Variants that are looked at.
        min_kinship: Pairs with a smaller coefficient are left out.
    """

    sites: SitesConfig = SitesConfig()
    min_kinship: float = Field(LIMITS[-1], le=0.5)


def qc_kinship(config: QcKinshipConfig, spark: SparkSession) -> str:
    """Finds who is related to whom.

    Returns:
        The run's id.

    Raises:
        TableError: A table or a contig that is chosen is not there.
    """
    warehouse = Warehouse(spark, config.warehouse)
    tables = [*Cohort.tables(warehouse), *config.sites.tables()]
    return run_stage("qc kinship", config, warehouse, lambda run: _relate(run, config), tables=tables)


def _relate(run: Run, config: QcKinshipConfig) -> None:
    cohort = Cohort.read(run.warehouse)
    spark = run.warehouse.spark
    width = cohort.layout.width
    # Pairs of tiles are the tasks: several even of a small cohort.
    tile = int(np.clip(-(-width // 4), *_TILE_BYTES))
    n_tiles = -(-width // tile)
    pairs = [(number, i, j) for number, (i, j) in enumerate((i, j) for i in range(n_tiles) for j in range(i, n_tiles))]
    sides = [(number, side, t) for number, i, j in pairs for side, t in enumerate(dict.fromkeys((i, j)))]
    joined = _chunks(cohort, config.sites, tile).join(f.broadcast(spark.createDataFrame(sides, "pair int, side int, tile int")), "tile")
    # What is put on a partition is few pairs, which come one after the other.
    ordered = joined.repartition(len(pairs), "pair").sortWithinPartitions("pair", "chunk", "side")
    tiles = {number: (i, j) for number, i, j in pairs}

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, chunks in _grouped(batches):
            i, j = tiles[number]
            counts = PairCounts.none(4 * tile, 4 * tile)
            left = None
            for side, packed in chunks:
                rows = packed.reshape(-1, tile)
                if i == j:
                    counts.add(rows, rows)
                elif side == 0:
                    left = rows
                elif left is not None:
                    counts.add(left, rows)
            yield _found(counts, 4 * tile * i, 4 * tile * j, config.min_kinship)

    found = ordered.select("pair", "side", "calls").mapInArrow(work, _PAIRS)
    people = cohort.people.assign(place=cohort.places)[["place", "sampleId"]]
    names = f.broadcast(spark.createDataFrame(people, "place int, sampleId string"))
    others = names.select(f.col("place").alias("otherPlace"), f.col("sampleId").alias("relativeId"))
    degree = f.coalesce(*(f.when(f.col("kinship") > limit, degree) for degree, limit in enumerate(LIMITS)))
    with bounded_batches(spark, _CHUNK * tile):
        run.write("kinship", found.join(names, "place").join(others, "otherPlace").withColumn("degree", degree).drop("place", "otherPlace"))
    counts = run.warehouse.written(run.outputs[-1]).where("degree is not null").groupBy("degree").count().collect()
    run.note(people=len(people), **{f"pairs of degree {row['degree']}": row["count"] for row in sorted(counts)})


def _chunks(cohort: Cohort, sites: SitesConfig, tile: int) -> DataFrame:
    """Calls of blocks of variants, a row a tile of people."""
    layout = cohort.layout
    n_tiles = -(-layout.width // tile)

    def rows(packed: Bytes, chunk: int) -> pa.RecordBatch:
        padded = np.pad(packed, ((0, 0), (0, n_tiles * tile - layout.width)), constant_values=0xFF)
        calls = [np.ascontiguousarray(padded[:, t * tile : (t + 1) * tile]).tobytes() for t in range(n_tiles)]
        arrays = [pa.array([chunk] * n_tiles, pa.int64()), pa.array(range(n_tiles), pa.int32()), pa.array(calls, pa.binary())]
        return pa.RecordBatch.from_arrays(arrays, ["chunk", "tile", "calls"])

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None
        chunk = context.partitionId() << 32
        waiting: list[Bytes] = []
        for batch in batches:
            waiting.append(layout.side_by_side(batch.column("blocks")))
            if sum(map(len, waiting)) >= _CHUNK:
                yield rows(np.concatenate(waiting), chunk)
                waiting, chunk = [], chunk + 1
        if waiting:
            yield rows(np.concatenate(waiting), chunk)

    return cohort.rows(sites).mapInArrow(work, _CHUNKS)


def _grouped(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, Iterator[tuple[int, Bytes]]]]:
    """Pairs of tiles, each with side and calls of its rows."""

    def entries() -> Iterator[tuple[int, int, Bytes]]:
        for batch in batches:
            columns = (batch.column("pair").to_pylist(), batch.column("side").to_pylist(), batch.column("calls"))
            for pair, side, calls in zip(*columns, strict=True):
                yield pair, side, np.frombuffer(calls.as_buffer(), np.uint8)

    for pair, group in groupby(entries(), key=itemgetter(0)):
        yield pair, ((side, calls) for _, side, calls in group)


def _found(counts: PairCounts, begin: int, other_begin: int, least: float) -> pa.RecordBatch:
    kinship = counts.kinship
    left, right = pairs_above(kinship, least, begin == other_begin)
    n = counts.n_variants[left, right]
    shares: list[NDArray[np.float64]] = [values[left, right] / n for values in (counts.het_het, counts.ibs0)]
    places = [pa.array((side + first).astype(np.int32)) for side, first in ((left, begin), (right, other_begin))]
    columns = [*places, pa.array(n.astype(np.int64)), *map(pa.array, shares), pa.array(kinship[left, right])]
    return pa.RecordBatch.from_arrays(columns, [part.split()[0] for part in _PAIRS.split(", ")])
