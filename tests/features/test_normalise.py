"""Normalisation over Spark: what is fitted on training people against the same in NumPy, and what is done to new ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from scipy.stats import norm, rankdata
from sklearn.decomposition import PCA
from support import Cohort, people

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TableError
from genospark.features.expression import BuildExpressionFeaturesConfig
from genospark.features.expression import build_features as build_expression
from genospark.features.expression_specification import from_tables as expression_spec
from genospark.features.fusion import fuse
from genospark.features.normalise import normalised
from genospark.features.normalise_config import NormaliseConfig
from genospark.features.normalise_fit import fit
from genospark.features.risk import BuildRiskFeaturesConfig, build_features
from genospark.features.specification import from_tables
from genospark.ingest.expression import IngestExpressionConfig, ingest_expression
from genospark.models.distributions import quantile_normalised, sorted_profiles
from genospark.models.spec import FeatureSpec
from genospark.models.tmm import effective_libraries, log_cpm, log_factors, reference_sample, upper_quartiles
from genospark.scoring.risk import ScoreRiskConfig, score
from genospark.tasks.bundles import last_version
from genospark.training.risk import TrainRiskConfig, train

PEOPLE = [f"P{i:02d}" for i in range(30)]
TRAINING = PEOPLE[:20]
CONTEXT = [("B", "rest"), ("T", "rest")]


@pytest.fixture(scope="module")
def counts() -> dict[tuple[str, str], pd.DataFrame]:
    """People by genes in two cell types; a twentieth is missing, and what fits is not the same in both."""
    made = {}
    for seed, context in enumerate(CONTEXT):
        rng = np.random.default_rng(seed)
        mean = rng.gamma(1, 100 * (seed + 1), 40) * rng.lognormal(0, 0.5, (30, 40)) * rng.gamma(5, 0.2, (30, 1))
        values = rng.poisson(mean).astype(float)
        values[rng.random(values.shape) < 0.05] = np.nan
        made[context] = pd.DataFrame(values, PEOPLE, [f"G{i:02d}" for i in range(40)])
    return made


def _long(counts: dict[tuple[str, str], pd.DataFrame], spark: SparkSession, unit: str = "counts") -> DataFrame:
    rows = [
        frame.rename_axis("sampleId")
        .reset_index()
        .melt("sampleId", var_name="geneId", value_name="expressionValue")
        .assign(cellType=cell_type, state=state, expressionUnit=unit)
        for (cell_type, state), frame in counts.items()
    ]
    return spark.createDataFrame(pd.concat(rows).dropna())


def _wide(rows: pd.DataFrame, context: tuple[str, str]) -> pd.DataFrame:
    found = rows[(rows["cellType"] == context[0]) & (rows["state"] == context[1])]
    return found.pivot(index="sampleId", columns="geneId", values="expressionValue")


def _config(**settings: object) -> NormaliseConfig:
    return NormaliseConfig(warehouse="w", **settings)


def _people(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"sampleId": names})


def _expected(values: np.ndarray, training: np.ndarray) -> np.ndarray:
    """log CPM by TMM, quantile, then normal scores: each step fitted on the training rows."""
    fitted = values[training]
    reference = np.nan_to_num(fitted[reference_sample(upper_quartiles(fitted), np.nansum(np.sqrt(fitted), axis=1))])
    scale = log_factors(fitted, reference).mean()
    mean = effective_libraries(fitted, reference, scale).mean()
    made = log_cpm(values, reference, scale, mean)
    made = quantile_normalised(made, sorted_profiles(made[training]).mean(axis=0))
    scores = np.full(made.shape, np.nan)
    for gene in range(made.shape[1]):
        known = made[training, gene]
        known = known[~np.isnan(known)]
        unique = np.unique(known)
        ranks = [rankdata(known)[known == value][0] for value in unique]
        scores[:, gene] = norm.ppf((np.interp(made[:, gene], unique, ranks) - 0.375) / (len(known) + 0.25))
    return scores


def test_all_steps_are_fitted_on_training_people_alone(counts: dict[tuple[str, str], pd.DataFrame], spark: SparkSession) -> None:
    # In a third cell type each person has a third of the genes: nothing is fitted there.
    third = counts[CONTEXT[0]].where((np.arange(40) + np.arange(30)[:, None]) % 3 == 0)
    rows = _long({("A", "rest"): third} | counts, spark)
    config = _config(expression_transform="cpm+quantile+inverse-normal")
    fitted = fit(rows, _people(TRAINING), config)
    assert fitted is not None
    assert [(found.cell_type, found.state) for found in fitted.contexts] == CONTEXT
    nobody = fit(rows, _people(["somebody else"]), config)
    assert nobody is not None
    assert normalised(rows, nobody).count() == 0
    made = normalised(rows, fitted).toPandas()
    for context in CONTEXT:
        raw = counts[context]
        found = _wide(made, context).reindex(index=PEOPLE, columns=raw.columns)
        assert np.allclose(found, _expected(raw.to_numpy(), np.arange(30) < 20), equal_nan=True)
    # A person alone gets the same values, and one with few of the genes gets none.
    one = normalised(rows.where("sampleId = 'P25' or sampleId = 'P26' and geneId < 'G15'"), fitted).toPandas()
    order = ["cellType", "geneId"]
    both = [frame[frame["sampleId"] == "P25"].sort_values(order, ignore_index=True) for frame in (one, made)]
    pd.testing.assert_frame_equal(*both, check_exact=True)
    assert set(one["sampleId"]) == {"P25"}


def test_hidden_factors_are_principal_components_of_training_people(
    counts: dict[tuple[str, str], pd.DataFrame], spark: SparkSession
) -> None:
    whole = {context: frame.fillna(frame.mean()) for context, frame in counts.items()}
    rows = _long(whole, spark)
    fitted = fit(rows, _people(TRAINING), _config(expression_transform="log", hidden_factors=3))
    assert fitted is not None
    made = normalised(rows, fitted, {("G03", "T", "rest"), ("G04", "T", "rest")}).toPandas()
    values = np.log2(whole["T", "rest"].to_numpy() + 1)
    mean, deviation = values[:20].mean(axis=0), values[:20].std(axis=0)
    z = (values - mean) / deviation
    pca = PCA(3).fit(z[:20])
    expected = (z - pca.inverse_transform(pca.transform(z))) * deviation + mean
    np.testing.assert_allclose(_wide(made, ("T", "rest")), expected[:, [3, 4]], atol=1e-4)
    assert set(made["cellType"]) == {"T"}


def test_simple_transforms_need_nothing_fitted(spark: SparkSession, counts: dict[tuple[str, str], pd.DataFrame]) -> None:
    for transform in ("log1p", "log", "none"):
        assert fit(_long(counts, spark), _people(TRAINING), _config(expression_transform=transform)) is None


def test_what_is_no_count_is_refused(spark: SparkSession, counts: dict[tuple[str, str], pd.DataFrame]) -> None:
    with pytest.raises(TableError, match="in TPM has no counts"):
        fit(_long(counts, spark, "TPM"), _people(TRAINING), _config(expression_transform="cpm"))
    lower = {context: frame - 1e6 for context, frame in counts.items()}
    with pytest.raises(TableError, match="negative"):
        fit(_long(lower, spark), _people(TRAINING), _config(expression_transform="log+quantile"))


def test_factors_beside_a_panel_are_refused() -> None:
    with pytest.raises(ValueError, match="panel: 0"):
        BuildExpressionFeaturesConfig(warehouse="w", hidden_factors=2)
    assert BuildExpressionFeaturesConfig(warehouse="w", hidden_factors=2, panel=0).hidden_factors == 2


@pytest.fixture(scope="module")
def copied(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The small cohort's tables."""
    path = tmp_path_factory.mktemp("normalised") / "warehouse"
    shutil.copytree(cohort.path, path, ignore=shutil.ignore_patterns("input"))
    return str(path)


@pytest.mark.slow
def test_risk_examples_hold_normalised_expression(copied: str, spark: SparkSession) -> None:
    settings = {"expression_transform": "log+quantile", "hidden_factors": 2, "expression_filling": "knn", "fit_people": 150}
    build_features(BuildRiskFeaturesConfig(warehouse=copied, variants=50, expression=20, **settings), spark)
    warehouse = Warehouse(spark, copied)
    spec = from_tables(warehouse)
    assert spec.transform == "log+quantile"
    assert spec.normaliser is not None
    assert {found.loadings.shape for found in spec.normaliser.contexts} == {(20, 2)}
    examples = warehouse.read("riskExamples").toPandas().set_index("sampleId")
    vectors = np.stack([np.frombuffer(row, "<f4") for row in examples["measurements"]])[:, :20]
    assert not np.isnan(vectors).any()
    training = vectors[(examples["split"] == "train").to_numpy()]
    assert np.abs(training.mean(axis=0)).max() < 0.05
    assert np.abs(training.std(axis=0) - 1).max() < 0.05
    # A bundle holds all of it.
    again = FeatureSpec.of(json.loads(json.dumps(spec.to_json())), spec.arrays())
    assert again.expression == spec.expression
    for one, other in zip(spec.normaliser.contexts, again.normaliser.contexts, strict=True):
        np.testing.assert_array_equal(one.quantiles, other.quantiles)
        np.testing.assert_array_equal(one.loadings, other.loadings)
    with pytest.raises(ConfigError, match="predicted expression cannot be normalised"):
        fuse(warehouse, spec, predicted_expression=True)


@pytest.mark.slow
def test_people_are_scored_as_they_were_when_trained_on(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    """Raw counts through cpm+inverse-normal; then one person in a warehouse of their own gets the score that they had among all."""
    shutil.copytree(cohort.path, tmp_path / "all", ignore=shutil.ignore_patterns("input"))
    raw = pd.read_csv(cohort.files / "expression.tsv.gz", sep="\t")
    genes = raw.columns[3:]
    raw[genes] = (raw[genes] * 10).round()
    files = {}
    single = raw["sampleId"].iloc[0]
    for name, mine in (("all", set(raw["sampleId"])), ("one", {single})):
        files[name] = tmp_path / f"{name}.csv"
        raw[raw["sampleId"].isin(mine)].to_csv(files[name], index=False, na_rep="NA")
    shutil.copytree(tmp_path / "all", tmp_path / "one")
    warehouse = str(tmp_path / "all")
    ingest_expression(IngestExpressionConfig(warehouse=warehouse, inputs=[str(files["all"])], unit="counts"), spark)
    settings = {"expression_transform": "cpm+inverse-normal", "expression_filling": "knn"}
    build_features(BuildRiskFeaturesConfig(warehouse=warehouse, variants=50, expression=20, **settings), spark)
    train(TrainRiskConfig(warehouse=warehouse, epochs=1, ranks=1), spark)
    score(ScoreRiskConfig(warehouse=warehouse), spark)
    other = str(tmp_path / "one")
    ingest_expression(IngestExpressionConfig(warehouse=other, inputs=[str(files["one"])], unit="counts"), spark)
    version = last_version(Warehouse(spark, warehouse), "risk")
    score(ScoreRiskConfig(warehouse=other, bundle=f"{warehouse}/bundles/{version}"), spark)
    scores = [Warehouse(spark, path).read("riskScores").drop("runId").toPandas() for path in (warehouse, other)]
    (person,) = people(single)
    one, alone = (found[found["sampleId"] == person].sort_values("disease", ignore_index=True) for found in scores)
    pd.testing.assert_frame_equal(one, alone, rtol=1e-6)
    assert (one["expressionCoverage"] > 0.5).all()
    assert (scores[1].loc[scores[1]["sampleId"] != person, "expressionCoverage"] == 0).all()


@pytest.mark.slow
def test_expression_examples_hold_normalised_targets(copied: str, cohort: Cohort, spark: SparkSession) -> None:
    settings = {"expression_transform": "inverse-normal", "expression_filling": "knn", "filling_neighbours": 4}
    build_expression(BuildExpressionFeaturesConfig(warehouse=copied, panel=8, variants="none", **settings), spark)
    warehouse = Warehouse(spark, copied)
    spec = expression_spec(warehouse)
    assert spec.normaliser is not None
    assert spec.neighbours is not None
    assert spec.neighbours.shape == (len(spec.cell_types), spec.panel_width, 4)
    examples = warehouse.read("expressionExamples").toPandas()
    examples["sampleId"] = examples["sampleId"].map(cohort.names)
    examples = examples.set_index(["sampleId", "cellType"]).sort_index()
    raw = pd.read_csv(cohort.files / "expression.tsv.gz", sep="\t").set_index(["sampleId", "cellType", "state"])
    cell_type, state, gene = spec.cell_types[0], spec.states[0], spec.targets[0]
    values = raw.xs((cell_type, state), level=(1, 2))[gene]
    mine = examples.xs(cell_type, level=1)
    people = mine.index[mine["split"] == "train"]
    scores = pd.Series(norm.ppf((values.loc[people].rank() - 0.375) / (values.loc[people].notna().sum() + 0.25)), people)
    held = pd.Series([np.frombuffer(row, "<f4")[0] for row in mine["targets"]], mine.index)
    assert np.allclose(held.loc[people], (scores - scores.mean()) / scores.std(ddof=0), atol=1e-4, equal_nan=True)
    panel = np.stack([np.frombuffer(row, "<f4") for row in mine["panel"]])
    assert not np.isnan(panel).any()
