"""Every job through a real spark-submit, in an environment with nothing but the system's PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from support import ROOT, Cohort

from genospark.core.config import load
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError
from genospark.pipeline import PipelineConfig
from genospark.sql import query
from genospark.stages import STAGES

BIN = Path(sys.executable).parent
SETTINGS = ["cohort.people=120", "cohort.variants=300", "cohort.genes=10", "cohort.diseases=[{name: common, prevalence: 0.4}]"]


def _run(*command: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "SPARK_SUBMIT_OPTS": os.environ["SPARK_SUBMIT_OPTS"]}
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


def test_jobs_go_through_spark_submit(spark: SparkSession, tmp_path: Path) -> None:
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
    found = Warehouse(spark, str(warehouse))
    assert sorted(row["stage"] for row in found.read("runs").collect()) == sorted(set(STAGES) - {"simulate"})
    assert found.read("riskScores").count() == 120


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


def test_queries_print_their_result_or_say_what_is_wrong(cohort: Cohort, spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    query(spark, str(cohort.path), "SELECT stage, count(*) AS n FROM runs WHERE stage = 'train' GROUP BY stage", csv=True)
    assert capsys.readouterr().out.split() == ["stage,n", "train,1"]
    query(spark, str(cohort.path), "SELECT '[bold]' AS word, 0.123456D AS share")
    shown = capsys.readouterr().out
    assert "[bold]" in shown
    assert "0.1235" in shown
    for wrong in ("SELECT nothing FROM riskScores", "SELEC 1", "SELECT raise_error('no') FROM runs"):
        with pytest.raises(ConfigError, match="the query is wrong"):
            query(spark, str(cohort.path), wrong)
