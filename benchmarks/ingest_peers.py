"""The programs that ingest and quality control are timed beside, each on two threads; Hail and bio2zarr in environments of their own."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_ENVIRONMENTS = {"hail": ["hail==0.2.139", "setuptools<81"], "bio2zarr": ["bio2zarr[vcf]==0.2.1"]}
_LONG_S = 60
# One session; each line of its input is a file to import and where to.
_HAIL = """
import sys, time, hail as hl
hl.init(master='local[2]', quiet=True, log='/dev/null')
print('seconds 0', flush=True)
for line in sys.stdin:
    source, target = line.split()
    begun = time.perf_counter()
    read = hl.import_vcf(source, force_bgz=True, reference_genome=None, array_elements_required=False, min_partitions=2)
    read.write(target, overwrite=True)
    print('seconds', time.perf_counter() - begun, flush=True)
"""


@dataclass
class Runs:
    """Seconds of a tool's runs."""

    seconds: list[float] = field(default_factory=list)

    @property
    def least(self) -> float:
        return min(self.seconds)

    def once_more(self, run: Callable[[], float]) -> None:
        """Runs it, but whoever takes a minute only once."""
        if not self.seconds or self.least < _LONG_S:
            self.seconds.append(run())

    def __str__(self) -> str:
        return f"{self.least:.2f} s (median {statistics.median(self.seconds):.2f}, {len(self.seconds)} run(s))"


def environment(name: str) -> Path:
    """Folder of the programs of a peer's own environment."""
    folder = ROOT / "build" / "peers" / name
    if not (folder / "ready").exists():
        uv = str(ROOT / ".tools" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", "3.11", str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), *_ENVIRONMENTS[name]], check=True)
        (folder / "ready").touch()
    return folder / "bin"


def timed(command: list[str]) -> float:
    """Seconds of a command; its output goes nowhere."""
    begun = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return perf_counter() - begun


def programs(source: Path, made: Path) -> dict[str, list[str]]:
    """Commands that convert a VCF."""
    vcf2zarr = str(environment("bio2zarr") / "vcf2zarr")
    return {
        "plink2": ["plink2", "--vcf", str(source), "--make-pgen", "--threads", "2", "--out", str(made / "plink2")],
        "bcftools": ["bcftools", "view", "--threads", "2", "-Ob", "-o", str(made / "a.bcf"), str(source)],
        "bio2zarr": [vcf2zarr, "convert", "--force", "-p", "2", str(source), str(made / "a.vcz")],
    }


def _clean_environment() -> dict[str, str]:
    """Without what tells programs where our Spark and Python are."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SPARK", "PYSPARK", "PYTHON"))}


@contextmanager
def hail() -> Iterator[Callable[[Path, Path], float]]:
    """Hail's session, warm once it has read a file."""
    python = environment("hail") / "python"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(
        [str(python), "-c", _HAIL], env=_clean_environment() | {"PYSPARK_SUBMIT_ARGS": "--driver-memory 4g pyspark-shell"}, **pipes
    ) as process:

        def answer() -> float:
            # Spark writes to the same stream.
            for line in process.stdout:
                if line.startswith("seconds "):
                    return float(line.split()[1])
            raise SystemExit("Hail ended without an answer")

        def run(source: Path, target: Path) -> float:
            process.stdin.write(f"{source} {target}\n")
            process.stdin.flush()
            return answer()

        answer()

        yield run
        process.stdin.close()
