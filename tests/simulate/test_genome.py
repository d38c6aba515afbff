"""Genomes for variant callers: what is on them, and that records say what chromosomes hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysam.bcftools
import pytest

from genospark.simulate.alleles import Contig
from genospark.simulate.genome import GenomeConfig, draw_genome, period_runs
from genospark.simulate.haplotypes import Region, haplotype
from genospark.simulate.vcf import write_fasta, write_vcf


@pytest.fixture(scope="module")
def contig() -> Contig:
    return draw_genome("chr1", GenomeConfig(bases=300_000), 1, np.random.default_rng(5))


def test_a_person_carries_the_rates_asked_for(contig: Contig) -> None:
    snv = np.array([len(ref) == len(alt.split(",")[0]) for ref, alt in zip(contig.refs, contig.alts, strict=True)])
    # Poisson counts of 298 and 42 expected, five standard deviations.
    assert 210 < snv.sum() < 390
    assert 12 < (~snv).sum() < 75
    homozygous = (contig.haplotypes[:, 0, 0] == contig.haplotypes[:, 0, 1]).mean()
    assert 0.28 < homozygous < 0.48
    assert contig.haplotypes.any(axis=(1, 2)).all()


def test_indels_lie_in_repeats_more_than_chance_has_it(contig: Contig) -> None:
    codes = np.searchsorted(np.frombuffer(b"ACGT", np.uint8), contig.reference)
    runs = period_runs(codes.astype(np.uint8), 1) + 1
    after = np.array([runs[start + 1 : start + 12].max() for start in contig.positions])
    indel = np.array([len(ref) != len(alt.split(",")[0]) for ref, alt in zip(contig.refs, contig.alts, strict=True)])
    assert (after[indel] >= 5).mean() > 2 * (after[~indel] >= 5).mean()


def test_records_are_as_bcftools_norm_has_them(contig: Contig, tmp_path: Path) -> None:
    write_fasta(tmp_path / "reference.fa", [contig])
    write_vcf(tmp_path / "truth.vcf.gz", [contig], slice(0, 1), ["S"], 0, np.random.default_rng(0))
    split = pysam.bcftools.norm("-m-any", str(tmp_path / "truth.vcf.gz"))
    (tmp_path / "split.vcf").write_text(split)
    normal = pysam.bcftools.norm("-f", str(tmp_path / "reference.fa"), str(tmp_path / "split.vcf"))
    single = [line for line in split.splitlines() if (not line.startswith("#") and "0|1" in line) or "1|1" in line]
    kept = set(normal.splitlines())
    multi = sum("," in alt for alt in contig.alts)
    assert sum(line not in kept for line in single) <= 2 * multi


def test_chromosomes_hold_what_records_say(contig: Contig) -> None:
    whole = haplotype([contig], Region(0, 0, len(contig.reference)), 0, 0)
    growth = 0
    for row, (ref, alt) in enumerate(zip(contig.refs, contig.alts, strict=True)):
        allele = contig.haplotypes[row, 0, 0]
        if allele:
            growth += len(alt.split(",")[allele - 1]) - len(ref)
    assert len(whole) == len(contig.reference) + growth
    plain = ~whole.inserted
    same = whole.sequence[plain] == contig.reference[whole.positions[plain]]
    assert (~same).sum() == sum(
        len(ref) == len(alt.split(",")[0]) and contig.haplotypes[row, 0, 0] > 0
        for row, (ref, alt) in enumerate(zip(contig.refs, contig.alts, strict=True))
    )


def test_copies_are_there(contig: Contig) -> None:
    """5% of the contig, in copies that differ in 0.5% to 5%: words of 24 that stand twice are many more than by chance (none)."""
    words = np.lib.stride_tricks.sliding_window_view(contig.reference, 24)
    keys = words.astype(np.uint64) @ (np.uint64(31) ** np.arange(24, dtype=np.uint64))
    _, counts = np.unique(keys, return_counts=True)
    assert counts[counts > 1].sum() > 0.02 * len(contig.reference)
