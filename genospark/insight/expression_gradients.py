"""What a trained expression network owes to each gene of its panel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from genospark.models.bundle import Bundle
from genospark.tasks.expression import ExpressionModel, fields
from genospark.tasks.predict import Predictor, predicted

Doubles = NDArray[np.float64]
_EXAMPLES = 512


def directional(network: Any, inputs: dict[str, Any], panel: Any, gene: int) -> Any:
    """Change of every output per standard deviation of one gene of the panel in all states at once, by forward differentiation.

    Args:
        network: From a dictionary of inputs to outputs.
        inputs: Its inputs beside `panel`.
        panel: Standardised, [examples, states, panel].
        gene: Index in the panel.
    """
    import tensorflow as tf

    panel = tf.convert_to_tensor(panel)
    direction = tf.broadcast_to(tf.one_hot(gene, panel.shape[2]), tf.shape(panel))
    with tf.autodiff.ForwardAccumulator(panel, direction) as accumulator:
        outputs = network(inputs | {"panel": panel}, training=False)
    return accumulator.jvp(outputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def panel_weights(examples: DataFrame, bundle: Bundle, genes: list[str]) -> tuple[Doubles, Doubles]:
    """Attributions of the bundle's targets to genes of its panel, over people, cell types and states.

    Args:
        examples: Rows of ``expressionExamples``.
        bundle: Of the task expression.
        genes: Genes of its panel.

    Returns:
        Mean absolute derivative, and mean derivative, [targets, genes] each.
    """
    spec = ExpressionModel.of(bundle).spec
    places = [spec.panel.index(gene) for gene in genes]

    def summing(bundle: Bundle) -> Predictor:
        network = ExpressionModel.of(bundle).network()

        def sums(batch: pa.RecordBatch) -> list[pa.Array]:
            given = {field.name: field.read(batch.column(field.name).to_pylist()) for field in fields(spec)}
            panel = np.nan_to_num(given.pop("panel"))
            size, mean = np.zeros((len(spec.targets), len(places))), np.zeros((len(spec.targets), len(places)))
            for first in range(0, len(panel), _EXAMPLES):
                part = slice(first, first + _EXAMPLES)
                inputs = {name: values[part] for name, values in given.items()}
                for column, place in enumerate(places):
                    # The first pass is the one that sees the panel.
                    change = directional(network, inputs, panel[part], place).numpy()[:, 0].astype(float)
                    size[:, column] += np.abs(change).sum(axis=(0, 1))
                    mean[:, column] += change.sum(axis=(0, 1))
            return [pa.array([value]) for value in (panel[:1].tobytes(), size.tobytes(), mean.tobytes(), len(panel) * len(spec.states))]

        return sums

    summing.__qualname__ = f"panel_weights {genes}"
    rows = predicted(examples, bundle, summing, "first binary, size binary, mean binary, n bigint").collect()
    # In a fixed order, so that sums are the same to the last bit.
    rows.sort(key=lambda row: (row["n"], row["first"]))
    total = max(sum(row["n"] for row in rows), 1)
    size, mean = (sum(np.frombuffer(row[name]) for row in rows) for name in ("size", "mean"))
    shape = (len(spec.targets), len(places))
    return np.reshape(size, shape) / total, np.reshape(mean, shape) / total
