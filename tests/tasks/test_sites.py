"""Sites with evidence: which they are, and that a network which sees them alone says what it says of whole windows."""

from __future__ import annotations

import numpy as np
import pytest

from genospark.core.pileup import INDEX, MODEL_CHANNELS, WINDOW_BP
from genospark.core.sites import evident
from genospark.tasks.sites import at_sites, reference_quality

RADIUS = 7


def column(**values: int) -> np.ndarray:
    made = np.zeros((1, 1, len(MODEL_CHANNELS)), np.uint8)
    for name, value in values.items():
        made[..., INDEX[name]] = value
    return made


@pytest.mark.parametrize(
    "values, found",
    [
        ({"forward_A": 30}, False),
        ({"forward_A": 29, "reverse_C": 1}, False),
        # Two reads that differ, but in different bases.
        ({"forward_A": 28, "reverse_C": 1, "forward_G": 1}, False),
        ({"forward_A": 28, "reverse_C": 1, "forward_C": 1}, True),
        ({"forward_A": 98, "reverse_C": 2}, False),
        ({"forward_A": 6, "reverse_C": 1}, True),
        ({"forward_A": 30, "indel1_length": 2}, True),
        # An unknown reference base: all that is shown differs.
        ({"reference": 4, "forward_A": 30}, True),
        ({}, False),
    ],
)
def test_evidence(values: dict[str, int], found: bool) -> None:
    assert evident(column(**values)).item() is found


def test_how_sure_a_position_without_evidence_is() -> None:
    # Ten reads of the reference: half as likely each where one chromosome has another base. 10 log10(2^10 / 0.001) = 60.1.
    plain = reference_quality(column(forward_A=6, reverse_A=4, spanning_forward=9), 2e-3, (1e-3, 1e-4))
    assert plain[0, 0].tolist() == pytest.approx([60.103, 40 + 27.093], abs=0.001)
    # A base of quality 20 (1% wrong, a third of that this one) against nine: 9 x 3.01 + 30 - (20 + 4.77 - 3.01).
    other = reference_quality(column(forward_A=9, reverse_C=1, quality_C=20), 2e-3, (1e-3, 1e-4))
    assert other[0, 0, 0] == pytest.approx(27.093 + 30 - 21.761, abs=0.001)
    # No base is surer than one error in 100 says.
    assert reference_quality(column(forward_A=9, reverse_C=1, quality_C=40), 1e-2, (1e-3, 1e-4))[0, 0, 0] == pytest.approx(other[0, 0, 0])


def around(pileup: np.ndarray) -> np.ndarray:
    """A network of its radius: sums of channels over what lies around, weighed by distance; outside there is nothing."""
    values = pileup.astype(np.float64)
    values[..., 0] = np.where(values[..., 0] == 4, 0, values[..., 0])
    padded = np.pad(values, ((0, 0), (RADIUS, RADIUS), (0, 0)))
    weights = 1.0 + np.arange(2 * RADIUS + 1) ** 2
    summed = sum(weight * padded[:, at : at + WINDOW_BP] for at, weight in enumerate(weights))
    return np.stack([summed.sum(axis=-1), summed[..., 5]], axis=-1)[..., None].astype(np.float32)


def test_sites_alone_are_what_they_are_in_their_windows() -> None:
    rng = np.random.default_rng(1)
    pileup = rng.integers(0, 4, (5, WINDOW_BP, len(MODEL_CHANNELS))).astype(np.uint8)
    chosen = rng.random((5, WINDOW_BP)) < np.array([0.01, 0.05, 0.5, 0.0, 0.02])[:, None]
    chosen[0, [0, 3, WINDOW_BP - 1]] = True
    window, offset = np.nonzero(chosen)
    sizes = []

    def compute(part: np.ndarray) -> np.ndarray:
        sizes.append(len(part))
        return around(part)

    found = at_sites(pileup, window, offset, RADIUS, compute)
    assert np.array_equal(found, around(pileup)[window, offset])
    # The window that is half sites is computed whole, the others' some 80 sites lie side by side.
    assert sorted(sizes) == [1, 2]
    assert at_sites(pileup, window[:0], offset[:0], RADIUS, compute).shape[0] == 0
    # A network that sees all of a window is given windows.
    assert np.array_equal(at_sites(pileup, window, offset, WINDOW_BP, compute), around(pileup)[window, offset])
