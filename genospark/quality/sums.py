"""Large arrays that every partition adds to, summed on the executors: the driver sees nothing but the sum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import TaskContext
from pyspark.sql import DataFrame

# Of one piece of an array.
_PIECE_BYTES = 4 << 20
# Of all partitions' arrays together: so few are added by the driver, which is faster than another stage.
_DRIVER_BYTES = 64 << 20
_SCHEMA = "piece int, part int, content binary"
Work = Callable[[pa.RecordBatch], NDArray[Any]]


def summed(
    rows: DataFrame, work: Work, shape: tuple[int, ...], dtype: type[np.generic] = np.float64, partitions: int | None = None
) -> NDArray[Any]:
    """The sum of what `work` makes of batches of rows; zeros where there are none.

    Partitions are added in their order, so that sums of fractions are the same to the last bit.

    Args:
        rows: Rows.
        work: From a batch to an array of that shape.
        shape: Of the array.
        dtype: Of the array.
        partitions: Of `rows`, where that is known: to be told it, Spark would run the shuffles that lead to them.
    """
    size = int(np.prod(shape))
    step = max(1, _PIECE_BYTES // np.dtype(dtype).itemsize)

    def partial(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total: NDArray[Any] | None = None
        for batch in batches:
            if len(batch):
                total = work(batch).astype(dtype) if total is None else total + work(batch)
        context = TaskContext.get()
        assert context is not None
        for i in range(0, size if total is not None else 0, step):
            assert total is not None
            yield _batch(i // step, context.partitionId(), total.ravel()[i : i + step])

    def added(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        piece = -1
        total: NDArray[Any] = np.zeros(0, dtype)
        for batch in batches:
            for number, content in zip(batch.column("piece").to_pylist(), batch.column("content"), strict=True):
                values: NDArray[Any] = np.frombuffer(content.as_buffer(), dtype)
                if number != piece:
                    if piece >= 0:
                        yield _batch(piece, 0, total)
                    piece, total = number, np.zeros(len(values), dtype)
                total = total + values
        if piece >= 0:
            yield _batch(piece, 0, total)

    parts = rows.mapInArrow(partial, _SCHEMA)
    if partitions is None or partitions * size * np.dtype(dtype).itemsize > _DRIVER_BYTES:
        spread = parts.repartition(max(1, min(-(-size // step), 200)), "piece").sortWithinPartitions("piece", "part")
        parts = spread.mapInArrow(added, _SCHEMA)
    whole: NDArray[Any] = np.zeros(size, dtype)
    for row in sorted(parts.collect(), key=lambda row: row["part"]):
        values: NDArray[Any] = np.frombuffer(row["content"], dtype)
        whole[row["piece"] * step : row["piece"] * step + len(values)] += values
    return whole.reshape(shape)


def _batch(piece: int, part: int, values: NDArray[Any]) -> pa.RecordBatch:
    arrays = [pa.array([piece], pa.int32()), pa.array([part], pa.int32()), pa.array([values.tobytes()], pa.binary())]
    return pa.RecordBatch.from_arrays(arrays, ["piece", "part", "content"])
