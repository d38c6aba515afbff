"""What could be known at most: genotypes at the true variants from reads where they come from, with the errors that they have.

False calls elsewhere are not counted, so no caller does better in SNVs. A read counts for an indel as its true alignment has it, though it
may end before the repeat does: callers that weigh what reads can tell may do better there. One oracle knows where variants are, too; the
other has to find them, at the rates at which people carry them, as every caller has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from callers import KEY, KINDS

INDEL_ERROR = 5e-4
CARRIED = (0.62, 0.38)
"""Share of a person's variants on one and on both chromosomes."""
KNOWN = 1e-3
"""Chance of no copy where a variant is known to be."""


def genotypes(bam: Path, truth: pd.DataFrame, rates: dict[str, float] | None = None) -> pd.DataFrame:
    """The truth's variants with the likeliest copies of each, `quality` 0.

    Args:
        bam: Reads where they come from.
        truth: Variants, see ``callers.normalised``.
        rates: Of each kind, the share of positions with a variant, for an oracle that does not know where these are.
    """
    copies = []
    absent = {kind: 1 - rates[kind] if rates else KNOWN for kind in KINDS}
    priors = {kind: np.log([absent[kind], *(np.array(CARRIED) * (rates[kind] if rates else 1))]) for kind in KINDS}
    with pysam.AlignmentFile(str(bam)) as reads:
        for contig, start, ref, alt, kind in truth[[*KEY, "kind"]].itertuples(index=False):
            wrong, shows = [], []
            for column in reads.pileup(contig, start, start + 1, truncate=True, min_base_quality=0, stepper="all", max_depth=1000):
                for read in column.pileups:
                    place = read.query_position
                    if read.is_refskip or read.alignment.is_duplicate or (place is None and len(ref) == len(alt)):
                        continue
                    if len(ref) == len(alt):
                        base = read.alignment.query_sequence[place]
                        if base in (ref, alt):
                            shows.append(base == alt)
                            wrong.append(10 ** (-read.alignment.query_qualities[place] / 10) / 3)
                    else:
                        shows.append(read.indel == len(alt) - len(ref))
                        wrong.append(INDEL_ERROR)
            shown, error = np.array(shows, bool), np.array(wrong)
            chance = np.stack([np.where(shown, error, 1 - error), np.full(len(shown), 0.5), np.where(shown, 1 - error, error)])
            copies.append(int((np.log(chance).sum(axis=1) + priors[kind]).argmax()))
    return truth.assign(copies=copies, quality=0.0)
