"""The format of pileup windows: what reads show at each of 1,000 positions, as uint8 [positions, channels]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WINDOW_BP = 1000
"""Positions of a window, the unit that a network sees."""
BASES = "ACGT"
UNKNOWN_BASE = 4
"""Code of a reference base that is none of these (0 to 3), and of positions outside the contig."""

CHANNELS = (
    "reference",
    *(f"forward_{base}" for base in BASES),
    *(f"reverse_{base}" for base in BASES),
    *(f"quality_{base}" for base in BASES),
    "mapping_quality",
    "deletion_forward",
    "deletion_reverse",
    "soft_clips",
    "low_mapping_quality",
    "indel1_forward",
    "indel1_reverse",
    "indel1_length",
    "indel1_insertion",
    "indel2_forward",
    "indel2_reverse",
    "indel2_length",
    "indel2_insertion",
    "indels",
    "spanning_forward",
    "spanning_reverse",
    "indel_likelihood_00",
    "indel_likelihood_01",
    "indel_likelihood_11",
    "indel_likelihood_12",
    "homopolymer",
    "repeat_unit",
    "repeat_length",
    "alternate_mapping_quality",
    "alternate_end_distance",
    "alternate_mismatches",
)
"""Names of a position's channels; the index of a name is the index of its channel.

- ``reference``: code of the reference base.
- ``forward_*``, ``reverse_*``: reads with this base, by strand.
- ``quality_*``: mean Phred quality of these bases, none above the mapping quality of its read; 0 where there are none.
- ``mapping_quality``: mean Phred mapping quality of the reads that cover the position; 0 where there are none.
- ``deletion_*``: reads with a deletion over the position, where the aligner placed it.
- ``soft_clips``: reads whose aligned part begins or ends here because the rest was clipped.
- ``low_mapping_quality``: reads over the position that were dropped for their mapping quality.
- ``indel1_*``, ``indel2_*``: the two best candidates among left-aligned indels right after the position: reads that clearly show it once
  they are realigned, by strand, bases gained or lost, and whether they are gained (1) or lost (0).
- ``indels``: reads with any indel right after the position as they were aligned, left-aligned.
- ``spanning_*``: where there is a candidate, reads that clearly show none of the position, by strand; elsewhere reads aligned over the
  position and the next without an indel between them (left-aligned).
- ``indel_likelihood_*``: where there is a candidate, Phred-scaled likelihoods of the genotypes 0/0, 0/1, 1/1 and 1/2 of the two
  candidates, all reads considered; the best is 0, none above 255.
- ``homopolymer``: length of the run of equal reference bases around the position.
- ``repeat_unit``, ``repeat_length``: unit (1 to 6 bp) and length in bp of the longest tandem repeat that begins right after the position; 0
  where there is none.
- ``alternate_*``: of the bases that are not the reference's, where two reads or more show any: mean mapping quality, mean distance to the
  nearer end of the read, and mean number of other differences within 100 bp on either side, in tenths.

Counts are after the two reads of a pair were made one observation, but for ``mapping_quality``, ``soft_clips`` and
``low_mapping_quality``, which are of reads. Where a count of a position is above 255, all its counts are scaled by one factor to
at most 255, so that their proportions stay. What is no count and above 255 is 255.
"""
MODEL_CHANNELS = (*CHANNELS, "slip_error", "indel_error", "base_error", "strand_error")
"""What a model sees: the channels of a window, and how often the sample's reads err, Phred (see ``core.profile``): gain or lose a unit of
the repeat that begins right after the position, have another indel, show a wrong base, and positions where one strand errs alike."""
INDEX = {name: index for index, name in enumerate(MODEL_CHANNELS)}

Pileup = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]


def read(rows: list[bytes], channels: tuple[str, ...] = CHANNELS) -> Pileup:
    """The windows of some rows of ``readWindows``, or with ``MODEL_CHANNELS`` of ``variantExamples``; [windows, 1000, channels]."""
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), WINDOW_BP, len(channels))


def base_counts(pileup: Pileup) -> Counts:
    """Reads that show A, C, G, T, both strands together: [..., channels] -> [..., 4]."""
    forward, reverse = INDEX["forward_A"], INDEX["reverse_A"]
    return pileup[..., forward : forward + 4].astype(np.int64) + pileup[..., reverse : reverse + 4]


def alternate_bases(pileup: Pileup) -> Counts:
    """Codes of the two best-supported bases beside the reference: [..., channels] -> [..., 2]; ties in the order A, C, G, T."""
    counts = base_counts(pileup)
    counts[pileup[..., 0, None] == np.arange(4)] = -1
    return np.argsort(-counts, axis=-1, kind="stable")[..., :2]


def depth(pileup: Pileup) -> Counts:
    """Reads over a position, those with a deletion there included: [..., channels] -> [...]."""
    deleted = pileup[..., INDEX["deletion_forward"]].astype(np.int64) + pileup[..., INDEX["deletion_reverse"]]
    covering: Counts = base_counts(pileup).sum(axis=-1) + deleted
    return covering
