"""Stages that read files about people: ids become pseudonyms before anything is written or said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core import crosswalk
from genospark.core.progress import log
from genospark.core.pseudonyms import read_key
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError
from genospark.ingest.batches import BatchConfig

KEY = "pseudonym key"
STAGES = ("ingest-vcf", "ingest-plink", "ingest-bgen", "ingest-expression", "ingest-phenotypes", "ingest-reads")


class People:
    """The people of a stage's files.

    Args:
        config: The stage's settings.

    Raises:
        ConfigError: There is no key.
    """

    def __init__(self, config: BatchConfig) -> None:
        self.pseudonyms = read_key(config.key_file)
        self.originals: dict[str, str] = {}

    def named(self, ids: Iterable[str]) -> list[str]:
        """Pseudonyms of ids; the crosswalk will hold them."""
        ids = list(ids)
        found = self.pseudonyms.of(ids)
        self.originals |= {name: one for one, name in zip(ids, found, strict=True) if one != name}
        return found

    def only(self, names: frozenset[str]) -> None:
        """Leaves all but some people out of the crosswalk."""
        self.originals = {name: one for name, one in self.originals.items() if name in names}

    def named_rows(self, rows: DataFrame) -> DataFrame:
        """Rows with pseudonyms in the column sampleId. The key stays in this process."""
        ids = [row[0] for row in rows.select("sampleId").distinct().collect()]
        pairs = list(zip(ids, self.named(ids), strict=True))
        names = f.broadcast(rows.sparkSession.createDataFrame(pairs, "sampleId string, pseudonym string"))
        joined = rows.join(names, "sampleId")
        return joined.select(*(f.col("pseudonym").alias(name) if name == "sampleId" else name for name in rows.columns))


def run_about_people(
    stage: str, config: BatchConfig, warehouse: Warehouse, people: People, body: Callable[[Run], None], files: dict[str, list[Path]]
) -> str:
    """``run_stage`` for a stage that names people; it writes a part of the crosswalk beside its tables.

    Args:
        stage: As there.
        config: As there.
        warehouse: As there.
        people: Those that `body` names.
        body: As there.
        files: As there.

    Returns:
        The run's id.

    Raises:
        ConfigError: Other stages have named people with another key.
        BusyError: As there.
    """
    place = config.crosswalk_folder

    def work(run: Run) -> None:
        _check_key(warehouse, people.pseudonyms.fingerprint)
        body(run)
        # Before the commit: a pseudonym that nobody can look up is worse than one that stands in no table.
        crosswalk.write(place, f"{stage}/{config.batch}", people.originals)
        log.info("%s: whose pseudonym is whose: %s", stage, place)

    return run_stage(stage, config, warehouse, work, files=files, facts={KEY: people.pseudonyms.fingerprint})


def _check_key(warehouse: Warehouse, fingerprint: str) -> None:
    """The same person must have one name in all tables, whichever run wrote them."""
    for run in warehouse.runs():
        if run["stage"] in STAGES and {entry["sha256"] for entry in run["inputs"] if entry["path"] == KEY} != {fingerprint}:
            raise ConfigError(
                f"{warehouse.path}: `{run['stage']}` named people with another key, or with none",
                "give the key that its other files were read with, or begin another warehouse",
            )
