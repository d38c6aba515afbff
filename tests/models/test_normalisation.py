"""TMM, quantile and inverse-normal normalisation and filling: against other implementations' numbers, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata
from sklearn.impute import KNNImputer

from genospark.models.distributions import MOST_KNOTS, inverse_normal, knots, quantile_normalised, sorted_profiles
from genospark.models.neighbours import filled, nearest
from genospark.models.normaliser import Context, Normaliser, steps_of
from genospark.models.tmm import effective_libraries, log_cpm, log_factors, reference_sample, upper_quartiles


def _counts() -> np.ndarray:
    """Six samples of 30 genes: five genes are six times as high in the last three, gene 7 has no counts."""
    rng = np.random.default_rng(5)
    mean = rng.gamma(0.8, 120, (30, 1)) * rng.lognormal(0, 0.5, (30, 6))
    mean[:5, 3:] *= 6
    counts = rng.poisson(mean)
    counts[7] = 0
    counts[3, 2] = 0
    return counts.T.astype(float)


# Made with rnanorm 2.2.0: TMM().fit(counts[:n]).get_norm_factors(counts), which its authors compare with edgeR.
FACTORS = {
    6: [1.0768726116941245, 1.0566217818134522, 0.9860833454039952, 0.9191723287757976, 1.0077483543079162, 0.9621736210262148],
    4: [1.06860134761016, 1.048506060697192, 0.9785094172809609, 0.9121123320896374, 1.0000080211634523, 0.9547833391788456],
}


@pytest.mark.parametrize("n_training", [6, 4])
def test_tmm_factors_are_those_of_another_implementation(n_training: int) -> None:
    counts = _counts()
    counts = counts[:, counts[:n_training].any(axis=0)]
    training = counts[:n_training]
    best = reference_sample(upper_quartiles(training), np.sqrt(training).sum(axis=1))
    factors = log_factors(counts, training[best])
    factors = np.exp(factors - factors[:n_training].mean())
    np.testing.assert_allclose(factors, FACTORS[n_training], rtol=1e-12)


def test_log_cpm_by_hand() -> None:
    """Without composition bias factors are 1: log2((c + p) / (L + 2p) * 1e6), with a prior p of 2 at the mean library."""
    counts = np.array([[10.0, 20, 70], [20, 40, 140]])
    libraries = effective_libraries(counts, counts[0], 0.0)
    assert libraries.tolist() == [100, 200]
    prior = 2 * libraries / 150
    expected = np.log2((counts + prior[:, None]) / (libraries + 2 * prior)[:, None] * 1e6)
    np.testing.assert_allclose(log_cpm(counts, counts[0], 0.0, 150.0), expected)


def test_a_library_of_the_same_shares_has_the_same_log_cpm() -> None:
    counts = _counts()[:1] + 1
    one, three = (log_cpm(counts * times, counts[0], 0.0, 1000.0) for times in (1, 3))
    np.testing.assert_allclose(one, three)


def test_quantiles_are_those_of_another_implementation() -> None:
    """Numbers by qnorm 1.0.0 (quantile_normalize)."""
    values = np.array([[6.36, 17.92, 1.87, 5.68, 9.33, 7.23], [6.71, 3.81, 4.04, 3.87, 5.29, 6.6], [4.11, 5.44, 7.63, 3.01, 2.55, 1.7],
                       [6.02, 5.47, 16.03, 0.55, 5.73, 2.15]])  # fmt: skip
    expected = [[4.72, 12.0725, 1.9825, 3.5625, 6.8475, 5.59], [12.0725, 1.9825, 4.72, 3.5625, 5.59, 6.8475],
                [5.59, 6.8475, 12.0725, 4.72, 3.5625, 1.9825], [6.8475, 4.72, 12.0725, 1.9825, 5.59, 3.5625]]  # fmt: skip
    reference = sorted_profiles(values).mean(axis=0)
    np.testing.assert_allclose(quantile_normalised(values, reference), expected)


def test_quantiles_with_ties_and_gaps_by_hand() -> None:
    """Two values tied at ranks 1 and 2 get the reference at 1.5; of three of five genes the middle one gets the reference's middle."""
    reference = np.array([1.0, 3, 10, 20, 50])
    made = quantile_normalised(np.array([[7.0, 7, 8, 9, 11], [np.nan, 5, 1, np.nan, 3]]), reference)
    np.testing.assert_allclose(made[0], [2, 2, 10, 20, 50])
    np.testing.assert_allclose(made[1], [np.nan, 50, 1, np.nan, 10])
    np.testing.assert_allclose(sorted_profiles(np.array([[np.nan, 5.0, 1, np.nan, 3]])), [[1, 2, 3, 4, 5]])


def test_training_values_get_their_blom_scores() -> None:
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=(3, 40)), 1)
    values[1, :5] = np.nan
    made = inverse_normal(values.T, *knots(values)).T
    for row, scores in zip(values, made, strict=True):
        known = ~np.isnan(row)
        np.testing.assert_allclose(scores[known], norm.ppf((rankdata(row[known]) - 0.375) / (known.sum() + 0.25)))
        assert np.isnan(scores[~known]).all()


def test_new_values_lie_between_their_training_neighbours() -> None:
    """Training values 10, 20, 30: ranks 1, 2, 3; 25 has rank 2.5, what is beyond has the last rank."""
    fitted = knots(np.array([[30.0, 10, 20]]))
    made = inverse_normal(np.array([[25.0], [-5], [99], [20]]), *fitted)[:, 0]
    np.testing.assert_allclose(made, norm.ppf((np.array([2.5, 1, 3, 2]) - 0.375) / 3.25))


def test_few_knots_are_near_all_ranks() -> None:
    values = np.random.default_rng(1).gamma(2, 3, (2, 5000))
    fitted = knots(values)
    assert fitted[0].shape == (2, MOST_KNOTS)
    expected = norm.ppf((rankdata(values, axis=1) - 0.375) / 5000.25)
    np.testing.assert_allclose(inverse_normal(values.T, *fitted).T, expected, atol=0.04)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_normal_scores_are_those_of_interpolated_ranks(data: st.DataObject) -> None:
    numbers = st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=12)
    training, new = np.array(data.draw(numbers)), np.array(data.draw(numbers))
    unique = np.unique(training)
    ranks = [rankdata(training)[training == value][0] for value in unique]
    expected = norm.ppf((np.interp(new, unique, ranks) - 0.375) / (len(training) + 0.25))
    np.testing.assert_allclose(inverse_normal(new[:, None], *knots(training[None]))[:, 0], expected, atol=1e-9)


def test_filling_is_that_of_scikit_learn_over_genes() -> None:
    """Each gene misses one person, so that all neighbours of a gap were measured."""
    values = np.random.default_rng(2).normal(size=(40, 8)) + np.random.default_rng(3).normal(size=(40, 1))
    values[np.arange(8), np.arange(8)] = np.nan
    near, far = nearest(values, 3)
    expected = KNNImputer(n_neighbors=3, weights="distance").fit_transform(values.T).T
    np.testing.assert_allclose(filled(values, near, far), expected, rtol=1e-6)
    assert np.isnan(filled(np.full((1, 8), np.nan), near, far)).all()


@pytest.mark.parametrize("wrong", ["cmp", "quantile+cpm", "log+log", "none+quantile", "log1p+cpm", "inverse-normal+quantile", ""])
def test_steps_that_make_no_sense_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"none of|at most one"):
        steps_of(wrong)


def _factors() -> tuple[Context, np.ndarray]:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(50, 20)) + 3 * rng.normal(size=(50, 2)) @ rng.normal(size=(2, 20)) + 5
    means, deviations = values.mean(axis=0), values.std(axis=0)
    loadings = np.linalg.svd((values - means) / deviations)[2][:2].T
    genes = tuple(f"G{i}" for i in range(20))
    flat = np.zeros(0)
    wide = np.zeros((20, 0))
    return Context("T", "rest", genes, True, 0.0, 1.0, np.arange(20), flat, flat, wide, wide, means, deviations, loadings), values


def test_residuals_are_those_of_regression_on_the_factors() -> None:
    """Least squares of the training matrix on its own factors, as covariates of an eQTL study would be."""
    found, values = _factors()
    z = (values - found.means) / found.deviations
    factors = z @ found.loadings
    beta = np.linalg.lstsq(factors, z, rcond=None)[0]
    np.testing.assert_allclose(found.normalised(values, ["none"]), (z - factors @ beta) * found.deviations + found.means, atol=1e-9)


def test_factors_of_a_person_with_gaps_are_least_squares_over_what_is_there() -> None:
    found, values = _factors()
    person = values[:1].copy()
    person[0, :7] = np.nan
    z = ((person - found.means) / found.deviations)[0, 7:]
    expected = np.linalg.lstsq(found.loadings[7:], z, rcond=None)[0]
    np.testing.assert_allclose(found.scores(person)[0], expected, rtol=1e-4)
    person[0, :11] = np.nan
    assert np.isnan(found.normalised(person, ["none"])).all()


def test_a_normaliser_survives_its_bundle() -> None:
    found, values = _factors()
    one = Normaliser("none", (found,))
    other = Normaliser.of(one.to_json(), one.arrays())
    np.testing.assert_array_equal(other.contexts[0].normalised(values, ["none"]), found.normalised(values, ["none"]))
