"""What a bundle of the task risk says of rows of ``riskExamples`` and of fused vectors, computed by Spark's executors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from genospark.core.calls import MISSING
from genospark.models.bundle import Bundle
from genospark.models.spec import FeatureSpec
from genospark.tasks.predict import Predictor, with_predictions
from genospark.tasks.risk import fields, label_fields
from genospark.tasks.risk_model import RiskModel, Said

PREDICTED = "network array<double>, networkError array<double>, linear array<double>, linearError array<double>, "
PREDICTED += "ancestry array<double>, used string"


def predictor(bundle: Bundle) -> Predictor:
    """What both models say of batches of fused vectors, as lists of one number a head (a component for ancestry)."""
    model = RiskModel.of(bundle)
    say = model.predictor()

    def predict(batch: pa.RecordBatch) -> list[pa.Array]:
        calls, measurements = (field.read(batch.column(field.name).to_pylist()) for field in fields(model.spec))
        said = say(calls, measurements)
        parts = (said.network, said.network_error, said.linear, said.linear_error, said.ancestry)
        return [*(pa.array(list(part), pa.list_(pa.float64())) for part in parts), pa.array(used(model.spec, calls, measurements))]

    return predict


def unseen_predictor(bundle: Bundle) -> Predictor:
    """The same by the member that left each person out: lists of one number a head, network and regression."""
    model = RiskModel.of(bundle)
    say = model.unseen()
    wanted = (*fields(model.spec), label_fields(model.spec)[2])

    def predict(batch: pa.RecordBatch) -> list[pa.Array]:
        calls, measurements, draw = (field.read(batch.column(field.name).to_pylist()) for field in wanted)
        return [pa.array(list(part), pa.list_(pa.float64())) for part in say(calls, measurements, draw[:, 0])]

    return predict


def used(spec: FeatureSpec, calls: NDArray[np.uint8], measurements: NDArray[np.float32]) -> list[str]:
    """What is known of each person, joined by +."""
    known = ~np.isnan(measurements)
    n = len(spec.expression)
    parts = {"genotypes": (calls != MISSING * 0b01010101).any(axis=1), "expression": known[:, :n].any(axis=1)}
    parts["covariates"] = known[:, n:].any(axis=1)
    return ["+".join(name for name, there in zip(parts, row, strict=True) if there) for row in zip(*parts.values(), strict=True)]


def with_outputs(rows: DataFrame, bundle: Bundle) -> DataFrame:
    """Adds the columns of `PREDICTED` in place of `calls` and `measurements`."""
    return with_predictions(rows, bundle, predictor, ["calls", "measurements"], PREDICTED)


def with_unseen(rows: DataFrame, bundle: Bundle) -> DataFrame:
    """Adds `network` and `linear` of ``unseen_predictor`` in place of `calls`, `measurements` and `draw`."""
    return with_predictions(
        rows, bundle, unseen_predictor, ["calls", "measurements", "draw"], "network array<double>, linear array<double>"
    )


def said_of(columns: Sequence[Sequence[NDArray[np.float64]]], n_heads: int) -> Said:
    """``Said`` of the columns of `PREDICTED`, each a list of arrays."""
    network, network_error, linear, linear_error, components = (np.array(list(column), float) for column in columns)
    n = len(network)
    network, network_error, linear, linear_error = (part.reshape(n, n_heads) for part in (network, network_error, linear, linear_error))
    return Said(network, network_error, linear, linear_error, components.reshape(n, -1))
