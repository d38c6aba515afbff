"""Penalised regressions against scikit-learn, the screen for pairs against single regressions, and the network's members and modalities."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import ElasticNet, LogisticRegression

from genospark.core.calls import pack
from genospark.models.risk import RiskNetworkConfig
from genospark.models.spec import Covariate, Expression, FeatureSpec, Variant, Variants
from genospark.models.targets import Target
from genospark.tasks.risk import RiskProblem, dense
from genospark.training.design import Dense, Packed
from genospark.training.pairs import Products, screen
from genospark.training.penalised import Sample, fit, without
from genospark.training.risk_fit import Examples, Fitted, RegressionConfig, fitted

TARGETS = (Target("d"), Target("q", "continuous"), Target("c", "multiclass", ("x", "y", "z")))


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, Sample]:
    """1,200 people, 40 features: a disease, a quantity and three classes, some not known and some of twice the weight."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1200, 40)).astype(np.float32)
    x[:, 39] = x[:, 38]
    eta = x[:, :5] @ np.array([1, -0.5, 0.5, 0.3, 0.2]) - 1
    classes = np.argmax(np.stack([eta, -eta, x[:, 7]], axis=1) + random.gumbel(size=(1200, 3)), axis=1)
    labels = np.stack([random.random(1200) < 1 / (1 + np.exp(-eta)), eta + random.normal(size=1200), classes], axis=1).astype(np.float32)
    labels[:100, 0] = np.nan
    labels[50:90, 2] = np.nan
    weights = np.ones((1200, 3), np.float32)
    weights[600:, 0] = 2
    return x, Sample.of(Dense(x), labels, weights, TARGETS)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.2])
def test_regressions_are_those_of_scikit_learn(sample: tuple[np.ndarray, Sample], l1_ratio: float) -> None:
    x, training = sample
    found, _ = fit(training, training, TARGETS, [l1_ratio], [0.5, 0.2, 0.1])
    for index, target in enumerate(TARGETS):
        known = training.weights[:, index] > 0
        y, weights, strength = training.labels[known, index], training.weights[known, index], found.strengths[index]
        if target.kind == "continuous":
            model = ElasticNet(alpha=strength, l1_ratio=l1_ratio, tol=1e-8).fit(x[known], y)
            assert found.coefficients[:38, 1] == pytest.approx(model.coef_[:38], abs=1e-3)
        else:
            c = 1 / (strength * weights.sum())
            model = LogisticRegression(C=c, l1_ratio=l1_ratio, solver="saga", max_iter=5000, tol=1e-6)
            model.fit(x[known], y, weights)
            mine = found.coefficients[:38, :1] if index == 0 else found.coefficients[:38, 2:]
            assert mine == pytest.approx(model.coef_.T[:38], abs=2e-3)
    assert found.coefficients.any(axis=0).all()


def test_a_fit_that_may_hold_few_features_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strong rule leaves some hundred of 700 features in; the check brings in those that the strongest 60 lack."""
    random = np.random.default_rng(3)
    x = random.normal(size=(900, 700)).astype(np.float32)
    eta = x[:, :6] @ np.array([1, -0.8, 0.6, 0.5, 0.4, 0.3])
    labels = np.stack([random.random(900) < 1 / (1 + np.exp(-eta)), eta + random.normal(size=900)], axis=1).astype(np.float32)
    mine, judges = (Sample.of(Dense(x[some]), labels[some], None, TARGETS[:2]) for some in (slice(0, 600), slice(600, 900)))
    free, _ = fit(mine, judges, TARGETS[:2], [1.0, 0.2], [0.7, 0.5, 0.3])
    monkeypatch.setattr("genospark.training.penalised._MOST_CANDIDATES", 60)
    held, _ = fit(mine, judges, TARGETS[:2], [1.0, 0.2], [0.7, 0.5, 0.3])
    assert free.candidates.sum(axis=0).min() > 60 >= held.candidates.sum(axis=0).max()
    assert held.coefficients == pytest.approx(free.coefficients, abs=2e-3)
    assert (held.coefficients != 0).sum(axis=0).min() > 4


def test_people_left_out_change_nothing(sample: tuple[np.ndarray, Sample]) -> None:
    """A regression without some people is the same whatever their labels are, and another one than that with them."""
    _, training = sample
    full, _ = fit(training, training, TARGETS, [1.0], [0.5, 0.2])
    left_out = np.arange(1200) % 5 == 0
    other = training.labels.copy()
    other[left_out] = np.where(np.isnan(other[left_out]), np.nan, 1 - (other[left_out] > 0))
    one, two = (without(dataclasses.replace(training, labels=labels), TARGETS, full, left_out) for labels in (training.labels, other))
    assert (one.coefficients == two.coefficients).all()
    assert np.abs(one.coefficients - full.coefficients).max() > 1e-3


def test_the_screen_finds_the_pair_and_its_p_value_is_that_of_a_regression() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(3000, 12))
    x[:, 1] += x[:, 0]
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    y = 0.08 * x[:, 3] * x[:, 7] + 0.5 * x[:, 0] + random.normal(size=3000)
    rest = sm.OLS(y, sm.add_constant(x)).fit().resid
    found = screen(Dense(x), rest[:, None], np.full((3000, 1), rest.var()), np.arange(12), 0, 0.1, 10)
    assert found.pairs.tolist() == [[3, 7]]
    assert found.tests == 66
    product = sm.OLS(x[:, 3] * x[:, 7], sm.add_constant(x[:, [3, 7]])).fit().resid
    assert found.p_values[0] == pytest.approx(sm.OLS(rest, product).fit().pvalues[0], rel=0.05)
    near = screen(Dense(x), rest[:, None], np.full((3000, 1), rest.var()), np.arange(2), 4, 0.1, 10)
    assert near.pairs.tolist() == [[3, 7]]
    assert near.tests == 38
    noise = random.normal(size=(3000, 1))
    assert not len(screen(Dense(x), noise, np.full((3000, 1), 1.0), np.arange(12), 0, 0.05, 10).pairs)


@pytest.fixture(scope="module")
def people() -> tuple[FeatureSpec, Examples, Fitted]:
    """900 people with 41 variants, two of which interact; a disease and a quantity."""
    random = np.random.default_rng(2)
    calls = random.binomial(2, 0.3, (900, 41)).astype(np.uint8)
    x = (calls - calls.mean(axis=0)) / calls.std(axis=0)
    calls[::9, 4] = 3
    measurements = random.normal(size=(900, 6)).astype(np.float32)
    measurements[:50, :4] = np.nan
    liability = 0.5 * x[:, 2] + 0.9 * x[:, 5] * x[:, 9] + random.normal(size=900)
    labels = np.stack([liability > 1, liability / liability.std()], axis=1).astype(np.float32)
    variants = Variants.of(Variant("1" if i < 20 else "2", i, "A", "C", 0.6, 0.65, 0.1) for i in range(41))
    expression = tuple(Expression(f"g{i}", "T", "s", 0.0, 1.0, 0.1) for i in range(4))
    spec = FeatureSpec(variants, expression, (Covariate("age", 0.0, 1.0), Covariate("PC1", 0.0, 1.0)), "none", TARGETS[:2])
    draw = random.integers(0, 240, 900).astype(np.uint8)
    examples = Examples(pack(calls), measurements, labels, np.ones_like(labels), draw)
    half = [Examples(*(part[who] for part in dataclasses.astuple(examples))) for who in (slice(0, 600), slice(600, 900))]
    return spec, examples, fitted(spec, *half, RegressionConfig(), 3)


def test_packed_and_widened_vectors_are_the_same(people: tuple[FeatureSpec, Examples, Fitted], monkeypatch: pytest.MonkeyPatch) -> None:
    spec, examples, _ = people
    monkeypatch.setattr("genospark.training.design._BLOCK_BYTES", 900 * 4 * 8)
    packed = Packed(spec, examples.calls, examples.measurements)
    blocks = list(packed.blocks())
    assert len(blocks) == 6
    assert (np.concatenate([values for _, values in blocks], axis=1) == dense(spec, examples.calls, examples.measurements)).all()


def test_the_network_starts_at_the_regressions_and_their_pairs(people: tuple[FeatureSpec, Examples, Fitted]) -> None:
    spec, examples, found = people
    assert found.pairs.features.tolist() == [[5, 9]]
    shape = RiskNetworkConfig(members=3).model_dump(mode="json")
    network = RiskProblem(spec, shape, found.pairs, found.start, found.balance).network()
    outputs = network({"calls": examples.calls, "measurements": examples.measurements}).numpy()
    x = dense(spec, examples.calls, examples.measurements)
    products = Products(found.pairs.features, found.pairs.means, found.pairs.deviations).values(Dense(x))
    for member in range(3):
        expected = x @ found.start.skip[:, member] + found.start.intercepts[member] + products @ found.start.products[:, member]
        assert outputs[:, member] == pytest.approx(expected, abs=1e-4)
    assert np.abs(found.start.skip[:, 0] - found.start.skip[:, 1]).max() > 1e-3


@pytest.mark.parametrize("encoder", ["none", "scores", "convolution", "recurrent"])
def test_each_encoder_learns_and_reads_blocks_of_one_contig(people: tuple[FeatureSpec, Examples, Fitted], encoder: str) -> None:
    import tensorflow as tf

    from genospark.models.risk import blocks

    spec, examples, found = people
    assert blocks(spec, 8)[:, 0].tolist() == [0, 8, 16, 20, 28, 36]
    assert blocks(spec, 8)[2].tolist() == [16, 17, 18, 19, 41, 41, 41, 41]
    tf.keras.utils.set_random_seed(3)
    shape = RiskNetworkConfig(encoder=encoder, block_variants=8, members=2, dropout=0.1).model_dump(mode="json")
    problem = RiskProblem(spec, shape, found.pairs, dataclasses.replace(found.start, **_halved(found)), found.balance)
    network = problem.network()
    inputs = {"calls": examples.calls, "measurements": examples.measurements}
    labels = {
        "labels": tf.constant(examples.labels),
        "weights": tf.constant(examples.weights),
        "draw": tf.constant(examples.draw[:, None]),
    }

    def loss(training: bool) -> tf.Tensor:
        return tf.reduce_sum(problem.loss_sums(network(inputs, training=training), labels) / problem.known(labels))

    before, optimizer = float(loss(False)), tf.keras.optimizers.Adam(0.01)
    for _ in range(15):
        with tf.GradientTape() as tape:
            value = loss(True)
        gradients = tape.gradient(value, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
    assert float(loss(False)) < before - 0.02
    assert any("blockScores" in layer.name for layer in network.layers) == (encoder != "none")


def _halved(found: Fitted) -> dict[str, np.ndarray]:
    """A start of two members without any weights, far from what can be learned."""
    start = found.start
    return {"skip": 0 * start.skip[:, :2], "intercepts": 0 * start.intercepts[:2], "products": 0 * start.products[:, :2]}


def test_a_modality_is_dropped_whole_and_never_the_last(people: tuple[FeatureSpec, Examples, Fitted]) -> None:
    import tensorflow as tf

    from genospark.models.layers import DropModalities

    spec, examples, _ = people
    layer = DropModalities(len(spec.expression), 0.9)
    calls, measurements, there = (part.numpy() for part in layer((tf.constant(examples.calls), tf.constant(examples.measurements)), True))
    known = np.stack(
        [(calls != 0xFF).any(axis=1), ~np.isnan(measurements[:, :4]).all(axis=1), ~np.isnan(measurements[:, 4:]).all(axis=1)], axis=1
    )
    assert (there == known).all()
    assert known.any(axis=1).all()
    assert (known.sum(axis=1) == 1).any()
    kept = known[:, 0]
    assert (calls[kept] == examples.calls[kept]).all()
    _, _, always = layer((tf.constant(examples.calls), tf.constant(examples.measurements)), False)
    assert always.numpy()[:50].tolist() == [[1, 0, 1]] * 50
