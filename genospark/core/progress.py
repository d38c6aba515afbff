"""What a person sees while a stage runs: a line with the step, Spark's task counts and the time; structured logs for machines."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import SparkContext
from rich.console import Console
from rich.logging import RichHandler

console = Console(stderr=True, highlight=False)
log = logging.getLogger("genospark")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {"time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"), "level": record.levelname, "logger": record.name}
        return json.dumps(entry | {"message": record.getMessage()})


def configure_logging() -> None:
    """Logs to stderr: for people by default, as JSON lines with GENOSPARK_LOG=json."""
    handler: logging.Handler
    if os.environ.get("GENOSPARK_LOG") == "json":
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_JsonLines())
    elif not console.is_terminal:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    else:
        handler = RichHandler(console=console, show_path=False, show_level=False, log_time_format="%H:%M:%S")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


@contextmanager
def step(name: str) -> Iterator[None]:
    """Shows that `name` is under way, with the tasks of Spark's running stages, and logs how long it took."""
    started = time.monotonic()
    stopped = threading.Event()
    with console.status(name) as status:

        def watch() -> None:
            while not stopped.wait(0.5):
                status.update(f"{name} {_tasks()}{time.monotonic() - started:.0f} s")

        watcher = threading.Thread(target=watch, daemon=True)
        if console.is_terminal:
            watcher.start()
        try:
            yield
        finally:
            stopped.set()
            if watcher.is_alive():
                watcher.join()
    log.info("%s: %.1f s", name, time.monotonic() - started)


def _tasks() -> str:
    context = SparkContext._active_spark_context
    if context is None:
        return ""
    tracker = context.statusTracker()
    stages = [info for stage in tracker.getActiveStageIds() if (info := tracker.getStageInfo(stage))]
    return f"{sum(i.numCompletedTasks for i in stages)}/{sum(i.numTasks for i in stages)} tasks, " if stages else ""
