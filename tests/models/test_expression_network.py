"""The expression network against NumPy, and that each kind of it learns what a linear model cannot."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from genospark.core.calls import pack
from genospark.models.expression_spec import ExpressionSpec
from genospark.models.spec import Variant
from genospark.tasks.expression import ExpressionProblem, Inputs, fields, linear_prediction

STATES, PANEL, TARGETS, VARIANTS = 2, 3, 4, 5


def _spec(cis: bool = True, panel: int = PANEL) -> ExpressionSpec:
    variants = tuple(Variant("chr1", 10 * index, "A", "C", 0.8, 0.6, 0.01) for index in range(VARIANTS))
    near = np.array([[0, 3], [1, -1], [2, 4], [-1, -1]], np.int32) if cis else None
    ones = (np.zeros, np.ones)
    panel_scale, target_scale = (np.stack([make((2, STATES, genes)) for make in ones]) for genes in (panel, TARGETS))
    names = [tuple(f"{letter}{index}" for index in range(genes)) for letter, genes in (("P", panel), ("T", TARGETS))]
    return ExpressionSpec(*names, ("B", "T"), ("rest", "busy"), "log1p", "TPM", variants, near, panel_scale, target_scale)


def _examples(spec: ExpressionSpec, n: int = 64) -> dict[str, Any]:
    random = np.random.default_rng(0)
    panel = random.normal(size=(n, STATES, len(spec.panel))).astype(np.float32)
    calls = pack(random.integers(0, 4, (n, VARIANTS)).astype(np.uint8))
    return {"panel": panel, "calls": calls, "cellTypeIndex": random.integers(0, 2, (n, 1)).astype(np.int32)}


def _kernels(spec: ExpressionSpec, groups: int, dense: bool) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    outputs, passes = spec.target_width, spec.passes
    shapes: dict[str, tuple[int, ...]] = {"intercept": (passes, 2, outputs)}
    if spec.panel:
        shapes["panel"] = (groups, spec.panel_width, outputs)
    if spec.cis is not None:
        shapes["cis"] = (passes, 2, outputs, spec.cis.shape[1])
    if dense:
        shapes["dense"] = (passes, groups, VARIANTS, outputs)
    kernels = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    if "cis" in kernels:
        assert spec.cis is not None
        kernels["cis"] *= np.tile(spec.cis >= 0, (STATES, 1))
    return kernels


SHAPE = {"kind": "gru", "hidden": [4], "skip_start": "baseline"}


@pytest.mark.parametrize(("cis", "groups", "dense", "panel"), [(True, 1, False, 3), (True, 2, True, 3), (False, 2, True, 0)])
def test_the_untrained_network_is_the_linear_model(cis: bool, groups: int, dense: bool, panel: int) -> None:
    spec = _spec(cis, panel)
    kernels, examples = _kernels(spec, groups, dense), _examples(spec)
    examples["panel"][3] = np.nan
    given = {field.name: examples[field.name] for field in fields(spec)}
    said = ExpressionProblem(spec, SHAPE, kernels, {}, (0.8, 0.2)).network()(given).numpy()
    expected = linear_prediction(spec, kernels, Inputs.of(spec, given))
    assert said.shape == (64, spec.passes, STATES, TARGETS)
    assert np.allclose(said, expected, atol=1e-4)


def test_the_linear_model_by_hand() -> None:
    """One person of cell type 1: intercept + panel of its own type + own variants, with target 3 hearing none."""
    spec = _spec()
    kernels, examples = _kernels(spec, 2, False), _examples(spec, 1)
    examples["cellTypeIndex"][:] = 1
    variants = np.array([[0.5, -1.0, 0.0, 2.0, 1.0]], np.float32)
    said = linear_prediction(spec, kernels, Inputs(examples["panel"], variants, examples["cellTypeIndex"][:, 0]))[0]
    seen = examples["panel"].reshape(-1)
    for state in range(STATES):
        at = state * TARGETS
        intercept = kernels["intercept"][:, 1]
        of_panel = seen @ kernels["panel"][1]
        own = kernels["cis"][:, 1]
        zero = own[:, at, 0] * 0.5 + own[:, at, 1] * 2.0
        assert said[0, state, 0] == pytest.approx(intercept[0, at] + of_panel[at] + zero[0], abs=1e-5)
        assert said[1, state, 0] == pytest.approx(intercept[1, at] + zero[1], abs=1e-5)
        assert said[1, state, 3] == pytest.approx(intercept[1, at + 3], abs=1e-5)


def test_without_a_panel_the_other_pass_says_the_same() -> None:
    """The pass without the panel does not hear it, also once the network is trained."""
    spec = _spec()
    network = ExpressionProblem(spec, SHAPE, _kernels(spec, 1, False), {}, (0.8, 0.2)).network()
    heads = network.get_layer("heads")
    heads.set_weights([np.ones_like(heads.get_weights()[0])])
    examples = _examples(spec)
    with_panel, hidden = network(examples).numpy(), network(examples | {"panel": np.full_like(examples["panel"], np.nan)}).numpy()
    assert np.allclose(with_panel[:, 1], hidden[:, 1])
    assert not np.allclose(with_panel[:, 0], hidden[:, 0])


def test_the_loss_counts_known_values_once_a_pass() -> None:
    import tensorflow as tf

    spec = _spec()
    problem = ExpressionProblem(spec, SHAPE, {}, {}, (0.75, 0.25))
    targets = np.zeros((2, STATES, TARGETS), np.float32)
    targets[0, 0, :3] = np.nan
    targets[1, 1] = np.nan
    outputs = np.zeros((2, 2, STATES, TARGETS), np.float32)
    outputs[:, 0], outputs[:, 1] = 2, 4
    labels = {"targets": tf.constant(targets)}
    assert problem.known(labels).numpy().tolist() == [5, 4, 5, 4]
    # Squared errors of 4 and 16, times the passes' weights.
    assert problem.loss_sums(tf.constant(outputs), labels).numpy().tolist() == [5 * 4 * 0.75, 4 * 4 * 0.75, 5 * 16 * 0.25, 4 * 16 * 0.25]


@pytest.mark.parametrize("kind", ["lstm", "gru", "cnn"])
def test_one_state_needs_no_recurrence(kind: str) -> None:
    """Weights whose gradient is constant would be summed over ranks while TensorFlow makes the graph, when ranks are not in step."""
    spec = dataclasses.replace(_spec(), states=("rest",))
    network = ExpressionProblem(spec, SHAPE | {"kind": kind}, {}, {}, (0.8, 0.2)).network()
    assert not [variable.name for variable in network.trainable_variables if "recurrent" in variable.name]
    assert network.get_layer(f"{kind}0").kernel.shape == (PANEL + 2, 4)


@pytest.mark.parametrize("kind", ["lstm", "gru", "cnn"])
def test_each_kind_learns_what_is_not_linear(kind: str) -> None:
    """Target: the product of two panel genes, one in either state. No linear model does better than the mean."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    spec = _spec()
    shape = {"kind": kind, "hidden": [16], "dropout": 0.0, "l2": 0.0, "skip_start": "zeros"}
    problem = ExpressionProblem(spec, shape, {}, {}, (1.0, 0.0))
    network, examples = problem.network(), _examples(spec, 512)
    product = examples["panel"][:, 0, 0] * examples["panel"][:, 1, 1]
    targets = np.full((512, STATES, TARGETS), np.nan, np.float32)
    targets[:, 1] = product[:, None] / product.std()
    labels = {"targets": tf.constant(targets)}
    optimizer = tf.keras.optimizers.Adam(0.02)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(problem.loss_sums(network(examples), labels) / tf.maximum(problem.known(labels), 1.0))
        optimizer.apply_gradients(zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables, strict=True))
        return loss

    losses = [float(step()) for _ in range(150)]
    assert losses[0] == pytest.approx(1.0, abs=0.05)
    assert losses[-1] < 0.5
