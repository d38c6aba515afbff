"""Settings of the stage ``build-features expression``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genospark.core.config import Fractions
from genospark.features.normalise_config import NormaliseConfig


class BuildExpressionFeaturesConfig(NormaliseConfig):
    """Settings of ``build-features expression``; those of normalisation are in ``NormaliseConfig``.

    Attributes:
        panel: Genes that are given: how many to choose, a list of genes, or `regulators` for those that ``genes`` says are.
        targets: Genes to predict: `rest` for all that are not in the panel, `all`, or a list.
        states: Order of the states for the recurrence; alphabetical where not given.
        variants: `cis` for the best ones near each target (needs the table ``genes``), `all`, or `none`.
        cis_window_bp: Bases before and after a gene in which its cis variants lie.
        cis_variants_per_target: Cis variants of a target, at most.
        min_call_rate: Least share of training people with a call at a variant.
        min_allele_count: Least copies of the rarer allele among training people.
        fractions: Shares of train, validation and test families; as in ``build-features risk``, so that people are on the same side.
        seed: Of the split.
        folds: Folds of families for cross-validation, instead of `fractions`.
        fold: The fold to test on, from 0; the next one validates.
        panel_candidates: Genes that a panel is chosen from, at most: those that vary most.
        row_groups: Files of each split of ``expressionExamples``; at least 4 a rank.
    """

    panel: int | Literal["regulators"] | list[str] = 100
    targets: Literal["rest", "all"] | list[str] = "rest"
    states: list[str] | None = None
    variants: Literal["cis", "all", "none"] = "cis"
    cis_window_bp: int = Field(100_000, ge=0)
    cis_variants_per_target: int = Field(5, ge=1)
    min_call_rate: float = Field(0.9, ge=0, le=1)
    min_allele_count: int = Field(10, ge=1)
    fractions: Fractions = (0.7, 0.15, 0.15)
    seed: int = 1
    folds: int | None = Field(None, ge=3)
    fold: int = Field(0, ge=0)
    panel_candidates: int = Field(2000, ge=1)
    row_groups: int = Field(8, ge=1)

    @model_validator(mode="after")
    def _factors_tell_no_targets(self) -> Self:
        # A person's factors are made of all genes: a panel without them would tell about the targets that it is to predict.
        if self.hidden_factors and self.panel not in (0, []):
            raise ValueError("hidden_factors are removed from what variants alone predict; set panel: 0, or hidden_factors: 0")
        return self

    @model_validator(mode="after")
    def _a_fold_of_the_folds(self) -> Self:
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} is not one of {self.folds} folds, which start at 0")
        return self
