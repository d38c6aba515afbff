"""A real Spark session and a small cohort that went through every stage, shared by all tests."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from support import DATA, Cohort, small_config

from genospark.core.progress import log
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.pipeline import run_stages

# Of nobody real.
os.environ["GENOSPARK_KEY"] = "the key of all tests, which is no secret"
# Tests start many short JVMs: the quick compiler alone halves what they cost.
os.environ["SPARK_SUBMIT_OPTS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands that tests call in this process set logging up for themselves."""
    before = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:], log.level, log.propagate = before


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    return session("genospark tests")


@pytest.fixture(scope="session")
def cohort(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Cohort:
    """Made by the process that needs it first; tests write to copies of it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "cohort"
    folder.mkdir(exist_ok=True)
    path = folder / "warehouse"
    config = small_config(path)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            run_stages(spark, config)
            (folder / "made").touch()
    return Cohort(path, Warehouse(spark, str(path)), config)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not DATA.is_dir():
        pytest.skip("the public test data is not in ../shared/data")
    return DATA
