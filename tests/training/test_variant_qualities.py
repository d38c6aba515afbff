"""Qualities of calls are put where errors on validation windows say, and examples may hold more variants than people do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from genospark.tasks.variants import VariantProblem
from genospark.training.variants import calibrate


def _found(n: int, elsewhere: float = 0.0) -> pd.DataFrame:
    """Calls of stated quality 4 to 60 that are wrong as if it were half of that; of the wrong ones a share where no variant is."""
    random = np.random.default_rng(1)
    quality = random.uniform(4, 60, n)
    wrong = random.random(n) < 10 ** (-quality / 20)
    truth = np.where(wrong, np.where(random.random(n) < elsewhere, 0, 2), 1)
    rows = {"split": "validation", "head": 0, "truth": truth, "networkGenotype": 1, "networkQuality": quality.astype(np.float32)}
    return pd.DataFrame(rows)


def test_overstated_qualities_are_halved() -> None:
    found = _found(20_000)
    stated = found["networkQuality"].to_numpy().copy()
    (offset, slope), untouched = calibrate(found, "network", (1.0, 1.0))
    assert abs(offset) < 1
    assert slope == pytest.approx(0.5, abs=0.06)
    assert untouched == pytest.approx([0, 1], abs=0.05)
    assert found["networkQuality"].to_numpy() == pytest.approx(np.clip(offset + slope * stated, 0, 99), abs=1e-3)


def test_test_windows_say_nothing_of_calibration() -> None:
    found = _found(5000)
    other = found.assign(split="test", truth=0)
    assert calibrate(pd.concat([found, other], ignore_index=True), "network", (1.0, 1.0)) == calibrate(_found(5000), "network", (1.0, 1.0))


def test_false_calls_count_as_often_as_they_are_commoner_in_people() -> None:
    rare, dense = _found(20_000, elsewhere=1.0), _found(20_000, elsewhere=1.0)
    low, high = calibrate(rare, "network", (1.0, 1.0))[0], calibrate(dense, "network", (3.0, 1.0))[0]
    # Three times as many false calls for each true one: about 4.8 Phred less where errors are few.
    assert (low[0] + 30 * low[1]) - (high[0] + 30 * high[1]) == pytest.approx(10 * np.log10(3), abs=1)


def test_logits_are_those_of_people_whatever_the_examples_hold() -> None:
    """Examples with five times as many SNVs: the loss is that of the logits with log 5 more for each genotype that has one."""
    logits = np.random.default_rng(2).normal(size=(2, 7, 2, 4)).astype(np.float32)
    labels = {"snv": np.full((2, 7), 1, np.int8), "indel": np.zeros((2, 7), np.int8)}
    found = VariantProblem({}, {}, (5.0, 1.0)).loss_sums(tf.constant(logits), labels)
    raised = np.exp(logits[:, :, 0] + np.log([1, 5, 5, 5]))
    expected = -np.log(raised[..., 1] / raised.sum(axis=-1)).sum()
    plain = np.exp(logits[:, :, 1])
    assert found.numpy() == pytest.approx([expected, -np.log(plain[..., 0] / plain.sum(axis=-1)).sum()], rel=1e-4)
