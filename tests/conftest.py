"""A real Spark session and a small cohort that went through every stage, shared by all tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, demo_config, run_stages

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"

SMALL: dict[str, dict[str, Any]] = {
    "simulate": {
        "cohort": {
            "people": 240,
            "fresh_people": 60,
            "variants": 600,
            "genes": 20,
            "seed": 11,
            "diseases": [{"name": "common", "prevalence": 0.4}, {"name": "rarer", "prevalence": 0.2}],
        }
    },
    "build-features": {"variants": 100, "expression": 30},
    "train": {"epochs": 3, "network": {"hidden": [8]}},
}


def small_config(warehouse: Path) -> PipelineConfig:
    config = demo_config(str(warehouse))
    return config.model_copy(update={"stages": {name: (settings or {}) | SMALL.get(name, {}) for name, settings in config.stages.items()}})


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    return session("genospark tests")


@dataclass(frozen=True)
class Cohort:
    """A cohort that went through every stage."""

    path: Path
    warehouse: Warehouse
    config: PipelineConfig

    @property
    def files(self) -> Path:
        return self.path / "input"

    @property
    def bundle(self) -> Path:
        return self.path / "bundles" / self.warehouse.read("metrics").first()["modelVersion"]


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
