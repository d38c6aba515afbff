"""``ingest-vcf`` beside what others do with the same file, interleaved on the same two threads; and what it takes of disk and memory.

``make bench-ingest`` runs it; ``make peers`` installs plink2 and bcftools. Hail and bio2zarr get an environment each in ``build/peers``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ingest_cohorts
import ingest_glow
from results_io import row, write

from genospark.core.glow_jars import VARIABLE
from genospark.core.progress import configure_logging, log

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "bench-ingest"
PEERS = ROOT / "build" / "peers"
COMMAND = "make bench-ingest"
ENVIRONMENTS = {"hail": ["hail==0.2.139", "setuptools<81"], "bio2zarr": ["bio2zarr[vcf]==0.2.1"]}
LONG_S = 60
COHORTS: dict[str, tuple[Callable[[Path, int, int], None], int, int, dict[str, float]]] = {
    "A": (ingest_cohorts.write_a, 2500, 900_000, {"plink2": 1.2, "bcftools": 0.3, "hail": 0.2}),
    "B": (ingest_cohorts.write_b, 500, 100_000, {"bcftools": 0.8, "hail": 0.25}),
}
# One session; each line of its input is a file to import and where to.
HAIL = """
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

    def __str__(self) -> str:
        return f"{self.least:.2f} s (median {statistics.median(self.seconds):.2f}, {len(self.seconds)} run(s))"


def environment(name: str) -> Path:
    """Folder of the programs of a peer's own environment."""
    folder = PEERS / name
    if not (folder / "ready").exists():
        uv = str(ROOT / ".tools" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", "3.11", str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), *ENVIRONMENTS[name]], check=True)
        (folder / "ready").touch()
    return folder / "bin"


def timed(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _clean_environment() -> dict[str, str]:
    """Without what tells programs where our Spark and Python are."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SPARK", "PYSPARK", "PYTHON"))}


@contextmanager
def hail() -> Iterator[Callable[[Path, Path], float]]:
    """Hail's session, warm once it has read a file."""
    python = environment("hail") / "python"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(
        [str(python), "-c", HAIL], env=_clean_environment() | {"PYSPARK_SUBMIT_ARGS": "--driver-memory 4g pyspark-shell"}, **pipes
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


class WorkerMemory:
    """Highest resident memory of a Python worker of this process's Spark session, in MB, while it is watched."""

    def __init__(self) -> None:
        self.most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> WorkerMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    if b"genospark.core.daemon" in (folder / "cmdline").read_bytes():
                        # What is shared with the daemon that forked it counts, too.
                        lines = (folder / "smaps_rollup").read_text().splitlines()
                        self.most = max(self.most, next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024)
                except (OSError, StopIteration):
                    continue


def ingest(source: Path, warehouse: Path) -> float:
    """Our stage with its defaults, in this process's session: seconds from the call to the committed run."""
    from genospark.core.session import session
    from genospark.ingest.variants import IngestVcfConfig, ingest_vcf

    shutil.rmtree(warehouse, ignore_errors=True)
    shutil.rmtree(f"{warehouse}-crosswalk", ignore_errors=True)
    config = IngestVcfConfig(warehouse=str(warehouse), inputs=[str(source)])
    begun = time.perf_counter()
    ingest_vcf(config, session("bench-ingest"))
    return time.perf_counter() - begun


def sources(name: str, scale: float) -> tuple[Path, Path]:
    """The cohort's file, and one of a tenth of its sites."""
    maker, people, sites, _ = COHORTS[name]
    found = []
    for count in (int(sites * scale), int(sites * scale) // 10):
        path = FOLDER / f"{name}-{people}-{count}.vcf.gz"
        if not path.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            log.info("bench-ingest: making %s", path)
            maker(path, people, count)
        found.append(path)
    return found[0], found[1]


def peers(source: Path, made: Path) -> dict[str, list[str]]:
    """Commands of the peers that are programs."""
    vcf2zarr = str(environment("bio2zarr") / "vcf2zarr")
    return {
        "plink2": ["plink2", "--vcf", str(source), "--make-pgen", "--threads", "2", "--out", str(made / "plink2")],
        "bcftools": ["bcftools", "view", "--threads", "2", "-Ob", "-o", str(made / "a.bcf"), str(source)],
        "bio2zarr": [vcf2zarr, "convert", "--force", "-p", "2", str(source), str(made / "a.vcz")],
    }


def compare(name: str, scale: float, repeats: int) -> list[dict[str, Any]]:
    source, tenth = sources(name, scale)
    made = FOLDER / "made"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    cold = ingest(tenth, made / "warm")
    runs: dict[str, Runs] = {}
    with WorkerMemory() as small:
        runs["genospark, a tenth"] = Runs([ingest(tenth, made / "warm")])
    commands = peers(source, made)
    with hail() as run_hail, WorkerMemory() as large:
        run_hail(tenth, made / "warm.mt")
        for turn in range(repeats):
            runs.setdefault("genospark", Runs()).seconds.append(ingest(source, made / "ours"))
            tools: dict[str, Callable[[], float]] = {tool: lambda command=command: timed(command) for tool, command in commands.items()}
            tools["hail"] = lambda: run_hail(source, made / "a.mt")
            for tool, run in tools.items():
                known = runs.setdefault(tool, Runs())
                # Whoever takes a minute runs once.
                if turn == 0 or known.least < LONG_S:
                    known.seconds.append(run())
            log.info("bench-ingest %s: %s", name, "; ".join(f"{tool} {found}" for tool, found in runs.items()))
    stored = sum(path.stat().st_size for path in (made / "ours" / "tables").rglob("*.parquet")) / source.stat().st_size
    beside = {tool: str(found) for tool, found in runs.items() if tool != "genospark"}
    ours = runs["genospark"].least
    label = f"cohort {name} ({COHORTS[name][1]:,} people, {int(COHORTS[name][2] * scale):,} sites)"
    rows = [row(f"{label}: ingest-vcf", str(runs["genospark"]), "s, least and median", "", None, COMMAND, beside)]
    for tool, goal in COHORTS[name][3].items():
        ratio = round(ours / runs[tool].least, 3)
        rows.append(row(f"{label}: time of ingest-vcf by that of {tool}", ratio, "ratio", f"<= {goal}", ratio <= goal, COMMAND))
    rows.append(row(f"{label}: the first job of a session, on a tenth of the sites", round(cold, 2), "s", "", None, COMMAND))
    rows.append(row(f"{label}: stored size by that of the .vcf.gz", round(stored, 3), "ratio", "<= 1", stored <= 1, COMMAND))
    rows.append(row(f"{label}: peak memory of a Python worker", round(large.most), "MB", "<= 400", large.most <= 400, COMMAND))
    share = small.most / large.most
    rows.append(
        row(
            f"{label}: peak memory with a tenth of the sites, by that", round(share, 2), "ratio", "0.8 to 1.2", 0.8 <= share <= 1.2, COMMAND
        )
    )
    rows.append(_two_cores(label, source, tenth))
    return rows


def _two_cores(label: str, source: Path, tenth: Path) -> dict[str, Any]:
    """Each number of cores in a session of its own, one after the other."""
    seconds = {cores: min(_alone(source, tenth, cores) for _ in range(2)) for cores in (1, 2)}
    gain = round(seconds[1] / seconds[2], 2)
    return row(
        f"{label}: time on one core by that on two",
        gain,
        "ratio",
        ">= 1.7",
        gain >= 1.7,
        COMMAND,
        {str(key): round(value, 2) for key, value in seconds.items()},
    )


def _alone(source: Path, tenth: Path, cores: int) -> float:
    command = [
        "taskset",
        "-c",
        ",".join(map(str, range(cores))),
        sys.executable,
        __file__,
        "--time",
        str(tenth),
        str(source),
        "--cores",
        str(cores),
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent).stdout
    return float(said.split()[-1])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=1.0, help="share of the sites")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--only", choices=list(COHORTS))
    options.add_argument("--time", type=Path, nargs=2, help="read two files in a session of its own, and print the seconds of the second")
    options.add_argument("--cores", type=int, default=2)
    given = options.parse_args()
    configure_logging()
    if given.time:
        os.environ["PYSPARK_SUBMIT_ARGS"] = f"--master local[{given.cores}] pyspark-shell"
        print([ingest(path, FOLDER / "alone") for path in given.time][-1])
        return
    chosen = [name for name in COHORTS if given.only in (None, name)]
    rows = [entry for name in chosen for entry in compare(name, given.scale, given.repeats)]
    if VARIABLE in os.environ:
        # Time of both engines grows with the sites: a tenth of them is enough.
        small = {f"cohort {name}, a tenth of the sites": sources(name, given.scale)[1] for name in chosen}
        rows += ingest_glow.compare(small, given.repeats, f"{VARIABLE}=PATHS {COMMAND}")
    if given.scale == 1 and given.only is None:
        write("ingest", rows)
    for entry in rows:
        print(entry["figure"], entry["value"], entry["unit"], entry["goal"], entry["holds"], entry["peers"] or "")


if __name__ == "__main__":
    main()
