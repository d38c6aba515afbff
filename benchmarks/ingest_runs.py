"""Our stages in this process's session: seconds from the call to the committed run, and the memory of workers meanwhile."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


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


def quality(stage: str, warehouse: Path, **settings: Any) -> float:
    """Seconds of a stage of quality control."""
    from genospark.core.session import session
    from genospark.stages import stage as known

    function, model = known(stage).load()
    config = model(warehouse=str(warehouse), rerun=True, **settings)
    spark = session("bench-ingest")
    begun = time.perf_counter()
    function(config, spark)
    return time.perf_counter() - begun


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
        while not self._over.wait(0.2):
            for folder in offspring():
                with suppress(OSError, StopIteration):
                    # Java's command, too, has this name in it.
                    if b"genospark.core.daemon" in (folder / "cmdline").read_bytes().split(b"\0"):
                        # What is shared with the daemon that forked it counts, too.
                        lines = (folder / "smaps_rollup").read_text().splitlines()
                        self.most = max(self.most, next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024)


def offspring() -> Iterator[Path]:
    """Folders of the processes that this one has started, and of those that these have."""
    parents: dict[str, str] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[stat.parent.name] = stat.read_text().rpartition(")")[2].split()[1]
    for process in parents:
        ancestor = process
        while (ancestor := parents.get(ancestor, "")) and ancestor != str(os.getpid()):
            continue
        if ancestor:
            yield Path("/proc") / process
