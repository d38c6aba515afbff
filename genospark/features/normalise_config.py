"""Settings of how expression is normalised and filled, shared by the tasks that are fed expression."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from genospark.core.config import StageConfig
from genospark.models.normaliser import steps_of


def _steps(transform: str) -> str:
    steps_of(transform)
    return transform


class NormaliseConfig(StageConfig):
    """What is fitted on training people and done to everyone's expression.

    Attributes:
        expression_transform: At most one of log1p and log (of base 2; for TPM, RPKM and counts), cpm (log counts per million with TMM
            factors, for raw counts) and none (already normalised), then quantile, then inverse-normal; joined by +.
        hidden_factors: Directions in which the training people's normalised expression varies most, in each cell type and state, that are
            removed from everyone's, as PEER's residuals are.
        expression_filling: What was not measured: mean for the training mean, knn for what the person's nearest genes say.
        filling_neighbours: Nearest genes that fill a gap, of those the model is fed.
        fit_people: Training people that all this is fitted on, at most, so that memory is bounded; in the task expression also panel, means
            and cis variants.
    """

    expression_transform: Annotated[str, AfterValidator(_steps)] = "log1p"
    hidden_factors: int = Field(0, ge=0, le=100)
    expression_filling: Literal["mean", "knn"] = "mean"
    filling_neighbours: int = Field(10, ge=1)
    fit_people: int = Field(10_000, ge=10)
