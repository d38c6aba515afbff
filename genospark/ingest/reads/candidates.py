"""Indels that reads propose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from genospark.ingest.reads.records import Ints

RANKS = 2
"""Candidates of a position at most."""


@dataclass(frozen=True)
class Candidates:
    """Indels with enough support, by position and rank; arrays of length ``candidates``.

    Attributes:
        position: Position of the base before the event, as in VCF but 0-based.
        rank: 1 for the best supported indel of the position, 2 for the next.
        reference: Reference allele: the base before the event, and the deleted bases.
        alternate: Alternate allele: the base before the event, and the inserted bases.
        forward: Reads on the forward strand that show it.
        reverse: Reads on the reverse strand that show it.
    """

    position: Ints
    rank: Ints
    reference: npt.NDArray[np.object_]
    alternate: npt.NDArray[np.object_]
    forward: Ints
    reverse: Ints

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
        empty = {field.name: np.zeros(0, object if field.name in texts else np.int64) for field in fields(Candidates)}
        return Candidates(**{name: np.concatenate([none, *(getattr(part, name) for part in parts)]) for name, none in empty.items()})
