"""Stage ``simulate``: writes the files that the other stages ingest. It makes no table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genospark.core.config import StageConfig
from genospark.core.paths import absolute, local_folder
from genospark.core.progress import log, step
from genospark.simulate.cohort import simulate_cohort
from genospark.simulate.config import OwnDataConfig, SimulateConfig

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class SimulateStageConfig(StageConfig):
    """Settings of ``simulate``.

    Attributes:
        out: Folder of the files; ``input`` in the warehouse where not given.
        cohort: What to simulate.
        own_data: Instead of a cohort, simulate diseases alone, on the genotypes and expression that the warehouse holds.
    """

    out: str | None = None
    cohort: SimulateConfig = SimulateConfig()
    own_data: OwnDataConfig | None = None


def simulate(config: SimulateStageConfig, spark: SparkSession | None = None) -> str:
    """Writes a simulated cohort; needs no Spark. Or, of a warehouse's own people, a phenotype file and its truth.

    Returns:
        The folder.

    Raises:
        TableError: Diseases are to be simulated on tables that are not there, or that have too few common variants or genes.
    """
    out = absolute(config.out or f"{config.warehouse}/input")
    if config.own_data:
        # Only this kind of simulation reads tables.
        from genospark.core.session import session
        from genospark.core.storage import Warehouse
        from genospark.simulate.own_data import simulate_diseases

        with step(f"simulate: {len(config.own_data.diseases)} diseases on the warehouse's own people"):
            warehouse = Warehouse(spark or session("genospark simulate", config.warehouse), config.warehouse)
            with local_folder(out) as folder:
                simulate_diseases(config.own_data, warehouse, folder)
        log.info("simulate: %s (truth apart in its folder truth)", out / "phenotypes.tsv")
        return str(out)
    with step(f"simulate: {config.cohort.people} people, {config.cohort.variants} variants"), local_folder(out) as folder:
        simulate_cohort(config.cohort, folder, lambda message: log.info("simulate: %s", message))
    log.info("simulate: files in %s (truth apart in its folder truth)", out)
    return str(out)
