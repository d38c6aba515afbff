"""The whole small cohort on a real Spark standalone cluster, by spark-submit alone, with nothing shared but its warehouse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml
from support import ROOT, Cohort

from genospark.core.storage import Warehouse

STANDALONE = ROOT / "deploy" / "standalone"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Cluster:
    folder: Path
    settings: dict[str, str]
    said: str

    @property
    def conf(self) -> list[str]:
        return ["--conf", f"spark.master=spark://127.0.0.1:{self.settings['MASTER_PORT']}"]


def _call(*command: str | Path, timeout: int, **settings: str) -> subprocess.CompletedProcess[str]:
    # Not what makes the tests' own short JVMs quick.
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_SUBMIT_OPTS"} | settings
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _processes(folder: Path) -> list[str]:
    """Command lines of everything that runs in or from a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(entry / "cwd")  # noqa: PTH115
        except OSError:
            continue
        if str(folder) in line or where.startswith(str(folder)):
            found.append(line)
    return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    packed = _call(sys.executable, ROOT / "deploy" / "pack.py", timeout=900)
    assert packed.returncode == 0, packed.stderr
    folder = tmp_path_factory.mktemp("cluster") / "work"
    settings = {"CLUSTER_DIR": str(folder), "MASTER_PORT": _free_port(), "MASTER_UI_PORT": _free_port()}
    try:
        started = _call(STANDALONE, "start", timeout=150, **settings)
        assert started.returncode == 0, started.stderr
        yield Cluster(folder, settings, started.stdout)
    finally:
        stopped = _call(STANDALONE, "stop", timeout=100, **settings)
    assert stopped.returncode == 0
    deadline = time.monotonic() + 20
    while (left := _processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not left
    assert not list(folder.glob("worker-*/"))
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_executors_run_the_packed_environment_and_nothing_else(cluster: Cluster, tmp_path: Path) -> None:
    again = _call(STANDALONE, "start", timeout=100, **cluster.settings)
    assert again.returncode == 0
    assert "already running" in again.stdout
    hidden = [str(ROOT / ".venv"), str(ROOT / "genospark")] if "do not see" in cluster.said else []
    submit = [str(BIN / "spark-submit"), "--properties-file", "conf/spark/cluster.conf", *cluster.conf, "tests/cluster/probe.py"]
    ran = _call(*submit, tmp_path / "found.json", *hidden, timeout=600, LEAKED="from the driver")
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert len({executor["folder"] for executor in found}) == 2
    assert len([path for path in (cluster.folder / "cache").iterdir() if path.is_dir()]) == 1
    for executor in found:
        assert executor["folder"].startswith(f"{cluster.folder}/worker-")
        own, *packages = executor["modules"]
        assert Path(executor["folder"]) in Path(own).parents
        assert all(cluster.folder / "cache" in Path(path).parents for path in (executor["python"], *packages))
        assert not [path for path in executor["path"] if path.startswith(str(ROOT))]
        assert "LEAKED" not in executor["environment"]
        assert str(ROOT) not in json.dumps(executor["environment"])
        assert all(not listed for listed in executor["hidden"].values())


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_every_stage_on_the_cluster_writes_what_it_writes_locally(cluster: Cluster, cohort: Cohort, tmp_path: Path) -> None:
    pipeline = tmp_path / "pipeline.yaml"
    pipeline.write_text(yaml.safe_dump(cohort.config.model_dump(mode="json"), sort_keys=False))
    places: list[str | Path] = ["--local", cohort.path, "--cluster", tmp_path / "warehouse", "--config", pipeline]
    ran = _call(sys.executable, "benchmarks/cluster.py", *places, *cluster.conf, timeout=5300)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert ran.stdout.count(" yes ") == len(cohort.config.stages)


def _executors(folder: Path) -> list[int]:
    """Processes of Spark executors of the cluster in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line, where = (entry / "cmdline").read_bytes(), os.readlink(entry / "cwd")  # noqa: PTH115
        except OSError:
            continue
        if b"CoarseGrainedExecutorBackend" in line and where.startswith(str(folder)):
            found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("stage", "seconds", "tables"),
    [
        ("ingest-vcf", 1.0, ("variants", "genotypes", "samples")),
        ("build-features risk", 4.0, ("riskExamples", "riskFeatures")),
        ("train risk", 6.0, ("metrics/risk",)),
    ],
)
def test_an_executor_is_killed(
    cluster: Cluster, cohort: Cohort, tmp_path: Path, stage: str, seconds: float, tables: tuple[str, ...]
) -> None:
    """Spark runs its tasks again on another; where it gives up, as with ranks of training, running the stage again does."""
    copy = tmp_path / "warehouse"
    shutil.copytree(cohort.path, copy, ignore=shutil.ignore_patterns("locks"))
    settings = {name: value for name, value in (cohort.config.stages[stage] or {}).items() if name != "crosswalk"}
    job, _, task = stage.partition(" ")
    command = [str(BIN / "spark-submit"), "--properties-file", "conf/spark/cluster.conf", *cluster.conf]
    command += [f"jobs/{job}.py", *([task] if task else []), "--warehouse", str(copy), "--rerun"]
    command += [word for path in settings.pop("inputs", []) for word in ("--input", path)]
    command += [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_SUBMIT_OPTS"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 200
        while len(_executors(cluster.folder)) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        lock = copy / "locks" / f"{stage.replace(' ', '-')}.lock"
        while not lock.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(seconds)
        killed = _executors(cluster.folder)[:1]
        assert killed, (tmp_path / "log").read_text()[-2000:]
        os.kill(killed[0], signal.SIGKILL)
        code = process.wait(600)
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said or code
    if code:
        again = _call(*command, timeout=600)
        assert again.returncode == 0, again.stderr[-2000:]
    for name in tables:
        found, expected = (
            Warehouse(cohort.warehouse.spark, str(path)).read(name).drop("runId", "modelVersion") for path in (copy, cohort.path)
        )
        if stage.startswith("train"):
            _near(found.toPandas(), expected.toPandas())
        else:
            assert found.exceptAll(expected).isEmpty(), name
            assert found.count() == expected.count(), name


def _near(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Metrics of two trainings agree within 2%."""
    key = ["task", "target", "metric", "model", "split"]
    both = found.merge(expected, on=key, how="outer", suffixes=("", "Expected"), validate="one_to_one")
    known = both.dropna(subset=["value", "valueExpected"])
    assert len(known) == found["value"].notna().sum() == expected["value"].notna().sum()
    assert (known["value"] - known["valueExpected"]).abs().max() < 0.02


def test_a_cluster_that_cannot_start_says_why(tmp_path: Path) -> None:
    settings = {"CLUSTER_DIR": str(tmp_path / "work"), "MASTER_UI_PORT": _free_port()}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        settings["MASTER_PORT"] = str(listener.getsockname()[1])
        refused = _call(STANDALONE, "start", timeout=60, **settings)
    assert refused.returncode == 7
    assert f"port {settings['MASTER_PORT']} is taken" in refused.stderr
    assert "next step" in refused.stderr
    assert _call(STANDALONE, "status", timeout=60, **settings).returncode == 1
    assert _call(STANDALONE, "stop", timeout=60, **settings).returncode == 0
    assert _call(STANDALONE, "dance", timeout=60, **settings).returncode == 2
    nowhere = _call(sys.executable, "benchmarks/cluster.py", "--conf", f"spark.master=spark://127.0.0.1:{_free_port()}", timeout=60)
    assert nowhere.returncode == 7
    assert "deploy/standalone start" in nowhere.stderr
