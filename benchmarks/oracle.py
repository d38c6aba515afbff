"""What could be known at most: genotypes at the true variants from reads where they come from, with the errors that they have.

False calls elsewhere are not counted, so no caller does better. A read counts for an indel as its true alignment has it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from callers import KEY

INDEL_ERROR = 5e-4
PRIORS = np.log([1e-3, 0.62, 0.38])  # of 0, 1 and 2 copies where a variant is known to be; a person's variants are 38% homozygous


def genotypes(bam: Path, truth: pd.DataFrame) -> pd.DataFrame:
    """The truth's variants with the likeliest copies of each, `quality` 0."""
    copies = []
    with pysam.AlignmentFile(str(bam)) as reads:
        for contig, start, ref, alt in truth[KEY].itertuples(index=False):
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
            copies.append(int((np.log(chance).sum(axis=1) + PRIORS).argmax()))
    return truth.assign(copies=copies, quality=0.0)
