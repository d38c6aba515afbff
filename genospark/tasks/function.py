"""Gene function: a gene's embedding -> one probability a term, by a network and by a vote of the gene's nearest neighbours."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from genospark.core.storage import Warehouse
from genospark.models.bundle import Bundle
from genospark.models.terms import Floats, TermSpec
from genospark.tasks.predict import Predictor, with_predictions
from genospark.tasks.problem import Field, Problem, Tensors

TASK = "function"
# Genes that are voted on at once, so that memory is bounded.
_GENES = 500


def from_tables(warehouse: Warehouse) -> TermSpec:
    """The specification that ``functionFeatures`` and ``functionTerms`` hold.

    Raises:
        TableError: They are not there.
    """
    terms = warehouse.read("functionTerms").orderBy("termIndex").collect()
    place = {row["termId"]: row["termIndex"] for row in terms}
    ancestors = tuple(tuple(sorted(place[wide] for wide in row["ancestors"])) for row in terms)
    prevalence = tuple(row["trainingPrevalence"] for row in terms)
    return TermSpec(warehouse.read("functionFeatures").count(), tuple(place), ancestors, prevalence)


def embedding_field(spec: TermSpec) -> Field:
    """The one input: a gene's embedding."""
    return Field("embedding", "float32", (spec.features,))


def label_field(spec: TermSpec) -> Field:
    """The labels: 1, 0 or NaN a term."""
    return Field("labels", "float32", (len(spec.terms),), float("nan"))


@dataclass(frozen=True)
class FunctionProblem(Problem):
    """What ranks are told.

    Attributes:
        spec: Embedding and terms.
        shape: Shape of the network, as of ``FunctionNetworkConfig``.
    """

    spec: TermSpec
    shape: dict[str, Any]

    @property
    def inputs(self) -> tuple[Field, ...]:
        return (embedding_field(self.spec),)

    @property
    def labels(self) -> tuple[Field, ...]:
        return (label_field(self.spec),)

    def network(self) -> Any:
        return _build(self.spec, self.shape)

    def known(self, labels: Tensors) -> Any:
        import tensorflow as tf

        return tf.reduce_sum(tf.cast(~tf.math.is_nan(labels["labels"]), tf.float32), axis=0)

    def loss_sums(self, outputs: Any, labels: Tensors) -> Any:
        """Cross-entropy of each term, summed over the genes whose label is known."""
        import tensorflow as tf

        known = ~tf.math.is_nan(labels["labels"])
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.where(known, labels["labels"], 0.0), outputs)
        return tf.reduce_sum(tf.where(known, entropy, 0.0), axis=0)


@dataclass(frozen=True)
class Neighbours:
    """Training genes that vote, and how.

    Attributes:
        genes: Their names.
        embedding: [genes, features].
        labels: 1, 0 or NaN, [genes, terms].
        count: Nearest genes that have a vote.
        power: Of the cosine, which weighs the votes; 0 for votes that count alike.
    """

    genes: tuple[str, ...]
    embedding: NDArray[np.float32]
    labels: NDArray[np.float32]
    count: int
    power: float

    def votes(self, genes: Sequence[str], embedding: NDArray[np.float32], prevalence: Floats) -> Floats:
        """The share of the nearest genes that have each term, weighted by their cosines; the prevalence has one vote too.

        Args:
            genes: Genes to vote on; none has a vote on itself.
            embedding: [genes, features].
            prevalence: Of the terms among the training genes.

        Returns:
            [genes, terms].
        """
        return self.counted(*self.nearest(genes, embedding), prevalence)

    def nearest(self, genes: Sequence[str], embedding: NDArray[np.float32]) -> tuple[NDArray[np.int64], Floats]:
        """Indices of the voting genes, the nearest first, and their cosines, [genes, votes] each."""
        place = {gene: index for index, gene in enumerate(self.genes)}
        own, voters = np.array([place.get(gene, -1) for gene in genes], np.int64), _unit(self.embedding).T
        found = []
        for first in range(0, len(genes), _GENES):
            part = slice(first, first + _GENES)
            cosines = _unit(embedding[part]) @ voters
            mine = np.flatnonzero(own[part] >= 0)
            cosines[mine, own[part][mine]] = -np.inf
            # Ties by place, so that the result does not hang on the sort.
            order = np.argsort(-cosines, axis=1, kind="stable")[:, : self.count]
            found.append((order, np.take_along_axis(cosines, order, axis=1)))
        return np.concatenate([order for order, _ in found]), np.concatenate([cosines for _, cosines in found])

    def counted(self, nearest: NDArray[np.int64], cosines: Floats, prevalence: Floats) -> Floats:
        """See ``votes``."""
        shares = np.empty((len(nearest), len(prevalence)))
        known = ~np.isnan(self.labels)
        labels = np.where(known, self.labels, 0)
        for first in range(0, len(nearest), _GENES):
            part = slice(first, first + _GENES)
            weights = np.zeros((len(nearest[part]), len(self.genes)))
            votes = np.where(cosines[part] > 0, np.maximum(cosines[part], 1e-12) ** self.power, 0.0)
            np.put_along_axis(weights, nearest[part], votes, axis=1)
            shares[part] = (weights @ labels + prevalence) / (weights @ known + 1)
        return shares


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12))


@dataclass(frozen=True)
class FunctionModel:
    """Both models of a bundle and how they are mixed.

    Attributes:
        spec: Embedding and terms.
        shape: Shape of the network.
        weights: The network's arrays, in Keras' order.
        neighbours: Who votes.
        network_share: Weight of the network's probability in the shipped default; the rest is the votes'.
    """

    spec: TermSpec
    shape: dict[str, Any]
    weights: Sequence[NDArray[np.float32]]
    neighbours: Neighbours
    network_share: float

    @classmethod
    def of(cls, bundle: Bundle) -> FunctionModel:
        """What a bundle holds."""
        definition, arrays = bundle.definition, bundle.arrays
        voters = definition["neighbours"]
        neighbours = Neighbours(tuple(voters["genes"]), arrays["embedding"], arrays["labels"], voters["count"], voters["power"])
        return cls(TermSpec.from_json(definition["spec"]), definition["network"], bundle.weights, neighbours, definition["networkShare"])

    def bundle(self, lineage: dict[str, Any] | None = None) -> Bundle:
        """The inverse of ``of``."""
        voters = {name: getattr(self.neighbours, name) for name in ("genes", "count", "power")}
        definition = {"spec": self.spec.to_json(), "network": self.shape, "neighbours": voters, "networkShare": self.network_share}
        return Bundle(
            TASK, definition, self.weights, {"embedding": self.neighbours.embedding, "labels": self.neighbours.labels}, [], lineage or {}
        )

    def with_share(self, share: float) -> FunctionModel:
        return dataclasses.replace(self, network_share=share)

    def default_probability(self, network: Floats, votes: Floats) -> Floats:
        """Probabilities of the shipped default, [genes, terms], from those of both models."""
        return self.network_share * network + (1 - self.network_share) * votes


def predictor(bundle: Bundle) -> Predictor:
    """Probabilities by the network and shares of votes for batches of genes, as lists of one number a term."""
    model = FunctionModel.of(bundle)
    spec = model.spec
    network = _build(spec, model.shape)
    network.set_weights(model.weights)
    field, prevalence = embedding_field(spec), np.array(spec.prevalence)

    def predict(batch: pa.RecordBatch) -> list[pa.Array]:
        embedding = field.read(batch.column("embedding").to_pylist())
        logits = network({"embedding": embedding}, training=False).numpy().astype(float)
        votes = model.neighbours.votes(batch.column("geneId").to_pylist(), embedding, prevalence)
        made = (spec.consistent(0.5 * (1 + np.tanh(0.5 * logits))), spec.consistent(votes))
        return [pa.array(list(probabilities), pa.list_(pa.float64())) for probabilities in made]

    return predict


def with_probabilities(rows: DataFrame, bundle: Bundle) -> DataFrame:
    """Adds `network` and `votes`, arrays of one number a term, in place of `embedding`."""
    return with_predictions(rows, bundle, predictor, ["embedding"], "network array<double>, votes array<double>")


def _build(spec: TermSpec, shape: dict[str, Any]) -> Any:
    # TensorFlow starts only where a network is needed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from genospark.models.function import FunctionNetworkConfig, build

    return build(spec, FunctionNetworkConfig(**shape))
