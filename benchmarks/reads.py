"""Speed and memory from reads to calls: windows beside a ``pysam.pileup`` loop, all of it beside freebayes, two executors beside one.

``make bench-reads`` runs it; ``make peers`` installs ART, bwa, samtools and freebayes. Reads are of a simulated genome at 30x.
Speeds are by CPU time of one core, so a busy machine matters little; only the executors' are by the clock.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# One core each, as freebayes.
os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

import pandas as pd
import pyarrow as pa
import pysam
from callers import call as peer
from results_io import row, write
from simulated_genomes import Library, check_programs, sequence, write_reference

from genospark.core.progress import configure_logging, log
from genospark.ingest.alignments import rows_of
from genospark.ingest.reads import ReadFilters, Region, pile_up, plan_regions, read_alignment_header
from genospark.models.bundle import load
from genospark.scoring.calls import caller
from genospark.simulate.arrays import stream
from genospark.simulate.genome import GenomeConfig, draw_genome
from genospark.tasks.bundles import shipped
from genospark.tasks.variants import TASK

COMMAND = "make bench-reads"
DEPTH = 30
LIBRARY = Library("HS25", 150, (400, 80))
SETTINGS = '{{"contigs": {{"genome": {bases}}}, "min_depth": 2, "min_quality": 10, "blocks": false}}'
REGION_BP = 100_000
PEOPLE = 80
"""Whose reads executors share: so many that a session's start is a small part of it."""


def simulated(folder: Path, bases: int) -> tuple[Path, Path]:
    """Reference and reads; what is there already stays."""
    bam, fasta = folder / "person.bam", folder / "reference.fa"
    if not Path(f"{bam}.bai").is_file():
        contigs = [draw_genome("genome", GenomeConfig(bases=bases), 1, stream(1, "speed"))]
        write_reference(contigs, folder)
        sequence(contigs, 0, "person", DEPTH, LIBRARY, 1, folder)
    return fasta, bam


def regions(bam: Path) -> list[Region]:
    return plan_regions(read_alignment_header(bam), REGION_BP)


def pileup_loop(bam: Path, bases: int) -> int:
    """What a script does that counts bases by position with pysam; returns the number of bases."""
    counted = 0
    with pysam.AlignmentFile(str(bam)) as file:
        for column in file.pileup("genome", 0, bases, truncate=True, min_base_quality=6, max_depth=8000):
            seen = [0] * 8
            for read, letter in zip(column.pileups, column.get_query_sequences(), strict=True):
                place = "ACGT".find(letter.upper())
                if read.alignment.mapping_quality >= 20 and place >= 0:
                    seen[place + 4 * read.alignment.is_reverse] += 1
            counted += sum(seen)
    return counted


def spent(work: Any) -> float:
    """CPU seconds of this process for some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def whole(fasta: Path, bam: Path, bases: int, bundle: Path) -> None:
    """Windows, network and calls in this process, as a worker of Spark does it."""
    call = caller(SETTINGS.format(bases=bases))(load(bundle, TASK))
    for region in regions(bam):
        batch: pa.RecordBatch = rows_of(region, str(fasta), ReadFilters())
        profiles = pa.nulls(batch.num_rows, pa.binary())
        batch = pa.RecordBatch.from_arrays([*batch.columns, profiles], [*batch.schema.names, "errorProfile"])
        for at in range(0, batch.num_rows, 100):
            call(batch.slice(at, 100))


def executors(fasta: Path, bam: Path, bundle: Path, folder: Path) -> list[float]:
    """Seconds of ``genospark call`` of `PEOPLE` on one core and on two, a task on each: the same reads under as many names.

    All of Spark has these cores and no others, or its own threads would work for one task on a second core.
    """
    (folder / "people").mkdir(exist_ok=True)
    lines = ["sampleId\tpath"]
    for number in range(PEOPLE):
        copy = folder / "people" / f"p{number}.bam"
        for end in ("", ".bai"):
            Path(f"{copy}{end}").unlink(missing_ok=True)
            os.link(f"{bam}{end}", f"{copy}{end}")
        lines.append(f"p{number}\tpeople/{copy.name}")
    sheet = folder / "people.tsv"
    sheet.write_text("\n".join(lines) + "\n")
    found = []
    there = sorted(os.sched_getaffinity(0))
    try:
        for cores in (1, 2):
            words = [str(Path(sys.executable).with_name("genospark")), "call", "--samples", str(sheet), "--reference", str(fasta)]
            environment = os.environ | {"PYSPARK_SUBMIT_ARGS": f"--master local[{cores}] pyspark-shell"}
            os.sched_setaffinity(0, there[:cores])
            began = time.monotonic()
            subprocess.run([*words, "--out", str(folder / "calls.vcf.gz"), "--bundle", str(bundle)], env=environment, check=True)
            found.append(time.monotonic() - began)
    finally:
        os.sched_setaffinity(0, there)
    return found


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path, help="keep files here")
    options.add_argument("--bases", type=int, default=1_000_000)
    options.add_argument("--bundle", type=Path, help="another caller than the package's")
    options.add_argument("--no-executors", action="store_true", help="leave out what needs a quiet machine")
    chosen = options.parse_args()
    configure_logging()
    check_programs()
    bundle = chosen.bundle or shipped(TASK)
    with tempfile.TemporaryDirectory() as scratch:
        work = (chosen.work or Path(scratch)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        fasta, bam = simulated(work, chosen.bases)
        rows: list[dict[str, Any]] = []

        def add(figure: str, value: float, unit: str, goal: str = "", holds: bool | None = None, peers: object = None) -> None:
            rows.append(row(figure, f"{value:,.4g}" if value < 1000 else f"{value:,.0f}", unit, goal, holds, COMMAND, peers))

        windows = min(spent(lambda: [pile_up(region, fasta) for region in regions(bam)]) for _ in range(2))
        loop = spent(lambda: pileup_loop(bam, chosen.bases))
        add("windows, reference bases a CPU second, 30x", chosen.bases / windows, "bp/s")
        add("pysam.pileup loop, reference bases a CPU second, 30x", chosen.bases / loop, "bp/s")
        add("windows: times a pysam.pileup loop", loop / windows, "ratio", ">= 5", loop / windows >= 5)
        whole(fasta, bam, chosen.bases, bundle)
        ours = spent(lambda: whole(fasta, bam, chosen.bases, bundle))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        _, theirs = peer("freebayes", bam, fasta)
        add("windows, network and calls, reference bases a CPU second, 30x", chosen.bases / ours, "bp/s")
        add("freebayes, reference bases a CPU second, 30x", chosen.bases / theirs, "bp/s")
        add("windows, network and calls: times freebayes", theirs / ours, "ratio", ">= 1", theirs >= ours)
        add("peak memory of windows, network and calls", memory, "GiB", "<= 1.4 (1.5 GB)", memory <= 1.5e9 / 2**30)
        if not chosen.no_executors:
            log.info("one executor, then two")
            one, two = executors(fasta, bam, bundle, work)
            add("genospark call, two executors: times one", one / two, "ratio", ">= 1.7", one / two >= 1.7, f"{one:.0f} s and {two:.0f} s")
        shutil.rmtree(work / "warehouse", ignore_errors=True)
    print(pd.DataFrame(rows)[["figure", "value", "goal", "holds"]].to_string())
    write("reads", rows)


if __name__ == "__main__":
    main()
