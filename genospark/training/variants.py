"""Training of the task variant detection: a Bayesian caller, tuned, and the network that starts there."""

from __future__ import annotations

import itertools
import os
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat
from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from scipy.optimize import minimize

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from genospark.core.pileup import MODEL_CHANNELS, WINDOW_BP, read
from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TableError
from genospark.features.windows import some_windows
from genospark.models.bundle import Bundle
from genospark.models.likelihoods import HEADS, LikelihoodConfig
from genospark.models.variants import VariantNetworkConfig, build
from genospark.tasks.predict import Predictor, predicted
from genospark.tasks.problem import Problem
from genospark.tasks.variants import LABELS, MOST_QUALITY, TASK, Caller, Thresholds, VariantModel, VariantProblem, radius
from genospark.training import stage
from genospark.training.metrics import f1_interval, f1_score
from genospark.training.stage import Metric, Recipe, TrainConfig

METHODS = {"network": "network on pileup windows", "baseline": "Bayesian genotype likelihoods"}
# Of a call that is wrong once in a hundred.
USUAL_QUALITY = 20
# One row a position at which a model or the truth is not 0/0, and one a window for what the reads cannot tell (position null).
_FOUND = (
    "split string, sampleId string, contigName string, window bigint, head int, truth int, missed int, "
    "networkGenotype int, networkQuality float, baselineGenotype int, baselineQuality float"
)
_TUNING_WINDOWS = 400


class TrainVariantsConfig(TrainConfig):
    """Settings of ``train variants``.

    Attributes:
        network: Shape of the network.
        base_errors: Least chances of a wrong base to choose from, for the Bayesian caller.
        indel_weights: Shares of the log likelihoods of indels that count, to choose from.
        indel_counts: Shares of these that are by counts of reads and the sample's own rate of slips, to choose from.
        snv_rates: Shares of positions with a SNV to choose from.
        indel_rates: Shares of positions with an indel to choose from.
        strand_errors: Positions where one strand's reads err alike to choose from, for each that shows it; see ``LikelihoodConfig``.
        variant_density: How many times commoner SNVs and indels are in the examples than in the people who will be called.
    """

    network: VariantNetworkConfig = VariantNetworkConfig()
    batch_size: int = Field(8, ge=1)
    epochs: int = Field(16, ge=0)
    patience: int = Field(5, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    base_errors: list[PositiveFloat] = Field([5e-4, 1e-3, 2e-3, 4e-3, 8e-3], min_length=1)
    indel_weights: list[PositiveFloat] = Field([0.4, 0.7, 1.0], min_length=1)
    indel_counts: list[float] = Field([0.0, 0.5, 1.0], min_length=1)
    snv_rates: list[PositiveFloat] = Field([1e-4, 1e-3], min_length=1)
    indel_rates: list[PositiveFloat] = Field([1e-4, 3e-4, 1e-3], min_length=1)
    strand_errors: list[float] = Field([0.0, 3.0, 10.0, 30.0, 100.0], min_length=1)
    variant_density: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.0)


def train(config: TrainVariantsConfig, spark: SparkSession) -> str:
    """Trains both callers on the training windows and writes a bundle; see ``stage.train``."""
    return stage.train(VariantRecipe(), config, spark)


class VariantRecipe(Recipe[TrainVariantsConfig]):
    """The Bayesian caller first: the network starts there."""

    task = TASK
    examples = "variantExamples"

    def problem(self, run: Run, config: TrainVariantsConfig) -> Problem:
        _check_context(run.warehouse, radius(config.network.model_dump()))
        with step(f"{run.stage}: Bayesian caller"):
            self._likelihood = tuned(run.warehouse, config)
        run.note(**self._likelihood.model_dump())
        return VariantProblem(self._likelihood.model_dump(), config.network.model_dump(), config.variant_density)

    def finish(self, run: Run, config: TrainVariantsConfig, weights: list[NDArray[Any]]) -> tuple[Bundle, list[Metric]]:
        anything = {name: Thresholds(0, 0) for name in METHODS}
        shape = config.network.model_dump(mode="json")
        as_stated = {name: [[0.0, 1.0]] * len(HEADS) for name in METHODS}
        model = VariantModel(self._likelihood.model_dump(), shape, weights, "network", anything, as_stated)
        rows = run.warehouse.read("variantExamples").where("split != 'train'")
        with some_windows(run.warehouse.spark):
            found: pd.DataFrame = predicted(rows, model.bundle(), compared, _FOUND).toPandas()
        density = config.variant_density
        calibration = {name: calibrate(found, name, density) for name in METHODS}
        validation = found[found["split"] == "validation"]
        thresholds = {name: _thresholds(validation, name, density) for name in METHODS}
        mean_f1 = {name: np.mean([_f1(validation, name, head, thresholds[name])[0] for head in range(len(HEADS))]) for name in METHODS}
        # Equal on few validation calls: the network's validation loss is never above that of the caller it starts from.
        default = "baseline" if mean_f1["baseline"] > mean_f1["network"] else "network"
        run.note(default=default, **{f"{name} thresholds": vars(entry) for name, entry in thresholds.items()})
        metrics = []
        for side in ("validation", "test"):
            part = found[found["split"] == side]
            for head, target in enumerate(HEADS):
                for name in (*METHODS, "default"):
                    which = default if name == "default" else name
                    value, low, high, n = _f1(part, which, head, thresholds[which])
                    metrics.append(Metric(target, "F1", name, METHODS[which], side, value, low, high, n))
        return VariantModel(model.likelihood, shape, weights, default, thresholds, calibration).bundle(), metrics


def _check_context(warehouse: Warehouse, needed: int) -> None:
    """Sites lie side by side in training examples: a network that sees farther would see its neighbours."""
    least = warehouse.read("variantExamples").agg(f.min("contextBp")).collect()[0][0]
    if least is not None and least < needed:
        problem = f"the network sees {needed} positions on either side, training examples have {least}"
        raise ConfigError(
            problem, f"build features with context_bp={needed if needed < WINDOW_BP // 2 else 'null'}, or set fewer dilations"
        )


def tuned(warehouse: Warehouse, config: TrainVariantsConfig) -> LikelihoodConfig:
    """The Bayesian caller whose cross-entropy on validation windows is least; SNV and indel settings do not touch each other."""
    rows = warehouse.read("variantExamples").where("split = 'validation'").orderBy(f.xxhash64("sampleId", "start")).limit(_TUNING_WINDOWS)
    windows: pd.DataFrame = rows.select("pileup", *(field.name for field in LABELS)).toPandas()
    if windows.empty:
        raise TableError("`variantExamples` has no validation windows", "build features with other `people` and `loci`")
    pileup = read(list(windows["pileup"]), MODEL_CHANNELS)
    labels = {field.name: field.read(list(windows[field.name])) for field in LABELS}
    chunks = [slice(start, start + 32) for start in range(0, len(windows), 32)]
    snv = list(itertools.product(config.base_errors, config.snv_rates, config.strand_errors))
    indel = list(itertools.product(config.indel_weights, config.indel_rates, config.indel_counts))
    losses = np.full((2, max(len(snv), len(indel))), np.inf)
    for index in range(losses.shape[1]):
        one, other = snv[index % len(snv)], indel[index % len(indel)]
        caller = _likelihood(one, other)
        problem, graph = VariantProblem(caller.model_dump(), {}, config.variant_density), build(caller, None)
        losses[:, index] = sum(problem.loss_sums(graph({"pileup": pileup[at]}), _part(labels, at)).numpy() for at in chunks)
    return _likelihood(snv[losses[0].argmin() % len(snv)], indel[losses[1].argmin() % len(indel)])


def _likelihood(snv: tuple[float, float, float], indel: tuple[float, float, float]) -> LikelihoodConfig:
    names = ("base_error", "snv_rate", "strand_errors", "indel_weight", "indel_rate", "indel_counts")
    return LikelihoodConfig(**dict(zip(names, snv + indel, strict=True)))


def _part(labels: dict[str, NDArray[Any]], at: slice) -> dict[str, NDArray[Any]]:
    return {name: values[at] for name, values in labels.items()}


def compared(bundle: Bundle) -> Predictor:
    """Both callers and the truth, at positions where one of them is not 0/0."""
    model = VariantModel.of(bundle)
    callers = [Caller(model, name) for name in METHODS]

    def compare(batch: pa.RecordBatch) -> list[pa.Array]:
        pileup = read(batch.column("pileup").to_pylist(), MODEL_CHANNELS)
        truth = np.stack([field.read(batch.column(field.name).to_pylist()) for field in LABELS], axis=-1)
        calls = [caller(pileup) for caller in callers]
        differs = (truth > 0) | ((truth == 0) & np.any([genotype > 0 for genotype, _ in calls], axis=0))
        window, position, head = np.nonzero(differs)
        at = (window, position, head)
        missed = np.stack([batch.column(name).to_numpy() for name in ("nMissedSnv", "nMissedIndel")], axis=-1)
        lost, lost_head = np.nonzero(missed)
        n_lost = len(lost)
        none = np.zeros(n_lost)
        row = pa.array(np.concatenate([window, lost]))
        keys = [batch.column(name).take(row) for name in ("split", "sampleId", "contigName", "start")]
        numbers: list[Any] = [(head, lost_head, np.int32), (truth[at], none, np.int32)]
        numbers.append((np.zeros(len(window)), missed[lost, lost_head], np.int32))
        for genotype, quality in calls:
            numbers += [(genotype[at], none, np.int32), (quality[at], none, np.float32)]
        return [*keys, *(pa.array(np.concatenate(pair).astype(kind)) for *pair, kind in numbers)]

    return compare


def _counts(found: pd.DataFrame, model: str, head: int, threshold: float) -> pd.DataFrame:
    """True positives, false positives and false negatives of each window: genotypes must be exact."""
    part = found[found["head"] == head]
    called = (part[f"{model}Genotype"] > 0) & (part[f"{model}Quality"] >= threshold)
    right = called & (part[f"{model}Genotype"] == part["truth"])
    columns = {"tp": right, "fp": called & ~right, "fn": (part["truth"] > 0) & ~right}
    counts = part.assign(**columns).astype(dict.fromkeys(columns, int))
    counts["fn"] += counts["missed"]
    return counts.groupby(["sampleId", "contigName", "window"])[list(columns)].sum()


def calibrate(found: pd.DataFrame, model: str, density: tuple[float, float]) -> list[list[float]]:
    """Puts qualities in ``found`` where validation windows say that they should be.

    A call of quality q is wrong with the chance 10^(-(offset + slope q) / 10); both are those that make the errors of the validation
    windows likeliest, near 0 and 1 where these are few.

    Args:
        found: Rows of ``compared``; the model's qualities are replaced.
        model: Which.
        density: As in the configuration: false calls at other places are that much commoner in people.

    Returns:
        Offset and slope of each head.
    """
    fitted = []
    for head in range(len(HEADS)):
        called = (found["head"] == head) & (found[f"{model}Genotype"] > 0)
        seen = found[called & (found["split"] == "validation") & (found["truth"] >= 0)]
        quality = seen[f"{model}Quality"].to_numpy(float)
        wrong = (seen[f"{model}Genotype"] != seen["truth"]).to_numpy()
        weight = np.where(seen["truth"] == 0, density[head], 1.0)

        def loss(line: NDArray[np.float64], quality: Any = quality, wrong: Any = wrong, weight: Any = weight) -> float:
            chance = np.clip(10 ** (-(line[0] + line[1] * quality) / 10), 1e-9, 0.9)
            said = weight * np.where(wrong, np.log(chance), np.log1p(-chance))
            return float(-said.sum() + (line[0] / 3) ** 2 / 2 + (np.log(np.maximum(line[1], 1e-3)) / 0.3) ** 2 / 2)

        line = minimize(loss, [0.0, 1.0], method="Nelder-Mead").x
        fitted.append([float(line[0]), float(max(line[1], 1e-3))])
        raised = np.clip(fitted[-1][0] + fitted[-1][1] * found.loc[called, f"{model}Quality"], 0, MOST_QUALITY)
        found.loc[called, f"{model}Quality"] = raised.astype(np.float32)
    return fitted


def _thresholds(found: pd.DataFrame, model: str, density: tuple[float, float]) -> Thresholds:
    """The least qualities with the best F1 in people; of equal ones the nearest to 20, since with few validation calls most are equal."""
    chosen = []
    for head in range(len(HEADS)):
        elsewhere = found["truth"] == 0
        parts = [(found[elsewhere], density[head]), (found[~elsewhere], 1.0)]
        scores = np.array([f1_score(*sum(w * _counts(part, model, head, q).sum() for part, w in parts)) for q in range(MOST_QUALITY)])
        best = np.flatnonzero(scores >= np.nanmax(scores, initial=0) - 1e-12)
        equal = best[: np.argmax(np.diff(best, append=10**6) > 1) + 1] if len(best) else np.array([USUAL_QUALITY])
        # A call that is wrong more often than right is none, whatever a few validation calls say.
        chosen.append(float(np.clip(np.clip(USUAL_QUALITY, equal[0], equal[-1]), 3, 40)))
    return Thresholds(*chosen)


def _f1(found: pd.DataFrame, model: str, head: int, thresholds: Thresholds) -> tuple[float, float, float, int]:
    """F1 over genotypes, its interval by bootstrap over windows, and the number of true genotypes."""
    counts = _counts(found, model, head, (thresholds.snv, thresholds.indel)[head])
    total = counts.sum()
    return f1_score(*total), *f1_interval(counts.to_numpy()), int(total["tp"] + total["fn"])
