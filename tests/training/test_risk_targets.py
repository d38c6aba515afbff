"""A disease with weights, classes and a quantity in one model, from the user's files to scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from support import Cohort, people

from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.risk import BuildRiskFeaturesConfig, build_features
from genospark.features.targets import TargetConfig
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes
from genospark.scoring.risk import ScoreRiskConfig, score
from genospark.training.risk import TrainRiskConfig, train

TARGETS = [
    {"name": "common", "weight": "samplingWeight", "prevalence": 0.1},
    {"name": "ancestry", "source": "populations"},
    {"name": "height", "source": "traits"},
    {"name": "type", "source": "traits", "kind": "multiclass"},
]


@pytest.fixture(scope="module")
def above(cohort: Cohort, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Warehouse, pd.DataFrame]:
    """A warehouse over the shared one, with traits of its own, and these as they were written."""
    folder = tmp_path_factory.mktemp("targets")
    warehouse = Warehouse.lay_over(cohort.warehouse, str(folder / "w"))
    truth = pd.read_csv(cohort.files / "truth" / "people.tsv", sep="\t")
    random = np.random.default_rng(1)
    n = len(truth)
    traits = truth[["sampleId"]].assign(
        height=170 + 8 * random.normal(size=n), type=random.integers(1, 4, n), samplingWeight=random.integers(1, 3, n)
    )
    traits.loc[::10, "height"] = np.nan
    traits.loc[::7, "samplingWeight"] = np.nan
    traits.to_csv(folder / "traits.tsv", sep="\t", index=False, na_rep="NA")
    config = {"warehouse": warehouse.path, "inputs": [f"traits={folder / 'traits.tsv'}"], "crosswalk": str(folder / "crosswalk")}
    ingest_phenotypes(IngestPhenotypesConfig.model_validate(config), spark)
    warehouse.refresh()
    return warehouse, traits.assign(sampleId=people(*traits["sampleId"])).set_index("sampleId")


def test_targets_of_all_kinds_are_trained_and_scored(above: tuple[Warehouse, pd.DataFrame], spark: SparkSession) -> None:
    warehouse, traits = above
    small = {"warehouse": warehouse.path, "variants": 60, "expression": 20, "targets": TARGETS}
    build_features(BuildRiskFeaturesConfig.model_validate(small), spark)
    warehouse.refresh()
    examples = warehouse.read("riskExamples").toPandas().set_index("sampleId")
    labels, weights = (
        pd.DataFrame([np.frombuffer(row, "<f4") for row in examples[name]], examples.index) for name in ("labels", "weights")
    )
    mine = traits.loc[examples.index]
    assert (labels[0].isna() | mine["samplingWeight"].notna()).all()
    assert (weights[0] == mine["samplingWeight"].fillna(0)).all()
    training = examples["split"] == "train"
    height = (mine["height"] - mine["height"][training].mean()) / mine["height"][training].std(ddof=0)
    assert labels[2].to_numpy() == pytest.approx(height.to_numpy(), abs=1e-5, nan_ok=True)
    assert (labels[3] == mine["type"] - 1).all()
    network = {"hidden": [4], "members": 2}
    config = {"warehouse": warehouse.path, "ranks": 1, "epochs": 1, "network": network, "regression": {"pairs": 3, "shares": [0.5, 0.2]}}
    train(TrainRiskConfig.model_validate(config), spark)
    warehouse.refresh()
    score(ScoreRiskConfig(warehouse=warehouse.path), spark)
    warehouse.refresh()
    scores = warehouse.read("riskScores").toPandas()
    by_class = scores.groupby("disease")["class"].unique().map(sorted).to_dict()
    populations = sorted(row[0] for row in warehouse.read("populations").select("population").distinct().collect())
    assert by_class == {"common": ["case"], "ancestry": populations, "height": ["value"], "type": ["1", "2", "3"]}
    assert scores[scores["disease"] == "type"].groupby("sampleId")["riskProbability"].sum().to_numpy() == pytest.approx(1)
    tall = scores[scores["disease"] == "height"]
    assert tall["riskProbability"].isna().all()
    assert tall["predictedValue"].between(140, 200).all()
    ordered = scores.dropna(subset="valueLow")
    said = ordered["riskProbability"].fillna(ordered["predictedValue"])
    assert len(ordered) == len(scores)
    assert (ordered["valueLow"] <= said + 1e-9).all()
    assert (said <= ordered["valueHigh"] + 1e-9).all()
    single = scores["disease"].isin(["common", "height"])
    assert scores["percentile"].notna().eq(single).all()
    assert scores["percentile"].dropna().between(0, 100).all()
    assert set(scores["used"]) == {"genotypes+expression+covariates"}
    metrics = warehouse.read("metrics/risk").where("split = 'test' and model = 'default'").toPandas()
    kinds = metrics.groupby("target")["metric"].agg(set)
    assert {"R2", "Pearson r"} <= kinds["height"]
    assert {"accuracy", "log loss", "macro AUC"} <= kinds["ancestry"]
    assert any(target.startswith("common, population ") for target in kinds.index)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"name": "rarest"}, "`phenotypes` has no rarest"),
        ({"name": "weight", "source": "traits"}, "`traits` has no weight"),
        ({"name": "height", "source": "traits", "kind": "multiclass"}, "classes among the training people"),
        ({"name": "height", "source": "traits", "kind": "binary"}, "a binary target has the value"),
    ],
)
def test_targets_that_are_not_there_are_refused(
    above: tuple[Warehouse, pd.DataFrame], spark: SparkSession, target: dict[str, str], says: str
) -> None:
    config = BuildRiskFeaturesConfig(warehouse=above[0].path, targets=[TargetConfig.model_validate(target)])
    with pytest.raises(TableError, match=says):
        build_features(config, spark)


@pytest.mark.parametrize(
    "wrong", [{"kind": "continuous"}, {"source": "populations", "kind": "binary"}, {"source": "traits", "prevalence": 0.1}]
)
def test_kinds_that_a_source_does_not_have_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="x: "):
        TargetConfig.model_validate({"name": "x"} | wrong)
