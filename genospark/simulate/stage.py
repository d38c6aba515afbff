"""Stage ``simulate``: writes the files that the other stages ingest. It makes no table."""

from __future__ import annotations

from pathlib import Path

from genospark.core.config import StageConfig
from genospark.core.progress import log, step
from genospark.simulate.cohort import simulate_cohort
from genospark.simulate.config import SimulateConfig


class SimulateStageConfig(StageConfig):
    """Settings of ``simulate``.

    Attributes:
        out: Folder of the files; ``input`` in the warehouse where not given.
        cohort: What to simulate.
    """

    out: str | None = None
    cohort: SimulateConfig = SimulateConfig()


def simulate(config: SimulateStageConfig, spark: object = None) -> str:
    """Writes a simulated cohort. Needs no Spark.

    Returns:
        The folder.
    """
    out = Path(config.out or f"{config.warehouse}/input").resolve()
    with step(f"simulate: {config.cohort.people} people, {config.cohort.variants} variants"):
        simulate_cohort(config.cohort, out, lambda message: log.info("simulate: %s", message))
    log.info("simulate: files in %s (truth apart in its folder truth)", out)
    return str(out)
