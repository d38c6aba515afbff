"""Linear regression of traits on each variant, adjusted for covariates, over people who have the call: as ``plink2 --glm``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genospark.association.blocks import LINEAR, Block, Found
from genospark.association.design import Design, Doubles


@dataclass(frozen=True)
class Linear:
    """Phenotypes of one design, as the test wants them.

    Attributes:
        values: What covariates leave of phenotypes, (people, phenotypes).
        products: Their squares, then each times every column of the basis, (people, phenotypes x (1 + columns)).
    """

    values: Doubles
    products: Doubles

    @classmethod
    def of(cls, values: Doubles, design: Design, offsets: Doubles | None = None) -> Linear:
        """Takes phenotypes as they are, and less offsets where there are any.

        Args:
            values: (people, phenotypes).
            design: Their people.
            offsets: In parts of the standard deviation of what covariates leave of a phenotype, as ``glow.gwas`` takes them.
        """
        left = design.left(values)
        if offsets is not None:
            left -= design.left(offsets) * np.sqrt((left**2).sum(axis=0) / (design.n - design.columns))
        return cls(left, np.column_stack([left**2, *(design.basis * column[:, None] for column in left.T)]))

    def test(self, block: Block) -> list[Found]:
        """Ordinary least squares of each phenotype on a constant, the covariates and the copies of each variant.

        Sums are made over everyone, in one product of matrices, and those without a call are taken out of them again.
        """
        n, columns = self.values.shape[1], block.design.columns
        products, absent = block.copies @ self.values, block.missing(self.products)
        free = block.n - columns - 1
        found = []
        for i in range(n):
            on_basis = -absent[:, n + i * columns : n + (i + 1) * columns]
            with np.errstate(divide="ignore", invalid="ignore"):
                beta = (products[:, i] - (block.weights * on_basis).sum(axis=1)) / block.left
                whole = self.values[:, i] @ self.values[:, i] - absent[:, i] - (block.solved(on_basis) * on_basis).sum(axis=1)
                error = np.sqrt(np.maximum(whole / block.left - beta**2, 0) / free)
            beta[block.reason > 0] = error[block.reason > 0] = np.nan
            found.append(Found(beta, error, block.reason, np.full(len(beta), LINEAR, np.int8)))
        return found
