"""Training of the task gene function: neighbour voting, network, and their mix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveInt
from pyspark.sql import SparkSession

from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.models.bundle import Bundle
from genospark.models.function import FunctionNetworkConfig
from genospark.models.terms import Floats, TermSpec
from genospark.tasks.curves import Ranking, interval
from genospark.tasks.function import (
    TASK,
    FunctionModel,
    FunctionProblem,
    embedding_field,
    from_tables,
    label_field,
    with_probabilities,
)
from genospark.tasks.problem import Problem
from genospark.training import stage
from genospark.training.neighbours import Genes, fit, micro_precision
from genospark.training.stage import Metric, Recipe, TrainConfig

METHODS = {"network": "multi-label network", "baseline": "votes of the nearest genes", "default": "mix chosen on validation genes"}
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
TARGET = "all terms"


class TrainFunctionConfig(TrainConfig):
    """Settings of ``train function``.

    Attributes:
        network: Shape of the network.
        neighbours: Numbers of voting neighbours to choose from.
        powers: Powers of the cosine, which weighs a vote, to choose from.
    """

    epochs: int = Field(100, ge=0)
    patience: int = Field(10, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    network: FunctionNetworkConfig = FunctionNetworkConfig()
    neighbours: list[PositiveInt] = Field([3, 5, 10, 20, 40, 80, 160, 320], min_length=1)
    powers: list[NonNegativeFloat] = Field([0.0, 1.0, 2.0, 4.0, 8.0], min_length=1)


def train(config: TrainFunctionConfig, spark: SparkSession) -> str:
    """Trains both models on the training genes and writes a bundle; see ``stage.train``."""
    return stage.train(FunctionRecipe(), config, spark)


class FunctionRecipe(Recipe[TrainFunctionConfig]):
    """The votes and the network see the same embedding; validation genes choose the votes' settings and the mix."""

    task = TASK
    examples = "functionExamples"
    tables = ("functionFeatures", "functionTerms")

    def problem(self, run: Run, config: TrainFunctionConfig) -> Problem:
        self._spec = from_tables(run.warehouse)
        with step(f"{run.stage}: neighbour voting"):
            training, validation = (genes_of(run.warehouse, self._spec, side) for side in ("train", "validation"))
            prevalence = np.array(self._spec.prevalence)
            self._neighbours = fit(training, validation, prevalence, list(config.neighbours), list(config.powers))
        run.note(neighbours=self._neighbours.count, power=self._neighbours.power)
        return FunctionProblem(self._spec, config.network.model_dump())

    def finish(self, run: Run, config: TrainFunctionConfig, weights: list[NDArray[Any]]) -> tuple[Bundle, list[Metric]]:
        model = FunctionModel(self._spec, config.network.model_dump(mode="json"), weights, self._neighbours, 0.5)
        genes = _predicted(run.warehouse, model)
        network, votes, labels = _arrays(genes[genes["split"] == "validation"])
        # Ties go to the network: it comes first.
        share = max(SHARES, key=lambda share: micro_precision(share * network + (1 - share) * votes, labels))
        model = model.with_share(share)
        run.note(network_share=share)
        metrics = [row for side in ("validation", "test") for row in measure(model, genes[genes["split"] == side], side)]
        return model.bundle(), metrics


def genes_of(warehouse: Warehouse, spec: TermSpec, side: str) -> Genes:
    """The genes of one side, by name."""
    rows: pd.DataFrame = warehouse.read("functionExamples").where(f"split = '{side}'").orderBy("geneId").toPandas()
    embedding, labels = (field.read(list(rows[field.name])) for field in (embedding_field(spec), label_field(spec)))
    return tuple(rows["geneId"]), embedding, labels


def _predicted(warehouse: Warehouse, model: FunctionModel) -> pd.DataFrame:
    """What both models say of validation and test genes."""
    rows = warehouse.read("functionExamples").where("split in ('validation', 'test')").drop("runId")
    genes: pd.DataFrame = with_probabilities(rows, model.bundle()).toPandas()
    genes = genes.sort_values("geneId").reset_index(drop=True)
    genes["labels"] = list(label_field(model.spec).read(list(genes["labels"])))
    return genes


def _arrays(genes: pd.DataFrame) -> tuple[Floats, Floats, NDArray[np.float32]]:
    network, votes, labels = (np.stack(list(genes[name])) for name in ("network", "votes", "labels"))
    return network, votes, labels


def measure(model: FunctionModel, genes: pd.DataFrame, side: str) -> list[Metric]:
    """Macro AUROC and micro AUPRC of each model, with intervals over genes.

    Args:
        model: The models.
        genes: Columns network, votes, labels: arrays of one number a term.
        side: What the genes are: validation or test.
    """
    rows: list[Metric] = []
    if genes.empty:
        return rows
    network, votes, labels = _arrays(genes)
    scores = {"network": network, "baseline": votes, "default": model.default_probability(network, votes)}
    truth = labels.astype(float)
    for name, score in scores.items():
        values, ends = areas(score, truth)
        for metric, value, (low, high) in zip(("macro AUROC", "micro AUPRC"), values, ends, strict=True):
            n = int((~np.isnan(truth)).any(axis=1).sum())
            rows.append(Metric(TARGET, metric, name, METHODS[name], side, float(value), float(low), float(high), n, int(np.nansum(truth))))
    return rows


def areas(scores: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """Macro AUROC, the mean over terms that have genes and lack genes, and micro AUPRC, of all genes and terms together.

    Args:
        scores: [genes, terms].
        labels: 1, 0 or NaN, [genes, terms].

    Returns:
        Both figures, and their 95% intervals over genes, [2, 2].
    """
    by_term, together = Ranking(scores.T, labels.T), Ranking(scores.reshape(1, -1), labels.reshape(1, -1))

    def figures(times: Floats) -> Floats:
        by_term_areas = by_term.areas(times)[0]
        known = by_term_areas[~np.isnan(by_term_areas)]
        macro = known.mean() if len(known) else np.nan
        return np.array([macro, together.areas(np.repeat(times, labels.shape[1]))[1][0]])

    return figures(np.ones(len(labels))), interval(figures, len(labels))
