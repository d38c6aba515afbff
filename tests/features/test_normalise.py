"""Normalisation over Spark: what is fitted on training people against the same in NumPy, and what is done to new ones."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from scipy.stats import norm, rankdata
from sklearn.decomposition import PCA
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TableError
from genospark.features.expression import BuildExpressionFeaturesConfig
from genospark.features.expression import build_features as build_expression
from genospark.features.expression_specification import from_tables as expression_spec
from genospark.features.fusion import fuse
from genospark.features.normalise import normalised
from genospark.features.normalise_config import NormaliseConfig
from genospark.features.normalise_fit import fit
from genospark.features.normalise_rows import from_table
from genospark.features.risk import BuildRiskFeaturesConfig, build_features
from genospark.features.specification import from_tables
from genospark.models.distributions import quantile_normalised, sorted_profiles
from genospark.models.tmm import effective_libraries, log_cpm, log_factors, reference_sample, upper_quartiles
from genospark.scoring.risk import ScoreRiskConfig, score
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
    rows = _long(counts, spark)
    config = _config(expression_transform="cpm+quantile+inverse-normal")
    fitted = fit(rows, _people(TRAINING), config)
    assert fitted is not None
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
def copied(cohort: Cohort, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The small cohort's tables, with features of normalised expression."""
    path = tmp_path_factory.mktemp("normalised") / "warehouse"
    shutil.copytree(cohort.path, path, ignore=shutil.ignore_patterns("input"))
    settings = {"expression_transform": "log+quantile", "hidden_factors": 2, "expression_filling": "knn", "fit_people": 150}
    build_features(BuildRiskFeaturesConfig(warehouse=str(path), variants=50, expression=20, **settings), spark)
    return Warehouse(spark, str(path))


def test_risk_goes_through_with_normalised_expression(copied: Warehouse, spark: SparkSession) -> None:
    spec = from_tables(copied)
    assert spec.transform == "log+quantile"
    assert spec.normaliser is not None
    assert {found.loadings.shape for found in spec.normaliser.contexts} == {(20, 2)}
    examples = copied.read("riskExamples").toPandas().set_index("sampleId")
    vectors = np.stack([np.frombuffer(row, "<f4") for row in examples["measurements"]])[:, :20]
    assert not np.isnan(vectors).any()
    training = vectors[(examples["split"] == "train").to_numpy()]
    assert np.abs(training.mean(axis=0)).max() < 0.05
    assert np.abs(training.std(axis=0) - 1).max() < 0.05
    # A bundle holds all of it: people scored from tables alone get the vectors of the examples.
    train(TrainRiskConfig(warehouse=copied.path, epochs=1, ranks=1), spark)
    score(ScoreRiskConfig(warehouse=copied.path), spark)
    assert copied.read("riskScores").where("riskProbability between 0 and 1").count() > 400
    with pytest.raises(ConfigError, match="predicted expression cannot be normalised"):
        fuse(copied, spec, predicted_expression=True)


def test_expression_goes_through_with_normalised_targets(copied: Warehouse, cohort: Cohort, spark: SparkSession) -> None:
    settings = {"expression_transform": "inverse-normal", "expression_filling": "knn", "filling_neighbours": 4}
    build_expression(BuildExpressionFeaturesConfig(warehouse=copied.path, panel=8, variants="none", **settings), spark)
    spec = expression_spec(copied)
    assert spec.normaliser is not None
    assert from_table(copied, "expression") is not None
    assert spec.neighbours is not None
    assert spec.neighbours.shape == (len(spec.cell_types), spec.panel_width, 4)
    examples = copied.read("expressionExamples").toPandas().set_index(["sampleId", "cellType"]).sort_index()
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
