"""GATK's HaplotypeCaller, from Maven Central, in ``build/gatk``: never committed."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from genospark.core import environment
from genospark.core.progress import log
from genospark.errors import SetupError

PACKAGE = "org.broadinstitute:gatk:4.6.2.0"
# Not on Maven Central in the versions that it names, and not needed by the caller.
EXCLUDED = "org.apache.orc:orc*,com.fasterxml.jackson.module:jackson-module-scala_2.13"
FOLDER = Path(__file__).resolve().parents[1] / "build" / "gatk"


def fetch() -> Path:
    """GATK's jars, fetched where they are not there yet (300 MB, once).

    Raises:
        SetupError: They cannot be fetched.
    """
    jars = FOLDER / "ivy" / "jars"
    if not any(jars.glob("org.broadinstitute_gatk-4.6.2.0.jar")):
        log.info("fetching %s", PACKAGE)
        environment.pin()
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            script = Path(scratch, "nothing.py")
            script.touch()
            command = [str(environment.spark_home() / "bin" / "spark-submit"), "--packages", PACKAGE, "--exclude-packages", EXCLUDED]
            command += ["--conf", f"spark.jars.ivy={FOLDER / 'ivy'}", str(script)]
            # A home of its own: a half-filled local Maven repository makes the resolver fail.
            settings = os.environ | {"SPARK_SUBMIT_OPTS": f"-Duser.home={scratch}"}
            ran = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SetupError(f"{PACKAGE} could not be fetched", f"what Spark's resolver said: {ran.stderr[-500:]}")
    return jars


def command() -> str:
    """A shell command that runs the HaplotypeCaller; Spark's own jars stand in for those that GATK wants of Spark."""
    jars = f"{fetch()}/*:{environment.spark_home()}/jars/*"
    java = environment.java_home() / "bin" / "java"
    return f"{java} -Xmx2g -cp {shlex.quote(jars)} org.broadinstitute.hellbender.Main HaplotypeCaller --native-pair-hmm-threads 1"
