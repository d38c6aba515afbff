"""Tables of few rows, which the driver reads and writes itself: sooner than a job of Spark's begins."""

from __future__ import annotations

from itertools import chain
from typing import Any
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genospark.core import delta
from genospark.core.landing import created

_AT_ONCE = 1 << 16


def read(files: list[str], columns: list[str]) -> pd.DataFrame:
    """Columns of files of a table."""
    frames = [batch.to_pandas() for batch in chain.from_iterable(delta.batches(path, columns, _AT_ONCE) for path in files)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def read_arrow(files: list[str], columns: list[str]) -> pa.Table:
    """The same as Arrow, which takes no Python object a value."""
    found = [batch for path in files for batch in delta.batches(path, columns, _AT_ONCE)]
    return pa.Table.from_batches(found).combine_chunks()


def write(folder: str, schema: pa.Schema, columns: dict[str, list[Any] | pa.Array], run_id: str) -> str:
    """A file of a table without partitions, in a folder of the table.

    Args:
        folder: The folder.
        schema: Columns of the table.
        columns: Their values, but those of `runId`.
        run_id: Run that writes.

    Returns:
        Path of the file.
    """
    values = columns | {"runId": pa.repeat(run_id, len(next(iter(columns.values()))))}
    path = f"{folder}/part-000000-{uuid4().hex}.parquet"
    with created(path) as stream:
        rows = pa.table([_array(values[entry.name], entry.type) for entry in schema], schema=schema)
        pq.write_table(rows, stream, compression="zstd")
    return path


def _array(values: list[Any] | pa.Array, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)
