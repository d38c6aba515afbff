"""The terms of a gene-function model and what follows from their hierarchy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TermSpec:
    """What a gene-function model is fed and what it says.

    Attributes:
        features: Numbers of a gene's embedding.
        terms: Terms, in order.
        ancestors: For each term the indices of all wider terms.
        prevalence: Share of the training genes with each term.
    """

    features: int
    terms: tuple[str, ...]
    ancestors: tuple[tuple[int, ...], ...]
    prevalence: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TermSpec:
        """The inverse of ``to_json``."""
        ancestors = tuple(tuple(wider) for wider in values["ancestors"])
        return cls(values["features"], tuple(values["terms"]), ancestors, tuple(values["prevalence"]))

    @cached_property
    def _families(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Terms in an order in which each one's narrower terms follow it, and where each family begins."""
        pairs = [(wide, term) for term, wider in enumerate(self.ancestors) for wide in (term, *wider)]
        wide, narrow = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
        return narrow, np.searchsorted(wide, np.arange(len(self.terms)))

    def consistent(self, probabilities: Floats) -> Floats:
        """Raises each term to the most probable of its narrower terms, [genes, terms]."""
        if not self.terms:
            return probabilities
        narrow, first = self._families
        raised = [
            np.maximum.reduceat(rows[:, narrow], first, axis=1) for rows in np.array_split(probabilities, len(probabilities) // 256 + 1)
        ]
        return np.concatenate(raised)
