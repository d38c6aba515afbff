"""Glow's score test on our values, against statsmodels on a genotype matrix read by another library."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pysam
import pytest
import statsmodels.api as sm
from scipy import stats
from support import Cohort, people

from genospark.features.association import associate, expression_values, variant_values
from genospark.features.selection import best


def _dosages(path: str, people: list[str]) -> dict[tuple[str, int, str, str], np.ndarray]:
    found = {}
    with pysam.VariantFile(path) as vcf:
        for record in vcf:
            if len(record.alts) == 1:
                calls = [record.samples[name]["GT"] for name in people]
                copies = [np.nan if None in call else float(sum(call)) for call in calls]
                found[(record.chrom, record.start, record.ref, record.alts[0])] = np.array(copies)
    return found


def _score_test(copies: np.ndarray, label: np.ndarray, covariates: np.ndarray) -> float:
    known = ~np.isnan(label)
    design = sm.add_constant(covariates)[known]
    filled = np.where(np.isnan(copies), np.nanmean(copies), copies)[known]
    null = sm.GLM(label[known], design, family=sm.families.Binomial()).fit()
    mu = null.mu
    weights = mu * (1 - mu)
    residual = filled - design @ np.linalg.solve(design.T @ (weights[:, None] * design), design.T @ (weights * filled))
    return float(stats.chi2.sf((residual @ (label[known] - mu)) ** 2 / (weights @ residual**2), 1))


def test_p_values_equal_an_independent_score_test(cohort: Cohort) -> None:
    warehouse = cohort.warehouse
    samples = cohort.table("samples").sort_values("sampleIndex")
    chosen = samples.iloc[5:200:2]
    random = np.random.default_rng(3)
    labels = pd.DataFrame({"a": random.integers(0, 2, len(chosen)).astype(float), "b": random.integers(0, 2, len(chosen)).astype(float)})
    labels.iloc[::7, 1] = np.nan
    covariates = pd.DataFrame({"x": random.normal(size=len(chosen))})
    columns = chosen["sampleIndex"].to_numpy()
    values = variant_values(warehouse.read("genotypes"), columns, min_call_rate=0.9, min_count=5)
    tested = associate(values, labels, covariates, 400)
    truth = _dosages(str(cohort.files / "genotypes.vcf.gz"), list(chosen["sampleId"]))
    for name, rows in tested.groupby("phenotype"):
        assert sorted(rows["place"]) == list(range(1, len(rows) + 1)), name
        steps = np.diff(np.log(rows.sort_values("place")["pvalue"]))
        assert steps.min() > -1e-8
    checked = 0
    for row in tested.iloc[::23].itertuples():
        key = (row.contigName, row.start, row.referenceAllele, row.alternateAllele)
        if key in truth:
            expected = _score_test(truth[key], labels[row.phenotype].to_numpy(), covariates.to_numpy())
            assert row.pvalue == pytest.approx(expected, rel=1e-6)
            assert row.mean == pytest.approx(np.nanmean(truth[key]))
            checked += 1
    assert checked > 10


def test_filters_count_the_rarer_allele_and_calls(cohort: Cohort) -> None:
    samples = cohort.warehouse.read("samples").count()
    columns = np.arange(samples)
    everyone = variant_values(cohort.warehouse.read("genotypes"), columns, 0.0, 40).toPandas()
    copies = np.stack(everyone["values"].to_list()).sum(axis=1)
    assert copies.min() > 39
    assert (2 * samples - copies).min() > 39
    dosages = _dosages(str(cohort.files / "genotypes.vcf.gz"), list(cohort.table("samples")["sampleId"]))
    rarer = {key: min(np.nansum(row), 2 * (~np.isnan(row)).sum() - np.nansum(row)) for key, row in dosages.items()}
    kept = set(everyone[["contigName", "start", "referenceAllele", "alternateAllele"]].itertuples(index=False, name=None))
    assert {key for key, count in rarer.items() if count >= 40} == {key for key in kept if key in rarer}


def test_expression_values_are_transformed_and_filled(cohort: Cohort) -> None:
    raw = pd.read_csv(cohort.files / "expression.tsv.gz", sep="\t")
    chosen = sorted(raw["sampleId"].unique())[:50]
    order = pd.DataFrame({"sampleId": people(*chosen), "place": range(50)})
    made = expression_values(cohort.warehouse.read("expression"), order, "log1p").toPandas()
    row = made.iloc[3]
    here = raw[(raw["cellType"] == row["cellType"]) & (raw["state"] == row["state"])].set_index("sampleId")
    expected = np.log1p(here.loc[chosen, row["geneId"]])
    assert row["mean"] == pytest.approx(expected.mean())
    assert row["standardDeviation"] == pytest.approx(expected.std(ddof=0))
    assert np.allclose(row["values"], expected.fillna(expected.mean()))


def test_every_disease_gets_its_best_features_in_turn() -> None:
    p = {"a": [0.5, 0.001, 0.9, 0.01], "b": [0.02, 0.8, 0.03, 0.7]}
    rows = [(f"v{i}", 0.0, 1.0, name, value) for name, values in p.items() for i, value in enumerate(values)]
    tested = pd.DataFrame(rows, columns=["geneId", "mean", "standardDeviation", "phenotype", "pvalue"])
    tested["place"] = tested.groupby("phenotype")["pvalue"].rank(method="first").astype(int)
    assert list(best(tested, 2)["geneId"]) == ["v0", "v1"]
    assert list(best(tested, 3)["geneId"]) == ["v0", "v1", "v3"]
    assert best(tested, 9)["pvalue"].tolist() == [0.02, 0.001, 0.03, 0.01]
