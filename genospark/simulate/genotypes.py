"""Everyone's genotypes, contig by contig, and the common variants among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from genospark.simulate.alleles import Contig, draw_alleles
from genospark.simulate.ancestry import draw_founders
from genospark.simulate.arrays import Bools, Bytes, Floats, Ints
from genospark.simulate.meiosis import gametes
from genospark.simulate.people import People

MULTI_ALLELIC_SHARE = 0.01


def _merge_pairs(first: Bools, second: Bools, in_cohort: Bools) -> tuple[Bytes, Bools]:
    """Make one site with two alternate alleles from each pair of biallelic sites.

    A chromosome that carries both derived alleles gets the second. Where nobody in the cohort would be left with the first
    allele, the first wins instead; where that too loses an allele, the site stays biallelic.

    Args:
        first: Chromosomes with the derived allele of the first site of each pair, [pairs, founders, 2].
        second: The same of the second site.
        in_cohort: Founders of the cohort, [founders].

    Returns:
        Allele numbers [pairs, founders, 2] and whether both alternate alleles occur in the cohort [pairs].
    """

    def seen(carriers: Bools) -> Bools:
        present: Bools = carriers[:, in_cohort].any(axis=(1, 2))
        return present

    only_first, only_second = first & ~second, second & ~first
    keep_first = ~seen(only_first)
    merged = np.where(keep_first[:, None, None], first + 2 * only_second, only_first + 2 * second)
    both = seen(only_first) | seen(only_second)
    merged[~both] = first[~both]
    return merged.astype(np.uint8), both


def draw_contig(
    name: str, n_records: int, length: int, people: People, rng: np.random.Generator, progress: Callable[[str], None]
) -> Contig:
    """Draw one contig: founders from the coalescent, children by meiosis, then reference and alleles.

    Args:
        name: Name of the contig.
        n_records: VCF records, all polymorphic in the cohort.
        length: Bases of the contig, more where it would hold too few polymorphic sites.
        people: Everyone, fresh people included.
        rng: Random generator.
        progress: Told what happens.
    """
    founders = np.flatnonzero(people.founders)
    in_cohort = founders < people.n_cohort
    n_multi = round(MULTI_ALLELIC_SHARE * n_records)
    sites = draw_founders(people.population[founders], in_cohort, n_records + n_multi, length, rng, progress)

    # Even sites may merge with their right neighbour, so that no site is used twice.
    pairs = np.sort(rng.choice((n_records + n_multi) // 2, size=n_multi, replace=False)) * 2
    merged, both = _merge_pairs(sites.haplotypes[pairs] == 1, sites.haplotypes[pairs + 1] == 1, in_cohort)
    sites.haplotypes[pairs] = merged
    multi_allelic = np.zeros(n_records + n_multi, dtype=np.bool_)
    multi_allelic[pairs] = both

    kept = np.delete(np.arange(n_records + n_multi), pairs + 1)
    positions = sites.positions[kept]
    haplotypes = np.empty((n_records, len(people), 2), dtype=np.uint8)
    haplotypes[:, founders] = sites.haplotypes[kept]
    children = np.flatnonzero(~people.founders)
    for strand, parents in enumerate((people.father, people.mother)):
        haplotypes[:, children, strand] = gametes(haplotypes, parents[children], positions, sites.length, rng)

    reference, refs, alts = draw_alleles(positions, multi_allelic[kept], sites.length, rng)
    return Contig(name, reference, positions, refs, alts, haplotypes)


@dataclass(frozen=True)
class CommonVariants:
    """Biallelic variants that are common in the cohort, over all contigs in file order.

    Attributes:
        contigs: The contigs.
        contig: Index of each variant's contig, [variants].
        row: Index of each variant's record in its contig, [variants].
        position: Start, 0-based, [variants].
        frequency: Minor allele frequency in the cohort, [variants].
    """

    contigs: list[Contig]
    contig: Ints
    row: Ints
    position: Ints
    frequency: Floats

    @classmethod
    def of(cls, contigs: list[Contig], n_cohort: int, min_frequency: float) -> CommonVariants:
        """Find the variants whose minor allele frequency among the first ``n_cohort`` people is above ``min_frequency``."""
        parts = []
        for c, contig in enumerate(contigs):
            share = np.count_nonzero(contig.haplotypes[:, :n_cohort], axis=(1, 2)) / (2 * n_cohort)
            minor = np.minimum(share, 1 - share)
            biallelic = np.array(["," not in alt for alt in contig.alts])
            rows = np.flatnonzero((minor > min_frequency) & biallelic)
            parts.append((np.full(len(rows), c), rows, contig.positions[rows], minor[rows]))
        contig_index, row, position, frequency = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return cls(contigs, contig_index, row, position, frequency)

    def __len__(self) -> int:
        return len(self.row)

    def dosages(self, variants: Ints) -> Floats:
        """Copies of the alternate allele, [people, variants]."""
        rows = [self.contigs[self.contig[v]].haplotypes[self.row[v]].sum(axis=1) for v in variants]
        dosages: Floats = np.stack(rows, axis=1).astype(np.float64)
        return dosages

    def locus(self, variant: int) -> tuple[str, int, str, str]:
        """Contig name, start (0-based), REF and ALT of one variant."""
        contig, row = self.contigs[self.contig[variant]], int(self.row[variant])
        return contig.name, int(contig.positions[row]), contig.refs[row], contig.alts[row]
