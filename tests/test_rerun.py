"""Every stage run a second time, for real: same content. (tests/jobs compares reruns through spark-submit in every test run.)"""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.pipeline import run_stages
from genospark.schema import TABLES


def _content(cohort: Cohort) -> dict[str, pd.DataFrame]:
    warehouse = Warehouse(cohort.warehouse.spark, str(cohort.path))
    tables = {}
    for name in TABLES:
        if name != "runs" and warehouse.has(name):
            text = warehouse.read(name).toPandas().map(repr)
            tables[name] = text.sort_values(list(text.columns)).reset_index(drop=True)
    # Nothing was put aside, diseases are all that is simulated, and the demo leaves out studies.
    studies = {"evaluations", "pgsCatalog", "pgsScores", "pgsWeights", "splits", "trials"}
    assert set(TABLES) - set(tables) == {"runs", "quarantine", "traits", "wgrOffsets"} | studies
    return tables


def _digests(cohort: Cohort) -> dict[str, str]:
    files = [path for path in sorted(cohort.files.rglob("*")) if path.is_file()]
    bundles = sorted((cohort.path / "bundles").rglob("*.npz"))
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files + bundles}


@pytest.mark.slow
def test_a_second_run_of_every_stage_gives_the_same_content(cohort: Cohort) -> None:
    before, files = _content(cohort), _digests(cohort)
    runs = cohort.warehouse.read("runs").count()
    run_stages(cohort.warehouse.spark, cohort.config)
    assert cohort.warehouse.read("runs").count() == runs
    run_stages(cohort.warehouse.spark, cohort.config.model_copy(update={"rerun": True}))
    # Simulation writes files alone.
    assert cohort.warehouse.read("runs").count() == runs + len(cohort.config.stages) - 1
    after = _content(cohort)
    for name, content in before.items():
        assert content.equals(after[name]), name
    assert _digests(cohort) == files
