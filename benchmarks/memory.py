"""Highest resident memory of a Spark session's processes while a block runs: Python workers, ranks, JVM, and the driver, this process."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from ingest_runs import offspring

_EVERY_S = 0.2


class Memory:
    """In MB, the most of any process of a kind: ``worker``, ``rank``, ``jvm`` or ``driver``; 0 where there was none."""

    def __init__(self) -> None:
        self.most = dict.fromkeys(("worker", "rank", "jvm", "driver"), 0.0)

    def __enter__(self) -> Memory:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def __str__(self) -> str:
        return ", ".join(f"{kind} {value:.0f}" for kind, value in self.most.items() if value)

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_S):
            self._add("driver", Path("/proc") / str(os.getpid()))
            for folder in offspring():
                with suppress(OSError):
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    if words[0].endswith(b"java"):
                        self._add("jvm", folder)
                    elif b"genospark.core.daemon" in words:
                        self._add("worker", folder)
                    elif any(b"horovod" in word for word in words):
                        self._add("rank", folder)

    def _add(self, kind: str, folder: Path) -> None:
        with suppress(OSError, StopIteration):
            # What is shared with the process that forked it counts, too.
            lines = (folder / "smaps_rollup").read_text().splitlines()
            self.most[kind] = max(self.most[kind], next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024)


def cpu_s() -> float:
    """Seconds that processors have worked for this process and all that it has started and that still run, or have been waited for."""
    found = sum(os.times()[:4])
    for folder in offspring():
        with suppress(OSError):
            found += sum(map(int, (folder / "stat").read_text().rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
    return found
