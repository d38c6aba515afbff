"""Stage ``tune risk``."""

from __future__ import annotations

from pyspark.sql import SparkSession

from genospark.training import tuning
from genospark.training.risk import RiskRecipe, TrainRiskConfig


class TuneRiskConfig(tuning.TuneConfig):
    """Settings of ``tune risk``: those of ``TuneConfig``."""


def tune(config: TuneRiskConfig, spark: SparkSession) -> str:
    """Tries settings of ``train risk``; see ``tuning.tune``."""
    return tuning.tune(RiskRecipe, TrainRiskConfig, config, spark)
