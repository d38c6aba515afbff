"""``ingest-vcf`` beside what others do with the same file, interleaved on the same two threads; and what it takes of disk and memory.

``make bench-ingest`` runs it; ``make peers`` installs plink2 and bcftools. Hail and bio2zarr get an environment each in ``build/peers``.
Figures are written as they come.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ingest_cohorts
import ingest_glow
import ingest_quality
from ingest_peers import ROOT, Runs, hail, programs, timed
from ingest_runs import WorkerMemory, ingest
from results_io import row, update

from genospark.core.glow_jars import VARIABLE
from genospark.core.progress import configure_logging, log

FOLDER = ROOT / "build" / "bench-ingest"
COMMAND = "make bench-ingest"
COHORTS: dict[str, tuple[Callable[[Path, int, int], None], int, int, dict[str, float]]] = {
    "A": (ingest_cohorts.write_a, 2500, 900_000, {"plink2": 1.2, "bcftools": 0.3, "hail": 0.2}),
    "B": (ingest_cohorts.write_b, 500, 100_000, {"bcftools": 0.8, "hail": 0.25}),
}


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


def compare(name: str, scale: float, repeats: int) -> Iterator[list[dict[str, Any]]]:
    """The cohort's rows, again whenever there is more to say: what is cut short keeps what it has."""
    source, tenth = sources(name, scale)
    label = f"cohort {name} ({COHORTS[name][1]:,} people, {int(COHORTS[name][2] * scale):,} sites)"
    made = FOLDER / "made"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    ingest(tenth, made / "warm")
    with WorkerMemory() as small:
        warm = ingest(tenth, made / "warm")
    runs = {"genospark, a tenth": Runs([warm])}
    commands = programs(source, made)
    last = commands.pop("bio2zarr")
    rows: list[dict[str, Any]] = []
    most = 0.0
    with hail() as run_hail:
        run_hail(tenth, made / "warm.mt")
        for turn in range(repeats):
            # Watched alone: looking costs time that the others should not pay.
            with WorkerMemory() as large:
                runs.setdefault("genospark", Runs()).seconds.append(ingest(source, made / "ours"))
            most = max(most, large.most)
            tools: dict[str, Callable[[], float]] = {tool: lambda command=command: timed(command) for tool, command in commands.items()}
            tools["hail"] = lambda: run_hail(source, made / "a.mt")
            for tool, run in tools.items():
                runs.setdefault(tool, Runs()).once_more(run)
            log.info("bench-ingest %s, turn %d: %s", name, turn + 1, "; ".join(f"{tool} {found}" for tool, found in runs.items()))
            stored = sum(path.stat().st_size for path in (made / "ours" / "tables").rglob("*.parquet")) / source.stat().st_size
            rows = [*_speed(label, runs, COHORTS[name][3]), *_size(label, stored, small.most, most)]
            yield rows
    if name == "A":
        for more in ingest_quality.compare(label, source, made / "ours", made, repeats, COMMAND):
            yield rows + more
        rows += more
    rows += _sessions(label, source, tenth)
    yield rows
    # No figure needs it, and it is the slowest.
    runs["bio2zarr"] = Runs([timed(last)])
    yield [*_speed(label, runs, COHORTS[name][3]), *rows[1 + len(COHORTS[name][3]) :]]


def _speed(label: str, runs: dict[str, Runs], goals: dict[str, float]) -> Iterator[dict[str, Any]]:
    beside = {tool: str(found) for tool, found in runs.items() if tool != "genospark"}
    yield row(f"{label}: ingest-vcf", str(runs["genospark"]), "s, least and median", "", None, COMMAND, beside)
    for tool, goal in goals.items():
        ratio = round(runs["genospark"].least / runs[tool].least, 3)
        yield row(f"{label}: time of ingest-vcf by that of {tool}", ratio, "ratio", f"<= {goal}", ratio <= goal, COMMAND)


def _size(label: str, stored: float, small: float, large: float) -> Iterator[dict[str, Any]]:
    """What it takes of disk, and of memory (MB) with a tenth of the sites and with all."""
    yield row(f"{label}: stored size by that of the .vcf.gz", round(stored, 3), "ratio", "<= 1", stored <= 1, COMMAND)
    yield row(f"{label}: peak memory of a Python worker", round(large), "MB", "<= 400", large <= 400, COMMAND)
    share = round(small / large, 2)
    yield row(f"{label}: peak memory with a tenth of the sites, by that", share, "ratio", "0.8 to 1.2", 0.8 <= share <= 1.2, COMMAND)


def _sessions(label: str, source: Path, tenth: Path) -> Iterator[dict[str, Any]]:
    """What sessions of one and of two cores take, each of its own, one after the other."""
    runs = {cores: [_alone(source, tenth, cores) for _ in range(2)] for cores in (1, 2)}
    cold = min(first for first, _ in runs[2])
    yield row(f"{label}: the first job of a session, on a tenth of the sites", round(cold, 2), "s", "", None, COMMAND)
    seconds = {cores: min(second for _, second in found) for cores, found in runs.items()}
    gain, beside = round(seconds[1] / seconds[2], 2), {str(key): round(value, 2) for key, value in seconds.items()}
    yield row(f"{label}: time on one core by that on two", gain, "ratio", ">= 1.7", gain >= 1.7, COMMAND, beside)


def _alone(source: Path, tenth: Path, cores: int) -> tuple[float, float]:
    """Seconds of the first job of a session, and of the second."""
    own = [sys.executable, __file__, "--time", str(tenth), str(source), "--cores", str(cores)]
    command = ["taskset", "-c", ",".join(map(str, range(cores))), *own]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent).stdout
    first, second = said.split()[-2:]
    return float(first), float(second)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=1.0, help="share of the sites")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--only", choices=list(COHORTS))
    options.add_argument("--time", type=Path, nargs=2, help="read two files in a session of its own, and print the seconds")
    options.add_argument("--cores", type=int, default=2)
    given = options.parse_args()
    configure_logging()
    if given.time:
        os.environ["PYSPARK_SUBMIT_ARGS"] = f"--master local[{given.cores}] pyspark-shell"
        print(*(ingest(path, FOLDER / "alone") for path in given.time))
        return
    chosen = [name for name in COHORTS if given.only in (None, name)]
    for name in chosen:
        for rows in compare(name, given.scale, given.repeats):
            _keep(f"cohort {name} (", rows, given.scale)
    if VARIABLE in os.environ:
        # Time of both engines grows with the sites: a tenth of them is enough.
        for name in chosen:
            label = f"cohort {name}, a tenth of the sites"
            files = {label: sources(name, given.scale)[1]}
            _keep(label, ingest_glow.compare(files, given.repeats, f"{VARIABLE}=PATHS {COMMAND}"), given.scale)


def _keep(start: str, rows: list[dict[str, Any]], scale: float) -> None:
    """Takes rows into the results, in the place of those that begin like them; those of a smaller cohort are only shown."""
    if scale == 1:
        update("ingest", start, rows)
    for entry in rows:
        print(entry["figure"], entry["value"], entry["unit"], entry["goal"], entry["holds"], entry["peers"] or "", flush=True)


if __name__ == "__main__":
    main()
