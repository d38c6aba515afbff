"""Local realignment: which of the indels proposed at a site, or the reference, each read over it was copied from.

An aligner lays each read along the reference alone: one that ends soon after an indel is laid without it, with mismatches or clipped, and
one that ends within a repeat says nothing of the repeat's length. Here each read is laid along the haplotypes of all indels proposed near a
site, once hinged on its bases to the left and once on those to the right, and its likelihood under each is the chance of the mismatches.
Genotype likelihoods are of two alleles copied equally often (Li 2011, Bioinformatics 27:2987); haplotypes stand for alleles as in Albers
et al. 2011 (Dindel, Genome Research 21:961).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genospark.ingest.reads.candidates import GENOTYPES, RANKS, Alleles, Candidates
from genospark.ingest.reads.cigars import ALIGNED, CLIP, Bools, Pieces
from genospark.ingest.reads.filters import ReadFilters, mix, name_hashes
from genospark.ingest.reads.haplotypes import FLANK, LONGEST_BP, build, costs, reach
from genospark.ingest.reads.indels import REACH_BP
from genospark.ingest.reads.mates import expand
from genospark.ingest.reads.records import Ints, Records
from genospark.ingest.reads.reference import Codes

NEAR_BP = 50
"""Indels that are no farther from each other compete for reads."""
MOST_RIVALS = 4
MARGIN = FLANK + REACH_BP + LONGEST_BP + NEAR_BP
"""Positions on both sides of a site whose reads all have to be known."""
_PAIRED = 0x1
# A read of another place, or a stuttering polymerase, is never excluded with more certainty.
_SUREST, _LEAST_SURE = 45, 12
_SLIPS = 2
"""Phred by which a copy more of a repeat's unit makes it likelier that a read gains or loses one."""
CLEAR = 10
"""Phred by which a read has to fit an allele better than the others to count as one that shows it."""


@dataclass(frozen=True)
class Realigned:
    """What reads say at sites with proposed indels.

    Attributes:
        candidates: Indels with enough support, by position and rank.
        position: (sites,) positions of the sites, ascending.
        reference: (sites, 2) reads that show none of the site's indels, by strand.
    """

    candidates: Candidates
    position: Ints
    reference: Ints


class Realigner:
    """Reads over one stretch of the reference.

    Args:
        records: Reads.
        pieces: Alignments of the reads that count.
        end: (reads,) exclusive end of each alignment, 0-based.
        kept: (reads,) which reads count.
        filters: Which bases count, and how many reads a candidate needs.
    """

    def __init__(self, records: Records, pieces: Pieces, end: Ints, kept: Bools, filters: ReadFilters) -> None:
        self._records, self._filters = records, filters
        self._reads = np.flatnonzero(kept)
        self._runs = np.flatnonzero(pieces.kind == ALIGNED)
        self._read_of_run = pieces.read[self._runs]
        self._start, self._end = pieces.start[self._runs], pieces.end[self._runs]
        self._diagonal = self._start - pieces.query[self._runs]
        clip = np.flatnonzero(pieces.kind == CLIP)
        left = pieces.query[clip] == 0
        self._from, self._to = records.start.copy(), end.copy()
        clipped = np.minimum(pieces.query_bp[clip], LONGEST_BP)
        self._from[pieces.read[clip[left]]] -= clipped[left]
        self._to[pieces.read[clip[~left]]] += clipped[~left]

    def realign(self, alleles: Alleles, first: int, stop: int, reverse: Bools, reference: Codes, reference_start: int) -> Realigned:
        """Count reads and weigh genotypes at the sites from `first` up to `stop`.

        Args:
            alleles: Proposed indels by position, also those near the sites.
            first: First position, 0-based.
            stop: Exclusive end.
            reverse: (reads,) whether a read is on the reverse strand.
            reference: Codes of the reference bases, `MARGIN` around the positions.
            reference_start: Position of the first of them.
        """
        sites = np.unique(alleles.position[(alleles.position >= first) & (alleles.position < stop)])
        if not len(sites):
            return Realigned(Candidates.none(), sites, np.zeros((0, 2), np.int64))
        proposed = zip(alleles.position.tolist(), alleles.deleted.tolist(), alleles.inserted, strict=True)
        reaches, copies = np.array([reach(*allele, reference, reference_start) for allele in proposed]).T
        rivals, own = _rivals(alleles, sites)
        site_reach = np.max(np.where((rivals >= 0) & own, reaches[rivals], 0), axis=1)
        slips = np.max(np.where((rivals >= 0) & own, copies[rivals], 0), axis=1)
        site, read = self._over(sites)
        used = np.flatnonzero(rivals.ravel() >= 0)
        flat = rivals.ravel()[used]
        at = np.repeat(sites, rivals.shape[1])[used]
        none = np.zeros(0, np.uint8)
        haplotypes = build(
            np.concatenate([sites, at]),
            np.concatenate([sites, alleles.position[flat]]),
            np.concatenate([np.zeros(len(sites), np.int64), alleles.deleted[flat]]),
            [none] * len(sites) + [alleles.inserted[index] for index in flat.tolist()],
            reference,
            reference_start,
        )
        row = np.full((len(sites), 1 + rivals.shape[1]), -1, np.int64)
        row[:, 0] = np.arange(len(sites))
        row[:, 1:].flat[used] = len(sites) + np.arange(len(used))
        row = row[site]
        left, right = self._hinges(read, sites[site], site_reach[site])
        begin = np.maximum(0, sites[site] + 1 - FLANK - np.maximum(left, right))
        close = np.minimum(self._records.n_bases[read], sites[site] + 1 + site_reach[site] + FLANK - np.minimum(left, right))
        offsets = np.stack(np.broadcast_arrays(left[:, None], right[:, None] + haplotypes.growth[row]), axis=2)
        found = costs(self._records, read, begin, np.maximum(close, begin), haplotypes, row, offsets, self._filters.min_base_quality)
        # A rival that there is not says nothing that the reference does not.
        found = np.where(row < 0, found[:, :1], found)
        return self._weigh(alleles, sites, rivals, own, slips, site, read, found, reverse, reference, reference_start)

    def _over(self, sites: Ints) -> tuple[Ints, Ints]:
        """Pairs of a site and a read that has bases on both sides of it, clipped ones included."""
        low = np.searchsorted(sites, self._from[self._reads])
        high = np.searchsorted(sites, self._to[self._reads] - 1)
        number, site = expand(low, np.maximum(low, high))
        order = np.argsort(site, kind="stable")
        return site[order], self._reads[number[order]]

    def _hinges(self, read: Ints, position: Ints, reach_bp: Ints) -> tuple[Ints, Ints]:
        """Position of the first base of reads, were there no gap, by the run to the left of a site and by that to the right."""
        span = int(self._end.max(initial=0)) + 2
        key = self._read_of_run * span + self._start
        low, high = np.searchsorted(self._read_of_run, read), np.searchsorted(self._read_of_run, read, side="right") - 1
        left = np.clip(np.searchsorted(key, read * span + np.minimum(position, span - 1), side="right") - 1, low, high)
        ends = self._read_of_run * span + self._end
        behind = np.minimum(position + 1 + reach_bp, span - 1)
        right = np.clip(np.searchsorted(ends, read * span + behind, side="right"), left, high)
        return self._diagonal[left], self._diagonal[right]

    def _weigh(
        self,
        alleles: Alleles,
        sites: Ints,
        rivals: Ints,
        own: npt.NDArray[np.bool_],
        slips: Ints,
        site: Ints,
        read: Ints,
        found: Ints,
        reverse: Bools,
        reference: Codes,
        reference_start: int,
    ) -> Realigned:
        if self._filters.mates_once:
            kept = self._one_of_mates(site, read, np.ptp(found, axis=1))
            site, read, found = site[kept], read[kept], found[kept]
        sure = np.clip(_SUREST - _SLIPS * np.maximum(slips - 3, 0), _LEAST_SURE, _SUREST)[site]
        sure = np.minimum(sure, self._records.mapping_quality[read])
        found = np.minimum(found, found.min(axis=1, keepdims=True) + sure[:, None])
        # Of a read that shows none of a site's own indels it does not matter which other one it shows.
        other = np.where(own[site], np.int64(1 << 20), found[:, 1:]).min(axis=1, initial=1 << 20)
        rest = np.minimum(found[:, 0], other)
        strand = reverse[read].astype(np.int64)
        n = len(sites)
        shows = np.zeros((n, rivals.shape[1], 2), np.int64)
        for which in range(rivals.shape[1]):
            mine = own[site, which]
            against = np.where(own[site], found[:, 1:], 1 << 20)
            against[:, which] = 1 << 20
            clear = np.flatnonzero(mine & (found[:, 1 + which] + CLEAR <= np.minimum(rest, against.min(axis=1))))
            np.add.at(shows[:, which], (site[clear], strand[clear]), 1)
        enough = own & (shows.sum(axis=2) > 0)
        order = np.argsort(np.where(enough, -shows.sum(axis=2), 1), axis=1, kind="stable")[:, :RANKS]
        ranked = np.where(np.take_along_axis(enough, order, 1), order, -1)
        chosen = np.where(ranked[site] >= 0, np.take_along_axis(found[:, 1:], order[site], 1), 1 << 20)
        best = np.minimum(rest, chosen.min(axis=1))
        three = np.minimum(np.column_stack([rest, chosen]) - best[:, None], sure[:, None])
        plain = np.flatnonzero(rest + CLEAR <= chosen.min(axis=1))
        none = np.zeros((n, 2), np.int64)
        np.add.at(none, (site[plain], strand[plain]), 1)
        chance = 10.0 ** (-three / 10)
        likelihoods = np.empty((n, len(GENOTYPES)))
        for index, (one, two) in enumerate(GENOTYPES):
            likelihoods[:, index] = -10 * np.bincount(site, np.log10((chance[:, one] + chance[:, two]) / 2), n)
        where, rank = np.nonzero(ranked >= 0)
        # Of one allele alone no genotype has the other.
        likelihoods[(ranked[:, 1] < 0), 3] = np.inf
        likelihoods -= likelihoods.min(axis=1, keepdims=True)
        index = rivals[where, ranked[where, rank]]
        counts = shows[where, ranked[where, rank]]
        texts = [alleles.texts(number, reference, reference_start) for number in index.tolist()]
        candidates = Candidates(
            position=sites[where],
            rank=rank + 1,
            reference=np.array([text[0] for text in texts], object),
            alternate=np.array([text[1] for text in texts], object),
            forward=counts[:, 0],
            reverse=counts[:, 1],
            likelihoods=likelihoods[where],
        )
        return Realigned(candidates, sites, none)

    def _one_of_mates(self, site: Ints, read: Ints, told: Ints) -> Ints:
        """Of the two reads of a pair over a site the one that tells more."""
        hashes = name_hashes(self._records)
        single = np.flatnonzero(self._records.flag & _PAIRED == 0)
        hashes[single] = mix(hashes[single] ^ single.astype(np.uint64))
        order = np.lexsort((read, -told, hashes[read], site))
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(site[order]) != 0) | (hashes[read[order]][1:] != hashes[read[order]][:-1])
        kept: Ints = np.sort(order[new])
        return kept


def _rivals(alleles: Alleles, sites: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """(sites, rivals) indels that compete for the reads of each site, -1 for none, and whether they are the site's own."""
    low, high = np.searchsorted(alleles.position, sites - NEAR_BP), np.searchsorted(alleles.position, sites + NEAR_BP, side="right")
    site, index = expand(low, high)
    distance = np.abs(alleles.position[index] - sites[site])
    order = np.lexsort((index, -alleles.support[index], distance > 0, site))
    site, index, distance = site[order], index[order], distance[order]
    rank = np.arange(len(site)) - np.searchsorted(site, site)
    few = rank < MOST_RIVALS
    rivals = np.full((len(sites), max(RANKS, int(rank[few].max()) + 1)), -1, np.int64)
    own = np.zeros(rivals.shape, bool)
    rivals[site[few], rank[few]] = index[few]
    own[site[few], rank[few]] = distance[few] == 0
    return rivals, own
