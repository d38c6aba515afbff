"""A real Spark session and a small cohort that went through every stage, shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from support import DATA, Cohort, small_config

from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.pipeline import run_stages

# Of nobody real.
os.environ["GENOSPARK_KEY"] = "the key of all tests, which is no secret"
# Tests start many short JVMs: the quick compiler alone halves what they cost.
os.environ["SPARK_SUBMIT_OPTS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    return session("genospark tests")


@pytest.fixture(scope="session")
def cohort(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    path = tmp_path_factory.mktemp("cohort") / "warehouse"
    config = small_config(path)
    run_stages(spark, config)
    return Cohort(path, Warehouse(spark, str(path)), config)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not DATA.is_dir():
        pytest.skip("the public test data is not in ../shared/data")
    return DATA
