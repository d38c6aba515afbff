"""The logistic score test of each variant, as ``glow.gwas`` and regenie have it: one step from the fit without the variant.

Missing calls have the mean over the people who have one. Fast, and good for what is rarely significant; with few cases it says too much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genospark.association.blocks import SCORE, Block, Found
from genospark.association.design import Doubles
from genospark.association.logistic import Logistic


@dataclass(frozen=True)
class Score:
    """A binary phenotype, as the test wants it.

    Attributes:
        adjusted: What each person adds to the score, its information, and this times the columns of the basis, (people, columns + 2).
        inverse: Of the information of the columns, (columns, columns).
    """

    adjusted: Doubles
    inverse: Doubles

    @classmethod
    def of(cls, fitted: Logistic) -> Score:
        """From the fit of the covariates."""
        inverse = np.linalg.inv(fitted.columns.T @ fitted.weighted)
        return cls(np.column_stack([fitted.cases - fitted.expected, fitted.weight, fitted.weighted]), inverse)

    def test(self, block: Block) -> Found:
        """The step, which estimates the coefficient, and its standard error."""
        absent = block.missing(self.adjusted)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = block.alternate / block.n
            sums = block.copies @ self.adjusted + mean[:, None] * absent
            squares = block.copies**2 @ self.adjusted[:, 1] + mean**2 * absent[:, 1]
            left = squares - ((sums[:, 2:] @ self.inverse) * sums[:, 2:]).sum(axis=1)
            beta, error = sums[:, 0] / left, 1 / np.sqrt(left)
        beta[block.reason > 0] = error[block.reason > 0] = np.nan
        return Found(beta, error, block.reason, np.full(len(beta), SCORE, np.int8))
