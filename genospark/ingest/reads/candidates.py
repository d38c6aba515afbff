"""Indels that reads propose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from genospark.core.pileup import UNKNOWN_BASE
from genospark.ingest.reads.records import Ints
from genospark.ingest.reads.reference import LETTERS, Codes

RANKS = 2
"""Candidates of a position at most."""
GENOTYPES = ((0, 0), (0, 1), (1, 1), (1, 2))
"""Alleles of the genotypes that are weighed: 0 for any that is no candidate, else the rank."""
_LETTERS = np.frombuffer(LETTERS.encode(), np.uint8)


@dataclass(frozen=True)
class Alleles:
    """Left-aligned indels that reads propose, by position; arrays of length ``alleles``.

    Attributes:
        position: Position of the base before the event, 0-based; ascending.
        deleted: Deleted bases.
        inserted: Codes of the inserted bases.
        support: Reads that show it as they were aligned.
    """

    position: Ints
    deleted: Ints
    inserted: list[Codes]
    support: Ints

    def take(self, which: Ints) -> Alleles:
        """Those that are numbered."""
        return Alleles(self.position[which], self.deleted[which], [self.inserted[i] for i in which.tolist()], self.support[which])

    def texts(self, number: int, reference: Codes, reference_start: int) -> tuple[str, str]:
        """Reference and alternate allele of one, as in VCF.

        Args:
            number: Which.
            reference: Codes of reference bases.
            reference_start: Position of the first of them.
        """
        at = int(self.position[number]) - reference_start
        old = _LETTERS[reference[at : at + int(self.deleted[number]) + 1]].tobytes().decode()
        return old, old[0] + _LETTERS[self.inserted[number]].tobytes().decode()


def joined(parts: Sequence[Alleles]) -> Alleles:
    """All alleles of several sets without unknown bases, by position; equal ones are one, supported by all that support them."""
    found: dict[tuple[int, int, bytes], int] = {}
    for part in parts:
        keys = zip(part.position.tolist(), part.deleted.tolist(), (codes.tobytes() for codes in part.inserted), strict=True)
        for key, support in zip(keys, part.support.tolist(), strict=True):
            if UNKNOWN_BASE not in key[2]:
                found[key] = found.get(key, 0) + support
    order = sorted(found)
    position, deleted = (np.array([key[i] for key in order], np.int64) for i in (0, 1))
    inserted = [np.frombuffer(key[2], np.uint8) for key in order]
    return Alleles(position, deleted, inserted, np.array([found[key] for key in order], np.int64))


@dataclass(frozen=True)
class Candidates:
    """Indels with enough support, by position and rank; arrays of length ``candidates``.

    Attributes:
        position: Position of the base before the event, as in VCF but 0-based.
        rank: 1 for the best supported indel of the position, 2 for the next.
        reference: Reference allele: the base before the event, and the deleted bases.
        alternate: Alternate allele: the base before the event, and the inserted bases.
        forward: Reads on the forward strand that show it, after realignment.
        reverse: Reads on the reverse strand that show it, after realignment.
        likelihoods: (candidates, ``GENOTYPES``) Phred-scaled likelihoods of the genotypes of the position, the best one 0.
    """

    position: Ints
    rank: Ints
    reference: npt.NDArray[np.object_]
    alternate: npt.NDArray[np.object_]
    forward: Ints
    reverse: Ints
    likelihoods: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.position)

    @property
    def growth(self) -> Ints:
        """(candidates,) bases the alternate allele has more than the reference allele; negative for deletions."""
        return np.array([len(new) - len(old) for old, new in zip(self.reference, self.alternate, strict=True)], np.int64)

    @staticmethod
    def none() -> Candidates:
        """No candidates."""
        return Candidates.joined([])

    @staticmethod
    def joined(parts: Sequence[Candidates]) -> Candidates:
        """Those of neighbouring positions, one after the other."""
        texts = ("reference", "alternate")
        empty: dict[str, npt.NDArray[Any]] = {
            field.name: np.zeros(0, object if field.name in texts else np.int64) for field in fields(Candidates)
        }
        empty["likelihoods"] = np.zeros((0, len(GENOTYPES)))
        return Candidates(**{name: np.concatenate([none, *(getattr(part, name) for part in parts)]) for name, none in empty.items()})
