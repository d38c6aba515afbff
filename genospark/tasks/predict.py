"""Any bundle's predictions, computed by Spark's executors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType, _parse_datatype_string

from genospark.models.bundle import Bundle

Predictor = Callable[[pa.RecordBatch], list[pa.Array]]
"""From a batch of rows to the arrays of some columns."""


def predicted(rows: DataFrame, bundle: Bundle, predictor: Callable[[Bundle], Predictor], schema: StructType | str) -> DataFrame:
    """What a network makes of batches of rows: any number of rows for each.

    Args:
        rows: One row an example.
        bundle: The model.
        predictor: Makes, of the bundle, the function from a batch of rows to the columns of `schema`; called once a worker process.
        schema: Columns of the result, as a Spark type or DDL.
    """
    shared = rows.sparkSession.sparkContext.broadcast(bundle)
    version = bundle.version
    kind = _parse_datatype_string(schema) if isinstance(schema, str) else schema
    assert isinstance(kind, StructType)
    names = kind.names

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        predict = _loaded(version, shared, predictor)
        for batch in batches:
            yield pa.RecordBatch.from_arrays(predict(batch), names)

    return rows.mapInArrow(work, kind)


def with_predictions(rows: DataFrame, bundle: Bundle, predictor: Callable[[Bundle], Predictor], fed: list[str], made: str) -> DataFrame:
    """Replaces the columns that a network is fed by what it says, row by row.

    Args:
        rows: One row an example.
        bundle: The model.
        predictor: Makes, of the bundle, the function from a batch of rows to the new columns' arrays; called once a worker process.
        fed: Columns that the predictor needs and that are dropped.
        made: The new columns as Spark SQL DDL, in the predictor's order.
    """
    kept = [name for name in rows.columns if name not in fed]
    columns = _parse_datatype_string(made)
    assert isinstance(columns, StructType)

    def keeping(bundle: Bundle) -> Predictor:
        predict = predictor(bundle)
        return lambda batch: [*(batch.column(name) for name in kept), *predict(batch)]

    # Names of what is kept alive in a worker process.
    keeping.__qualname__ = f"{predictor.__module__}.{predictor.__qualname__} {kept}"
    return predicted(rows, bundle, keeping, StructType([*rows.select(*kept).schema.fields, *columns.fields]))


_LOADED: dict[str, Predictor] = {}


def _loaded(version: str, shared: Any, predictor: Callable[[Bundle], Predictor]) -> Predictor:
    """The predictor of a bundle, made once in a worker process, which serves many tasks."""
    key = f"{version} {predictor.__module__} {predictor.__qualname__}"
    if key not in _LOADED:
        _LOADED.clear()
        _LOADED[key] = predictor(shared.value)
    return _LOADED[key]
