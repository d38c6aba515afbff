"""The exact test against its definition in whole numbers."""

from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genospark.core.hwe import hwe_p_values


def by_definition(hom_ref: int, het: int, hom_alt: int) -> float:
    n, copies = hom_ref + het + hom_alt, 2 * hom_alt + het

    def ways(h: int) -> Fraction:
        alt = (copies - h) // 2
        return Fraction(2**h * factorial(n), factorial(h) * factorial(alt) * factorial(n - h - alt))

    possible = [ways(h) for h in range(copies % 2, min(copies, 2 * n - copies) + 1, 2)]
    return float(sum(p for p in possible if p <= ways(het)) / sum(possible))


def test_all_small_tables() -> None:
    tables = [(a, b, c) for a in range(13) for b in range(13) for c in range(13) if a + b + c]
    found = hwe_p_values(*np.array(tables).T)
    assert found == pytest.approx([by_definition(*t) for t in tables], rel=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300)))
def test_larger_tables(table: tuple[int, int, int]) -> None:
    if sum(table):
        assert hwe_p_values(*np.array([table]).T)[0] == pytest.approx(by_definition(*table), rel=1e-9, abs=1e-300)


def test_nobody_has_no_p_value() -> None:
    assert np.isnan(hwe_p_values(*np.array([[0], [0], [0]]))).all()


def test_half_a_million_people() -> None:
    # At the mode, one and two and five standard deviations from it: a chi-square test with one degree of freedom agrees.
    n, frequency = 500_000, 0.3
    expected_het = 2 * n * frequency * (1 - frequency)
    rare = int(2 * n * frequency)
    deviations = np.array([0, 1, -1, 2, 5, -5])
    het = (np.round(expected_het + deviations * 2 * n**0.5 * frequency * (1 - frequency)).astype(int) // 2) * 2
    hom_alt = (rare - het) // 2
    found = hwe_p_values(n - het - hom_alt, het, hom_alt)
    assert found[0] == pytest.approx(1, abs=1e-2)
    assert found[1:] == pytest.approx([0.3173, 0.3173, 0.0455, 5.73e-7, 5.73e-7], rel=0.03)
    far = hwe_p_values(*np.array([[250_000, 0, 500_000], [0, 500_000, 0], [250_000, 0, 0]]))
    assert far.tolist() == [0, 0, 1]
