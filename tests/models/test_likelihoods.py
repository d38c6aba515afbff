"""The Bayesian caller against arithmetic, and what networks add."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from genospark.core.pileup import INDEX, MODEL_CHANNELS, WINDOW_BP
from genospark.models.likelihoods import LikelihoodConfig
from genospark.models.variants import VariantNetworkConfig, build
from genospark.tasks.variants import decided

CONFIG = LikelihoodConfig(base_error=1e-3, indel_weight=0.5, indel_counts=0, snv_rate=1e-3, indel_rate=1e-4)


def _pileup(**counts: int) -> np.ndarray:
    pileup = np.zeros((1, WINDOW_BP, len(MODEL_CHANNELS)), np.uint8)
    for name, count in counts.items():
        pileup[0, 4, INDEX[name]] = count
    return pileup


def _posteriors(counts: list[int], errors: list[float], rate: float) -> np.ndarray:
    """Log prior + log likelihood, read by read."""
    genotypes = ((0, 0), (0, 1), (1, 1), (1, 2))
    priors = (1 - 1.5 * rate, rate, rate / 2, rate**2)
    found = []
    for (one, other), prior in zip(genotypes, priors, strict=True):
        total = np.log(prior)
        for allele, count in enumerate(counts):
            chance = [1 - errors[allele] if allele == true else errors[allele] / 3 for true in (one, other)]
            for _ in range(count):
                total += np.log(sum(chance) / 2)
        found.append(total)
    return np.array(found)


def test_snv_likelihoods_are_those_of_single_reads() -> None:
    # Reference C; T 6 + 3 at Q20, A 2 at Q30, G 1 at Q13: allele 1 is T, allele 2 is A.
    pileup = _pileup(
        reference=1, forward_C=10, quality_C=40, forward_T=6, reverse_T=3, quality_T=20, reverse_A=2, quality_A=30, forward_G=1
    )
    logits = build(CONFIG, None)({"pileup": pileup}).numpy()
    assert logits[0, 4, 0] == pytest.approx(_posteriors([10, 9, 2], [1e-3, 1e-2, 1e-3], 1e-3), abs=1e-3)


def test_reads_of_one_strand_may_be_wrong_alike() -> None:
    # One position in ten, by the sample's rate of 0.01: half of them on either strand, with a beta-distributed share of wrong reads.
    counts = {"forward_C": 6, "reverse_C": 8, "forward_T": 3, "reverse_T": 0}
    pileup = _pileup(reference=1, quality_C=30, quality_T=30, strand_error=20, **counts)
    logits = build(CONFIG.model_copy(update={"strand_errors": 10.0}), None)({"pileup": pileup}).numpy()[0, 4, 0]
    right, wrong = np.log(1 - 1e-3), np.log(1e-3 / 3)
    share = np.linspace(0, 1, 200_001)
    forward, reverse = (np.trapz(share**w * (1 - share) ** r * beta.pdf(share, 1, 6), share) for r, w in ((6, 3), (8, 0)))
    of_00 = 0.9 * np.exp(14 * right + 3 * wrong) + 0.05 * (forward * np.exp(8 * right) + reverse * np.exp(6 * right + 3 * wrong))
    expected = _posteriors([14, 3, 0], [1e-3, 1e-3, 1e-3], 1e-3)
    expected[0] = np.log(of_00) + np.log(1 - 1.5e-3)
    assert logits == pytest.approx(expected, abs=1e-3)
    # On both strands it is a variant all the same.
    both = _pileup(reference=1, quality_C=30, quality_T=30, strand_error=20, **counts | {"forward_T": 2, "reverse_T": 2})
    model = build(CONFIG.model_copy(update={"strand_errors": 10.0}), None)
    assert model({"pileup": both}).numpy()[0, 4, 0].argmax() == 1 != logits.argmax()


def test_indel_likelihoods_are_half_those_of_the_reads_and_a_prior() -> None:
    phred = dict(zip(("00", "01", "11", "12"), (120, 0, 40, 70), strict=True))
    pileup = _pileup(reference=0, indel1_length=2, **{f"indel_likelihood_{name}": value for name, value in phred.items()})
    logits = build(CONFIG, None)({"pileup": pileup}).numpy()
    expected = [
        np.log(prior) - value / 2 * np.log(10) / 10 for prior, value in zip((1 - 1.5e-4, 1e-4, 5e-5, 1e-8), phred.values(), strict=True)
    ]
    assert logits[0, 4, 1] == pytest.approx(expected, abs=1e-3)
    assert logits[0, 5, 1].argmax() == 0
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(
    ("unit", "size", "error"),
    [
        # One unit of the repeat more or less: the sample's rate of slips there.
        (2, 2, 0.1),
        # Another size, and no repeat: that of other indels.
        (2, 3, 0.01),
        (0, 2, 0.01),
    ],
)
def test_indel_likelihoods_by_counts_are_those_of_the_samples_own_errors(unit: int, size: int, error: float) -> None:
    counts = {"spanning_forward": 5, "spanning_reverse": 2, "indel1_forward": 1, "indel1_reverse": 2}
    pileup = _pileup(
        indel1_length=size, repeat_unit=unit, repeat_length=12, slip_error=10, indel_error=20, indel_likelihood_00=99, **counts
    )
    logits = build(CONFIG.model_copy(update={"indel_counts": 1.0}), None)({"pileup": pileup}).numpy()[0, 4, 1]
    likelihoods = 7 * np.log([1 - error, 0.5, error]) + 3 * np.log([error, 0.5, 1 - error])
    expected = 0.5 * likelihoods + np.log([1 - 1.5e-4, 1e-4, 5e-5])
    assert logits[:3] - logits[0] == pytest.approx(expected - expected[0], abs=1e-3)


@pytest.mark.parametrize("kind", ["cnn", pytest.param("gru", marks=pytest.mark.slow)])
def test_a_network_starts_as_the_bayesian_caller(kind: str) -> None:
    pileup = np.random.default_rng(1).integers(0, 60, (2, WINDOW_BP, len(MODEL_CHANNELS))).astype(np.uint8)
    pileup[..., 0] = np.random.default_rng(2).integers(0, 5, pileup.shape[:2])
    network = build(CONFIG, VariantNetworkConfig(kind=kind, units=4))
    assert np.allclose(network({"pileup": pileup}), build(CONFIG, None)({"pileup": pileup}), atol=1e-4)
    assert np.isfinite(network({"pileup": np.zeros_like(pileup)})).all()


def test_a_network_learns_what_likelihoods_do_not_know() -> None:
    """Bases shown on one strand only are artefacts here: the Bayesian caller believes them, the network must not."""
    import tensorflow as tf

    from genospark.tasks.variants import VariantProblem

    tf.keras.utils.set_random_seed(3)
    random = np.random.default_rng(4)
    pileup = np.zeros((32, WINDOW_BP, len(MODEL_CHANNELS)), np.uint8)
    truth = np.zeros((32, WINDOW_BP), np.int8)
    for name in ("forward_A", "reverse_A"):
        pileup[..., INDEX[name]] = random.poisson(8, truth.shape)
    for name in ("quality_A", "quality_T"):
        pileup[..., INDEX[name]] = 37
    both, one = (random.random(truth.shape) < 0.02 for _ in range(2))
    pileup[both | one, INDEX["forward_T"]] = 8
    pileup[both, INDEX["reverse_T"]] = 8
    truth[both] = 1
    labels = {"snv": truth, "indel": np.zeros_like(truth)}
    problem = VariantProblem({}, {"units": 8, "dilations": [1], "kernel": 1, "dropout": 0.0})
    network = problem.network()
    before = problem.loss_sums(network({"pileup": pileup}), labels)[0]
    optimizer = tf.keras.optimizers.Adam(0.02)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = problem.loss_sums(network({"pileup": pileup}, training=True), labels)[0] / truth.size
        optimizer.apply_gradients(zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables, strict=True))
    genotype, _ = decided(network({"pileup": pileup}).numpy().astype(float))
    assert problem.loss_sums(network({"pileup": pileup}), labels)[0] < before / 5
    assert (genotype[..., 0] == truth).mean() > 0.999


def test_qualities_keep_small_chances_of_error() -> None:
    genotype, quality = decided(np.array([[0.0, -2.0, -30.0, -30.0], [0.0, np.log(1e-7), -40.0, -40.0], [-9.0, 0.0, -80.0, -1000.0]]))
    assert genotype.tolist() == [0, 0, 1]
    assert quality == pytest.approx([-10 * np.log10(np.exp(-2) / (1 + np.exp(-2))), 70, 39.087], abs=1e-3)
