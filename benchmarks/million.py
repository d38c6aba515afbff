"""A million variants a person: features, one epoch of training and scoring of 2,000 people, and what memory each process takes for it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ingest_peers import ROOT
from ingest_runs import quality
from memory import Memory
from packed_cohort import Cohort, make
from results_io import row, write

from genospark.core.progress import configure_logging

FOLDER = ROOT / "build" / "bench-million"
COMMAND = "make bench-million"
PEOPLE, VARIANTS = 2_000, 1_000_000
MOST_MB = {"driver": 4096, "worker": 1536, "rank": 2048}
STAGES: dict[str, dict[str, Any]] = {
    "build-features risk": {"variants": VARIANTS, "min_allele_count": 1, "min_call_rate": 0.5},
    "train risk": {"epochs": 1, "batch_size": 8, "network": {"encoder": "scores", "members": 1}},
    "score risk": {},
}


def cohort(people: int, variants: int) -> Path:
    """The warehouse of a cohort."""
    from genospark.core.session import session

    folder = FOLDER / f"{people}-{variants}"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(Cohort(people, variants), folder / "w", session("bench-million"))
        (folder / "made").touch()
    return folder / "w"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--variants", type=int, default=VARIANTS)
    options.add_argument("--only-cohort", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    configure_logging()
    if given.only_cohort:
        cohort(PEOPLE, given.variants)
        return
    # In a process of its own, whose memory is not the driver's.
    subprocess.run([sys.executable, __file__, "--variants", str(given.variants), "--only-cohort"], check=True)
    warehouse = cohort(PEOPLE, given.variants)
    rows: list[dict[str, Any]] = []
    for stage, settings in STAGES.items():
        with Memory() as memory:
            seconds = quality(stage, warehouse, **settings)
        rows.append(row(f"{stage}: {PEOPLE:,} people, {given.variants:,} variants", round(seconds), "s", "", None, COMMAND))
        for kind, most in MOST_MB.items():
            if value := memory.most[kind]:
                figure = f"{stage}: peak memory of a {kind}" if kind != "driver" else f"{stage}: peak memory of the driver's Python"
                rows.append(row(figure, round(value), "MB", f"<= {most}", value <= most, COMMAND))
        rows.append(row(f"{stage}: peak memory of the JVM", round(memory.most["jvm"]), "MB", "", None, COMMAND))
        for entry in rows[-5:]:
            print(entry["figure"], entry["value"], entry["unit"], entry["goal"], entry["holds"], flush=True)
    if given.variants == VARIANTS:
        write("million", rows)


if __name__ == "__main__":
    main()
