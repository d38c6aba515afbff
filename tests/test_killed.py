"""Stages killed at any moment and run again: the tables are those of an undisturbed run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession
from support import ROOT, Cohort

from genospark.core.storage import Warehouse
from genospark.stages import STAGES

COMMAND = Path(sys.executable).with_name("genospark")


def _command(cohort: Cohort, stage: str, warehouse: Path) -> list[str]:
    entry, settings = STAGES[stage], dict(cohort.config.stages[stage] or {})
    if "crosswalk" in settings:
        settings["crosswalk"] = f"{warehouse}/crosswalk"
    words = [str(COMMAND), entry.job, *([entry.task] if entry.task else []), "--warehouse", str(warehouse), "--rerun"]
    words += [word for path in settings.pop("inputs", []) for word in ("--input", str(path))]
    return words + [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]


def _kill(command: list[str], log: Path, lock: Path, seconds: float) -> bool:
    """Kills a stage so many seconds after it took its lock; False where it had ended by then."""
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
        deadline = time.monotonic() + 120
        while not lock.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
    return False


def _survives(cohort: Cohort, spark: SparkSession, stage: str, seconds: float, folder: Path) -> bool:
    """Kills a stage on a copy of the warehouse and runs it again; True where the kill came in time."""
    copy = folder / "warehouse"
    shutil.copytree(cohort.path, copy, ignore=shutil.ignore_patterns("input", "locks"))
    committed = Warehouse(spark, str(copy)).committed()
    command = _command(cohort, stage, copy)
    killed = _kill(command, folder / "killed.log", copy / "locks" / f"{stage.replace(' ', '-')}.lock", seconds)
    # Readers see what was there before, unless it had been committed already.
    came = killed and Warehouse(spark, str(copy)).committed() == committed
    tables = {name: run for name, run in Warehouse(spark, str(copy)).committed().items() if run["stage"] != stage}
    assert tables == {name: run for name, run in committed.items() if run["stage"] != stage}
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr[-2000:]
    for name in {output["table"] for run in committed.values() if run["stage"] == stage for output in run["outputs"]}:
        before, after = (Warehouse(spark, str(path)).read_parts([name]).drop("runId") for path in (cohort.path, copy))
        kinds = [field.name for field in before.schema if not field.dataType.simpleString().startswith("map<")]
        assert before.count() == after.count(), f"{stage}: {name}"
        assert before.select(*kinds).exceptAll(after.select(*kinds)).isEmpty(), f"{stage}: {name}"
    shutil.rmtree(copy)
    return came


def test_a_killed_ingest_is_run_again(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    assert _survives(cohort, spark, "ingest-phenotypes", 1.0, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_random_moments_over_all_stages(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    random = np.random.default_rng(20)
    stages = [stage for stage in cohort.config.stages if stage != "simulate"]
    chosen = [*stages, *random.choice(stages, 20 - len(stages), replace=False)]
    came = 0
    for number, stage in enumerate(chosen):
        folder = tmp_path / str(number)
        folder.mkdir()
        came += _survives(cohort, spark, stage, float(random.uniform(0, 12)), folder)
    assert came >= 10
