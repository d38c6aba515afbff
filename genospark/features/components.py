"""Principal components of genes' profiles, also of more genes and people than one machine holds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genospark.features.profiles import Floats, Profiles

Doubles = NDArray[np.float64]
_SPARE = 10
_PASSES = 5
# Values of profiles that the driver takes whole.
_AT_ONCE = 10_000_000


def gene_components(found: Profiles, count: int, seed: int = 0) -> tuple[Floats, Doubles]:
    """The genes' places on the principal components of their profiles: exact where they are small, else by subspace iteration over Spark.

    Args:
        found: Profiles; their blocks are read several times, so they had better be persisted.
        count: Components, at most.
        seed: Of the start.

    Returns:
        Places [genes, components], see ``places_of``, and the share of the profiles' variance that each component carries.
    """
    width = len(found.observations)
    if width * len(found.genes) <= _AT_ONCE:
        return places_of(found.of(np.arange(len(found.genes))).astype(float), count)
    basis = np.random.default_rng(seed).normal(size=(width, min(count + _SPARE, width, len(found.genes))))
    for _ in range(_PASSES):
        basis, _, _ = _products(found, np.linalg.qr(basis)[0])
    _, projected, variance = _products(found, np.linalg.qr(basis)[0])
    return places_of(projected, count, variance)


def places_of(vectors: Doubles, count: int, variance: float | None = None) -> tuple[Floats, Doubles]:
    """Places on the vectors' own principal components, all scaled alike so that their mean square is 1.

    So the cosine of two genes is near that of their vectors.

    Args:
        vectors: [genes, numbers].
        count: Components, at most.
        variance: Sum of squares that shares are of; that of the vectors where not given.

    Returns:
        Places [genes, components] and the components' shares of the variance.
    """
    left, sizes, _ = np.linalg.svd(vectors, full_matrices=False)
    left, sizes = left[:, :count], sizes[:count]
    # A component's direction has no meaning: its largest place is made positive.
    left = left * np.where(left[np.abs(left).argmax(axis=0), np.arange(len(sizes))] < 0, -1, 1)
    places = left * sizes
    whole = float((vectors**2).sum()) if variance is None else variance
    scale = np.sqrt((places**2).mean())
    return (places / max(scale, 1e-12)).astype(np.float32), sizes**2 / max(whole, 1e-12)


def _products(found: Profiles, basis: Doubles) -> tuple[Doubles, Doubles, float]:
    """X'XB [observations, basis], XB [genes, basis] and the sum of squares of X, the profiles [genes, observations]."""

    def work(genes: NDArray[np.int32], values: Floats) -> pa.RecordBatch:
        projected = values @ basis
        parts = [projected.tobytes(), (values.T @ projected).tobytes()]
        arrays = [pa.array([genes.tolist()], pa.list_(pa.int32())), *(pa.array([part], pa.binary()) for part in parts)]
        return pa.RecordBatch.from_arrays(
            [*arrays, pa.array([float((values.astype(float) ** 2).sum())])], ["genes", "xb", "gram", "squares"]
        )

    # In a fixed order, so that sums are the same to the last bit.
    rows = sorted(found.map(work, "genes array<int>, xb binary, gram binary, squares double").collect(), key=lambda row: row["genes"])
    gram, projected = np.zeros(basis.shape), np.zeros((len(found.genes), basis.shape[1]))
    for row in rows:
        gram += np.frombuffer(row["gram"]).reshape(gram.shape)
        projected[row["genes"]] = np.frombuffer(row["xb"]).reshape(len(row["genes"]), -1)
    return gram, projected, float(sum(row["squares"] for row in rows))
