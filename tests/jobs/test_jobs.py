"""Every job through a real spark-submit, in an environment with nothing but the system's PATH."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

from genospark.core.config import load
from genospark.pipeline import PipelineConfig
from genospark.stages import STAGES

BIN = Path(sys.executable).parent
SETTINGS = ["cohort.people=120", "cohort.variants=300", "cohort.genes=10", "cohort.diseases=[{name: common, prevalence: 0.4}]"]


def _run(*command: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=bare, capture_output=True, text=True, timeout=300, check=False)


def test_every_stage_has_a_job_and_a_configuration_that_fits() -> None:
    assert {path.stem for path in (ROOT / "jobs").glob("*.py")} == set(STAGES)
    for stage in STAGES.values():
        _, model = stage.load()
        config = load(model, ROOT / "conf" / f"{stage.name}.yaml", [], {"warehouse": "w"})
        # The shown values are the defaults: a configuration file that is copied changes nothing.
        assert config == model(warehouse="w")
    whole = load(PipelineConfig, ROOT / "conf" / "cohort-1000g.yaml", [], {})
    for name, settings in whole.stages.items():
        STAGES[name].load()[1](**(settings or {}), warehouse="w")


def test_jobs_go_through_spark_submit(tmp_path: Path) -> None:
    warehouse = tmp_path / "w"
    files = warehouse / "input"
    arguments = {
        "simulate": [word for setting in SETTINGS for word in ("--set", setting)],
        "ingest-vcf": ["--input", f"{files}/*.vcf.gz"],
        "ingest-expression": ["--input", f"{files}/expression.tsv.gz"],
        "ingest-phenotypes": ["--input", f"{files}/phenotypes.tsv", "--input", f"pedigree={files}/pedigree.ped"],
        "build-features": ["--set", "variants=40", "--set", "expression=10"],
        "train": ["--set", "epochs=1", "--set", "network.hidden=[4]"],
        "score": [],
    }
    for stage in STAGES:
        config = f"conf/{stage}.yaml"
        ran = _run(BIN / "spark-submit", f"jobs/{stage}.py", "--config", config, "--warehouse", warehouse, *arguments[stage], home=tmp_path)
        assert ran.returncode == 0, f"{stage}: {ran.stderr[-3000:]}"
    query = "SELECT stage, count(*) n FROM runs GROUP BY stage ORDER BY stage"
    ran = _run(BIN / "genospark", "sql", "--warehouse", warehouse, "--csv", query, home=tmp_path)
    assert ran.stdout.split() == ["stage,n", *(f"{stage},1" for stage in sorted(set(STAGES) - {"simulate"}))]
    ran = _run(BIN / "genospark", "sql", "--warehouse", warehouse, "SELECT nothing FROM riskScores", home=tmp_path)
    assert (ran.returncode, "Traceback" in ran.stderr) == (2, False)
    assert "the query is wrong" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ingest-vcf", "--input", "nowhere.vcf"], 2, "warehouse"),
        (["ingest-vcf", "--warehouse", "{tmp}/w", "--input", "nowhere.vcf"], 3, "nowhere.vcf: no such file"),
        (["train", "--warehouse", "{tmp}/w"], 4, "build-features"),
        (["train", "--warehouse", "{tmp}/w", "--set", "epoch=3"], 2, "epoch"),
        (["score", "--warehouse", "{tmp}/w", "--config", "nowhere.yaml"], 2, "nowhere.yaml"),
    ],
)
def test_a_refused_command_says_why_without_a_traceback(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    ran = _run(BIN / "genospark", *(part.format(tmp=tmp_path) for part in arguments), home=tmp_path)
    assert ran.returncode == code
    assert says in ran.stderr
    assert "next step" in ran.stderr
    assert "Traceback" not in ran.stderr
