"""Profiles of errors, derived by hand."""

from __future__ import annotations

import numpy as np

from genospark.core.pileup import CHANNELS, INDEX, MODEL_CHANNELS
from genospark.core.profile import BY_CLASS, CLASSES, OVERALL, of_sums, repeat_class, told, usual


def test_classes_of_repeats() -> None:
    unit, length = np.array([0, 1, 1, 1, 2, 2, 3, 4, 6]), np.array([0, 2, 15, 100, 4, 5, 11, 12, 30])
    # 16 a unit: copies 0 to 15; units above 4 count with those of 4.
    assert repeat_class(unit, length).tolist() == [0, 16 + 2, 16 + 15, 16 + 15, 32 + 2, 32 + 2, 48 + 3, 64 + 3, 64 + 5]


def test_what_is_seen_often_counts_and_what_is_not_is_usual() -> None:
    sums = {name: np.zeros(CLASSES) for name in BY_CLASS} | dict.fromkeys(OVERALL, 0)
    assert np.allclose(of_sums(sums), usual())
    sums["slipReads"][16 + 8], sums["slips"][16 + 8] = 1_000_000, 50_000
    sums |= {
        "plainBases": 10**9,
        "plainErrors": 10**6,
        "indelReads": 10**9,
        "otherIndels": 10**4,
        "plainSites": 10**8,
        # Of three pairs on one strand and four on both: where 4e3 positions have both strands wrong, 3e3 have one by chance.
        "alikeSites": 10**4 + 3 * 10**3,
        "apartSites": 4 * 10**3,
        "alikePairs": 3 * 10**9,
        "apartPairs": 4 * 10**9,
    }
    rates = of_sums(sums)
    assert np.allclose(rates[[16 + 8, CLASSES, CLASSES + 1, CLASSES + 2]], [0.05, 1e-5, 1e-3, 1e-4], rtol=0.02)
    assert rates[16 + 7] == usual()[16 + 7]


def test_windows_are_told_their_samples_errors() -> None:
    pileup = np.random.default_rng(1).integers(0, 5, (3, 1000, len(CHANNELS)), np.uint8)
    pileup[..., INDEX["repeat_unit"]], pileup[..., INDEX["repeat_length"]] = 0, 0
    pileup[:, 7, INDEX["repeat_unit"]], pileup[:, 7, INDEX["repeat_length"]] = 1, 8
    rates = np.full(CLASSES + 3, 1e-2, np.float32)
    rates[16 + 8], rates[CLASSES:] = 0.1, [1e-4, 1e-3, 1e-5]
    whole = told(pileup, [rates.tobytes(), None, rates.tobytes()])
    assert np.array_equal(whole[..., : len(CHANNELS)], pileup)
    added = whole[..., len(CHANNELS) :]
    assert MODEL_CHANNELS[len(CHANNELS) :] == ("slip_error", "indel_error", "base_error", "strand_error")
    assert added[0, 7].tolist() == [10, 40, 30, 50]
    assert added[2, 6].tolist() == [20, 40, 30, 50]
    # A homopolymer of 8 slips 1e-4 x 1.6^7 of the times.
    assert added[1, 7].tolist() == [26, 40, 25, 40]
