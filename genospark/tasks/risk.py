"""Disease risk: logits of a bundle's two models for fused vectors, computed by Spark's executors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, DoubleType, StructField, StructType

from genospark.core.calls import packed_rows, unpack
from genospark.models.bundle import Bundle, dense
from genospark.models.spec import FeatureSpec


def with_logits(rows: DataFrame, bundle: Bundle) -> DataFrame:
    """Adds `network` and `logistic`, arrays of one logit a disease, in place of `calls` and `measurements`.

    Args:
        rows: Fused vectors made for the bundle's features.
        bundle: The models.
    """
    shared = rows.sparkSession.sparkContext.broadcast(bundle)
    version = bundle.version
    kept = [name for name in rows.columns if name not in ("calls", "measurements")]
    logits = [StructField(name, ArrayType(DoubleType())) for name in ("network", "logistic")]
    schema = StructType([*rows.select(*kept).schema.fields, *logits])

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        predict = _predictor(version, shared)
        for batch in batches:
            calls = packed_rows(batch.column("calls").to_pylist())
            measurements = np.frombuffer(b"".join(batch.column("measurements").to_pylist()), "<f4").reshape(len(calls), -1)
            made = [pa.array(list(logit)) for logit in predict(calls, measurements)]
            yield pa.RecordBatch.from_arrays([*(batch.column(name) for name in kept), *made], [*kept, "network", "logistic"])

    return rows.mapInArrow(work, schema)


class Predictor:
    """Both models of a bundle, ready to compute."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.network = network_of(bundle.spec, bundle.network_config, bundle.weights)

    def __call__(self, calls: NDArray[np.uint8], measurements: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Logits of the network and of the logistic regression.

        Args:
            calls: Packed, [people, call bytes].
            measurements: Standardised, NaN for missing, [people, measurements].

        Returns:
            Two arrays [people, diseases].
        """
        spec = self.bundle.spec
        network = self.network([calls, measurements], training=False).numpy().astype(float)
        vectors = dense(spec, unpack(calls, len(spec.variants)), measurements)
        return network, vectors @ self.bundle.coefficients + self.bundle.intercepts


def network_of(spec: FeatureSpec, config: dict[str, Any], weights: Any) -> Any:
    """The Keras network with given weights."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from genospark.models.risk import RiskNetworkConfig, build

    network = build(spec, RiskNetworkConfig(**config))
    network.set_weights(weights)
    return network


_LOADED: dict[str, Predictor] = {}


def _predictor(version: str, shared: Any) -> Predictor:
    """The predictor of a bundle, made once in a worker process, which serves many tasks."""
    if version not in _LOADED:
        _LOADED.clear()
        _LOADED[version] = Predictor(shared.value)
    return _LOADED[version]
