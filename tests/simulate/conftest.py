"""One small cohort, simulated once."""

from __future__ import annotations

import pytest

from genospark.simulate import Reads, SimulateConfig, SimulatedFiles, simulate_cohort

SMALL = SimulateConfig(people=60, fresh_people=30, variants=400, genes=40, reads=Reads(people=0))


@pytest.fixture(scope="session")
def small() -> SimulateConfig:
    return SMALL


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> SimulatedFiles:
    return simulate_cohort(SMALL, tmp_path_factory.mktemp("cohort"))
