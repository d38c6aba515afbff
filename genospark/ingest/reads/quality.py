"""What reads of a region say of their sample's quality, as sums that regions add up to; and the figures that the sums make."""

from __future__ import annotations

from typing import Any

import numpy as np

from genospark.core.pileup import UNKNOWN_BASE
from genospark.core.profile import CLASSES, repeat_class
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
_GOOD_QUALITY = 20
_FEWEST, _MANY = 4, 4

Sums = dict[str, Any]
"""Whole numbers, or arrays of them, that add up over positions."""


def insert_sizes(records: Records, counted: Bools) -> Ints:
    """(INSERT_BINS,) pairs by the length of their template, in bins of ``INSERT_BIN_BP``; the last has all longer ones.

    Args:
        records: Reads.
        counted: (reads,) those to look at; of a pair the read that begins first speaks.
    """
    first = counted & (records.flag & _PROPER_PAIR != 0) & (records.template_bp > 0)
    bins = np.minimum(records.template_bp[first] // INSERT_BIN_BP, INSERT_BINS - 1)
    return np.bincount(bins, minlength=INSERT_BINS)


def slip_sums(evidence: Evidence, unit: Ints, length: Ints, begins: Bools) -> Sums:
    """Reads over positions that show no variant, and how many of them have an indel: the sums of a profile of errors.

    Args:
        evidence: Of n positions.
        unit: (n,) of the repeat that begins after each position.
        length: (n,) of it in base pairs.
        begins: (n,) whether no copy of the repeat's last base lies at the position itself: left-aligned indels are nowhere else.

    Returns:
        By class of repeats ``slipReads`` and ``slips``, and ``indelReads`` and ``otherIndels``.
    """
    depth, indels = evidence.bases.sum(axis=(1, 2)), evidence.indels
    # At a variant several reads have one, and a good share.
    quiet = (depth >= _FEWEST) & ((indels < 2) | (_MANY * indels < depth)) & (evidence.reference < UNKNOWN_BASE)
    kind = repeat_class(unit, length)
    counted = quiet & begins
    at = evidence.indel_at
    slips = counted[at] & (unit[at] > 0) & (np.abs(evidence.indel_growth) == unit[at])
    return {
        "slipReads": np.bincount(kind[counted], depth[counted], CLASSES).astype(np.int64),
        "slips": np.bincount(kind[at[slips]], minlength=CLASSES),
        "indelReads": int(depth[quiet].sum()),
        "otherIndels": int(np.count_nonzero(quiet[at] & ~slips)),
    }


def base_sums(evidence: Evidence) -> Sums:
    """Bases that are not the reference's where these are rare, and reference bases where these are, of positions with enough reads."""
    counts = evidence.bases.sum(axis=1)
    depth = counts.sum(axis=1)
    deep = np.flatnonzero((depth >= MIN_DEPTH) & (evidence.reference < UNKNOWN_BASE))
    counts, depth, each = counts[deep], depth[deep], np.arange(len(deep))
    shown = counts[each, evidence.reference[deep]]
    counts[each, evidence.reference[deep]] = 0
    other = counts.argmax(axis=1)
    most = counts[each, other]
    plain = _RARE * (depth - shown) <= depth
    alternate = _RARE * (depth - most) <= depth
    # What their qualities give away as errors is reckoned with there.
    double = plain & (most > 1) & (evidence.qualities[deep, other] >= _GOOD_QUALITY * most)
    alone = evidence.bases[deep, :, other].min(axis=1) == 0
    forward, reverse = evidence.bases[deep].sum(axis=2)[plain].T
    return {
        "plainBases": int(depth[plain].sum()),
        "plainErrors": int((depth - shown)[plain].sum()),
        "plainSites": int(plain.sum()),
        "alikeSites": int((double & alone).sum()),
        "apartSites": int((double & ~alone).sum()),
        "alikePairs": int((forward * (forward - 1) // 2 + reverse * (reverse - 1) // 2).sum()),
        "apartPairs": int((forward * reverse).sum()),
        "alternateSites": int(alternate.sum()),
        "alternateBases": int(depth[alternate].sum()),
        "alternateReference": int(shown[alternate].sum()),
    }
