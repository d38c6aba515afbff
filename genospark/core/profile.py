"""How a sample's reads err: what its own plain positions say, told to the caller at each position.

A library's slippage in repeats differs by more than tenfold between protocols, and no single position tells. Slips are counted by the unit
of the repeat and its number of copies, as for DRAGEN's and GATK's tables of short tandem repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from genospark.core.pileup import CHANNELS, INDEX, MODEL_CHANNELS, Pileup

MOST_UNIT = 4
"""Repeats of longer units count with those of this."""
MOST_COPIES = 15
CLASSES = (MOST_UNIT + 1) * (MOST_COPIES + 1)
"""Classes of repeats: unit 0 to 4 (0 is none) times copies 0 to 15."""
BY_CLASS = ("slipReads", "slips")
"""Sums over positions without a variant, by class of the repeat that begins there: reads, and those that gain or lose one unit."""
OVERALL = ("indelReads", "otherIndels", "plainBases", "plainErrors", "plainSites", "alikeSites", "apartSites", "alikePairs", "apartPairs")
"""Likewise of all of them: reads and those with another indel; bases and wrong ones; positions, those with the same wrong base twice of
good quality on one strand alone and on both, and pairs of bases on one strand and on both."""
_RATES = 3
SIZE = CLASSES + _RATES
"""Rates of a profile: slips of each class, other indels, wrong bases, positions where one strand errs alike: twice, and beyond chance."""
# What is assumed of a library of usual quality, and how many observations that is worth.
_USUAL = (1e-4, 3e-3, 1e-4)
_WORTH = (5e4, 1e4, 2e4)
_SLIP_WORTH, _LEAST_SLIP, _SLIP_GROWTH, _MOST_SLIP = 100.0, 1e-4, 1.6, 0.2
_LARGEST = 60

Rates = npt.NDArray[np.float32]


def repeat_class(unit: npt.NDArray[Any], length: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Class of repeats with units and lengths in base pairs; 0 where there is none."""
    unit = np.asarray(unit, np.int64)
    copies = np.minimum(np.asarray(length, np.int64) // np.maximum(unit, 1), MOST_COPIES)
    classes: npt.NDArray[np.int64] = np.where(unit > 0, np.minimum(unit, MOST_UNIT) * (MOST_COPIES + 1) + copies, 0)
    return classes


def usual() -> Rates:
    """The profile of a sample of which nothing is known, [SIZE]."""
    copies = np.tile(np.arange(MOST_COPIES + 1), MOST_UNIT + 1)
    slips = np.minimum(_LEAST_SLIP * _SLIP_GROWTH ** np.maximum(copies - 1, 0), _MOST_SLIP)
    return np.concatenate([slips, _USUAL]).astype(np.float32)


def of_sums(sums: Mapping[str, Any]) -> Rates:
    """The profile that the sums ``BY_CLASS`` and ``OVERALL`` make, [SIZE]; what few reads tell is drawn towards the usual."""
    before = usual().astype(np.float64)
    slips, reads = np.asarray(sums["slips"], np.float64), np.asarray(sums["slipReads"], np.float64)
    # Errors by chance, rare variants and misplaced reads are on both strands as often as their pairs say; a strand that errs is alone.
    chance = sums["apartSites"] * sums["alikePairs"] / max(sums["apartPairs"], 1)
    sums = dict(sums) | {"alikeSites": max(sums["alikeSites"] - chance, 0.0)}
    rates = np.empty(SIZE)
    rates[:CLASSES] = (slips + _SLIP_WORTH * before[:CLASSES]) / (reads + _SLIP_WORTH)
    pairs = (("otherIndels", "indelReads"), ("plainErrors", "plainBases"), ("alikeSites", "plainSites"))
    for place, ((part, whole), usually, worth) in enumerate(zip(pairs, _USUAL, _WORTH, strict=True), CLASSES):
        rates[place] = (sums[part] + worth * usually) / (sums[whole] + worth)
    return rates.astype(np.float32)


def told(pileup: Pileup, profiles: Sequence[bytes | None]) -> Pileup:
    """Windows with their sample's errors beside what reads show.

    Args:
        pileup: [windows, positions, ``CHANNELS``].
        profiles: Of each window its sample's profile as float32 bytes; None where it is not known.

    Returns:
        [windows, positions, ``MODEL_CHANNELS``].
    """
    unknown = usual().tobytes()
    known = {profile: number for number, profile in enumerate(dict.fromkeys(unknown if one is None else one for one in profiles))}
    rates = np.stack([np.frombuffer(profile, np.float32) for profile in known])
    phred = np.clip(np.rint(-10 * np.log10(np.maximum(rates, 1e-9))), 0, _LARGEST).astype(np.uint8)
    of_window = np.array([known[unknown if one is None else one] for one in profiles], np.int64)
    whole = np.empty((*pileup.shape[:2], len(MODEL_CHANNELS)), np.uint8)
    whole[..., : len(CHANNELS)] = pileup
    classes = repeat_class(pileup[..., INDEX["repeat_unit"]], pileup[..., INDEX["repeat_length"]])
    whole[..., len(CHANNELS)] = phred[of_window[:, None], classes]
    whole[..., len(CHANNELS) + 1 :] = phred[of_window, None, CLASSES:]
    return whole
