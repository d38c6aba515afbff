"""Ridge scores of a model: weighted sums of copies over many variants, one score a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import MISSING, Bytes, unpack

PREFIX = "ridge: "
"""Before the name of a target: what its score is called."""
Site = tuple[str, int, str, str]
"""contigName, start (0-based), referenceAllele, alternateAllele."""


@dataclass(frozen=True)
class RidgeScores:
    """Weights of scores.

    Attributes:
        names: Of the scores, as features have them.
        sites: Variants.
        means: Training mean of copies of the alternate allele, which a missing call counts as, [variants].
        weights: Of each copy more than the mean, [variants, scores].
    """

    names: tuple[str, ...]
    sites: tuple[Site, ...]
    means: NDArray[np.float64]
    weights: NDArray[np.float64]

    def of(self, packed: Bytes, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Scores of people, [people, scores].

        Args:
            packed: Calls of the variants, 2 bits each, [people, bytes].
            weights: In place of the own ones, [variants, scores].
        """
        codes = unpack(packed, len(self.sites))
        copies = np.where(codes == MISSING, 0, codes - self.means)
        found: NDArray[np.float64] = copies @ (self.weights if weights is None else weights)
        return found

    def to_json(self) -> dict[str, Any]:
        """All but the arrays."""
        return {"names": self.names, "sites": self.sites}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays, by name."""
        return {"ridgeMeans": self.means, "ridgeWeights": self.weights}

    @classmethod
    def from_json(cls, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> RidgeScores:
        """The inverse of ``to_json`` and ``arrays``."""
        sites = tuple((str(contig), int(start), str(ref), str(alt)) for contig, start, ref, alt in values["sites"])
        return cls(tuple(values["names"]), sites, arrays["ridgeMeans"], arrays["ridgeWeights"])
