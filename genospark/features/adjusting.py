"""What tests are adjusted for."""

from __future__ import annotations

import numpy as np
import pandas as pd


def independent(covariates: pd.DataFrame) -> list[str]:
    """The covariates that are no linear combination of those before them and a constant: a regression can adjust for these."""
    kept: list[str] = []
    for name in covariates:
        design = np.column_stack([np.ones(len(covariates)), covariates[[*kept, name]]])
        if np.linalg.matrix_rank(design, tol=1e-6 * len(design) ** 0.5) == design.shape[1]:
            kept.append(str(name))
    return kept


def varying(covariates: pd.DataFrame) -> list[str]:
    means, deviations = covariates.mean(), covariates.std(ddof=0)
    return [str(name) for name in covariates if deviations[name] > 1e-8 * max(1.0, abs(means[name]))]


def adjusting(covariates: pd.DataFrame) -> pd.DataFrame:
    """What tests are adjusted for: covariates of training people, standardised and filled, less combinations of others."""
    filled = ((covariates - covariates.mean()) / covariates.std(ddof=0))[varying(covariates)].fillna(0.0)
    return filled[independent(filled)]
