"""Every job through a real spark-submit, in an environment with nothing but the system's PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from support import ROOT, Cohort

from genospark.cli import main
from genospark.core.config import load
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError
from genospark.pipeline import PipelineConfig
from genospark.sql import query
from genospark.stages import EVERYTHING, STAGES

BIN = Path(sys.executable).parent


def _run(*command: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "SPARK_SUBMIT_OPTS": os.environ["SPARK_SUBMIT_OPTS"]}
    # The machine's choice of kernels for matrices: others round the last bits differently, and tables are compared to the bit.
    bare |= {name: value for name, value in os.environ.items() if name.startswith(("OPENBLAS_", "ONEDNN_", "GENOSPARK_KEY"))}
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=bare, capture_output=True, text=True, timeout=300, check=False)


def test_every_stage_has_a_job_and_a_configuration_that_fits() -> None:
    everything = list(EVERYTHING.values())
    assert {path.stem for path in (ROOT / "jobs").glob("*.py")} == {stage.job for stage in everything}
    for stage in everything:
        _, model = stage.load()
        config = load(model, ROOT / "conf" / stage.config_file, [], {"warehouse": "w"})
        # The shown values are the defaults: a configuration file that is copied changes nothing.
        assert config == model(warehouse="w")
    whole = load(PipelineConfig, ROOT / "conf" / "cohort-1000g.yaml", [], {})
    for name, settings in whole.stages.items():
        STAGES[name].load()[1](**(settings or {}), warehouse="w")


# Two lists at a time, as there are two cores; what a list needs of the other is in its copy. README's commands submit another job.
MAIN: tuple[dict[str, tuple[str, ...]], ...] = ({"train risk": ("metrics/risk",)},)
OTHERS: tuple[dict[str, tuple[str, ...]], ...] = (
    {
        "simulate": (),
        "ingest-vcf": ("variants", "genotypes", "samples"),
        "qc samples": ("sampleQuality",),
        "ingest-reads": ("readWindows", "referenceContigs"),
        "build-features variants": ("variantExamples",),
        "score variants": ("variantCalls",),
    },
    {
        "ingest-phenotypes": ("phenotypes", "covariates", "pedigree"),
        "ingest-expression": ("expression",),
        "ingest-genes": ("genes", "geneTerms"),
        "infer-network": ("regulatoryEdges",),
        "gwas": ("associations",),
    },
)


def test_the_lists_of_jobs_are_complete() -> None:
    assert {STAGES[stage].job for half in (*MAIN, *OTHERS) for stage in half} == {stage.job for stage in STAGES.values()}


@pytest.mark.parametrize("written", [MAIN, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=["main", "others"])
def test_jobs_write_what_the_functions_write(
    cohort: Cohort, spark: SparkSession, tmp_path: Path, written: tuple[dict[str, tuple[str, ...]], ...]
) -> None:
    """Each job on a copy of the small cohort's warehouse, through spark-submit, rewrites the tables with the same content.

    Of the jobs with a task one task each: tests/cluster submits every stage.
    """

    def submit(stages: list[str]) -> Path:
        copy = tmp_path / stages[0]
        shutil.copytree(cohort.path, copy)
        for stage in stages:
            settings = dict(cohort.config.stages[stage] or {})
            if "crosswalk" in settings:
                settings["crosswalk"] = str(copy / "crosswalk")
            chosen = [word for path in settings.pop("inputs", []) for word in ("--input", path)]
            overrides = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
            entry = STAGES[stage]
            command = [BIN / "spark-submit", f"jobs/{entry.job}.py", *([entry.task] if entry.task else [])]
            command += ["--config", f"conf/{entry.config_file}", "--warehouse", copy, "--rerun"]
            ran = _run(*command, *overrides, *chosen, home=tmp_path)
            assert ran.returncode == 0, f"{stage}: {ran.stderr[-3000:]}"
        return copy

    with ThreadPoolExecutor(2) as pool:
        copies = list(pool.map(submit, map(list, written)))
    for copy, half in zip(copies, written, strict=True):
        for name in (name for names in half.values() for name in names):
            found, expected = (Warehouse(spark, str(path)).read(name) for path in (copy, cohort.path))
            assert found.exceptAll(expected).count() == 0, name
            assert found.count() == expected.count(), name
    if written is OTHERS:
        for name in ("genotypes.vcf.gz", "expression.tsv.gz", "truth/people.tsv"):
            assert (copies[0] / "input" / name).read_bytes() == (cohort.files / name).read_bytes()
        assert (copies[0] / "calls.vcf.gz").read_bytes() == (cohort.path / "calls.vcf.gz").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ingest-vcf", "--input", "nowhere.vcf"], 2, "warehouse"),
        (["train", "risk", "--warehouse", "{tmp}/w"], 4, "build-features risk"),
        (["train", "risk", "--warehouse", "{tmp}/w", "--set", "epoch=3"], 2, "epoch"),
        (["score", "risk", "--warehouse", "{tmp}/w", "--config", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["ingest-expression", "--warehouse", "{tmp}/w", "--input", "{tmp}/bad.tsv"], 3, "bad.tsv: line 2, column G1: 'high'"),
    ],
)
def test_a_refused_command_says_why(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    (tmp_path / "bad.tsv").write_text("sampleId\tG1\np1\thigh\n")
    assert main([part.format(tmp=tmp_path) for part in arguments]) == code
    said = capsys.readouterr().err
    assert says in said
    assert "next step" in said


def test_a_refused_command_shows_no_traceback(tmp_path: Path) -> None:
    ran = _run(BIN / "genospark", "ingest-vcf", "--warehouse", tmp_path / "w", "--input", "nowhere.vcf", home=tmp_path)
    assert ran.returncode == 3
    assert "nowhere.vcf: no such file" in ran.stderr
    assert "next step" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_queries_print_their_result_or_say_what_is_wrong(cohort: Cohort, spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    query(spark, str(cohort.path), "SELECT stage, count(*) AS n FROM runs WHERE stage = 'train risk' GROUP BY stage", csv=True)
    assert capsys.readouterr().out.split() == ["stage,n", "train", "risk,1"]
    query(spark, str(cohort.path), "SELECT '[bold]' AS word, 0.123456D AS share")
    shown = capsys.readouterr().out
    assert "[bold]" in shown
    assert "0.1235" in shown
    for wrong in ("SELECT nothing FROM riskScores", "SELEC 1", "SELECT raise_error('no') FROM runs"):
        with pytest.raises(ConfigError, match="the query is wrong"):
            query(spark, str(cohort.path), wrong)
