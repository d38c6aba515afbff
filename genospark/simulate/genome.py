"""Genomes for variant callers: repeats, similar copies and uneven G+C in the reference, and variants where real ones lie."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from genospark.core.config import Settings
from genospark.simulate.alleles import BASES, STEP_SHARES, Contig
from genospark.simulate.arrays import Bools, Bytes, Floats, Ints

MARGIN_BP = 1000
_STEPS = np.array(list(STEP_SHARES))
_STEP_CHANCES = np.array(list(STEP_SHARES.values()))


class GenomeConfig(Settings):
    """A reference contig and what people carry on it; shares are as in human genomes where not said otherwise.

    Attributes:
        bases: Length of the contig.
        snv_rate: SNVs that a person carries for each base.
        indel_rate: Indels that a person carries for each base.
        repeat_indels: Share of the indels that are whole units of a tandem repeat.
        max_indel_bp: Longest indel.
        homozygous: Share of a person's variants that both chromosomes carry.
        homopolymers: Runs of one base that are put in, for each base (those that chance makes come on top).
        tandem_repeats: Repeats of units of 2 to 5 bases, for each base.
        duplicated: Share of the contig that is a copy of another part.
        divergence: Range of the share of bases in which copies differ.
    """

    bases: int = Field(400_000, ge=20_000, multiple_of=1000)
    snv_rate: float = Field(1e-3, gt=0, lt=0.05)
    indel_rate: float = Field(1.4e-4, gt=0, lt=0.05)
    repeat_indels: float = Field(0.5, ge=0, le=1)
    max_indel_bp: int = Field(50, ge=1, le=200)
    homozygous: float = Field(0.38, ge=0, le=1)
    homopolymers: float = Field(1e-3, ge=0, lt=0.02)
    tandem_repeats: float = Field(2e-4, ge=0, lt=0.01)
    duplicated: float = Field(0.05, ge=0, lt=0.5)
    divergence: tuple[float, float] = (0.005, 0.05)


def draw_reference(config: GenomeConfig, rng: np.random.Generator) -> Bytes:
    """Codes (0 to 3) of a reference, [bases]."""
    n = config.bases
    # G+C wanders from about .3 to .6 over some kilobases.
    coarse = rng.normal(0.42, 0.07, n // 2000 + 3).clip(0.28, 0.65)
    gc = np.interp(np.arange(n), np.arange(len(coarse)) * 2000 - 1000, np.convolve(coarse, [0.25, 0.5, 0.25], "same"))
    strong, second = rng.random(n) < gc, rng.random(n) < 0.5
    codes = np.where(strong, np.where(second, 1, 2), np.where(second, 0, 3)).astype(np.uint8)
    for _ in range(rng.poisson(config.homopolymers * n)):
        length = 5 + min(int(rng.geometric(0.16)), 25)
        at = int(rng.integers(0, n - length))
        codes[at : at + length] = rng.choice(4, p=[0.42, 0.08, 0.08, 0.42])
    for _ in range(rng.poisson(config.tandem_repeats * n)):
        unit = rng.integers(0, 4, int(rng.choice([2, 3, 4, 5], p=[0.5, 0.15, 0.25, 0.1])), dtype=np.uint8)
        length = len(unit) * int(4 + rng.geometric(0.12))
        length = min(length, 90)
        at = int(rng.integers(0, n - length))
        codes[at : at + length] = np.resize(unit, length)
    left = config.duplicated * n
    while left > 500:
        length = int(min(rng.integers(1000, 6000), left, n // 8))
        source, target = rng.integers(MARGIN_BP, n - length - MARGIN_BP, 2)
        if abs(source - target) > length:
            copy = codes[source : source + length].copy()
            differs = rng.random(length) < rng.uniform(*config.divergence)
            copy[differs] = (copy[differs] + rng.integers(1, 4, differs.sum())) % 4
            codes[target : target + length] = copy
            left -= length
    return codes


def period_runs(codes: Bytes, period: int) -> Ints:
    """How many bases in a row, up to and with each base, equal those a period earlier, [bases]."""
    same = np.zeros(len(codes), bool)
    same[period:] = codes[period:] == codes[:-period]
    index = np.arange(len(codes))
    broken = np.maximum.accumulate(np.where(same, -1, index))
    runs: Ints = index - broken
    return runs


def draw_genome(name: str, config: GenomeConfig, people: int, rng: np.random.Generator) -> Contig:
    """Draw a contig and, for each person apart, the variants on it.

    Everyone carries the rates of ``config``; with several people each site is carried by a third of them.

    Args:
        name: Name of the contig.
        config: What to draw.
        people: People.
        rng: Random generator.
    """
    codes = draw_reference(config, rng)
    carried = 1.0 if people == 1 else 1 / 3
    n = config.bases - 2 * MARGIN_BP
    n_snvs, n_indels = (rng.poisson(rate / carried * n) for rate in (config.snv_rate, config.indel_rate))
    places = np.concatenate([MARGIN_BP + rng.integers(0, n, n_snvs), _indel_places(codes, config, n_indels, rng)])
    order = np.argsort(places, kind="stable")
    positions, refs, alts, free = [], [], [], 0
    reference = BASES[codes]
    for index in order.tolist():
        at = int(places[index])
        start, ref, alt = _snv(codes, at, rng) if index < n_snvs else _indel(codes, at, config, rng)
        # One base at least between neighbours, so that each keeps its own record.
        if start < free + 1 or start < MARGIN_BP or start + len(ref) > config.bases - MARGIN_BP:
            continue
        positions.append(start)
        refs.append(BASES[ref].tobytes().decode())
        alts.append(",".join(BASES[allele].tobytes().decode() for allele in alt))
        free = start + len(ref)
    haplotypes = _genotypes(np.array(["," in alt for alt in alts]), people, carried, config, rng)
    kept = np.flatnonzero(haplotypes.any(axis=(1, 2)))
    take = kept.tolist()
    return Contig(name, reference, np.array(positions, np.int64)[kept], [refs[i] for i in take], [alts[i] for i in take], haplotypes[kept])


def _indel_places(codes: Bytes, config: GenomeConfig, n: int, rng: np.random.Generator) -> Ints:
    """Half by chance, half in tandem repeats, the longer the likelier."""
    weights: Floats = np.zeros(len(codes))
    for period, least in ((1, 4), (2, 6), (3, 9), (4, 12)):
        runs = period_runs(codes, period)
        ends = (runs >= least - period) & np.append(runs[1:] == 0, True)
        weights[ends] += ((runs[ends] + period) / 6.0) ** 2
    weights[: MARGIN_BP + 200] = weights[-MARGIN_BP - 200 :] = 0
    in_repeats = rng.binomial(n, config.repeat_indels)
    by_chance = MARGIN_BP + rng.integers(0, len(codes) - 2 * MARGIN_BP, n - in_repeats)
    return np.concatenate([by_chance, rng.choice(len(codes), in_repeats, p=weights / weights.sum())])


def _snv(codes: Bytes, at: int, rng: np.random.Generator) -> tuple[int, Bytes, list[Bytes]]:
    base = codes[at]
    step = int(rng.choice(_STEPS, p=_STEP_CHANCES))
    steps = [step] if rng.random() > 0.003 else [step, step % 3 + 1]
    return at, codes[at : at + 1], [np.array([(base + one) % 4], np.uint8) for one in steps]


def _indel(codes: Bytes, at: int, config: GenomeConfig, rng: np.random.Generator) -> tuple[int, Bytes, list[Bytes]]:
    """Start, REF and one or two ALT of an indel whose last base before shifting is ``at``, left-aligned."""
    unit = _unit(codes, at)
    if unit:
        size = unit * min(int(rng.geometric(0.72)), config.max_indel_bp // unit)
        size = max(size, unit)
    else:
        size = min(int(rng.geometric(0.45 if rng.random() < 0.8 else 0.08)), config.max_indel_bp)
    deletion = rng.random() < 0.5
    if deletion:
        start, deleted = _left(codes, at - size, codes[at - size + 1 : at + 1])
        alts = [codes[start : start + 1]]
        reference = codes[start : start + 1 + len(deleted)]
        if unit and rng.random() < 0.06:
            alts.append(np.concatenate([reference, reference[1 : 1 + unit]]))
        return start, reference, alts
    if unit:
        inserted = codes[at - unit + 1 : at + 1][np.arange(size) % unit]
    elif rng.random() < 0.4:  # a copy of what is beside it
        inserted = codes[at - size + 1 : at + 1]
    else:
        inserted = rng.integers(0, 4, size, dtype=np.uint8)
    start, inserted = _left(codes, at, inserted)
    anchor = codes[start : start + 1]
    alts = [np.concatenate([anchor, inserted])]
    if unit and rng.random() < 0.06:
        alts.append(np.concatenate([anchor, inserted, inserted[:unit]]))
    return start, anchor, alts


def _unit(codes: Bytes, at: int) -> int:
    """Unit of the tandem repeat that ends at a place; 0 where none does."""
    for period, least in ((1, 4), (2, 6), (3, 9), (4, 12)):
        piece = codes[at - least + 1 : at + 1]
        if (piece[period:] == piece[:-period]).all():
            return period
    return 0


def _left(codes: Bytes, anchor: int, event: Bytes) -> tuple[int, Bytes]:
    """Shift an inserted or deleted sequence to the left as far as it goes (Tan, Abecasis and Kang, 2015)."""
    turned = event.tolist()
    while anchor > MARGIN_BP and codes[anchor] == turned[-1]:
        turned = [turned[-1], *turned[:-1]]
        anchor -= 1
    return anchor, np.array(turned, np.uint8)


def _genotypes(multi: Bools, people: int, carried: float, config: GenomeConfig, rng: np.random.Generator) -> Bytes:
    """Allele numbers, [records, people, 2]."""
    n = len(multi)
    carries = rng.random((n, people)) < carried
    both = rng.random((n, people)) < config.homozygous
    side = rng.integers(0, 2, (n, people))
    alleles = np.zeros((n, people, 2), np.uint8)
    alleles[..., 0] = carries & (both | (side == 0))
    alleles[..., 1] = carries & (both | (side == 1))
    # Where there are two alternate alleles, carriers have both of them.
    alleles[multi] = np.where(carries[multi][..., None], np.stack([1 + side[multi], 2 - side[multi]], axis=-1), 0)
    return alleles
