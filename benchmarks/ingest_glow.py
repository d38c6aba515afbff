"""All fields of VCFs by the native engine beside Glow, in one session and interleaved: read, written, stored.

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
# By engine, ways to have all fields of a file: rows that nothing keeps, rows that Spark writes as Parquet, and our stored table.
WAYS = [("native", "noop"), ("glow", "noop"), ("native", "parquet"), ("glow", "parquet"), ("native", "table")]
FIGURES = {
    "all fields stored: Glow's read and written as Parquet by Spark, by store_vcf": (("glow", "parquet"), ("native", "table")),
    "all fields by read_vcf, read and dropped: Glow by the native engine": (("glow", "noop"), ("native", "noop")),
    "all fields by read_vcf, written as Parquet by Spark: Glow by the native engine": (("glow", "parquet"), ("native", "parquet")),
}


def compare(files: dict[str, Path], repeats: int, command: str) -> list[dict[str, Any]]:
    """Seconds of both engines, from the call to the last row in the sink, all checks on.

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
        seconds: dict[tuple[str, str], list[float]] = {way: [] for way in WAYS}
        for turn in range(repeats + 1):
            for (engine, sink), found in seconds.items():
                taken = _read(spark, path, engine, sink)
                log.info("bench-ingest %s, %s: %s %.2f s%s", label, sink, engine, taken, "" if turn else " (warm-up)")
                if turn:
                    found.append(taken)
        for figure, (glow, native) in FIGURES.items():
            ratio = round(min(seconds[glow]) / min(seconds[native]), 2)
            beside = {
                f"{engine}, {sink}": f"{min(found):.2f} s (median {statistics.median(found):.2f})"
                for engine, sink in (native, glow)
                if (found := seconds[engine, sink])
            }
            rows.append(row(f"{label}: {figure}", ratio, "ratio", f">= {GOAL:g}", ratio >= GOAL, command, beside))
    return rows


def _read(spark: Any, path: Path, engine: Any, sink: str) -> float:
    from genospark.ingest.vcf_store import store_vcf
    from genospark.ingest.vcf_table import read_vcf

    folder = tempfile.mkdtemp()
    begun = time.perf_counter()
    if sink == "table":
        store_vcf(spark, path, folder, engine)
    else:
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
