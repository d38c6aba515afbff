"""What the expression network has learnt of each gene: the weights that lead to it."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.models.bundle import Bundle, load
from genospark.models.expression_spec import ExpressionSpec

Doubles = NDArray[np.float64]


def last_bundle(warehouse: Warehouse) -> Bundle:
    """The expression bundle that was trained here last.

    Raises:
        TableError: None was.
        InputError: It is damaged.
    """
    if warehouse.producer("metrics/expression") is None:
        raise TableError(
            f"{warehouse.path}: no bundle was trained for expression here", "run `train expression` first, or leave `embedding: both`"
        )
    row = warehouse.read("metrics/expression").select("modelVersion").first()
    assert row is not None
    return load(warehouse.bundles / str(row[0]), "expression")


def gene_vectors(bundle: Bundle, genes: list[str]) -> Doubles:
    """Each gene's weights in the output layer and in the linear skip, from the panel in all states to the gene in all states.

    Args:
        bundle: Of the task expression.
        genes: Genes, in order.

    Returns:
        [genes, weights], both parts scaled to a mean square of 1; 0 for genes that are no target of the network.
    """
    # TensorFlow starts only where a network is needed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from genospark.models.expression import ExpressionNetworkConfig, build, skip_shapes

    spec, shape = ExpressionSpec.of(bundle.definition["spec"], bundle.arrays), ExpressionNetworkConfig(**bundle.definition["network"])
    linear = {name.removeprefix("linear."): array.shape for name, array in bundle.arrays.items() if name.startswith("linear.")}
    network = build(spec, shape, linear if linear and shape.skip_start == "baseline" else skip_shapes(spec))
    network.set_weights(bundle.weights)
    skip = network.get_layer("skip")
    kernels = dict(zip(skip.names, skip.get_weights(), strict=True))
    parts = [_heads(network).T]
    if "panel" in kernels:
        parts.append(kernels["panel"].reshape(-1, len(spec.targets)).T)
    sizes = [float(np.sqrt((part**2).mean())) for part in parts]
    vectors = np.concatenate([part / size for part, size in zip(parts, sizes, strict=True) if size > 0] or [parts[0]], axis=1)
    place = {gene: index for index, gene in enumerate(genes)}
    found = np.zeros((len(genes), vectors.shape[1]))
    mine = [index for index, gene in enumerate(spec.targets) if gene in place]
    found[[place[spec.targets[index]] for index in mine]] = vectors[mine]
    return found


def _heads(network: object) -> Doubles:
    """Kernel of the output layer, [units, targets]: found by its name, wherever the network nests it."""
    (kernel,) = [weight.numpy() for weight in network.weights if "heads/kernel" in weight.name]  # type: ignore[attr-defined]
    return np.asarray(kernel, float)
