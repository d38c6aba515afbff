"""Nothing that stages leave behind says who anybody is, but the crosswalk."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support import ROOT, Cohort

from genospark.errors import ConfigError
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes
from genospark.sql import duck
from genospark.sql import query as spark_query
from genospark.stages import STAGES

# What the simulation calls people and families.
ID = re.compile(rb"\b[SF]\d{6}\b")


def _told(path: Path) -> Iterator[bytes]:
    """What a file says: its bytes, and where they are packed, what they stand for."""
    content = path.read_bytes()
    if path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches():
            yield json.dumps(batch.to_pylist(), default=str).encode()
    elif path.suffix == ".gz":
        yield subprocess.run(["gzip", "-dc", path], capture_output=True, check=True).stdout
    else:
        yield content


def _saying(folder: Path) -> set[str]:
    """Rooms of a warehouse that name somebody: in the names of files, or in them."""
    found = set()
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        if ID.search(str(place).encode()) or (path.is_file() and any(ID.search(part) for part in _told(path))):
            found.add(place.parts[0])
    return found


def test_nobody_is_named_but_in_the_files_and_the_crosswalk(cohort: Cohort) -> None:
    assert _saying(cohort.path) == {"input", "crosswalk"}
    assert len(cohort.names) > 240
    for name in ("samples", "expression", "phenotypes", "covariates", "pedigree", "readQuality"):
        assert set(cohort.warehouse.read(name).select("sampleId").distinct().toPandas()["sampleId"]) <= set(cohort.names)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_demo_takes_at_most_eight_minutes_and_says_nobody(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("genospark"), "demo", "--warehouse", tmp_path / "demo"]
    started = time.monotonic()
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    seconds = time.monotonic() - started
    assert ran.returncode == 0, ran.stderr[-2000:]
    for said in ("95% interval", "cardiometabolic", "Tables:", "riskScores", "knownLabel"):
        assert said in ran.stdout
    assert not ID.findall((ran.stdout + ran.stderr).encode())
    assert _saying(tmp_path / "demo") == {"input", "crosswalk"}
    assert seconds < 480
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert again.returncode == 0, again.stderr[-2000:]
    assert again.stderr.count("nothing to do") == len(STAGES) - 1


def test_another_key_is_refused(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("sampleId\td\nS000001\t0\nS000002\t1\n")
    monkeypatch.setenv("GENOSPARK_KEY", "another key, which is no secret either")
    config = IngestPhenotypesConfig(warehouse=str(cohort.path), inputs=[str(path)])
    with pytest.raises(ConfigError, match="named people with another key"):
        ingest_phenotypes(config, cohort.warehouse.spark)


def test_who_may_know_joins_the_crosswalk(cohort: Cohort, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cohort.path)
    query = "SELECT originalId FROM samples JOIN crosswalk USING (sampleId) ORDER BY 1 LIMIT 2"
    duck.query(str(cohort.path), query, csv=True, names="crosswalk")
    spark_query(cohort.warehouse.spark, str(cohort.path), query, csv=True, names="crosswalk")
    assert capsys.readouterr().out.split() == ["originalId", "S000001", "S000002"] * 2
