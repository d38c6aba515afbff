"""How the learning rate falls, and that a network is not shown less than it sees."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.errors import ConfigError
from genospark.training.variants import TrainVariantsConfig, train
from genospark.training.worker import falling


def test_the_learning_rate_falls_along_half_a_cosine() -> None:
    assert [falling(epoch, 5, 0.2) for epoch in range(1, 6)] == pytest.approx([1, 0.8828427, 0.6, 0.3171573, 0.2])
    assert falling(1, 1, 0.01) == 1
    assert [falling(epoch, 9, 1.0) for epoch in (1, 5, 9)] == [1, 1, 1]


def test_a_network_that_sees_farther_than_its_examples_is_refused(cohort: Cohort, spark: SparkSession) -> None:
    config = {"warehouse": str(cohort.path), "network": {"dilations": [1, 2, 4, 8, 16]}}
    with pytest.raises(ConfigError, match=r"sees 31 positions .* have 15"):
        train(TrainVariantsConfig.model_validate(config), spark)
