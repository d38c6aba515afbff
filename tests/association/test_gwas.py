"""The stage ``gwas``: on the small cohort beside plink2, and with offsets beside a ridge regression of our own and Glow's tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pysam.bcftools
import pytest
from plink_helpers import plink2, table
from pyspark.sql import SparkSession
from support import Cohort, people

from genospark.association.gwas import GwasConfig, gwas
from genospark.association.wgr import WgrConfig
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.quality.cohort import SitesConfig


@pytest.fixture(scope="module")
def prefix(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort's variants as plink2's files, a record an alternate allele; beside them phenotypes and covariates as plink2 wants them."""
    folder = tmp_path_factory.mktemp("split")
    source = str(cohort.files / "genotypes.vcf.gz")
    pysam.bcftools.norm("-m-", "-Oz", "-o", str(folder / "split.vcf.gz"), source, catch_stdout=False)
    random = np.random.default_rng(1)
    for name in ("phenotypes", "covariates"):
        rows = pd.read_csv(cohort.files / f"{name}.tsv", sep="\t")
        rows.rename(columns={"sampleId": "#IID"}).to_csv(folder / name, sep="\t", index=False, na_rep="NA")
    values = random.normal(size=(len(rows), 2))
    values[random.random(values.shape) < 0.1] = np.nan
    traits = pd.DataFrame(values, columns=["height", "weight"])
    traits.insert(0, "sampleId", rows["sampleId"])
    traits.to_csv(folder / "traits.tsv", sep="\t", index=False, na_rep="NA")
    traits.rename(columns={"sampleId": "#IID"}).to_csv(folder / "traits", sep="\t", index=False, na_rep="NA")
    ids = ["--set-all-var-ids", "@:#:$r:$a", "--new-id-max-allele-len", "100"]
    return plink2(folder / "p", "--vcf", folder / "split.vcf.gz", *ids, "--make-pgen", "--sort-vars")


def _beside_plink2(rows: pd.DataFrame, prefix: Path, file: str, name: str, covariates: Path, tolerance: float) -> pd.DataFrame:
    words = ["--covar", covariates, "--covar-variance-standardize", "--1", "--glm", "hide-covar", "cols=+beta"]
    out = plink2(prefix.parent / "g", "--pfile", prefix, "--pheno", prefix.parent / file, "--pheno-name", name, *words)
    (made,) = out.parent.glob(f"g.{name}.glm.*")
    theirs = table(made).set_index("ID")
    made.unlink()
    mine = rows[rows["phenotype"] == name]
    contig = mine["contigName"].str.removeprefix("chr")
    ids = contig + ":" + (mine["start"] + 1).astype(str) + ":" + mine["referenceAllele"] + ":" + mine["alternateAlleles"].str[0]
    theirs = theirs.loc[ids]
    assert mine["nPeople"].tolist() == theirs["OBS_CT"].tolist()
    assert mine["reason"].isna().tolist() == theirs["BETA"].notna().tolist() == mine["beta"].notna().tolist()
    turned = np.where(theirs["A1"] == theirs["REF"], -1, 1)
    np.testing.assert_allclose(mine["standardError"], theirs["SE"], rtol=tolerance)
    np.testing.assert_allclose(mine["beta"] / mine["standardError"], turned * theirs["BETA"] / theirs["SE"], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(mine["pValue"], theirs["P"], rtol=tolerance, atol=tolerance)
    return mine.assign(firth=theirs["FIRTH?"].to_numpy() if "FIRTH?" in theirs else None)


def test_diseases(cohort: Cohort, prefix: Path) -> None:
    """What the stage does if nothing is said: logistic regression with all covariates, Firth's where that has no fit.

    As near as plink2's single precision comes to the solution with so few people.
    """
    rows = cohort.table("associations")
    assert len(rows) == 2 * cohort.warehouse.read("variants").count()
    for name in ("common", "rarer"):
        mine = _beside_plink2(rows, prefix, "phenotypes", name, prefix.parent / "covariates", 1e-2)
        tested = mine[mine["reason"].isna()]
        assert tested["method"].eq("firth").tolist() == tested["firth"].eq("Y").tolist()
        assert tested["nPeople"].nunique() > 3


def test_traits_adjusted_for_components_and_sex(cohort: Cohort, spark: SparkSession, prefix: Path, tmp_path: Path) -> None:
    warehouse = str(tmp_path / "w")
    shutil.copytree(cohort.path, warehouse, ignore=shutil.ignore_patterns("input", "bundles"))
    ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=[f"traits={prefix.parent / 'traits.tsv'}"]), spark)
    gwas(GwasConfig(warehouse=warehouse, phenotypes=["height", "weight"], covariates=[], components=2, sex=True), spark)
    found = Warehouse(spark, warehouse)
    known = cohort.table("principalComponents")
    covariates = known[known["component"] <= 2].pivot(index="sampleId", columns="component", values="value").add_prefix("PC")
    covariates["sex"] = cohort.table("pedigree").set_index("sampleId")["sex"]
    covariates.rename_axis("#IID").to_csv(tmp_path / "covariates", sep="\t")
    rows = found.read("associations").toPandas()
    assert set(rows["method"]) == {"linear"}
    for name in ("height", "weight"):
        _beside_plink2(rows, prefix, "traits", name, tmp_path / "covariates", 5.1e-6)
    with pytest.raises(TableError, match=r"no phenotype hieght\n  next step: did you mean height\?"):
        gwas(GwasConfig(warehouse=warehouse, phenotypes=["hieght"]), spark)
    with pytest.raises(TableError, match="10 components, not 20"):
        gwas(GwasConfig(warehouse=warehouse, components=20), spark)
    with pytest.raises(ValueError, match="X is no autosome"):
        GwasConfig(warehouse=warehouse, sites=SitesConfig(contigs=["chrX"]))


@pytest.fixture
def complete(spark: SparkSession, tmp_path: Path) -> tuple[str, np.ndarray, pd.DataFrame]:
    """150 people with calls at all of 24 variants on each of two contigs: warehouse, copies, and a table of phenotypes and a covariate."""
    random = np.random.default_rng(5)
    n = 150
    copies = random.binomial(2, random.uniform(0.2, 0.6, (48, 1)), (48, n))
    ids = [f"p{i:03d}" for i in range(n)]
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=1>", "##contig=<ID=2>", '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">']
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *ids]))
    for i, row in enumerate(copies):
        calls = np.array(["0/0", "0/1", "1/1"])[row]
        lines.append("\t".join([str(1 + i // 24), str(10 * (i % 24) + 10), ".", "A", "C", ".", "PASS", ".", "GT", *calls]))
    (tmp_path / "a.vcf").write_text("\n".join(lines) + "\n")
    known = pd.DataFrame({"sampleId": ids, "x": random.normal(size=n)})
    known["height"] = 170 + known["x"] + 0.6 * copies[::6].sum(axis=0) + random.normal(size=n)
    known["ill"] = (random.random(n) < 1 / (1 + np.exp(-known["x"] - copies[3] + copies[30]))).astype(int)
    warehouse = str(tmp_path / "w")
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(tmp_path / "a.vcf")]), spark)
    inputs = []
    for role, name in (("traits", "height"), ("phenotypes", "ill"), ("covariates", "x")):
        known[["sampleId", name]].to_csv(tmp_path / f"{role}.tsv", sep="\t", index=False)
        inputs.append(f"{role}={tmp_path / f'{role}.tsv'}")
    ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=inputs), spark)
    return warehouse, copies.astype(float), known.assign(sampleId=people(*ids)).set_index("sampleId")


REDUCTION, REGRESSION, FOLDS, BLOCK = [5.0, 50.0], [1.0, 20.0], 3, 12


def _ridge(x: np.ndarray, y: np.ndarray, fixed: int, alpha: float) -> np.ndarray:
    penalty = np.r_[np.ones(fixed), np.full(x.shape[1] - fixed, alpha)]
    coefficients: np.ndarray = np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ y)
    return coefficients


def _stacked(copies: np.ndarray, y: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions of a standardised trait for each contig: ridge regression of blocks, then of what these predict, out of fold."""
    folds = np.array_split(np.arange(len(y)), FOLDS)
    fixed = np.column_stack([np.ones(len(y)), x])
    reduced, of = [], []
    for begin in range(0, len(copies), BLOCK):
        part = copies[begin : begin + BLOCK].T
        design = np.column_stack([fixed, (part - part.mean(axis=0)) / part.std(axis=0, ddof=1)])
        for alpha in REDUCTION:
            column = np.empty(len(y))
            for fold in folds:
                others = np.setdiff1d(np.arange(len(y)), fold)
                made = design[fold] @ _ridge(design[others], y[others], 2, alpha)
                column[fold] = (made - made.mean()) / made.std()
            reduced.append(column)
            of.append(str(1 + begin // 24))
    design = np.column_stack([fixed, *reduced])
    scores, fits = [], []
    for alpha in REGRESSION:
        fit = [_ridge(np.delete(design, fold, 0), np.delete(y, fold), 2, alpha) for fold in folds]
        errors = [
            ((y[fold] - design[fold] @ b) ** 2).sum() / ((y[fold] - y[fold].mean()) ** 2).sum() for fold, b in zip(folds, fit, strict=True)
        ]
        scores.append(np.mean(errors))
        fits.append(fit)
    best = fits[int(np.argmin(scores))]
    found = {}
    for contig in ("1", "2"):
        kept = np.r_[True, True, np.array(of) != contig]
        found[contig] = np.concatenate([design[fold][:, kept] @ b[kept] for fold, b in zip(folds, best, strict=True)])
    return found


@pytest.mark.slow
def test_offsets_are_those_of_a_ridge_regression_and_tests_with_them_are_glows(
    spark: SparkSession, complete: tuple[str, np.ndarray, pd.DataFrame]
) -> None:
    warehouse, copies, known = complete
    wgr = WgrConfig(
        sites=SitesConfig(), block_variants=BLOCK, people_blocks=FOLDS, reduction_alphas=REDUCTION, regression_alphas=REGRESSION
    )
    gwas(GwasConfig(warehouse=warehouse, binary="score", offsets="wgr", wgr=wgr), spark)
    found = Warehouse(spark, warehouse)
    offsets = found.read("wgrOffsets").toPandas()
    wide = offsets.pivot(index=["sampleId", "contigName"], columns="phenotype", values="offsetValue")
    order = found.read("samples").toPandas().sort_values("sampleIndex")["sampleId"]
    place = known.index.get_indexer(order)
    known, copies = known.loc[order], copies[:, place]
    y, x = known["height"].to_numpy(), known["x"].to_numpy()
    fixed = np.column_stack([np.ones(len(y)), x])
    expected = _stacked(copies, (y - y.mean()) / y.std(ddof=1), (x - x.mean()) / x.std(ddof=1))
    for contig, predicted in expected.items():
        left = predicted - fixed @ np.linalg.lstsq(fixed, predicted, rcond=None)[0]
        mine = wide.xs(contig, level="contigName").loc[order, "height"]
        np.testing.assert_allclose(mine, left, atol=1e-9)
        assert np.corrcoef(left, y)[0, 1] > 0.05
    _are_glows(spark, found, copies, known, wide.loc[order])


def _are_glows(spark: SparkSession, found: Warehouse, copies: np.ndarray, known: pd.DataFrame, offsets: pd.DataFrame) -> None:
    from glow.gwas import linear_regression, logistic_regression

    loci = [(str(1 + i // 24), 10 * (i % 24) + 9, row.tolist()) for i, row in enumerate(copies)]
    values = spark.createDataFrame(loci, "contigName string, start bigint, values array<double>")
    rows = found.read("associations").toPandas().set_index(["contigName", "start"]).sort_index()
    linear = linear_regression(values, known[["height"]], known[["x"]], offsets[["height"]], values_column="values").toPandas()
    score = logistic_regression(
        values, known[["ill"]].astype(float), known[["x"]], offsets[["ill"]], correction="none", values_column="values"
    )
    theirs = linear.set_index(["contigName", "start"]).sort_index()
    mine = rows[rows["phenotype"] == "height"]
    for name, other in (("beta", "effect"), ("standardError", "stderror"), ("statistic", "tvalue"), ("pValue", "pvalue")):
        np.testing.assert_allclose(mine[name], theirs[other], rtol=1e-8)
    theirs = score.toPandas().set_index(["contigName", "start"]).sort_index()
    mine = rows[rows["phenotype"] == "ill"]
    np.testing.assert_allclose(mine["statistic"] ** 2, theirs["chisq"], rtol=1e-6)
    np.testing.assert_allclose(mine["pValue"], theirs["pvalue"], rtol=1e-6)
