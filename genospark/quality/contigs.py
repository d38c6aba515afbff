"""Which contigs are autosomes, which the sex chromosomes, and where on these recombination makes them like autosomes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

AUTOSOME, X, Y, OTHER = range(4)
Build = Literal["GRCh37", "GRCh38"]

_NOT_AUTOSOMES = {"X": X, "Y": Y, "XY": OTHER, "PAR1": OTHER, "PAR2": OTHER, "M": OTHER, "MT": OTHER}
_PSEUDOAUTOSOMAL = {
    "GRCh37": {X: ((60_000, 2_699_520), (154_931_043, 155_260_560)), Y: ((10_000, 2_649_520), (59_034_049, 59_363_566))},
    "GRCh38": {X: ((10_000, 2_781_479), (155_701_382, 156_030_895)), Y: ((10_000, 2_781_479), (56_887_902, 57_217_415))},
}
"""Pseudoautosomal regions of the builds of the human genome, 0-based and half-open (Genome Reference Consortium)."""


def kind(contig: str) -> int:
    """What a contig is by its name, with or without chr; what was not placed on a chromosome (such as chr1_KI270706v1_random) is OTHER."""
    name = contig.removeprefix("chr")
    unplaced = ("_" in name and not name.startswith("NC_")) or name.startswith(("Un", "GL", "KI", "HLA-"))
    return OTHER if unplaced else _NOT_AUTOSOMES.get(name.upper(), AUTOSOME)


def autosomes(contigs: Iterable[str]) -> list[str]:
    """Those that are autosomes, sorted."""
    return sorted(contig for contig in contigs if kind(contig) == AUTOSOME)


def kinds(contigs: Iterable[str], starts: NDArray[np.int64], build: Build | None) -> NDArray[np.int8]:
    """What each variant lies on; OTHER in the pseudoautosomal regions.

    Args:
        contigs: Contig of each variant.
        starts: First base, 0-based.
        build: Build of the human genome; where none is given, no region of X and Y is pseudoautosomal.
    """
    names, which = np.unique(np.array(list(contigs), str), return_inverse=True)
    found = np.array([kind(name) for name in names], np.int8)[which]
    for sex, regions in _PSEUDOAUTOSOMAL[build].items() if build else ():
        for begin, end in regions:
            found[(found == sex) & (starts >= begin) & (starts < end)] = OTHER
    return found
