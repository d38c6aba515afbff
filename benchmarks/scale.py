"""What a genotype costs where people are many: time, disk and memory of stages on files of as many genotypes of 1,000 to 100,000 people.

A cost is the difference between two runs, of all sites and of a quarter of them, so what a job costs by itself is not in it.
``docs/scale.md`` reckons with these costs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ingest_cohorts import bgzipped, genotype_text, header
from ingest_peers import ROOT, timed
from ingest_runs import WorkerMemory, ingest, quality
from results_io import row, write

from genospark.core.progress import configure_logging, log

FOLDER = ROOT / "build" / "bench-scale"
COMMAND = "make bench-scale"
PEOPLE = (1_000, 10_000, 100_000)
GENOTYPES = 200_000_000
CORES = 2
FLAT = 1.5
"""By how much the dearest of the three may exceed the cheapest."""
SITES = {"pruned": False, "contigs": ["chr1"]}
SEED = 6
STAGES: dict[str, dict[str, Any]] = {
    "qc samples": {},
    "qc components": {"sites": SITES | {"min_allele_frequency": 0.01}, "exact_people": 0, "max_passes": 2, "components": 4},
}
MOST_RELATED = 10_000
"""People up to whom all pairs are compared here: their time grows with the square."""


def make(path: Path, people: int, sites: int) -> None:
    """Phased genotypes, one in a thousand missing. Frequencies are the same for any number of people, so that text is as compressible."""
    rng = np.random.default_rng(SEED)
    frequency = np.exp(rng.uniform(np.log(0.001), np.log(0.5), sites)).astype(np.float32)
    step = max(1, 20_000_000 // people)
    with bgzipped(path) as out:
        out.write(header(people, {"chr1": 100 * sites}, ["GT"]))
        for first in range(0, sites, step):
            own = frequency[first : first + step]
            block = (rng.random((len(own), people, 2), np.float32) < own[:, None, None]).view(np.uint8)
            for number, text in enumerate(genotype_text(block, rng), first):
                out.write(b"chr1\t%d\t.\tA\tG\t.\tPASS\t.\tGT\t" % (100 * number + 1))
                out.write(text)


def files(people: int, genotypes: int) -> list[tuple[Path, int]]:
    """A file of all sites and one of a quarter of them, with their genotypes."""
    found = []
    for sites in (genotypes // people, genotypes // people // 4):
        path = FOLDER / f"{people}-{sites}.vcf.gz"
        if not path.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            log.info("bench-scale: making %s", path)
            make(path, people, sites)
        found.append((path, people * sites))
    return found


class Costs:
    """Costs of a genotype, by what they are of and by the number of people."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats
        self.found: dict[tuple[str, str], dict[int, float]] = {}

    def add(self, figure: str, unit: str, people: int, value: float) -> None:
        log.info("bench-scale: %s, %s people: %.4g %s", figure, f"{people:,}", value, unit)
        self.found.setdefault((figure, unit), {})[people] = value

    def time(self, figure: str, people: int, runs: list[tuple[Callable[[], float], int]], cores: int = CORES, of: str = "genotype") -> None:
        """Nanoseconds of a core, from runs on all and on a quarter of the genotypes, or of what else is counted."""
        (all_run, all_genotypes), (part_run, part_genotypes) = runs
        seconds = [(all_run(), part_run()) for _ in range(self.repeats)]
        most, least = (min(taken) for taken in zip(*seconds, strict=True))
        self.add(figure, f"ns a {of} and core", people, (most - least) * cores * 1e9 / (all_genotypes - part_genotypes))
        self.add(f"{figure}: of the job by itself", "s", people, least - (most - least) * part_genotypes / (all_genotypes - part_genotypes))

    def rows(self) -> list[dict[str, Any]]:
        rows = []
        for (figure, unit), values in self.found.items():
            flat = unit != "s" and len(values) > 1
            times = max(values.values()) / min(values.values()) if flat else 0.0
            goal = f"dearest <= {FLAT:g} x cheapest" if flat else ""
            told = ", ".join(f"{people:,}: {value:.3g}" for people, value in values.items())
            rows.append(row(f"{figure}, by people", told, unit, goal, times <= FLAT if flat else None, COMMAND))
        return rows


def measure(people: int, genotypes: int, costs: Costs) -> None:
    """All costs at a number of people."""
    made = files(people, genotypes)
    warehouses = [FOLDER / "made" / path.stem for path, _ in made]
    shutil.rmtree(FOLDER / "made", ignore_errors=True)
    pairs = list(zip(made, warehouses, strict=True))
    ingest(made[1][0], warehouses[1])
    with WorkerMemory() as memory:
        costs.time("ingest-vcf", people, [(partial(ingest, path, where), n) for (path, n), where in pairs])
    costs.add("ingest-vcf: peak memory of a Python worker", "MB", people, memory.most)
    stored = sum(path.stat().st_size for path in (warehouses[0] / "tables" / "genotypes").rglob("*.parquet"))
    costs.add("genotypes: stored", "bytes a genotype", people, stored / made[0][1])
    for stage, settings in STAGES.items():
        quality(stage, warehouses[1], **settings)
        with WorkerMemory() as memory:
            costs.time(stage, people, [(partial(quality, stage, where, **settings), n) for (_, n), where in pairs])
        costs.add(f"{stage}: peak memory of a Python worker", "MB", people, memory.most)
    if people <= MOST_RELATED:
        pairs_of = [(partial(quality, "qc kinship", where), n // people * (people * (people - 1) // 2)) for (_, n), where in pairs]
        costs.time("qc kinship", people, pairs_of, of="pair, variant")
    program = ["taskset", "-c", "0", str(Path(sys.executable).with_name("genospark")), "check-vcf"]
    costs.time("check-vcf", people, [(partial(timed, [*program, str(path)]), n) for path, n in made], cores=1)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=1.0, help="share of the genotypes")
    options.add_argument("--repeats", type=int, default=2)
    given = options.parse_args()
    configure_logging()
    costs = Costs(given.repeats)
    for people in PEOPLE:
        measure(people, int(GENOTYPES * given.scale), costs)
        if given.scale == 1:
            write("scale", costs.rows())
    for entry in costs.rows():
        print(entry["figure"], entry["value"], entry["unit"], entry["goal"], entry["holds"])


if __name__ == "__main__":
    main()
