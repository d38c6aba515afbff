"""Every stage of a pipeline on a Spark cluster, one spark-submit each, and its tables beside those of a local run.

Run by ``make demo-cluster``, with the cluster of ``deploy/standalone`` and the archives of ``make pack``. The local run is there before:
both read the same input files. Tables must have the same rows; what training measures must agree within the intervals. Stages that score
take the local run's bundles, as floating-point sums of training may differ in their last bits.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.config import load
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.errors import GenosparkError, SetupError
from genospark.pipeline import PipelineConfig, demo_config
from genospark.schema import table
from genospark.sql import duck, show

ROOT = Path(__file__).resolve().parents[1]
PROPERTIES = ROOT / "conf" / "spark" / "cluster.conf"
STAGE_TIMEOUT_S = 1800
# Sums in another order: so much may a float differ, relative to its size or to 1.
TOLERANCE = 1e-9
# Who wrote a row, not what it says.
LINEAGE = ("runId", "modelVersion")


@dataclass(frozen=True)
class Finding:
    """How what a stage wrote compares with the local run's."""

    same: bool
    words: str


def submission(stage: str, settings: dict[str, Any], warehouse: Path, spark_settings: list[str]) -> list[str]:
    """The spark-submit of a stage: nothing but the cluster's settings, the job's file and its options."""
    job, _, task = stage.partition(" ")
    command = [str(Path(sys.executable).with_name("spark-submit")), "--properties-file", str(PROPERTIES)]
    command += [word for setting in spark_settings for word in ("--conf", setting)]
    command += [f"jobs/{job}.py", *([task] if task else []), "--warehouse", str(warehouse), "--rerun"]
    command += [word for path in settings.get("inputs", []) for word in ("--input", path)]
    command += [word for key, value in settings.items() if key != "inputs" for word in ("--set", f"{key}={json.dumps(value)}")]
    return command


def submit(command: list[str], log: Path) -> float:
    """Runs one submission and returns its seconds.

    Raises:
        SetupError: It failed or took too long.
    """
    started = time.monotonic()
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True)
        try:
            code = process.wait(STAGE_TIMEOUT_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if code:
        said = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise SetupError(f"{' '.join(command)} ended with {code}:\n{said}", f"look into {log}")
    return time.monotonic() - started


def check_cluster(spark_settings: list[str]) -> None:
    """Says at once what spark-submit would say after a minute.

    Raises:
        SetupError: No master answers, or nothing is packed.
    """
    lines = [line.split(None, 1) for line in PROPERTIES.read_text().splitlines() if line.strip() and not line.startswith("#")]
    settings = {key: value.strip() for key, value in lines} | dict(setting.split("=", 1) for setting in spark_settings)
    host, _, port = settings["spark.master"].removeprefix("spark://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        raise SetupError(f"no Spark master at {settings['spark.master']}", "start one: deploy/standalone start") from None
    for archive in [*settings["spark.archives"].split(","), *settings.get("spark.files", "").split(",")]:
        if not (ROOT / archive.partition("#")[0]).exists():
            raise SetupError(f"no {archive.partition('#')[0]}", "run `make pack`")


def compare_tables(local: Warehouse, cluster: Warehouse, name: str) -> Finding:
    """Compares all rows of a table, floats exactly and, where they are not, to the tolerance."""
    pair = [_comparable(warehouse.read(name).drop(*LINEAGE)) for warehouse in (local, cluster)]
    counts = [rows.count() for rows in pair]
    if counts[0] != counts[1]:
        return Finding(False, f"{name}: {counts[0]} rows locally, {counts[1]} on the cluster")
    if pair[0].exceptAll(pair[1]).isEmpty():
        return Finding(True, f"{name}: {counts[0]} rows, exactly the same")
    return _nearly(name, pair[0], pair[1])


def _comparable(rows: DataFrame) -> DataFrame:
    """Maps as sorted lists: Spark does not compare maps."""
    maps = [field.name for field in rows.schema if field.dataType.simpleString().startswith("map<")]
    return rows.withColumns({name: f.array_sort(f.map_entries(name)) for name in maps})


def _nearly(name: str, local: DataFrame, cluster: DataFrame) -> Finding:
    """Row by row: which columns differ, in how many rows and by how much."""
    key = list(table(name).key)
    types = {field.name: field.dataType.simpleString() for field in local.schema if field.name not in key}
    both = local.alias("a").join(cluster.alias("b"), key, "full_outer")
    differing = []
    for column, kind in types.items():
        mine, other = f.col(f"a.{column}"), f.col(f"b.{column}")
        apart = f.lit(None).cast("double")
        if kind in ("float", "double"):
            # A value where the other has none is infinitely far.
            apart = f.coalesce(f.abs(mine - other) / f.greatest(f.abs(mine), f.lit(1.0)), f.lit(float("inf")))
            apart = f.when(mine.eqNullSafe(other), 0.0).otherwise(apart)
        elif kind == "array<double>":
            apart = f.array_max(f.zip_with(mine, other, lambda one, two: f.abs(one - two) / f.greatest(f.abs(one), f.lit(1.0))))
            apart = f.when(mine.eqNullSafe(other), 0.0).otherwise(f.coalesce(apart, f.lit(float("inf"))))
        differing += [f.sum((~mine.eqNullSafe(other)).cast("int")).alias(column), f.max(apart).alias(f"{column} apart")]
    found = both.agg(f.count("*").alias("rows"), *differing).first()
    assert found is not None
    words, same = [], found["rows"] == local.count()
    for column in types:
        if not found[column]:
            continue
        apart = found[f"{column} apart"]
        same = same and apart is not None and apart <= TOLERANCE
        words.append(f"{column} in {found[column]} rows" + ("" if apart is None else f" by up to {apart:.1e}"))
    return Finding(same, f"{name}: {found['rows']} rows, differing {'; '.join(words) or 'keys'}")


def compare_metrics(local: Warehouse, cluster: Warehouse, name: str) -> Finding:
    """Each value of a training within the other training's interval."""
    exact = compare_tables(local, cluster, name)
    if exact.same:
        return exact
    key = list(table(name).key)
    columns = ["value", "valueLow", "valueHigh"]
    mine, other = (warehouse.read(name).select(*key, *columns).collect() for warehouse in (local, cluster))
    found = {tuple(row[column] for column in key): row for row in other}
    outside = []
    for row in mine:
        match = found.get(tuple(row[column] for column in key))
        if match is None or not (_within(row, match) and _within(match, row)):
            outside.append(" ".join(str(row[column]) for column in key))
    if outside or len(found) != len(mine):
        return Finding(False, f"{name}: outside the interval: {', '.join(outside) or 'rows that the local run lacks'}")
    return Finding(True, f"{name}: {len(mine)} rows, all within the intervals ({exact.words.partition('differing ')[2]})")


def _within(row: Any, interval: Any) -> bool:
    if row["value"] is None or interval["valueLow"] is None:
        return (row["value"] is None) == (interval["value"] is None)
    return bool(interval["valueLow"] - TOLERANCE <= row["value"] <= interval["valueHigh"] + TOLERANCE)


def compare_files(local: Path, cluster: Path) -> Finding:
    """Every file of a simulated cohort, byte by byte."""
    names = sorted({str(path.relative_to(folder)) for folder in (local, cluster) for path in folder.rglob("*") if path.is_file()})
    _, differing, missing = filecmp.cmpfiles(local, cluster, names, shallow=False)
    if differing or missing:
        return Finding(False, f"files differ: {', '.join(differing + missing)}")
    return Finding(True, f"{len(names)} files, byte for byte the same")


def compare(stage: str, local: Warehouse, cluster: Warehouse) -> list[Finding]:
    """All that a stage wrote."""
    if stage == "simulate":
        return [compare_files(Path(local.path, "input"), Path(cluster.path, "input"))]
    runs = cluster.read("runs").where(f.col("stage") == stage).orderBy(f.desc("finishedAt")).first()
    if runs is None:
        return [Finding(False, "no run")]
    how = compare_metrics if stage.startswith("train") else compare_tables
    return [how(local, cluster, entry["table"]) for entry in runs["outputs"]]


def main() -> int:
    """Submits the stages, compares, prints one table, and returns 1 where something differs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--local", default="demo", metavar="DIR", help="warehouse of the local run, with its input files")
    options.add_argument("--cluster", default="demo-cluster", metavar="DIR", help="warehouse that the cluster writes")
    options.add_argument("--config", type=Path, metavar="FILE", help="a pipeline file as of `genospark run`; the demo where not given")
    options.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE", help="override a setting of conf/spark/cluster.conf")
    options.add_argument("--compare-only", action="store_true", help="compare what is there")
    chosen = options.parse_args()
    try:
        return _run(chosen)
    except GenosparkError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except subprocess.TimeoutExpired as error:
        print(f"error: {error}\n  next step: look into {chosen.cluster}/logs", file=sys.stderr)
        return 1


def _bundle(local: Path, stage: str) -> dict[str, str]:
    """The local run's bundle for stages that score: theirs is compared exactly, and training by its metrics."""
    job, _, task = stage.partition(" ")
    if job != "score":
        return {}
    with duck.connect(str(local)) as tables:
        found = tables.execute("SELECT DISTINCT modelVersion FROM metrics WHERE task = ?", [task]).fetchall()
    ((version,),) = found
    return {"bundle": str(local / "bundles" / version)}


def _run(chosen: argparse.Namespace) -> int:
    config = load(PipelineConfig, chosen.config, [], {}) if chosen.config else demo_config(chosen.local)
    target = Path(chosen.cluster).resolve()
    seconds: dict[str, float] = {}
    if not chosen.compare_only:
        check_cluster(chosen.conf)
        (target / "logs").mkdir(parents=True, exist_ok=True)
        for number, (stage, settings) in enumerate(config.stages.items(), 1):
            log = target / "logs" / f"{stage.replace(' ', '-')}.log"
            wanted = (settings or {}) | _bundle(Path(chosen.local).resolve(), stage)
            seconds[stage] = submit(submission(stage, wanted, target, chosen.conf), log)
            print(f"cluster: {number} of {len(config.stages)}, {stage}: {seconds[stage]:.0f} s", flush=True)
    spark = session("genospark comparison")
    local, cluster = Warehouse(spark, chosen.local), Warehouse(spark, str(target))
    found = {stage: compare(stage, local, cluster) for stage in config.stages}
    rows: list[list[object]] = []
    for stage, findings in found.items():
        same = "yes" if all(one.same for one in findings) else "NO"
        rows.append([stage, f"{seconds[stage]:.0f}" if stage in seconds else None, same, "\n".join(one.words for one in findings)])
    show(["stage", "seconds", "same", "what"], rows, f"{target} (cluster) and {Path(chosen.local).resolve()} (local)")
    return int(not all(one.same for findings in found.values() for one in findings))


if __name__ == "__main__":
    sys.exit(main())
