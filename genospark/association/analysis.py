"""All phenotypes of a design, tested on variants of a contig."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy import special

from genospark.association.blocks import LINEAR, METHODS, REASONS, Block, Found, variants_at_once
from genospark.association.design import Design, Doubles
from genospark.association.linear import Linear
from genospark.association.logistic import Logistic, Test
from genospark.association.score import Score
from genospark.core.calls import Bytes
from genospark.quality.cohort import Cohort


class Results(NamedTuple):
    """Of variants: arrays (variants,)."""

    n: NDArray[np.int64]
    frequency: Doubles
    beta: Doubles
    error: Doubles
    statistic: Doubles
    p_value: Doubles
    methods: pa.Array
    reasons: pa.Array


@dataclass
class Analysis:
    """Phenotypes of a design and their tests.

    Attributes:
        design: People and covariates.
        values: A row a person, a column a phenotype.
        binary: Which columns are cases and controls.
        offsets: By contig, what is known of phenotypes: logarithms of odds of binary ones, and of others parts of the standard deviation of
            what covariates leave; none where empty.
        test_of: What binary ones are tested by.
    """

    design: Design
    values: pd.DataFrame
    binary: list[str]
    offsets: dict[str, Doubles]
    test_of: str
    _made: dict[str, tuple[Linear | None, list[Logistic | Score]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, design: Design, values: pd.DataFrame, binary: list[str], offsets: dict[str, pd.DataFrame], cohort: Cohort, test_of: str
    ) -> Analysis:
        """Takes values and offsets of everyone in the cohort."""
        mine = np.isin(cohort.places, design.places)
        of = {contig: rows.loc[values.index[mine], list(values)].to_numpy(float) for contig, rows in offsets.items()}
        made = cls(design, values[mine], [name for name in values if name in binary], of, test_of)
        # Whether there is a fit is known before anything starts.
        made._tests(next(iter(of), ""))
        made._made.clear()
        return made

    def _tests(self, contig: str) -> tuple[Linear | None, list[Logistic | Score]]:
        key = contig if self.offsets else ""
        if key not in self._made:
            # One contig follows the other.
            self._made = {key: self._prepared(self.offsets.get(contig))}
        return self._made[key]

    def _prepared(self, offsets: Doubles | None) -> tuple[Linear | None, list[Logistic | Score]]:
        linear, others = None, []
        quantitative = [name not in self.binary for name in self.values]
        if any(quantitative):
            values = self.values.to_numpy(float)[:, quantitative]
            linear = Linear.of(values, self.design, None if offsets is None else offsets[:, quantitative])
        for name in self.binary:
            offset = None if offsets is None else offsets[:, self.values.columns.get_loc(name)]
            fitted = Logistic.of(self.values[name].to_numpy(float), self.design, offset, name)
            others.append(Score.of(fitted) if self.test_of == "score" else fitted)
        return linear, others

    def test(self, packed: Bytes, contig: str, max_vif: float) -> Iterator[tuple[str, Results]]:
        """Results of each phenotype.

        Args:
            packed: Calls of everyone, (variants, bytes).
            contig: On which all the variants are.
            max_vif: As ``Block.of`` takes it.
        """
        linear, others = self._tests(contig)
        names = [*(name for name in self.values if name not in self.binary), *self.binary]
        at_once = variants_at_once(self.design.n)
        found: list[list[Found]] = []
        of_all: list[tuple[NDArray[np.int64], Doubles]] = []
        for i in range(0, len(packed), at_once):
            block = Block.of(packed[i : i + at_once], self.design, max_vif)
            of_all.append((block.n, block.frequency))
            found.append([*(linear.test(block) if linear else []), *(self._binary(test, block) for test in others)])
        n, frequency = (np.concatenate(parts) for parts in zip(*of_all, strict=True))
        for place, name in enumerate(names):
            of_one = Found(*(np.concatenate(parts) for parts in zip(*(block[place] for block in found), strict=True)))
            yield str(name), _with_p_values(of_one, n, frequency, self.design.columns)

    def _binary(self, test: Logistic | Score, block: Block) -> Found:
        return test.test(block) if isinstance(test, Score) else test.test(block, cast(Test, self.test_of))


def _with_p_values(found: Found, n: NDArray[np.int64], frequency: Doubles, columns: int) -> Results:
    """Student's t of linear regression, and Wald's or the score's z of the others, both two-sided."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = found.beta / found.error
    far = -np.abs(statistic)
    p_value: Doubles = 2.0 * np.asarray(
        np.where(found.method == LINEAR, special.stdtr(np.maximum(n - columns - 1, 1), far), special.ndtr(far))
    )
    methods = pa.array(METHODS, pa.string()).take(pa.array(found.method))
    reasons = pa.array([None, *REASONS], pa.string()).take(pa.array(found.reason))
    return Results(n, frequency, found.beta, found.error, statistic, p_value, methods, reasons)
