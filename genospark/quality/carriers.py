"""Variants counted person by person, from packed calls: by their call, and what Hardy-Weinberg proportions would have.

Everything is a whole number, so that sums do not depend on the order of the variants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import MISSING, Bytes, Counts, count_codes, unpack
from genospark.quality.contigs import AUTOSOME, OTHER, X, Y
from genospark.quality.packed import Doubles

COUNTED = (
    "missing", "het", "homAlt", "missingExpectedHet", "hetUnexpected", "transitions", "transversions", "singletons",
    "missingX", "hetX", "missingExpectedHetX", "hetUnexpectedX", "missingY", "missingOther",
)  # fmt: skip
"""What is counted of each person; of autosomes where nothing else is said."""
TOTALS = ("variants", "expectedHet", "variantsX", "expectedHetX", "variantsY", "variantsOther")
"""What is counted once."""
UNIT = 2.0**36
"""Expected heterozygotes are counted in such parts of one."""

_CODES = np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3
_WORDS = {code: np.equal(_CODES, code).astype(np.uint8).view("<u4")[:, 0] for code in (1, 2, 3)}
"""For the four people of each byte whether they have a code, as one word."""
_EACH = 255


@dataclass(frozen=True)
class Sites:
    """What is known of variants: arrays (variants,).

    Attributes:
        kind: Of ``contigs.kinds``.
        frequency: Of the alternate allele, NaN where not known.
        substitution: Of ``substitutions``.
        singleton: Nobody but one person has the alternate allele, in one copy.
    """

    kind: NDArray[np.int8]
    frequency: Doubles
    substitution: NDArray[np.int8]
    singleton: NDArray[np.bool_]

    def among(self, rows: slice) -> Sites:
        """Some of them."""
        return Sites(self.kind[rows], self.frequency[rows], self.substitution[rows], self.singleton[rows])


def substitutions(reference: list[str], alternate: list[str]) -> NDArray[np.int8]:
    """1 for a transition (between A and G, or C and T), 2 for a transversion, 0 for what is no substitution of one base."""
    pairs = np.char.upper(np.char.add(np.char.add(np.array(reference, str), ">"), np.array(alternate, str)))
    transitions = np.isin(pairs, ["A>G", "G>A", "C>T", "T>C"])
    others = np.isin(pairs, [f"{one}>{other}" for one in "ACGT" for other in "ACGT" if one != other])
    return np.where(transitions, 1, np.where(others, 2, 0)).astype(np.int8)


def carriers(packed: Bytes, code: int) -> Counts:
    """Variants at which each person has a code of ``core.calls`` other than 0, (4 x bytes,)."""
    found = np.zeros(4 * packed.shape[1], np.int64)
    for i in range(0, len(packed), _EACH):
        # So few that no byte of a word overflows.
        found += np.add.reduce(_WORDS[code][packed[i : i + _EACH]], axis=0, dtype=np.uint32).view(np.uint8)
    return found


def tally_people(packed: Bytes, haploid: NDArray[np.bool_], haploid_rows: Counts, sites: Sites) -> tuple[Counts, Counts]:
    """Counts some variants.

    Args:
        packed: (variants, bytes).
        haploid: Whose calls are of one allele, (rows, 4 x bytes).
        haploid_rows: Of which variants these are.
        sites: What is known of the variants.

    Returns:
        ``COUNTED`` of each person, (4 x bytes, counts), and ``TOTALS``, (6,).
    """
    people = np.zeros((4 * packed.shape[1], len(COUNTED)), np.int64)
    totals = np.zeros(len(TOTALS), np.int64)
    het = np.nan_to_num(2 * sites.frequency * (1 - sites.frequency))
    expected = np.rint(het * UNIT).astype(np.int64)

    def add(name: str, values: Counts) -> None:
        people[:, COUNTED.index(name)] += values

    gaps = count_codes(packed, 4 * packed.shape[1])[:, 2] > 0
    for kind, suffix in ((AUTOSOME, ""), (X, "X"), (Y, "Y"), (OTHER, "Other")):
        rows = sites.kind == kind
        totals[TOTALS.index(f"variants{suffix}")] = rows.sum()
        add(f"missing{suffix}", carriers(packed[rows & gaps], MISSING))
        if kind in (AUTOSOME, X):
            totals[TOTALS.index(f"expectedHet{suffix}")] = expected[rows].sum()
            add(f"missingExpectedHet{suffix}", _at_missing(packed[rows & gaps], expected[rows & gaps]))
            add(f"hetUnexpected{suffix}", carriers(packed[rows & (expected == 0)], 1))
    add("hetX", carriers(packed[sites.kind == X], 1))
    autosomal = sites.kind == AUTOSOME
    for number, name in ((0, None), (1, "transitions"), (2, "transversions")):
        rows = autosomal & (sites.substitution == number)
        one, two = carriers(packed[rows], 1), carriers(packed[rows], 2)
        add("het", one)
        add("homAlt", two)
        if name:
            add(name, one + two)
    add("singletons", carriers(packed[autosomal & sites.singleton], 1))
    if len(haploid_rows):
        # One copy of one allele is no heterozygous call.
        alone = haploid & (unpack(packed[haploid_rows], haploid.shape[1]) == 1)
        for kind, suffix in ((AUTOSOME, ""), (X, "X")):
            add(f"het{suffix}", -alone[sites.kind[haploid_rows] == kind].sum(axis=0))
        add("homAlt", alone[sites.kind[haploid_rows] == AUTOSOME].sum(axis=0))
    return people, totals


def _at_missing(packed: Bytes, weights: Counts) -> Counts:
    """Sum of the weights of the variants at which each person's call is missing."""
    places = 4 * packed.shape[1]
    found = np.zeros(places, np.int64)
    for i in range(0, len(packed), _EACH):
        row, place = np.nonzero(unpack(packed[i : i + _EACH], places) == MISSING)
        # So few of so small numbers that double precision holds the sums.
        found += np.bincount(place, weights[i : i + _EACH][row], places).astype(np.int64)
    return found
