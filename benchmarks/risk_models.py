"""Models of ``bench-risk``: ours, by the code that the stage trains with, and the simple ones that it has to beat."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import risk_cohort
from numpy.typing import NDArray
from risk_cohort import Cohort
from scipy.stats import chi2
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from genospark.core.calls import pack
from genospark.models.risk import RiskNetworkConfig
from genospark.models.spec import Covariate, Expression, FeatureSpec, Variant, Variants
from genospark.models.targets import Target
from genospark.tasks.risk import fields, label_fields
from genospark.training.alone import train_alone
from genospark.training.calibration import Judges, Unseen, shipped
from genospark.training.design import Dense
from genospark.training.metrics import auc
from genospark.training.pairs import Products
from genospark.training.penalised import Sample, fit
from genospark.training.risk import problem_of, untuned
from genospark.training.risk_fit import Examples, Fitted, RegressionConfig, fitted
from genospark.training.worker import RankJob, read_checkpoint

Floats = NDArray[np.float64]
N_PCS = 3
RIDGE = [0.3, 0.15, 0.08, 0.04, 0.02, 0.01, 0.005, 0.0025]


@dataclass(frozen=True)
class Data:
    """A cohort as examples, its features fitted on the training people.

    Attributes:
        spec: Features and diseases.
        training, validation, test: People.
        population: Of the test people.
        terms: Pairs that truly interact.
    """

    spec: FeatureSpec
    training: Examples
    validation: Examples
    test: Examples
    population: NDArray[np.int64]
    terms: NDArray[np.int64]

    @property
    def variants(self) -> NDArray[np.int64]:
        return np.arange(len(self.spec.variants))

    @property
    def expression(self) -> NDArray[np.int64]:
        return len(self.spec.variants) + np.arange(len(self.spec.expression))

    @property
    def covariates(self) -> NDArray[np.int64]:
        return len(self.spec.variants) + len(self.spec.expression) + np.arange(len(self.spec.covariates))


def data_of(cohort: Cohort, n_training: int, seed: int) -> Data:
    """The first people train, a fifth of them as validation people; all others are fresh."""
    n = len(cohort.labels)
    side = np.where(np.arange(n) >= n_training, 2, (np.arange(n) % 5 == 0).astype(int))
    known = np.where(cohort.calls == 3, np.nan, cohort.calls)
    means, deviations = np.nanmean(known[side == 0], axis=0), np.nanstd(known[side == 0], axis=0)
    standard = np.nan_to_num((known - means) / deviations)
    _, _, axes = np.linalg.svd(standard[side == 0] - standard[side == 0].mean(axis=0), full_matrices=False)
    measured = np.concatenate([cohort.expression, cohort.covariates, standard @ axes[:N_PCS].T], axis=1)
    measured = (measured - measured[side == 0].mean(axis=0)) / measured[side == 0].std(axis=0)
    per = risk_cohort.PER_GENE
    spec = FeatureSpec(
        Variants.of(Variant(f"chr{i // per}", i, "A", "C", float(means[i]), float(deviations[i]), 1.0) for i in range(len(means))),
        tuple(Expression(f"gene{i}", "cell", "state", 0.0, 1.0, 1.0) for i in range(cohort.expression.shape[1])),
        tuple(Covariate(name, 0.0, 1.0) for name in ("age", "sex", *(f"PC{i + 1}" for i in range(N_PCS)))),
        "none",
        tuple(Target(name) for name in risk_cohort.DISEASES),
    )
    draw = np.random.default_rng(seed).integers(0, 240, n).astype(np.uint8)
    packed, labels = pack(cohort.calls), cohort.labels.astype(np.float32)

    def people(which: int) -> Examples:
        mine = side == which
        return Examples(packed[mine], measured[mine].astype(np.float32), labels[mine], np.ones_like(labels[mine]), draw[mine])

    return Data(spec, people(0), people(1), people(2), cohort.population[side == 2], cohort.terms)


def only(data: Data, target: int) -> Data:
    """The same with one disease."""

    def people(examples: Examples) -> Examples:
        return dataclasses.replace(examples, labels=examples.labels[:, [target]], weights=examples.weights[:, [target]])

    sides = {name: people(getattr(data, name)) for name in ("training", "validation", "test")}
    return dataclasses.replace(data, spec=dataclasses.replace(data.spec, targets=(data.spec.targets[target],)), **sides)


@dataclass(frozen=True)
class Ours:
    """Our models' predictions for test people, each [people, diseases].

    Attributes:
        default, network, linear: Probability of the shipped default; outputs of both models.
        share: Of the network in the default.
        fitted: Regressions and pairs.
    """

    default: Floats
    network: Floats
    linear: Floats
    share: float
    fitted: Fitted


def ours(data: Data, work: Path, seed: int, network: RiskNetworkConfig, batch_size: int, epochs: int) -> Ours:
    """Trains as ``train risk`` does: regressions and pairs, the network by the ranks' own loop, then mix and calibration."""
    found = fitted(data.spec, data.training, data.validation, RegressionConfig(), network.members)
    files = {name: _written(work / f"{name}.parquet", data.spec, getattr(data, name)) for name in ("training", "validation")}
    checkpoint = work / "weights.npz"
    job = RankJob(
        problem=problem_of(data.spec, network, found),
        training_files=[files["training"]],
        validation_files=[files["validation"]],
        checkpoint=str(checkpoint),
        batch_size=batch_size,
        epochs=epochs,
        patience=3,
        learning_rate=1e-3,
        seed=seed,
    )
    train_alone(job)
    model = untuned(data.spec, network, found, read_checkpoint(str(checkpoint)))
    judges, learners = (
        Judges(side.labels, side.weights.astype(float), np.char.add(name, np.arange(len(side.labels)).astype(str)))
        for name, side in (("v", data.validation), ("t", data.training))
    )
    say, tell = model.predictor(), model.unseen()
    outputs = (part for side in (data.training, data.validation) for part in tell(side.calls, side.measurements, side.draw))
    unseen = Unseen(learners, *outputs)
    targets = shipped(say(data.validation.calls, data.validation.measurements), judges, data.spec.targets, unseen)
    model = dataclasses.replace(model, targets=targets)
    said = say(data.test.calls, data.test.measurements)
    return Ours(model.default(said), said.network, said.linear, targets[0].network_share, found)


def _written(path: Path, spec: FeatureSpec, people: Examples) -> str:
    arrays = (people.calls, people.measurements, people.labels, people.weights, people.draw[:, None])
    columns = {
        field.name: pa.array([row.tobytes() for row in array])
        for field, array in zip((*fields(spec), *label_fields(spec)), arrays, strict=True)
    }
    pq.write_table(pa.table(columns), path, row_group_size=2000)
    return path.as_uri()


def linear(data: Data, which: NDArray[np.int64], l1_ratio: float, shares: list[float], products: NDArray[np.int64] | None = None) -> Any:
    """A penalised regression on some features, and on some products: scores of validation and test people, [people, diseases]."""
    sides = [people.sample(data.spec) for people in (data.training, data.validation, data.test)]
    made = None if products is None else Products.of(sides[0].design, products)

    def some(sample: Sample) -> Sample:
        x = sample.design.columns(which)
        return dataclasses.replace(sample, design=Dense(x if made is None else np.concatenate([x, made.values(sample.design)], axis=1)))

    training, validation, test = map(some, sides)
    found, _ = fit(training, validation, data.spec.targets, [l1_ratio], shares)
    return found.outputs(validation), found.outputs(test)


def stacked(data: Data, validation: Floats, test: Floats) -> Floats:
    """Logistic regressions on scores of validation people, the same scores for each disease: scores of test people."""
    found = []
    for target in range(data.validation.labels.shape[1]):
        model = LogisticRegression(C=1.0, max_iter=1000).fit(validation, data.validation.labels[:, target])
        found.append(model.decision_function(test))
    return np.stack(found, axis=1)


def clumped(data: Data) -> Floats:
    """C+T: clumps of r2 below 0.1 within a gene, the p-value threshold chosen on validation people, covariates beside the score."""
    training, validation, test = (people.sample(data.spec).design for people in (data.training, data.validation, data.test))
    x, others, fresh = (side.columns(data.variants) for side in (training, validation, test))
    covariates = [side.columns(data.covariates) for side in (training, validation, test)]
    correlation = (x.T @ x / len(x)) ** 2
    scores = []
    for target in range(data.training.labels.shape[1]):
        y, y_validation = data.training.labels[:, target].astype(float), data.validation.labels[:, target].astype(float)
        null = LogisticRegression(C=1e3, max_iter=1000).fit(covariates[0], y)
        p = null.predict_proba(covariates[0])[:, 1]
        information = (p * (1 - p)).sum()
        effects = x.T @ (y - p) / information
        p_values = chi2.sf(effects**2 * information, 1)
        kept, per = [], risk_cohort.PER_GENE
        for index in np.argsort(p_values):
            if all(index // per != other // per or correlation[index, other] < 0.1 for other in kept):
                kept.append(index)
        best = None
        for threshold in (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0):
            used = [index for index in kept if p_values[index] <= threshold] or kept[:1]
            parts = [
                np.column_stack([side[:, used] @ effects[used], covariate])
                for side, covariate in zip((x, others, fresh), covariates, strict=True)
            ]
            model = LogisticRegression(C=1e3, max_iter=1000).fit(parts[1], y_validation)
            loss = auc(model.decision_function(parts[1]), y_validation)
            if best is None or loss > best[0]:
                best = (loss, model.decision_function(parts[2]))
        assert best is not None
        scores.append(best[1])
    return np.stack(scores, axis=1)


def boosted(data: Data, seed: int) -> Floats:
    """Gradient boosting on everything; rate and leaves are chosen for the commonest disease, the number of trees for each."""
    everything = np.concatenate([data.variants, data.expression, data.covariates])
    sides = (data.training, data.validation, data.test)
    training, validation, test = (people.sample(data.spec).design.columns(everything) for people in sides)
    y, y_validation = data.training.labels, data.validation.labels

    def one(target: int, rate: float, leaves: int) -> tuple[float, Floats]:
        model = HistGradientBoostingClassifier(
            learning_rate=rate, max_leaf_nodes=leaves, max_iter=120, l2_regularization=1.0, early_stopping=False, random_state=seed
        ).fit(training, y[:, target])
        best, when = np.inf, 0
        for trees, p in enumerate(model.staged_predict_proba(validation)):
            p1 = np.clip(p[:, 1], 1e-6, 1 - 1e-6)
            loss = -np.mean(y_validation[:, target] * np.log(p1) + (1 - y_validation[:, target]) * np.log1p(-p1))
            if loss < best:
                best, when = loss, trees
        return best, next(p[:, 1] for trees, p in enumerate(model.staged_predict_proba(test)) if trees == when)

    common = y.shape[1] - 1
    trials = {(rate, leaves): one(common, rate, leaves) for rate in (0.1,) for leaves in (4, 8, 16)}
    chosen = min(trials, key=lambda trial: trials[trial][0])
    return np.stack([*(one(target, *chosen)[1] for target in range(common)), trials[chosen][1]], axis=1)
