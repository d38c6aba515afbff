"""Logistic regression of binary phenotypes on each variant, many variants at once; its penalised form is Firth's.

Method: Newton's iteration from the fit without the variant; Firth 1993, Biometrika 80:27-38, and Heinze and Schemper 2002, Stat Med
21:2409-2419, whose penalised score is that of people who count (1 + h) times, h being their leverage: so its steps are taken with these
weights, which converge where the information's alone would go to and fro. Values are those of ``plink2 --glm``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from genospark.association.blocks import FIRTH, LOGISTIC, SEPARATED, UNFINISHED, Block, Found, solve
from genospark.association.design import Design, Doubles, symmetric
from genospark.errors import TableError

Test = Literal["firth-fallback", "firth", "wald"]
# Steps, in units of predictors whose mean square is 1, below which a fit is done: the next one would be its square.
_DONE = 1e-7
_LOGISTIC_STEPS, _FIRTH_STEPS = 25, 100
# Of one coefficient.
_LONGEST = 5.0
# A coefficient beyond this has no bound.
_FAR = 100.0


@dataclass(frozen=True)
class Logistic:
    """A binary phenotype of a design, as the test wants it.

    Attributes:
        design: Its people.
        cases: 1 for cases, 0 for controls, (people,).
        base: Logarithm of the odds by covariates and offset alone, (people,).
        columns: The basis, scaled so that the mean square is 1, (people, columns).
        pairs: Products of each two of them, (people, pairs).
    """

    design: Design
    cases: Doubles
    base: Doubles
    columns: Doubles
    pairs: Doubles

    @classmethod
    def of(cls, cases: Doubles, design: Design, offset: Doubles | None, what: str) -> Logistic:
        """Fits covariates.

        Raises:
            TableError: Covariates tell cases and controls apart, so that there is no fit.
        """
        given = np.zeros(design.n) if offset is None else offset
        columns = design.basis * np.sqrt(design.n)
        beta = np.zeros(design.columns)
        for _ in range(_LOGISTIC_STEPS):
            expected = special.expit(columns @ beta + given)
            information = columns.T @ ((expected * (1 - expected))[:, None] * columns)
            step = np.linalg.lstsq(information, columns.T @ (cases - expected), rcond=None)[0]
            beta += step
            if np.abs(step).max() < _DONE:
                return cls(design, cases, columns @ beta + given, columns, design.pairs * design.n)
        raise TableError(f"{what}: covariates tell cases and controls apart, no logistic regression fits", "name fewer `covariates`")

    @cached_property
    def expected(self) -> Doubles:
        """Probability of being a case by covariates and offset alone, (people,)."""
        found: Doubles = special.expit(self.base)
        return found

    @cached_property
    def weight(self) -> Doubles:
        """Its variance, (people,)."""
        return self.expected * (1 - self.expected)

    @cached_property
    def weighted(self) -> Doubles:
        """The columns times it, (people, columns)."""
        return self.weight[:, None] * self.columns

    def test(self, block: Block, test: Test) -> Found:
        """Regression on a constant, the covariates and the copies of each variant: coefficient and Wald's standard error of the last."""
        reason = block.reason.copy()
        n = len(reason)
        beta, error, method = np.full(n, np.nan), np.full(n, np.nan), np.full(n, LOGISTIC if test == "wald" else FIRTH, np.int8)
        left = np.flatnonzero(reason == 0)
        if test != "firth":
            apart = self._separated(block)[left]
            if test == "wald":
                reason[left[apart]] = SEPARATED
            fits, rest = left[~apart], left[apart]
            beta[fits], error[fits], done = self._fit(block, fits, False)
            method[fits[done]] = LOGISTIC
            if test == "wald":
                reason[fits[~done]] = UNFINISHED
                return _without(Found(beta, error, reason, method))
            left = np.sort(np.append(rest, fits[~done]))
        beta[left], error[left], done = self._fit(block, left, True)
        reason[left[~done]] = UNFINISHED
        return _without(Found(beta, error, reason, method))

    def _separated(self, block: Block) -> NDArray[np.bool_]:
        """Whether one of the alleles is among cases only, or controls only."""
        of_cases = block.copies @ self.cases
        cases = self.cases.sum() - block.missing(self.cases[:, None])[:, 0]
        of_controls, controls = block.alternate - of_cases, block.n - cases
        found: NDArray[np.bool_] = (of_cases == 0) | (of_controls == 0) | (of_cases == 2 * cases) | (of_controls == 2 * controls)
        return found

    def _fit(self, block: Block, rows: NDArray[np.int64], penalised: bool) -> tuple[Doubles, Doubles, NDArray[np.bool_]]:
        """Coefficient, standard error and whether they are found, for some variants of a block."""
        fit = _Fit.of_rows(self, block, rows)
        beta, error, done = np.full(len(rows), np.nan), np.full(len(rows), np.nan), np.zeros(len(rows), bool)
        for _ in range(_FIRTH_STEPS if penalised else _LOGISTIC_STEPS):
            if not len(fit.rows):
                break
            size, variance = fit.step(penalised)
            ended = size < _DONE
            beta[fit.rows[ended]], error[fit.rows[ended]] = fit.beta[ended, -1], np.sqrt(variance[ended])
            done[fit.rows[ended]] = True
            fit.keep((size >= _DONE) & (np.abs(fit.beta).max(axis=1) < _FAR))
        return beta, error, done


def _without(found: Found) -> Found:
    """Nothing where there is a reason."""
    found.beta[found.reason > 0] = found.error[found.reason > 0] = np.nan
    return found


@dataclass
class _Fit:
    """Variants whose fit is under way.

    Attributes:
        of: Phenotype.
        rows: Places of the variants in the results.
        copies: (variants, people).
        gaps: Variant and person of each missing call.
        beta: Coefficients of the columns, which are added to `of.base`, and of the copies, (variants, columns + 1).
        last: Their last step.
    """

    of: Logistic
    rows: NDArray[np.int64]
    copies: Doubles
    gaps: tuple[NDArray[np.int64], NDArray[np.int64]]
    beta: Doubles
    last: Doubles

    @classmethod
    def of_rows(cls, of: Logistic, block: Block, rows: NDArray[np.int64]) -> _Fit:
        """Starts with one step from the fit without the variants, for which all variants have the same information of covariates."""
        made = cls(of, np.arange(len(block.n)), block.copies, block.gaps, *np.zeros((2, len(block.n), of.design.columns + 1)))
        made.keep(np.isin(made.rows, rows))
        made.rows = np.arange(len(rows))
        with_columns = made.copies @ of.weighted
        adjusted = np.linalg.solve(of.columns.T @ of.weighted, with_columns.T).T
        left = made.copies**2 @ of.weight - (adjusted * with_columns).sum(axis=1)
        made.beta[:, -1] = np.clip(made.copies @ (of.cases - of.expected) / left, -2, 2)
        made.beta[:, :-1] = -adjusted * made.beta[:, -1:]
        return made

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Leaves the others out."""
        if which.all():
            return
        row, person = self.gaps
        here = which[row]
        self.gaps = (np.cumsum(which) - 1)[row[here]], person[here]
        self.rows, self.copies = self.rows[which], self.copies[which]
        self.beta, self.last = self.beta[which], self.last[which]

    def step(self, penalised: bool) -> tuple[Doubles, Doubles]:
        """Moves on.

        Returns:
            Size of each variant's step, and the variance of the coefficient of its copies before it, (variants,).
        """
        of, copies = self.of, self.copies
        odds = self.beta[:, :-1] @ of.columns.T
        odds += of.base
        odds += self.beta[:, -1:] * copies
        np.negative(odds, out=odds)
        np.exp(odds, out=odds)
        odds += 1
        expected = np.reciprocal(odds, out=odds)
        weight = expected * (1 - expected)
        weight[self.gaps] = 0
        information = self._information(weight)
        variance = np.linalg.inv(information)
        left = of.cases - expected
        if penalised:
            leverage = self._leverage(weight, variance)
            left += leverage * (0.5 - expected)
            weight *= 1 + leverage
            information = self._information(weight)
        left[self.gaps] = 0
        score = np.column_stack([left @ of.columns, np.einsum("vp,vp->v", left, copies)])
        step = solve(information, score)
        longest = np.abs(step).max(axis=1)
        # What turns back goes no further than half of the way.
        reach = np.where(step[:, -1] * self.last[:, -1] < 0, np.abs(self.last).max(axis=1) / 2, _LONGEST)
        step *= np.minimum(1, reach / np.maximum(longest, _DONE))[:, None]
        self.beta += step
        self.last = step
        return longest, variance[:, -1, -1]

    def _information(self, weight: Doubles) -> Doubles:
        """(variants, columns + 1, columns + 1)."""
        n = self.of.design.columns
        found = np.empty((len(weight), n + 1, n + 1))
        found[:, :n, :n] = symmetric(weight @ self.of.pairs, n)
        weighted = weight * self.copies
        found[:, :n, n] = found[:, n, :n] = weighted @ self.of.columns
        found[:, n, n] = np.einsum("vp,vp->v", weighted, self.copies)
        return found

    def _leverage(self, weight: Doubles, variance: Doubles) -> Doubles:
        """Of each person, (variants, people)."""
        n = self.of.design.columns
        one, other = np.triu_indices(n)
        found = (variance[:, -1, :n] * 2) @ self.of.columns.T
        found += variance[:, -1, -1:] * self.copies
        found *= self.copies
        found += (variance[:, one, other] * np.where(one == other, 1, 2)) @ self.of.pairs.T
        found *= weight
        return found
