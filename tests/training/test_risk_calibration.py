"""Calibration and measures of risk against scikit-learn, statsmodels and populations whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import norm
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, r2_score, roc_auc_score

from genospark.models.targets import Target, sigmoid
from genospark.tasks.risk_model import Said
from genospark.training.calibration import Judges, Unseen, reference_of, shipped
from genospark.training.calibrators import platt
from genospark.training.risk_metrics import draws, measures


def test_platt_finds_the_miscalibration() -> None:
    random = np.random.default_rng(3)
    logits = random.normal(size=40_000)
    labels = (random.random(40_000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(float)
    slope, intercept, information = platt(logits, labels, np.ones(40_000), 1.0, 1.0)
    assert slope == pytest.approx(0.5, abs=0.05)
    assert intercept == pytest.approx(-1, abs=0.05)
    fitted = sm.Logit(labels, sm.add_constant(logits)).fit(disp=0)
    assert slope == pytest.approx(fitted.params[1], abs=1e-3)
    assert information**-0.5 == pytest.approx(fitted.bse[1], rel=1e-2)


def _said(network: np.ndarray, linear: np.ndarray) -> Said:
    return Said(network, np.zeros_like(network), linear, np.zeros_like(linear), np.zeros((len(network), 0)))


def test_the_better_model_is_shipped_and_the_regression_where_the_network_gains_nothing() -> None:
    random = np.random.default_rng(4)
    good, noise = random.normal(size=(2, 3000, 1))
    labels = (random.random((3000, 1)) < 1 / (1 + np.exp(-2 * good))).astype(np.float32)
    labels[::10] = np.nan
    judges = Judges(labels, np.ones((3000, 1)), np.arange(3000).astype(str))
    assert shipped(_said(good, noise), judges, [Target("d")])[0].network_share == 1.0
    assert shipped(_said(noise, good), judges, [Target("d")])[0].network_share == 0.0
    assert shipped(_said(good + 0.01 * noise, good), judges, [Target("d")])[0].network_share == 0.0


@pytest.mark.parametrize("bent", [False, True])
def test_the_calibration_that_fits_is_chosen(bent: bool) -> None:
    """Platt's where the logit is off by a line, another where it is not; either way risks are right within a point."""
    random = np.random.default_rng(5)
    logits = random.normal(size=20_000)
    truth = 0.1 + 0.8 * (logits > 0.3) if bent else sigmoid(0.6 * logits - 1)
    judges = Judges((random.random(20_000) < truth).astype(np.float32)[:, None], np.ones((20_000, 1)), np.arange(20_000).astype(str))
    (model,) = shipped(_said(logits[:, None], logits[:, None]), judges, [Target("d")])
    assert (model.calibration.method == "platt") != bent
    said = model.calibration.apply(Target("d"), logits[:, None])[:, 0]
    assert np.abs(said - truth).mean() < 0.01


def test_oversampled_cases_are_brought_to_the_prevalence() -> None:
    """Half of the sample are cases of a disease of 2%: mean risk in the population is 2%."""
    random = np.random.default_rng(6)
    logits = random.normal(size=200_000)
    case = random.random(200_000) < sigmoid(logits - 4.3)
    cases = np.flatnonzero(case)
    people = np.concatenate([cases, random.choice(np.flatnonzero(~case), len(cases), replace=False)])
    judges = Judges(case[people].astype(np.float32)[:, None], np.ones((len(people), 1)), people.astype(str))
    target = Target("d", prevalence=float(case.mean()))
    (model,) = shipped(_said(logits[people, None], logits[people, None]), judges, [target])
    assert model.calibration.apply(target, logits[:, None]).mean() == pytest.approx(case.mean(), rel=0.05)


def test_training_people_tell_by_members_that_left_them_out() -> None:
    """Few validation people, many of whom a member with noise of its own speaks: risks are those of all members together."""
    random = np.random.default_rng(9)

    def people(n: int, name: str) -> tuple[np.ndarray, np.ndarray, Judges]:
        logits = random.normal(size=(n, 1)) - 2
        labels = (random.random((n, 1)) < sigmoid(logits)).astype(np.float32)
        member = 1.3 * logits + random.normal(size=(n, 1)) * 0.5
        return 1.3 * logits, member, Judges(labels, np.ones((n, 1)), np.char.add(name, np.arange(n).astype(str)))

    mixed, members, judges = people(400, "v")
    _, theirs, learners = people(20_000, "t")
    (model,) = shipped(_said(mixed, mixed), judges, [Target("d")], Unseen(learners, theirs, theirs, members, members))
    fresh = np.linspace(-4, 1, 11)[:, None]
    said = model.calibration.apply(Target("d"), 1.3 * fresh)
    assert said == pytest.approx(sigmoid(fresh), rel=0.1, abs=0.002)
    # By the validation people alone they are not.
    (alone,) = shipped(_said(mixed, mixed), judges, [Target("d")])
    assert np.abs(alone.calibration.apply(Target("d"), 1.3 * fresh) - sigmoid(fresh)).max() > 2 * np.abs(said - sigmoid(fresh)).max()


def test_outputs_that_tell_nothing_become_the_share_of_cases() -> None:
    labels = (np.arange(400) % 4 == 0).astype(np.float32)[:, None]
    judges = Judges(labels, np.ones_like(labels, float), np.arange(400).astype(str))
    same = np.full((400, 1), -2.0)
    (model,) = shipped(_said(same, same), judges, [Target("d")])
    assert model.calibration.apply(Target("d"), same)[:, 0] == pytest.approx(np.full(400, 0.25), abs=1e-3)


def test_percentiles_are_even_in_every_ancestry() -> None:
    random = np.random.default_rng(7)
    ancestry = random.choice([-1.0, 1.0], size=(20_000, 1))
    outputs = 2 * ancestry[:, 0] + (1.5 + ancestry[:, 0]) * random.normal(size=20_000)
    found = reference_of(outputs, ancestry).percentiles(outputs, ancestry)
    for side in (-1, 1):
        mine = found[ancestry[:, 0] == side]
        assert np.quantile(mine, [0.05, 0.5, 0.95]) == pytest.approx([5, 50, 95], abs=2)


def test_measures_equal_those_of_scikit_learn() -> None:
    random = np.random.default_rng(8)
    p = random.random(500).round(2)
    labels = (random.random(500) < p).astype(float)
    times = draws(np.arange(500).astype(str), np.ones(500), 3)
    for measure, other in {"AUC": roc_auc_score, "AUPRC": average_precision_score, "Brier": brier_score_loss}.items():
        values = measures(Target("d"))[measure](p[:, None], labels, times)
        assert values == pytest.approx([other(labels, p, sample_weight=times[draw]) for draw in range(4)], abs=1e-12)
    clipped = np.clip(p, 1e-7, 1 - 1e-7)
    slope = sm.Logit(labels, sm.add_constant(np.log(clipped / (1 - clipped)))).fit(disp=0).params[1]
    assert measures(Target("d"))["calibration slope"](p[:, None], labels, times)[0] == pytest.approx(slope, abs=1e-4)
    q = random.normal(size=500)
    said = (0.5 * q + random.normal(size=500))[:, None]
    of_q = {name: measure(said, q, times)[0] for name, measure in measures(Target("q", "continuous")).items()}
    assert of_q == pytest.approx({"R2": r2_score(q, said[:, 0]), "Pearson r": np.corrcoef(q, said[:, 0])[0, 1]})
    shares = random.dirichlet(np.ones(3), 500)
    classes = random.integers(0, 3, 500)
    of_classes = {
        name: measure(shares, classes.astype(float), times)[0]
        for name, measure in measures(Target("c", "multiclass", ("x", "y", "z"))).items()
    }
    assert of_classes == pytest.approx(
        {
            "accuracy": (shares.argmax(axis=1) == classes).mean(),
            "log loss": log_loss(classes, shares),
            "macro AUC": roc_auc_score(classes, shares, multi_class="ovr"),
        }
    )


def test_liability_r2_does_not_depend_on_how_many_cases_were_sampled() -> None:
    """Liability that a score explains to 30%: in the population, and where cases are oversampled (Lee et al. 2012)."""
    random = np.random.default_rng(9)
    score = np.sqrt(0.3) * random.normal(size=400_000)
    case = score + np.sqrt(0.7) * random.normal(size=400_000) > norm.isf(0.05)
    cases = np.flatnonzero(case)
    sampled = np.concatenate([cases, random.choice(np.flatnonzero(~case), len(cases), replace=False)])
    for people in (np.arange(400_000), sampled):
        found = measures(Target("d", prevalence=0.05))["liability R2"](
            score[people, None], case[people].astype(float), np.ones((1, len(people)))
        )
        assert found[0] == pytest.approx(0.3, abs=0.02)
