"""What reads of a region say of their sample's quality, as sums that regions add up to; and the figures that the sums make."""

from __future__ import annotations

from collections import Counter

import numpy as np

from genospark.core.pileup import UNKNOWN_BASE
from genospark.ingest.reads.channels import Evidence
from genospark.ingest.reads.cigars import Bools
from genospark.ingest.reads.records import Ints, Records

INSERT_BIN_BP = 10
INSERT_BINS = 200
MIN_DEPTH = 8
MIN_SITES = 20
"""Homozygous alternate sites without which nothing is said of contamination."""
_PROPER_PAIR = 0x2
# Reads of a heterozygous site are rarely so uneven, those of a contaminated homozygous one rarely so even.
_RARE = 5


def insert_sizes(records: Records, counted: Bools) -> Ints:
    """(INSERT_BINS,) pairs by the length of their template, in bins of ``INSERT_BIN_BP``; the last has all longer ones.

    Args:
        records: Reads.
        counted: (reads,) those to look at; of a pair the read that begins first speaks.
    """
    first = counted & (records.flag & _PROPER_PAIR != 0) & (records.template_bp > 0)
    bins = np.minimum(records.template_bp[first] // INSERT_BIN_BP, INSERT_BINS - 1)
    return np.bincount(bins, minlength=INSERT_BINS)


def base_sums(evidence: Evidence) -> Counter[str]:
    """Bases that are not the reference's where these are rare, and reference bases where these are, of positions with enough reads."""
    counts = evidence.bases.sum(axis=1)
    depth = counts.sum(axis=1)
    deep = np.flatnonzero((depth >= MIN_DEPTH) & (evidence.reference < UNKNOWN_BASE))
    counts, depth = counts[deep], depth[deep]
    shown = counts[np.arange(len(deep)), evidence.reference[deep]]
    counts[np.arange(len(deep)), evidence.reference[deep]] = 0
    plain = _RARE * (depth - shown) <= depth
    alternate = _RARE * (depth - counts.max(axis=1)) <= depth
    return Counter(
        plainBases=int(depth[plain].sum()),
        plainErrors=int((depth - shown)[plain].sum()),
        alternateSites=int(alternate.sum()),
        alternateBases=int(depth[alternate].sum()),
        alternateReference=int(shown[alternate].sum()),
    )
