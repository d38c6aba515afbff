"""From counts to the channels of ``genospark.core.pileup``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genospark.core.pileup import CHANNELS, INDEX
from genospark.ingest.reads.alternates import Alternates
from genospark.ingest.reads.candidates import GENOTYPES, RANKS, Candidates
from genospark.ingest.reads.records import Ints
from genospark.ingest.reads.reference import Codes

TOP = 255


@dataclass(frozen=True)
class Evidence:
    """Counts of ``n`` positions, not yet bytes; strands are forward, reverse.

    Attributes:
        reference: (n,) codes.
        bases: (n, 2, 4) by strand and letter.
        qualities: (n, 4) sum of the qualities of these bases.
        reads: (n,) reads that cover.
        mapping_qualities: (n,) sum of their mapping qualities.
        deletions: (n, 2) by strand.
        clips: (n,) soft-clipped ends.
        low_mapping_quality: (n,) reads dropped.
        indel_at: Index of the position of each read's indel.
        indel_growth: Bases that it gains, negative where it loses some.
        spanning: (n, 2) by strand.
        candidates: Ranked indels.
        alternates: What kind of reads show alternate bases.
    """

    reference: Codes
    bases: Ints
    qualities: Ints
    reads: Ints
    mapping_qualities: Ints
    deletions: Ints
    clips: Ints
    low_mapping_quality: Ints
    indel_at: Ints
    indel_growth: Ints
    spanning: Ints
    candidates: Candidates
    alternates: Alternates

    @property
    def indels(self) -> Ints:
        """(n,) reads with an indel."""
        return np.bincount(self.indel_at, minlength=len(self.reference))


def to_bytes(evidence: Evidence, start: int) -> npt.NDArray[np.uint8]:
    """(n, CHANNELS) uint8.

    Args:
        evidence: Counts.
        start: First position, 0-based.
    """
    n = len(evidence.reference)
    rows = np.zeros((len(CHANNELS), n), np.int64)
    counts = {
        "forward_A": evidence.bases.reshape(n, -1),
        "deletion_forward": evidence.deletions,
        "soft_clips": evidence.clips,
        "low_mapping_quality": evidence.low_mapping_quality,
        "indels": evidence.indels,
        "spanning_forward": evidence.spanning,
    }
    for name, values in counts.items():
        values = values.reshape(n, -1)
        rows[INDEX[name] : INDEX[name] + values.shape[1]] = values.T
    candidates = evidence.candidates
    at, growth = candidates.position - start, candidates.growth
    by_rank = [(f"indel{rank}", candidates.rank == rank) for rank in range(1, RANKS + 1)]
    for name, mask in by_rank:
        rows[INDEX[f"{name}_forward"], at[mask]] = candidates.forward[mask]
        rows[INDEX[f"{name}_reverse"], at[mask]] = candidates.reverse[mask]
    # All that is set so far are counts.
    most = rows.max(axis=0)
    deep = np.flatnonzero(most > TOP)
    rows[:, deep] = (2 * TOP * rows[:, deep] + most[deep]) // (2 * most[deep])

    for name, mask in by_rank:
        rows[INDEX[f"{name}_length"], at[mask]] = np.minimum(np.abs(growth[mask]), TOP)
        rows[INDEX[f"{name}_insertion"], at[mask]] = growth[mask] > 0
    likelihood = INDEX["indel_likelihood_00"]
    rows[likelihood : likelihood + len(GENOTYPES), at] = np.minimum(np.rint(candidates.likelihoods), TOP).T
    for name in ("mapping_quality", "end_distance", "mismatches"):
        rows[INDEX[f"alternate_{name}"]] = np.minimum(getattr(evidence.alternates, name), TOP)
    rows[INDEX["reference"]] = evidence.reference
    quality = INDEX["quality_A"]
    rows[quality : quality + 4] = _mean(evidence.qualities, evidence.bases.sum(axis=1)).T
    rows[INDEX["mapping_quality"]] = _mean(evidence.mapping_qualities, evidence.reads)
    return np.ascontiguousarray(rows.astype(np.uint8).T)


def _mean(sums: Ints, counts: Ints) -> Ints:
    """Mean, rounded half up; 0 of nothing."""
    counts = np.maximum(counts, 1)
    return (2 * sums + counts) // (2 * counts)
