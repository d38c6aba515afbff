"""Errors of sequencers that base qualities do not tell: stutter in repeats, and wrong bases after certain motifs on one strand.

What happens depends on what a read says, not on where it comes from, so that any simulator's reads can be made noisy. Rates follow what
was measured of Illumina's instruments: slippage grows exponentially with the length of a homopolymer, deletions are commoner than
insertions (Ross et al. 2013, Genome Biology 14:R51), and sequence-specific errors are of one strand (Meacham et al. 2011, BMC
Bioinformatics 12:451; Nakamura et al. 2011, Nucleic Acids Research 39:e90).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genospark.core.config import Settings
from genospark.simulate.arrays import Bools, Bytes, Floats, Ints

BASES = np.frombuffer(b"ACGT", np.uint8)
_CODE = np.full(256, 4, np.uint8)
_CODE[BASES] = np.arange(4)


class NoiseConfig(Settings):
    """How noisy a library is.

    Attributes:
        stutter: Chance that a read of a homopolymer of 8 has a base too few or too many.
        stutter_growth: Factor of that chance for each further base.
        stutter_units: Chance at a tandem repeat of 8 units of 2 or 3 bases; it grows likewise with each unit.
        most_stutter: The chance is never above it.
        stutter_deletions: Share of the slips that lose a unit.
        motifs: Share of the motifs after which bases are misread.
        motif_bp: Bases of a motif, the misread one included.
        motif_errors: Range of the chance of a misread base there.
        phasing: Chance that the base after a homopolymer of 6 or more is read as one more of it.
        excess: Further chance of a wrong base anywhere, whatever its quality.
        salt: Decides which motifs are bad.
    """

    stutter: float = Field(0.01, ge=0, lt=1)
    stutter_growth: float = Field(1.35, ge=1, lt=4)
    stutter_units: float = Field(0.02, ge=0, lt=1)
    most_stutter: float = Field(0.4, ge=0, lt=1)
    stutter_deletions: float = Field(0.65, ge=0, le=1)
    motifs: float = Field(5e-4, ge=0, lt=0.1)
    motif_bp: int = Field(7, ge=2, le=12)
    motif_errors: tuple[float, float] = (0.08, 0.5)
    phasing: float = Field(0.01, ge=0, lt=1)
    excess: float = Field(5e-4, ge=0, lt=0.1)
    salt: int = 1


@dataclass(frozen=True)
class Sequenced:
    """Reads one after the other, in the direction of the reference.

    Attributes:
        bases: ASCII, [bases].
        quality: Phred, [bases].
        positions: Reference position that each base comes from, 0-based, [bases].
        inserted: Whether the reference lacks the base; its position is that of the base before it, [bases].
        lengths: [reads].
        reverse: Whether a read was sequenced against that direction, [reads].
    """

    bases: Bytes
    quality: Bytes
    positions: Ints
    inserted: Bools
    lengths: Ints
    reverse: Bools

    @property
    def ends(self) -> Ints:
        """Exclusive end of each read in the arrays of bases, [reads]."""
        ends: Ints = np.cumsum(self.lengths)
        return ends

    def take(self, reads: Ints) -> Sequenced:
        """Some of the reads, in the order given."""
        lengths = self.lengths[reads]
        shift = (self.ends - self.lengths)[reads] - (np.cumsum(lengths) - lengths)
        at = np.arange(lengths.sum()) + np.repeat(shift, lengths)
        return Sequenced(self.bases[at], self.quality[at], self.positions[at], self.inserted[at], lengths, self.reverse[reads])


def add_noise(reads: Sequenced, config: NoiseConfig, rng: np.random.Generator) -> Sequenced:
    """The reads with errors of a noisy library; they gain or lose a few bases."""
    codes = _CODE[reads.bases]
    _misread(codes, reads, config, rng)
    return _slip(reads, codes, config, rng)


def _misread(codes: Bytes, reads: Sequenced, config: NoiseConfig, rng: np.random.Generator) -> None:
    n, k = len(codes), config.motif_bp
    first = reads.ends - reads.lengths
    index = np.arange(n) - np.repeat(first, reads.lengths)
    left = np.repeat(reads.lengths, reads.lengths) - 1 - index
    reverse = np.repeat(reads.reverse, reads.lengths)
    true = codes.copy()
    for strand in (False, True):
        # In the direction of sequencing: the other strand's bases, from right to left.
        seen = (3 - true).astype(np.uint8)[::-1] if strand else true
        before = (left[::-1] if strand else index) >= k - 1
        key = np.zeros(n, np.uint64)
        for step in range(k):
            key = key * np.uint64(5) + np.roll(seen, step).astype(np.uint64)
        run = _runs(seen, index=left[::-1] if strand else index)
        which = before & (reverse[::-1] if strand else ~reverse)
        bad = which & (_uniform(key, config.salt, 1) < config.motifs)
        low, high = config.motif_errors
        at = np.flatnonzero(bad)
        at = at[rng.random(len(at)) < low + (high - low) * _uniform(key[at], config.salt, 2)]
        turn = 1 + (_uniform(key[at], config.salt, 3) * 3).astype(np.uint8)
        places = n - 1 - at if strand else at
        codes[places] = (true[places] + turn) % 4
        # A run's last base read once more in place of the next.
        behind = np.flatnonzero(which & (run == 1) & (np.roll(run, 1) >= 6))
        behind = behind[rng.random(len(behind)) < config.phasing]
        spot = n - 1 - behind if strand else behind
        codes[spot] = true[spot + 1 if strand else spot - 1]
    wrong = np.flatnonzero(rng.random(n, dtype=np.float32) < config.excess)
    codes[wrong] = (codes[wrong] + rng.integers(1, 4, len(wrong))) % 4


def _runs(codes: Bytes, index: Ints) -> Ints:
    """Length of the run of one base up to each base of its read, [bases]."""
    new = np.ones(len(codes), bool)
    new[1:] = codes[1:] != codes[:-1]
    new |= index == 0
    place = np.arange(len(codes))
    runs: Ints = place - np.maximum.accumulate(np.where(new, place, 0)) + 1
    return runs


def _slip(reads: Sequenced, codes: Bytes, config: NoiseConfig, rng: np.random.Generator) -> Sequenced:
    n = len(codes)
    copies = np.ones(n, np.int64)
    last = np.zeros(n, bool)
    last[reads.ends - 1] = True
    index = np.arange(n) - np.repeat(reads.ends - reads.lengths, reads.lengths)
    for period in (1, 2, 3):
        same = np.zeros(n, bool)
        same[period:] = codes[period:] == codes[:-period]
        same &= index >= period
        place = np.arange(n)
        run = place - np.maximum.accumulate(np.where(same, -1, place))
        end = same & np.append(~same[1:], True) & ~last
        at = np.flatnonzero(end & (run >= max(2, 3 * period)))
        units = (run[at] + period) / period
        rate = (config.stutter if period == 1 else config.stutter_units) * config.stutter_growth ** (units - 8)
        if period > 1:  # runs of one base are repeats of two as well
            rate[codes[at] == codes[at - 1]] = 0
        at = at[rng.random(len(at)) < np.minimum(rate, config.most_stutter)]
        change = np.where(rng.random(len(at)) < config.stutter_deletions, 0, 2)
        for back in range(period):
            copies[at - back] = change
    from_base = np.repeat(np.arange(n), copies)
    repeated = np.append(False, from_base[1:] == from_base[:-1])
    of_read = np.repeat(np.arange(len(reads.lengths)), reads.lengths)
    return Sequenced(
        BASES[codes % 4][from_base],
        reads.quality[from_base],
        reads.positions[from_base],
        reads.inserted[from_base] | repeated,
        np.bincount(of_read[from_base], minlength=len(reads.lengths)),
        reads.reverse,
    )


def _uniform(key: NDArray[np.uint64], salt: int, purpose: int) -> Floats:
    """A number from 0 to 1 for each key, always the same (splitmix64)."""
    mixed = (key * np.uint64(8) + np.uint64(purpose)) ^ np.uint64(salt * 0x9E3779B97F4A7C15 & (1 << 64) - 1)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    share: Floats = (mixed ^ (mixed >> np.uint64(31))).astype(np.float64) / 2.0**64
    return share
