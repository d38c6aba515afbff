"""``read_vcf`` by the native engine beside Glow, in one session and interleaved: all fields, to a sink that keeps nothing and to Parquet.

``make bench-ingest`` runs it where ``GENOSPARK_GLOW_JARS`` names Glow's jars; alone it prints its figures and writes none.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from results_io import row

from genospark.core.progress import configure_logging, log

GOAL = 3.0
ENGINES = ("native", "glow")
SINKS = ("noop", "parquet")


def compare(files: dict[str, Path], repeats: int, command: str) -> list[dict[str, Any]]:
    """Seconds of both engines, from the call of ``read_vcf``, columns counted, to the last row in the sink.

    Args:
        files: By label, VCF files.
        repeats: Runs that count; one more before them warms up.
        command: What to run to see the figures again.
    """
    from genospark.core.glow_jars import need_glow
    from genospark.core.session import session

    spark = session("bench-ingest")
    need_glow(spark)
    rows = []
    for label, path in files.items():
        for sink in SINKS:
            seconds: dict[str, list[float]] = {engine: [] for engine in ENGINES}
            for turn in range(repeats + 1):
                for engine, found in seconds.items():
                    taken = _read(spark, path, engine, sink)
                    log.info("bench-ingest %s, %s: %s %.2f s%s", label, sink, engine, taken, "" if turn else " (warm-up)")
                    if turn:
                        found.append(taken)
            ratio = round(min(seconds["glow"]) / min(seconds["native"]), 2)
            beside = {engine: f"{min(found):.2f} s (median {statistics.median(found):.2f})" for engine, found in seconds.items()}
            figure = f"{label}: all fields by read_vcf to {sink}, time of Glow by that of the native engine"
            rows.append(row(figure, ratio, "ratio", f">= {GOAL:g}", ratio >= GOAL, command, beside))
    return rows


def _read(spark: Any, path: Path, engine: Any, sink: str) -> float:
    from genospark.ingest.vcf_table import read_vcf

    folder = tempfile.mkdtemp()
    begun = time.perf_counter()
    writer = read_vcf(spark, path, engine).write.mode("overwrite")
    writer.format("noop").save() if sink == "noop" else writer.parquet(folder)
    taken = time.perf_counter() - begun
    shutil.rmtree(folder)
    return taken


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", type=Path, nargs="+")
    options.add_argument("--repeats", type=int, default=3)
    given = options.parse_args()
    configure_logging()
    for entry in compare({path.name: path for path in given.files}, given.repeats, "python benchmarks/ingest_glow.py"):
        print(entry["figure"], entry["value"], entry["unit"], entry["goal"], entry["holds"], entry["peers"])


if __name__ == "__main__":
    main()
