"""Which reads count."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from genospark.core.config import Settings
from genospark.ingest.reads.cigars import Bools
from genospark.ingest.reads.records import Ints, Records

DROP_REASONS = (
    "unmapped",
    "secondary",
    "supplementary",
    "qc_fail",
    "duplicate",
    "no_alignment",
    "low_mapping_quality",
    "crowded_start",
)
"""Why a read is dropped; where several hold, the first counts."""
_FLAGS = (0x4, 0x100, 0x800, 0x200, 0x400)
KEPT = 0
NO_ALIGNMENT, LOW_MAPPING_QUALITY, CROWDED, CROWDED_LOW = range(len(_FLAGS) + 1, len(DROP_REASONS) + 2)
"""States of a read: KEPT, 1 + the index of the reason it was dropped for, or CROWDED_LOW for both last reasons together."""
Hashes = npt.NDArray[np.uint64]


class ReadFilters(Settings):
    """What a read and a base need to count.

    Attributes:
        min_mapping_quality: Phred; below 20, more than one read in a hundred comes from another place. Such reads are told apart
            from no reads at all by a channel of their own.
        min_base_quality: Phred; below 6, a base is wrong more often than one time in four. Better ones count as much as their quality says.
            Bases without a quality count as just good enough.
        mates_once: Where the two reads of a pair cover a position, only the better base counts: both saw the same molecule.
        max_reads_per_start: Reads with the same start and end that are kept; a pile of more is an artefact, or deeper than any
            caller needs. Which ones depends on their names only.
        min_indel_support: Reads that must show an indel, after realignment, to make it a candidate: single ones are mostly errors.
        min_indel_share: Share of the reads over a position that must show an indel as they were aligned, where ``min_indel_support``
            do not, for reads to be realigned to it.
    """

    min_mapping_quality: int = Field(20, ge=0, le=255)
    min_base_quality: int = Field(6, ge=0, le=93)
    mates_once: bool = True
    max_reads_per_start: int = Field(50, ge=1)
    min_indel_support: int = Field(2, ge=1)
    min_indel_share: float = Field(0.05, ge=0, le=1)


def classify(records: Records, end: Ints, filters: ReadFilters) -> Ints:
    """(records,) state of each read: KEPT, or why it is dropped.

    Args:
        records: Reads.
        end: (records,) exclusive end of each alignment, 0-based.
        filters: What reads need to count.
    """
    state = np.full(len(records), KEPT, np.int64)
    state[records.mapping_quality < filters.min_mapping_quality] = LOW_MAPPING_QUALITY
    state[end <= records.start] = NO_ALIGNMENT
    for reason, bit in reversed(list(enumerate(_FLAGS, 1))):
        state[records.flag & bit != 0] = reason
    crowded = _crowded(records, end, state, filters.max_reads_per_start)
    state[crowded] = np.where(state[crowded] == KEPT, CROWDED, CROWDED_LOW)
    return state


def _crowded(records: Records, end: Ints, state: Ints, most: int) -> Ints:
    """Reads beyond the ``most`` of one start, end and state that come first in the order of their hashed names.

    Start and end together: a region sees all reads that share them or none, so it cannot choose otherwise than its neighbour.
    """
    bounds = np.flatnonzero(np.diff(records.start, prepend=-1, append=-1))
    if not len(records) or np.diff(bounds).max(initial=0) <= most:
        return np.zeros(0, np.int64)
    order = np.lexsort((records.flag, name_hashes(records), state, end, records.start))
    new = np.zeros(len(order), bool)
    for values in (records.start, end, state):
        new |= np.diff(values[order], prepend=-1) != 0
    first = np.flatnonzero(new)
    rank = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    over: Bools = (rank >= most) & np.isin(state[order], (KEPT, LOW_MAPPING_QUALITY))
    crowded: Ints = order[over]
    return crowded


def name_hashes(records: Records) -> Hashes:
    """(records,) 64-bit hash of each read's name; the same on every machine."""
    words_at: Hashes = np.ndarray((len(records.buffer) - 7,), "<u8", records.buffer, strides=(1,))
    hashes = np.zeros(len(records), np.uint64)
    for column in range(0, int(records.name_bytes.max(initial=0)), 8):
        left = records.name_bytes - column
        which: Ints | slice = np.flatnonzero(left > 0) if (left <= 0).any() else slice(None)
        unused = np.clip(64 - 8 * left[which], 0, 56).astype(np.uint64)
        word = words_at[records.name[which] + column] << unused
        hashes[which] = mix(hashes[which] ^ word)
    return mix(hashes ^ records.name_bytes.astype(np.uint64))


def mix(values: Hashes) -> Hashes:
    """Spread the bits of 64-bit numbers (the finaliser of splitmix64)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
