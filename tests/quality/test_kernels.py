"""Kernels of quality control against what their definitions say, call by call."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genospark.core.calls import MISSING, pack, packed_bytes
from genospark.quality import eigen
from genospark.quality.carriers import COUNTED, TOTALS, UNIT, Sites, substitutions, tally_people
from genospark.quality.contigs import AUTOSOME, OTHER, X, Y, autosomes, kinds
from genospark.quality.hudson import FstSums, allele_counts
from genospark.quality.king import PairCounts, pairs_above
from genospark.quality.linkage import LINKED, MONOMORPHIC, Pruner, Window
from genospark.quality.packed import frequencies, genotype_counts, only, standardised


def _random(rows: int, people: int, seed: int, missing: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(seed)
    codes = random.binomial(2, random.uniform(0.05, 0.95, (rows, 1)), (rows, people)).astype(np.uint8)
    return np.where(random.random(codes.shape) < missing, MISSING, codes).astype(np.uint8)


def test_kinship_of_pairs_counted_by_hand() -> None:
    """Twins have 0.5; two people with opposite homozygous calls, and as many shared heterozygous ones, less than nothing."""
    codes = np.array([[1, 1, 1], [1, 1, 1], [0, 0, 2], [2, 2, 0], [0, 0, 3]], np.uint8)
    counts = PairCounts.none(4, 4)
    counts.add(pack(codes), pack(codes))
    kinship = counts.kinship
    assert kinship[0, 1] == 0.5
    # Two heterozygous together, two opposite: 0.5 - 4 * 2 / (4 * 2).
    assert kinship[0, 2] == -0.5
    assert counts.n_variants[:3, :3].tolist() == [[5, 5, 4], [5, 5, 4], [4, 4, 4]]
    assert counts.ibs0[0, 2] == 2
    assert [list(side) for side in pairs_above(kinship[:3, :3], 0.1, same=True)] == [[0], [1]]


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2]))
@settings(max_examples=40, deadline=None)
def test_kinship_is_that_of_the_definition(rows: int, n_left: int, n_right: int, seed: int, missing: float) -> None:
    codes = _random(rows, n_left + n_right, seed, missing)
    left, right = codes[:, :n_left], codes[:, n_left:]
    counts = PairCounts.none(4 * packed_bytes(n_left), 4 * packed_bytes(n_right))
    for part in (slice(None, rows // 2), slice(rows // 2, None)):
        counts.add(pack(left[part]), pack(right[part]))
    for i in range(n_left):
        for j in range(n_right):
            both = (left[:, i] != MISSING) & (right[:, j] != MISSING)
            one, other = left[both, i].astype(int), right[both, j].astype(int)
            fewer = min((one == 1).sum(), (other == 1).sum())
            # Manichaikul et al. 2010: 1/2 less the sum of squared differences over four times the fewer heterozygous calls.
            expected = 0.5 - ((one - other) ** 2).sum() / (4 * fewer) if fewer else np.nan
            assert counts.kinship[i, j] == pytest.approx(expected, nan_ok=True)
            assert counts.n_variants[i, j] == both.sum()


def _pruned(codes: np.ndarray, window: Window, starts: np.ndarray, cut: int) -> list[str]:
    pruner = Pruner(window)
    found: list[str] = []
    for i in range(0, len(codes), cut):
        found += pruner.add(starts[i : i + cut], pack(codes[i : i + cut]))
    return found + list(pruner.finish())


def test_of_linked_variants_the_rarer_goes_and_of_equal_ones_the_later() -> None:
    common = np.array([0, 1, 1, 2, 0, 1, 0, 2], np.uint8)
    rarer = np.array([0, 1, 1, 2, 0, 1, 0, 1], np.uint8)
    other = np.array([1, 0, 0, 1, 1, 1, 0, 0], np.uint8)
    same, window = np.zeros(8, np.uint8), Window(10, 1, 0, 0.5)
    places = np.arange(5)
    assert _pruned(np.stack([rarer, common, other, same, 2 - common]), window, places, 5) == [LINKED, "", "", MONOMORPHIC, LINKED]
    # Far apart nothing is linked.
    assert _pruned(np.stack([rarer, common]), Window(0, 1, 100, 0.5), np.array([0, 101]), 1) == ["", ""]
    assert _pruned(np.stack([rarer, common]), Window(0, 1, 100, 0.5), np.array([0, 100]), 1) == [LINKED, ""]


def _by_definition(codes: np.ndarray, window: Window) -> list[str]:
    """Windows of variants, each gone through again until nothing goes."""
    known = codes != MISSING
    counts = [(row[own] == 0).sum() * 2 + (row[own] == 1).sum() for row, own in zip(codes, known, strict=True)]
    major = [
        max(count / (2 * own.sum()), 1 - count / (2 * own.sum())) if own.any() else 1 for count, own in zip(counts, known, strict=True)
    ]
    gone = {i: MONOMORPHIC for i, (row, own) in enumerate(zip(codes, known, strict=True)) if len(set(row[own])) < 2}
    for first in range(0, len(codes), window.step):
        inside = range(first, min(first + window.variants, len(codes)))
        went = True
        while went:
            went = False
            for i in inside:
                for j in inside:
                    if j <= i or i in gone or j in gone:
                        continue
                    both = known[i] & known[j]
                    one, other = codes[i, both].astype(float), codes[j, both].astype(float)
                    n = both.sum()
                    covariance = (n * (one * other).sum() - one.sum() * other.sum()) ** 2
                    if covariance > window.r2 * (n * (one**2).sum() - one.sum() ** 2) * (n * (other**2).sum() - other.sum() ** 2):
                        gone[i if major[i] > major[j] + 1e-12 else j] = LINKED
                        went = True
                        break
    return [gone.get(i, "") for i in range(len(codes))]


@given(st.integers(1, 40), st.integers(2, 8), st.integers(1, 8), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1]), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_pruning_is_that_of_the_definition(rows: int, size: int, step: int, seed: int, missing: float, cut: int) -> None:
    random = np.random.default_rng(seed)
    # Few people and copies of each other: much is linked.
    codes = _random(rows, 13, seed, missing)[random.integers(0, max(1, rows // 2), rows)]
    window = Window(size, min(step, size), 0, 0.3)
    assert _pruned(codes, window, np.arange(rows), cut) == _by_definition(codes, window)


def test_fst_of_allele_frequencies_by_hand() -> None:
    """Two people each, one variant: frequencies 1 and 1/4 of four alleles."""
    codes = np.array([[2, 2, 0, 1], [0, 0, 0, 0], [1, 3, 3, 3]], np.uint8)
    members = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    copies, n = allele_counts(pack(codes), members)
    assert copies.tolist() == [[4, 1], [0, 0], [1, 0]]
    assert n.tolist() == [[4, 4], [4, 4], [2, 0]]
    found = FstSums.of(copies, n)
    within = 0.25 * 0.75 / 3
    assert found.fst[0, 1] == pytest.approx((0.75**2 - within) / (1 * 0.75 + 0))
    assert found.n_variants[0, 1] == found.n_variants[1, 0] == 1


@given(st.integers(1, 70), st.integers(1, 11), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_people_are_counted_call_by_call(rows: int, n: int, seed: int) -> None:
    codes, random = _random(rows, n, seed), np.random.default_rng(seed)
    places = 4 * packed_bytes(n)
    kinds_of = random.choice([AUTOSOME, X, Y, OTHER], rows).astype(np.int8)
    sites = Sites(kinds_of, random.random(rows), random.integers(0, 3, rows).astype(np.int8), random.random(rows) < 0.3)
    one_allele = np.zeros((rows, places), bool)
    one_allele[:, :n] = (random.random((rows, n)) < 0.3) & (codes < 2)
    haploid_rows = np.flatnonzero(one_allele.any(axis=1))
    people, totals = tally_people(pack(codes), one_allele[haploid_rows], haploid_rows, sites)
    of, total = dict(zip(COUNTED, people[:n].T, strict=True)), dict(zip(TOTALS, totals, strict=True))
    het, alternate = (codes == 1) & ~one_allele[:, :n], np.isin(codes, (1, 2))
    expected = 2 * sites.frequency * (1 - sites.frequency)
    for kind, suffix in ((AUTOSOME, ""), (X, "X")):
        mine = sites.kind == kind
        assert of[f"het{suffix}"].tolist() == het[mine].sum(axis=0).tolist()
        called = (expected[mine, None] * (codes[mine] != MISSING)).sum(axis=0)
        assert (total[f"expectedHet{suffix}"] - of[f"missingExpectedHet{suffix}"]) / UNIT == pytest.approx(called, abs=1e-8)
    for kind, suffix in ((AUTOSOME, ""), (X, "X"), (Y, "Y"), (OTHER, "Other")):
        assert of[f"missing{suffix}"].tolist() == (codes[sites.kind == kind] == MISSING).sum(axis=0).tolist()
        assert total[f"variants{suffix}"] == (sites.kind == kind).sum()
    auto = (sites.kind == AUTOSOME)[:, None]
    assert of["homAlt"].tolist() == (auto & alternate & ~het).sum(axis=0).tolist()
    assert of["transitions"].tolist() == (auto & alternate & (sites.substitution == 1)[:, None]).sum(axis=0).tolist()
    assert of["singletons"].tolist() == (auto & (codes == 1) & sites.singleton[:, None]).sum(axis=0).tolist()


def test_substitutions_and_contigs() -> None:
    assert substitutions(["A", "a", "C", "A", "AT", "A", "N"], ["G", "g", "T", "C", "A", "<DEL>", "A"]).tolist() == [1, 1, 1, 2, 0, 0, 0]
    names = ["chr1", "22", "chrX", "Y", "MT", "chr1_KI270706v1_random", "chrUn_GL000195v1", "HLA-A", "NC_000001.11"]
    assert autosomes(names) == ["22", "NC_000001.11", "chr1"]
    found = kinds(["X", "X", "X", "chrY", "1", "M"], np.array([59_999, 60_000, 2_699_520, 10_000, 60_000, 5]), "GRCh37")
    assert found.tolist() == [X, OTHER, X, OTHER, AUTOSOME, OTHER]


def test_standardised_calls_have_the_moments_of_their_frequency() -> None:
    codes = np.array([[0, 1, 2, 3, 1], [1, 1, 3, 3, 3], [0, 0, 0, 0, 1]], np.uint8)
    packed = pack(codes)
    assert genotype_counts(packed).tolist() == [[1, 2, 1], [0, 2, 0], [4, 1, 0]]
    assert frequencies(genotype_counts(packed)).tolist() == [0.5, 0.5, 0.1]
    found = standardised(packed, np.array([0.5, 0.5, 0.1]))
    np.testing.assert_allclose(found[0, :5], np.array([-1, 0, 1, 0, 0]) / np.sqrt(0.5), rtol=1e-6)
    np.testing.assert_allclose(found[2, :5], (codes[2] - 0.2) / np.sqrt(0.18), rtol=1e-6)
    assert not found[:, 5:].any()
    some = only(np.array([True, False, True, False, True, True, True, True]))
    assert genotype_counts(packed | some).tolist() == [[1, 1, 1], [0, 1, 0], [2, 1, 0]]


@pytest.mark.parametrize("n", [3, 40, 120])
def test_passes_find_the_exact_eigenvectors(n: int) -> None:
    random = np.random.default_rng(n)
    values = random.normal(size=(n, 300)) * np.linspace(3, 1, 300)
    values[:, 0] *= 9
    matrix = values @ values.T / 300
    expected, vectors = eigen.exact(matrix, 3)
    found, theirs, passes = eigen.by_passes(lambda columns: matrix @ columns, n, 3, 1, 1e-9, 60)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(theirs, vectors, atol=1e-6)
    np.testing.assert_allclose(matrix @ vectors, vectors * expected, atol=1e-9)
    assert passes <= 60
