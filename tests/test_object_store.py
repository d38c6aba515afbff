"""Files and warehouse on an object store, by S3's protocol: the same tables as on the local disk, and clear words where it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import duckdb
import pytest
import yaml
from object_store import Store, failing_at_first, serving
from support import Cohort, small_config

from genospark.core import paths
from genospark.core.ledger import Ledger
from genospark.models.bundle import load
from genospark.schema import TABLES
from genospark.sql import duck

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
LABELS = b"sampleId\tasthma\nS1\t1\nS2\t0\n"
WAREHOUSE = "s3://cohort/warehouse"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with serving(tmp_path_factory.mktemp("store") / "server.log", strict=False) as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.variables.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that checks credentials."""
    with serving(tmp_path_factory.mktemp("strict") / "server.log", strict=True) as found:
        boto3.client("s3", **found.client).put_object(Bucket="cohort", Key="labels.tsv", Body=LABELS)
        yield found


@pytest.fixture(scope="module")
def labels(store: Store) -> str:
    """A phenotype file in the bucket."""
    url = "s3://cohort/labels.tsv"
    paths.write_whole(paths.place(url), LABELS)
    return url


@pytest.fixture(scope="module")
def config(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "everything.yaml"
    path.write_text(yaml.safe_dump(small_config(WAREHOUSE).model_dump(mode="json"), sort_keys=False))
    return path


@pytest.fixture(scope="module")
def everything(store: Store, config: Path) -> str:
    """A warehouse in a bucket that went through every stage, with all input files there, too."""
    ran = store.genospark("run", "--config", config, timeout=3000)
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert store.secret not in ran.stdout + ran.stderr
    return WAREHOUSE


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    found = connection.sql(f'SELECT * EXCLUDE (runId) FROM "{name}"').fetchall()
    # A network of regulation is named after its run, which knows the path of the gold standard.
    return sorted(re.sub("regulation-[0-9a-f]{12}", "regulation", repr(row)) for row in found)


def test_tables_are_those_of_a_local_warehouse(cohort: Cohort, everything: str) -> None:
    with duck.connect(str(cohort.path)) as local, duck.connect(everything) as remote:
        names = [row[0] for row in remote.sql("SHOW TABLES").fetchall()]
        assert names == [row[0] for row in local.sql("SHOW TABLES").fetchall()]
        assert set(names) <= set(TABLES)
        assert [name for name in names if name != "runs" and _rows(local, name) != _rows(remote, name)] == []


def test_runs_name_urls_and_no_secret(everything: str, store: Store) -> None:
    runs = Ledger(everything).runs()
    files = {entry["path"] for run in runs if run["stage"] == "ingest-vcf" for entry in run["inputs"] if entry["sizeBytes"]}
    assert files == {f"{WAREHOUSE}/input/genotypes.vcf.gz"}
    assert store.secret not in repr(runs)
    assert store.key not in repr(runs)
    assert store.endpoint not in repr(runs)


def test_bundles_and_the_vcf_lie_beside_the_tables(cohort: Cohort, everything: str) -> None:
    for bundle in (entry for entry in (cohort.path / "bundles").iterdir() if entry.name != "checkpoints"):
        task = bundle.name.partition("-")[0]
        assert load(paths.place(f"{everything}/bundles/{bundle.name}"), task).version == load(bundle, task).version
    assert paths.place(f"{everything}/calls.vcf.gz").stat().st_size == (cohort.path / "calls.vcf.gz").stat().st_size
    assert paths.place(f"{everything}/calls.vcf.gz.tbi").exists()


def test_the_same_again_does_nothing(store: Store, everything: str, config: Path) -> None:
    before = len(Ledger(everything).runs())
    ran = store.genospark("run", "--config", config)
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert "nothing to do" in ran.stderr
    assert len(Ledger(everything).runs()) == before


@pytest.mark.parametrize("engine", ["spark", "duckdb"])
def test_sql(store: Store, everything: str, engine: str) -> None:
    # Hadoop's spelling is as good.
    ran = store.genospark("sql", "--warehouse", "s3a://cohort/warehouse/", "--engine", engine, "--csv", "SELECT count(*) AS n FROM samples")
    assert (ran.returncode, ran.stdout) == (0, "n\n240\n"), ran.stderr[-2000:]


def test_people_are_withdrawn_and_blocks_put_together(store: Store, everything: str, tmp_path: Path) -> None:
    with duck.connect(everything) as connection:
        people = [row[0] for row in connection.sql("SELECT sampleId FROM samples ORDER BY 1 LIMIT 2").fetchall()]
    paths.write_whole(paths.place("s3://cohort/lists/gone.txt"), "\n".join(people).encode())
    ran = store.genospark("withdraw", "--warehouse", everything, "--samples", "s3://cohort/lists/gone.txt")
    assert ran.returncode == 0, ran.stderr[-4000:]
    ran = store.genospark("compact", "--warehouse", everything, "--set", "retention_hours=0")
    assert ran.returncode == 0, ran.stderr[-4000:]
    ran = store.genospark("export", "--warehouse", everything, "--set", "out=s3://cohort/plain", "--set", "tables=[samples, expression]")
    assert ran.returncode == 0, ran.stderr[-4000:]
    files = paths.file_system(everything)
    with duck.connect(everything) as connection:
        for name, column in (("samples", "sampleId"), ("expression", "sampleId"), ("riskScores", "sampleId")):
            assert connection.sql(f"SELECT count(*) FROM {name} WHERE {column} IN {tuple(people)}").fetchone() == (0,)
        assert connection.sql("SELECT count(*) FROM read_parquet('s3://cohort/plain/samples/*.parquet')").fetchone() == (238,)
    # Nor does any file name them that is still there.
    for path in files.find(f"{everything}/tables/samples") + files.find(f"{everything}/tables/expression"):
        if "/_delta_log/" in path:
            assert not any(person.encode() in files.cat(path) for person in people)
        elif path.endswith(".parquet"):
            with duck.connect(everything) as connection:
                query = f"SELECT count(*) FROM read_parquet('s3://{path}') WHERE sampleId IN {tuple(people)}"
                assert connection.sql(query).fetchone() == (0,)


def test_a_store_that_fails_at_first_is_asked_again(store: Store, labels: str) -> None:
    with failing_at_first(store.endpoint, 2) as (endpoint, failures):
        words = ("ingest-phenotypes", "--warehouse", "s3://cohort/other", "--input", labels)
        ran = store.genospark(*words, AWS_ENDPOINT_URL=endpoint)
    assert ran.returncode == 0, ran.stderr[-4000:]
    # Files, delta-rs's log and Spark's tables all came through the proxy.
    for part in ("GET /cohort/labels.tsv", "PUT /cohort/other/tables/runs/_delta_log", "PUT /cohort/other/tables/phenotypes/main/"):
        assert [tries for request, tries in failures.seen.items() if request.startswith(part) and tries > 2], part
    with duck.connect("s3://cohort/other") as connection:
        assert connection.sql("SELECT count(*) FROM phenotypes").fetchone() == (2,)


@pytest.mark.parametrize(
    ("words", "variables", "code", "said"),
    [
        (("--input", "s3://cohort/nothing.tsv"), {}, 3, "s3://cohort/nothing.tsv: no such file"),
        (("--input", "s3://cohort/nothing/*.tsv"), {}, 3, "s3://cohort/nothing/*.tsv: no such file"),
        (("--input", "s3://absent/file.tsv"), {}, 3, "s3://absent/file.tsv: no such file"),
        (("--input", "s3://cohort/labels.tsv"), {"AWS_SECRET_ACCESS_KEY": "wrong"}, 3, "s3://cohort/labels.tsv: the store refuses: "),
        (("--input", "s3://cohort/*.tsv"), {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 3, "s3://cohort/*.tsv: the store refuses: "),
        (("--warehouse", "s3://absent/w"), {}, 7, "s3://absent/w: no such bucket"),
        (("--warehouse", "s3://cohort/w"), {"AWS_ACCESS_KEY_ID": "nobody"}, 7, "s3://cohort/w: the store refuses: "),
    ],
)
def test_one_clean_message(strict: Store, tmp_path: Path, words: tuple[str, str], variables: dict[str, str], code: int, said: str) -> None:
    local = tmp_path / "labels.tsv"
    local.write_bytes(LABELS)
    options = {"--warehouse": str(tmp_path / "w"), "--input": str(local)} | dict([words])
    ran = strict.genospark("ingest-phenotypes", *(word for pair in options.items() for word in pair), **variables)
    assert ran.returncode == code, ran.stderr[-3000:]
    assert ran.stderr[ran.stderr.index("error: ") :].startswith(f"error: {said}")
    assert "next step: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert strict.secret not in ran.stderr
    assert strict.key not in ran.stderr


def test_only_one_run_of_a_stage_at_a_time(store: Store, labels: str) -> None:
    lease = "s3://cohort/busy/locks/ingest-phenotypes.00000001"
    paths.write_whole(paths.place(lease), b"`ingest-phenotypes` runs on another machine")
    ran = store.genospark("ingest-phenotypes", "--warehouse", "s3://cohort/busy", "--input", labels)
    assert ran.returncode == 8, ran.stderr[-3000:]
    assert "`ingest-phenotypes` cannot write now: `ingest-phenotypes` runs on another machine" in ran.stderr
