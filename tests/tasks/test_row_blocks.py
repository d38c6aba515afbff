"""What a model says of a row does not depend on the rows beside it."""

from __future__ import annotations

import numpy as np
import pytest
from support import Cohort

from genospark.models.bundle import load
from genospark.tasks.blocks import in_blocks, product, rows_at_once
from genospark.tasks.risk_model import RiskModel


@pytest.mark.parametrize("n", [0, 1, 11, 12, 13, 24])
def test_always_as_many_rows_are_asked_about(n: int) -> None:
    asked = []

    def say(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
        asked.append((len(x), len(y)))
        return x * 2, y[:, 0]

    x, y = np.arange(n, dtype=np.uint8), np.arange(2 * n).reshape(n, 2)
    doubled, first = in_blocks(say, 12)(x, y)
    assert set(asked) == {(12, 12)}
    assert doubled.tolist() == [2 * value for value in range(n)]
    assert first.tolist() == list(range(0, 2 * n, 2))


@pytest.mark.parametrize(("row_bytes", "rows"), [(1, 240), (400, 240), (2000, 48), (10_000, 12), (10**9, 12)])
def test_wide_rows_are_fewer_at_once(row_bytes: int, rows: int) -> None:
    assert rows_at_once(row_bytes, 100_000) == rows


def test_a_product_of_many_columns_is_the_same_alone_and_among_others() -> None:
    """As of five members and three diseases; without ``product``, OpenBLAS' kernels for Haswell and Zen differ."""
    random = np.random.default_rng(1)
    rows, matrix = random.normal(size=(300, 60)).astype(np.float32), random.normal(size=(60, 18)).astype(np.float32)
    of_rows = in_blocks(lambda some: (product(some, matrix),), 240)
    (together,) = of_rows(rows)
    assert np.allclose(together, rows @ matrix, atol=1e-3)
    for first in range(0, 300, 6):
        (alone,) = of_rows(rows[first : first + 1])
        assert np.array_equal(alone[0], together[first])


def test_risk_is_the_same_alone_and_among_others(cohort: Cohort) -> None:
    """To the last bit, of both models."""
    model = RiskModel.of(load(cohort.bundle, "risk"))
    random = np.random.default_rng(1)
    calls = random.integers(0, 256, (501, model.spec.call_bytes)).astype(np.uint8)
    measurements = random.normal(size=(501, model.spec.n_measurements)).astype(np.float32)
    each = model.each()
    together = each(calls, measurements)
    for n in (1, 2, 7, 50, 333):
        some = random.permutation(501)[:n]
        for alone, among in zip(each(calls[some], measurements[some]), together, strict=True):
            assert np.array_equal(alone, among[some])
