"""Kernels of association beside plink2 on public genotypes, and beside statsmodels and the definition of Firth's estimate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from plink_helpers import Calls, of_public_data, plink2, table
from scipy import optimize, stats

from genospark.association.analysis import Analysis
from genospark.association.blocks import METHODS, REASONS, Block, Found
from genospark.association.design import Design
from genospark.association.linear import Linear
from genospark.association.logistic import Logistic
from genospark.association.score import Score
from genospark.core.calls import MISSING, pack
from genospark.errors import TableError


def _covariates(n: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    years = random.normal(1960, 15, n).round()
    return pd.DataFrame({"bornYear": years, "sex": random.integers(1, 3, n), "x": random.normal(size=n)})


@pytest.fixture(scope="module", params=["1000 Genomes", "HapMap 3"])
def files(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Calls, Path]:
    """Every fifth variant of public genotypes, one call in two hundred taken out, with phenotypes that some people lack."""
    folder = tmp_path_factory.mktemp("glm")
    whole = of_public_data(request.param, shared_data, folder)
    random = np.random.default_rng(2)
    raw = np.fromfile(f"{whole.prefix}.bed", np.uint8)
    records = raw[3:].reshape(len(whole.variants), -1).copy()
    codes = records[:, :, None] >> np.arange(0, 8, 2) & 3
    # Code 1 is a missing call there.
    codes[random.random(codes.shape) < 0.005] = 1
    records = (codes << np.arange(0, 8, 2)).sum(axis=2).astype(np.uint8)
    (folder / "gaps.bed").write_bytes(raw[:3].tobytes() + records.tobytes())
    for kind in ("bim", "fam"):
        (folder / f"gaps.{kind}").write_bytes(Path(f"{whole.prefix}.{kind}").read_bytes())
    (folder / "kept").write_text("\n".join(whole.variants["id"][::5]))
    calls = Calls.read(plink2(folder / "few", "--bfile", folder / "gaps", "--extract", folder / "kept", "--make-bed"))
    n = len(calls.people)
    names = calls.people[["family", "id"]].set_axis(["#FID", "IID"], axis=1)
    covariates = _covariates(n)
    trait = 0.02 * covariates["bornYear"] + random.normal(size=n)
    rare = (random.random(n) < 0.1 + 0.1 * (covariates["sex"] == 1)).astype(float)
    phenotypes = pd.DataFrame({"trait": trait, "rare": rare})
    phenotypes[random.random((n, 2)) < 0.04] = np.nan
    covariates.loc[random.random(n) < 0.02, "x"] = np.nan
    pd.concat([names, phenotypes], axis=1).to_csv(folder / "phenotypes", sep="\t", index=False, na_rep="NA")
    pd.concat([names, covariates], axis=1).to_csv(folder / "covariates", sep="\t", index=False, na_rep="NA")
    return calls, folder


def _by_plink2(calls: Calls, folder: Path, name: str, *words: str) -> pd.DataFrame:
    adjusted = ["--covar", folder / "covariates", "--covar-variance-standardize"]
    glm = ["--glm", "hide-covar", *words, "cols=+a1freq,+beta"]
    out = plink2(folder / name, "--bfile", calls.prefix, "--pheno", folder / "phenotypes", "--pheno-name", name, "--1", *adjusted, *glm)
    (found,) = Path(folder).glob(f"{out.name}.{name}.glm.*")
    rows = table(found)
    found.unlink()
    # Of the rarer allele, which here may be the reference.
    turned = (rows["A1"] == rows["REF"]).to_numpy()
    rows.loc[turned, "BETA"] *= -1
    rows.loc[turned, "A1_FREQ"] = 1 - rows.loc[turned, "A1_FREQ"]
    return rows


def _by_us(calls: Calls, folder: Path, name: str, test: str) -> pd.DataFrame:
    values = pd.read_csv(folder / "phenotypes", sep="\t")[[name]]
    covariates = pd.read_csv(folder / "covariates", sep="\t").iloc[:, 2:]
    mine = np.flatnonzero(values[name].notna() & covariates.notna().all(axis=1))
    design = Design.of(mine, covariates.iloc[mine], name)
    analysis = Analysis(design, values.iloc[mine], [name] if test != "linear" else [], {}, test)
    ((_, found),) = analysis.test(calls.packed, "", 50.0)
    return pd.DataFrame({key: np.asarray(values) for key, values in found._asdict().items()})


def test_linear_regression_is_plink2s_to_the_last_digit(files: tuple[Calls, Path]) -> None:
    mine, theirs = _by_us(*files, "trait", "linear"), _by_plink2(*files, "trait")
    assert mine["n"].tolist() == theirs["OBS_CT"].tolist()
    assert mine["n"].nunique() > 10
    assert mine["reasons"].eq("constantGenotype").tolist() == theirs["ERRCODE"].eq("CONST_OMITTED_ALLELE").tolist()
    turned = np.sign(mine["beta"] * theirs["BETA"])
    assert turned.min() > 0
    for ours, other in (("beta", "BETA"), ("error", "SE"), ("p_value", "P"), ("frequency", "A1_FREQ")):
        np.testing.assert_allclose(mine[ours], theirs[other], rtol=5.1e-6, atol=5.1e-7 if ours == "frequency" else 0)


@pytest.mark.parametrize(("test", "word"), [("firth-fallback", "firth-fallback"), ("wald", "no-firth"), ("firth", "firth")])
def test_logistic_regression_is_plink2s(files: tuple[Calls, Path], test: str, word: str) -> None:
    """To its digits, but for the variants where plink2, which computes it in single precision, stops earlier: statsmodels is with us."""
    calls, folder = files
    if test != "firth-fallback" and len(calls.people) != 957:
        pytest.skip("on the other data")
    mine, theirs = _by_us(calls, folder, "rare", test), _by_plink2(calls, folder, "rare", word)
    assert mine["n"].tolist() == theirs["OBS_CT"].tolist()
    assert mine["beta"].isna().tolist() == theirs["BETA"].isna().tolist()
    there = mine["beta"].notna()
    assert there.mean() > 0.8
    if test == "firth-fallback":
        assert mine["methods"].eq("firth")[there].tolist() == theirs["FIRTH?"].eq("Y")[there].tolist()
        # Public variants of the other data are common.
        assert mine["methods"].eq("firth").sum() > 20 or len(calls.people) == 957
    apart = (mine["beta"] - theirs["BETA"]).abs() / theirs["SE"]
    errors = (mine["error"] / theirs["SE"] - 1).abs()
    assert (apart.quantile([0.5, 0.99, 1]) < [5e-6, 1e-3, 5e-3]).all()
    assert (errors.quantile([0.5, 0.99, 1]) < [2e-5, 1e-3, 1e-2]).all()
    if len(calls.people) == 957:
        assert errors.quantile(0.99) < 5.1e-6
    np.testing.assert_allclose(mine["p_value"], theirs["P"], atol=5e-3)


@pytest.fixture(scope="module")
def small() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Codes of 200 people at 40 variants, a trait, a disease and covariates."""
    random = np.random.default_rng(7)
    codes = random.binomial(2, random.uniform(0.02, 0.6, (40, 1)), (40, 200)).astype(np.uint8)
    covariates = random.normal(size=(200, 2)) * (1, 50)
    trait = covariates[:, 0] + codes[3] * 0.4 + random.normal(size=200)
    disease = (random.random(200) < 1 / (1 + np.exp(1 - covariates[:, 0]))).astype(float)
    # The first variant is carried by one person, a case, the second by controls alone.
    codes[0] = np.arange(200) == np.flatnonzero(disease)[0]
    codes[1] = (disease == 0) & (np.arange(200) % 9 == 0)
    codes[random.random(codes.shape) < 0.03] = MISSING
    codes[0][disease > 0] = np.minimum(codes[0][disease > 0], 1)
    codes[0][codes[0] == MISSING] = 0
    return codes, trait, disease, covariates


def _rows(small: tuple[np.ndarray, ...], y: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Each variant with the matrix of its regression and the phenotypes of those who have the call."""
    for i, codes in enumerate(small[0]):
        called = codes != MISSING
        yield i, np.column_stack([np.ones(called.sum()), small[3][called], codes[called]]), y[called]


def _design(small: tuple[np.ndarray, ...]) -> Design:
    return Design.of(np.arange(200), pd.DataFrame(small[3]), "all")


def test_linear_and_logistic_regression_are_statsmodels(small: tuple[np.ndarray, ...]) -> None:
    codes, trait, disease, _ = small
    design = _design(small)
    block = Block.of(pack(codes), design, 50.0)
    (linear,) = Linear.of(trait[:, None], design).test(block)
    logistic = Logistic.of(disease, design, None, "disease").test(block, "wald")
    assert [REASONS[reason - 1] for reason in logistic.reason if reason] == ["separation"] * 2
    for i, x, y in _rows(small, trait):
        fit = sm.OLS(y, x).fit()
        assert (linear.beta[i], linear.error[i]) == pytest.approx((fit.params[-1], fit.bse[-1]), rel=1e-9)
    for i, x, y in _rows(small, disease):
        if i > 1:
            fit = sm.Logit(y, x).fit(disp=0, tol=1e-12, method="newton")
            assert (logistic.beta[i], logistic.error[i]) == pytest.approx((fit.params[-1], fit.bse[-1]), rel=1e-7)


def test_firths_estimate_maximises_the_penalised_likelihood(small: tuple[np.ndarray, ...]) -> None:
    codes, _, disease, _ = small
    block = Block.of(pack(codes), design := _design(small), 50.0)
    model = Logistic.of(disease, design, None, "disease")
    found, fallback = model.test(block, "firth"), model.test(block, "firth-fallback")
    assert [METHODS[method] for method in fallback.method[:3]] == ["firth", "firth", "logistic"]
    np.testing.assert_allclose(fallback.beta[:2], found.beta[:2], rtol=1e-9)
    for i, x, y in list(_rows(small, disease))[::5]:
        scaled = x / np.abs(x).max(axis=0)

        def penalised(beta: np.ndarray, x: np.ndarray = scaled, y: np.ndarray = y) -> float:
            odds = x @ beta
            mu = 1 / (1 + np.exp(-odds))
            return float(np.logaddexp(0, odds).sum() - y @ odds - 0.5 * np.linalg.slogdet(x.T @ ((mu * (1 - mu))[:, None] * x))[1])

        best = optimize.minimize(penalised, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 9000})
        mu = 1 / (1 + np.exp(-scaled @ best.x))
        variance = np.linalg.inv(scaled.T @ ((mu * (1 - mu))[:, None] * scaled))[-1, -1]
        expected = np.array([best.x[-1], np.sqrt(variance)]) / np.abs(x[:, -1]).max()
        assert (found.beta[i], found.error[i]) == pytest.approx(tuple(expected), rel=2e-5)


def test_score_test_is_its_definition(small: tuple[np.ndarray, ...]) -> None:
    codes, _, disease, covariates = small
    block = Block.of(pack(codes), design := _design(small), 50.0)
    offset = np.random.default_rng(4).normal(size=200)
    found = Score.of(Logistic.of(disease, design, offset, "disease")).test(block)
    x = sm.add_constant(covariates)
    mu = sm.GLM(disease, x, family=sm.families.Binomial(), offset=offset).fit(tol=1e-12).mu
    weight = mu * (1 - mu)
    for i, row in enumerate(codes):
        copies = np.where(row == MISSING, row[row != MISSING].mean(), row)
        left = copies - x @ np.linalg.solve(x.T @ (weight[:, None] * x), x.T @ (weight * copies))
        z = left @ (disease - mu) / np.sqrt(weight @ left**2)
        assert found.beta[i] / found.error[i] == pytest.approx(z, rel=1e-6)
        assert 2 * stats.norm.sf(abs(z)) == pytest.approx(2 * stats.norm.sf(abs(found.beta[i] / found.error[i])))


def test_what_cannot_be_tested_has_a_reason() -> None:
    random = np.random.default_rng(3)
    n = 60
    same = random.binomial(2, 0.4, n)
    codes = np.stack([np.zeros(n), np.full(n, 2), np.full(n, MISSING), same, random.binomial(2, 0.4, n), np.full(n, MISSING)]).astype(
        np.uint8
    )
    codes[5, :4] = [0, 1, 2, 1]
    covariates = pd.DataFrame({"same": same + random.normal(size=n) * 0.05, "other": random.normal(size=n)})
    design = Design.of(np.arange(n), covariates, "trait")
    (found,) = Linear.of(random.normal(size=(n, 1)), design).test(Block.of(pack(codes), design, 50.0))
    names = [REASONS[reason - 1] if reason else None for reason in found.reason]
    assert names == ["constantGenotype", "constantGenotype", "tooFewPeople", "collinear", None, "tooFewPeople"]
    assert np.isnan(found.beta).tolist() == [name is not None for name in names]
    with pytest.raises(TableError, match="covariate twice is a linear combination"):
        Design.of(np.arange(n), covariates.assign(twice=2 * covariates["same"] + 3), "trait")
    with pytest.raises(TableError, match="2 people have it and all covariates"):
        Design.of(np.arange(2), covariates[:2], "trait")
    with pytest.raises(TableError, match="covariates tell cases and controls apart"):
        Logistic.of((covariates["other"] > 0).to_numpy(float), design, None, "disease")


def test_people_without_the_phenotype_count_nowhere(small: tuple[np.ndarray, ...]) -> None:
    """Leaving people out of the design is the same as leaving their calls out of the file."""
    codes, trait, _, covariates = small
    mine = np.arange(0, 200, 2)
    design = Design.of(mine, pd.DataFrame(covariates[mine]), "trait")
    alone = Design.of(np.arange(100), pd.DataFrame(covariates[mine]), "trait")

    def found(packed: np.ndarray, of: Design) -> Found:
        return Linear.of(trait[mine, None], of).test(Block.of(packed, of, 50.0))[0]

    for one, other in zip(found(pack(codes), design), found(pack(np.ascontiguousarray(codes[:, mine])), alone), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
