"""Gametes are mosaics of a parent's two chromosomes."""

from __future__ import annotations

import numpy as np
import pytest

from genospark.simulate.meiosis import gametes


def test_gametes_switch_strands_at_the_recombination_rate() -> None:
    length, n = 200_000_000, 2000  # 2 Morgan
    positions = np.arange(0, length, 1_000_000)
    haplotypes = np.zeros((len(positions), 3, 2), dtype=np.uint8)
    haplotypes[:, :, 1] = 1
    made = gametes(haplotypes, np.full(n, 2), positions, length, np.random.default_rng(1))
    assert made.shape == (len(positions), n)
    switches = (made[1:] != made[:-1]).sum(axis=0)
    assert switches.mean() == pytest.approx(2.0, rel=0.1)
    assert switches.var() == pytest.approx(2.0, rel=0.2)  # Poisson: no interference
    assert made.mean(axis=1) == pytest.approx(0.5, abs=0.05)  # either strand is as likely, everywhere


def test_gametes_take_alleles_of_their_own_parent() -> None:
    haplotypes = np.arange(4, dtype=np.uint8).reshape(1, 2, 2)
    parents = np.array([0, 1] * 50)
    made = gametes(haplotypes, parents, np.array([5]), 10, np.random.default_rng(1))[0]
    assert (made // 2 == parents).all()
    assert set(made.tolist()) == {0, 1, 2, 3}
