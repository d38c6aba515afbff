"""Stage ``evaluate risk``."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import SparkSession

from genospark.core.storage import Warehouse
from genospark.features.risk import BuildRiskFeaturesConfig, build_features
from genospark.training.evaluation import EvaluateConfig, Study
from genospark.training.evaluation import evaluate as evaluate_study
from genospark.training.risk import RiskRecipe, TrainRiskConfig


class EvaluateRiskConfig(EvaluateConfig):
    """Settings of ``evaluate risk``: those of ``EvaluateConfig``."""


def evaluate(config: EvaluateRiskConfig, spark: SparkSession) -> str:
    """Measures risk models by nested cross-validation; see ``evaluation.evaluate``."""
    return evaluate_study(Study(RiskRecipe, TrainRiskConfig, build_features, BuildRiskFeaturesConfig, _labels), config, spark)


def _labels(warehouse: Warehouse, config: BuildRiskFeaturesConfig) -> pd.DataFrame:
    long: pd.DataFrame = warehouse.read("phenotypes").select("sampleId", "disease", "label").toPandas()
    return long.pivot(index="sampleId", columns="disease", values="label").astype(float)
