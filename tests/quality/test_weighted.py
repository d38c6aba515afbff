"""Weighted sums by look-ups are those of the plain definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genospark.core.calls import MISSING, pack
from genospark.quality.weighted import Weights, weighted_sums


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 70), st.integers(1, 3), st.booleans())
def test_sums_are_those_of_the_definition(seed: int, n_variants: int, n_people: int, n_scores: int, imputed: bool) -> None:
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (n_variants, n_people)).astype(np.uint8)
    scored = random.random((n_variants, n_scores)) < 0.7
    of_reference = random.random((n_variants, n_scores)) < 0.5
    weight = np.where(scored, random.normal(size=(n_variants, n_scores)), 0)
    mean = random.uniform(0, 2, n_variants) if imputed else np.full(n_variants, np.nan)
    made = Weights.of(np.where(of_reference, 0, weight), np.where(of_reference, weight, 0), mean, scored)
    found = weighted_sums(pack(codes), made)[:, :, :n_people]
    for score in range(n_scores):
        for person in range(n_people):
            total = 0.0
            for v in range(n_variants):
                copies = mean[v] if codes[v, person] == MISSING else codes[v, person]
                if not np.isnan(copies):
                    total += weight[v, score] * (2 - copies if of_reference[v, score] else copies)
            assert abs(found[0, score, person] - total) < 1e-9
            assert found[1, score, person] == (scored[:, score] & (codes[:, person] == MISSING)).sum()
