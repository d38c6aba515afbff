"""Firth's logistic regression on regenie's own example, beside an independent implementation and beside regenie's results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from firthmodels import FirthLogisticRegression
from plink_helpers import Calls

from genospark.association.blocks import Block, Found
from genospark.association.design import Design
from genospark.association.logistic import Logistic
from genospark.core.calls import MISSING, unpack


@pytest.fixture(scope="module")
def example(shared_data: Path) -> tuple[Calls, pd.DataFrame, np.ndarray, Found]:
    """Calls, covariates and disease Y1 of everyone, and our results for all variants."""
    folder = shared_data / "regenie-example"
    calls = Calls.read(folder / "example")
    of = {
        name: pd.read_csv(folder / f"{name}.txt", sep=" ", dtype={"IID": str}).set_index("IID") for name in ("covariates", "phenotype_bin")
    }
    covariates = of["covariates"].loc[calls.people["id"], ["V1", "V2", "V3"]]
    disease = of["phenotype_bin"].loc[calls.people["id"], "Y1"].to_numpy(float)
    design = Design.of(np.arange(len(disease)), covariates, "Y1")
    block = Block.of(calls.packed, design, 50.0)
    return calls, covariates, disease, Logistic.of(disease, design, None, "Y1").test(block, "firth")


def test_estimates_are_those_of_an_independent_implementation(example: tuple[Calls, pd.DataFrame, np.ndarray, Found]) -> None:
    calls, covariates, disease, found = example
    codes = unpack(calls.packed, len(disease))
    for i in range(0, len(codes), 20):
        known = codes[i] != MISSING
        x = np.column_stack([covariates.to_numpy()[known], codes[i][known]])
        theirs = FirthLogisticRegression(max_iter=200, gtol=1e-10, xtol=1e-10, backend="numpy").fit(x, disease[known])
        assert found.beta[i] == pytest.approx(theirs.coef_[-1], abs=1e-4)
        # As plink2's: of the likelihood's information at the estimate, where firthmodels' weighs people by their leverage, too.
        x = np.column_stack([np.ones(len(x)), x])
        mu = 1 / (1 + np.exp(-x @ np.r_[theirs.intercept_, theirs.coef_]))
        error = np.sqrt(np.linalg.inv(x.T @ ((mu * (1 - mu))[:, None] * x))[-1, -1])
        assert found.error[i] == pytest.approx(error, abs=1e-4)


def test_effects_go_with_those_of_regenie(example: tuple[Calls, pd.DataFrame, np.ndarray, Found], shared_data: Path) -> None:
    """Regenie's are of 494 of the 500 people, with an offset by whole-genome regression, so they are not the same."""
    _, _, _, found = example
    theirs = pd.read_csv(shared_data / "regenie-example" / "example.test_bin_out_firth_Y1.regenie", sep=" ")
    assert len(theirs) == len(found.beta) == 1000
    assert np.corrcoef(found.beta, theirs["BETA"])[0, 1] >= 0.99
    assert np.corrcoef(found.beta / found.error, theirs["BETA"] / theirs["SE"])[0, 1] >= 0.99
