"""Errors of noisy libraries: as often as asked for, on one strand, and base by base where they come from."""

from __future__ import annotations

import numpy as np

from genospark.simulate.noise import NoiseConfig, Sequenced, add_noise

QUIET = {"stutter": 0, "stutter_units": 0, "motifs": 0, "phasing": 0, "excess": 0}


def _reads(text: str, n: int, reverse: bool = False) -> Sequenced:
    length = len(text)
    place = np.tile(np.arange(length), n)
    bases = np.frombuffer(text.encode() * n, np.uint8)
    return Sequenced(bases, np.full(n * length, 37, np.uint8), place, np.zeros(n * length, bool), np.full(n, length), np.full(n, reverse))


def test_without_noise_reads_stay() -> None:
    reads = _reads("ACGGTAAAAAAAACGTACCC", 7)
    made = add_noise(reads, NoiseConfig(**QUIET), np.random.default_rng(1))
    for name in ("bases", "quality", "positions", "inserted", "lengths"):
        assert (getattr(made, name) == getattr(reads, name)).all()


def test_homopolymers_slip_as_often_as_asked_and_lose_more_than_they_gain() -> None:
    n = 20_000
    made = add_noise(
        _reads("CGT" + "A" * 10 + "CGT", n), NoiseConfig(**QUIET | {"stutter": 0.02, "stutter_growth": 1.5}), np.random.default_rng(2)
    )
    lost, gained = (made.lengths == 15).mean(), (made.lengths == 17).mean()
    # 0.02 at 8, 1.5 times as many for each of two bases more; 65% of them deletions.
    assert abs(lost + gained - 0.045) < 5 * np.sqrt(0.045 / n)
    assert abs(lost / (lost + gained) - 0.65) < 0.1
    assert made.inserted.sum() == (made.lengths == 17).sum()
    ends = made.ends
    assert (made.positions[ends - 1] == 15).all()


def test_repeats_slip_by_whole_units() -> None:
    made = add_noise(_reads("GGC" + "AT" * 8 + "CCG", 5000), NoiseConfig(**QUIET | {"stutter_units": 0.1}), np.random.default_rng(3))
    assert set(np.unique(made.lengths)) == {20, 22, 24}
    assert abs((made.lengths != 22).mean() - 0.1) < 0.03


def test_motif_errors_are_of_one_strand_and_one_base() -> None:
    random = np.random.default_rng(4)
    text = "".join(random.choice(list("ACGT"), 400))
    config = NoiseConfig(**QUIET | {"motifs": 0.02, "motif_errors": (0.3, 0.5), "motif_bp": 6})
    shares = []
    for reverse in (False, True):
        made = add_noise(_reads(text, 300, reverse), config, np.random.default_rng(5))
        assert (made.lengths == 400).all()
        wrong = (made.bases.reshape(300, 400) != np.frombuffer(text.encode(), np.uint8)).mean(axis=0)
        shares.append(wrong)
        bad = np.flatnonzero(wrong)
        assert 1 <= len(bad) <= 30
        assert ((wrong[bad] > 0.15) & (wrong[bad] < 0.65)).all()
        for place in bad:
            assert len(np.unique(made.bases.reshape(300, 400)[:, place])) == 2
    assert not ((shares[0] > 0) & (shares[1] > 0)).all()
    assert set(np.flatnonzero(shares[0])) != set(np.flatnonzero(shares[1]))


def test_some_reads_are_taken_with_all_that_belongs_to_them() -> None:
    bases, number = np.frombuffer(b"ACGTTGG", np.uint8), np.arange(7)
    reads = Sequenced(bases, number.astype(np.uint8), number, number > 9, np.array([2, 4, 1]), np.array([False, True, False]))
    taken = reads.take(np.array([1, 2, 1]))
    assert taken.bases.tobytes() == b"GTTGGGTTG"
    assert taken.lengths.tolist() == [4, 1, 4]
    assert taken.reverse.tolist() == [True, False, True]
