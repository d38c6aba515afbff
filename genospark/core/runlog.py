"""A stage's run: what it read, under which configuration and code, what it wrote; its row in ``runs`` is the commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

import genospark
from genospark.core import landing, paths, stores
from genospark.core.config import StageConfig
from genospark.core.environment import command
from genospark.core.failures import user_error
from genospark.core.landing import Landing
from genospark.core.ledger import REMOVED
from genospark.core.locks import writing
from genospark.core.progress import log, step
from genospark.core.storage import Warehouse, Written
from genospark.errors import InputError


@dataclass(frozen=True)
class Input:
    """A file with its checksum, or a table with the run that wrote it."""

    path: str
    size_bytes: int
    sha256: str


@dataclass
class Run:
    """A run under way.

    Attributes:
        stage: Name of the stage.
        run_id: Hash of stage, inputs, configuration and code.
        notes: Counts and warnings, kept in ``runs``.
        shown: What ``runs`` has instead of the paths of files that are called by a person.
    """

    stage: str
    run_id: str
    warehouse: Warehouse
    config: StageConfig
    inputs: list[Input]
    notes: dict[str, Any] = field(default_factory=dict)
    outputs: list[Written] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _published: dict[str, set[str]] = field(default_factory=dict)

    def write(self, name: str, rows: DataFrame) -> None:
        """Replaces the rows of a table of the warehouse."""
        with step(f"{self.stage}: writing {name}"):
            self._wrote(self.warehouse.write(name, rows, self.run_id))

    def write_small(self, name: str, columns: dict[str, list[Any] | pa.Array]) -> None:
        """Replaces them by rows that the driver holds, of all columns but `runId`."""
        self._wrote(self.warehouse.write_small(name, columns, self.run_id))

    def _wrote(self, written: Written) -> None:
        # What is written twice counts as it was written last.
        self.outputs = [*(entry for entry in self.outputs if entry.table != written.table), written]

    @contextmanager
    def landing(self, name: str) -> Iterator[Landing]:
        """A folder for files of a table that tasks write themselves; what is not published of them goes at the end."""
        found = self.warehouse.landing(name, self.run_id)
        try:
            yield found
        finally:
            landing.remove(found.folder, self._published.get(found.folder, set()))

    def publish(self, found: Landing, files: list[str]) -> None:
        """Replaces the rows of a table by files that tasks have written."""
        self._published[found.folder] = set(files)
        self._wrote(self.warehouse.publish(found, files))

    def remove(self, name: str) -> None:
        """Takes a table, or a part of one, away once the run is committed."""
        self.outputs.append(Written(name, REMOVED, 0))

    def note(self, **counts: Any) -> None:
        """Keeps counts and warnings for ``runs`` and says them in the log."""
        self.notes |= counts
        log.info("%s: %s", self.stage, ", ".join(f"{key} {value}" for key, value in counts.items()))

    def _configuration(self) -> dict[str, Any]:
        values = self.config.model_dump(mode="json")
        if any(path != shown for path, shown in self.shown.items()):
            values["inputs"] = list(self.shown.values())
        return values

    def commit(self) -> None:
        """Writes the row of ``runs`` that makes what was written visible."""
        self.warehouse.commit(
            {
                "runId": self.run_id,
                "stage": self.stage,
                "configuration": json.dumps(self._configuration(), sort_keys=True),
                "inputs": [
                    {"path": self.shown.get(entry.path, entry.path), "sizeBytes": entry.size_bytes, "sha256": entry.sha256}
                    for entry in self.inputs
                ],
                "outputs": [asdict(entry) for entry in self.outputs],
                "notes": json.dumps(self.notes, sort_keys=True, default=str),
                "referenceBuild": getattr(self.config, "reference_build", None),
                "codeVersion": code_version(),
                "startedAt": self.started,
                "finishedAt": datetime.now(UTC),
            }
        )
        for written in (entry for entry in self.outputs if entry.version != REMOVED):
            log.info("%s: %d rows in %s", self.stage, written.rows, self.warehouse.location(written.table))
        log.info("%s: done, run %s", self.stage, self.run_id)
        log.info('look at it with: %s sql --warehouse %s "SELECT ..."', command(), self.warehouse.path)


def run_stage(
    stage: str,
    config: StageConfig,
    warehouse: Warehouse,
    body: Callable[[Run], None],
    files: dict[str, list[Path]] | None = None,
    tables: list[str] | None = None,
    facts: dict[str, str] | None = None,
    intact: Callable[[], bool] = lambda: True,
    alone: bool = False,
) -> str:
    """Runs `body` and commits what it wrote, unless the very same run is already there.

    Args:
        stage: Name of the stage.
        config: Its configuration.
        warehouse: Where it writes.
        body: The work; it writes tables through the run.
        files: Files that it reads, by the role they have.
        tables: Tables that it reads.
        facts: Other inputs that decide the result, such as a bundle's version.
        intact: Tells whether what an earlier run left outside the tables is still there.
        alone: Whether no other stage may write to the warehouse meanwhile.

    Returns:
        The run's id.

    Raises:
        BusyError: The stage runs there already.
        TableError: One of `tables` is not there.
    """
    with writing(warehouse.path, stage, alone) as still_held:
        warehouse.refresh()
        read = [(role, _file(path)) for role, paths in (files or {}).items() for path in paths]
        read += [("table", entry) for name in tables or [] for entry in _parts(warehouse, name)]
        read += [(key, Input(key, 0, value)) for key, value in (facts or {}).items()]
        inputs = [entry for _, entry in read]
        contents = sorted((role, entry.sha256) for role, entry in read)
        identity = json.dumps([stage, config.identity(), contents, code_version()], sort_keys=True)
        run_id = hashlib.sha256(identity.encode()).hexdigest()[:16]
        if not config.rerun and is_current(warehouse, run_id) and intact():
            log.info("%s: nothing to do, run %s of the same inputs, configuration and code is already there", stage, run_id)
            return run_id
        run = Run(stage, run_id, warehouse, config, inputs)
        try:
            body(run)
            still_held()
            run.commit()
        except _failures() as error:
            known = user_error(error)
            if known is None:
                raise
            raise known from None
        return run_id


def _failures() -> tuple[type[Exception], ...]:
    """What may hold an error of ours, or a refusal by the machine or a store."""
    return PySparkException, Py4JJavaError, *stores.errors()


def is_current(warehouse: Warehouse, run_id: str) -> bool:
    """True where a committed run of that id is still the last one of all tables it wrote.

    Of a batch its own parts count: tables that put all batches together are written by each of them.
    """
    last = {name: run for name, run in warehouse.committed().items() if run["runId"] == run_id}
    if not last:
        return False
    written = {output["table"] for run in last.values() for output in run["outputs"]}
    own = {name for name in written if "/" in name} or written
    return own <= set(last)


def _file(path: Path) -> Input:
    try:
        with paths.refusals(path, InputError), path.open("rb") as stream:
            return Input(str(path), path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})", "check its permissions") from None


def _parts(warehouse: Warehouse, name: str) -> list[Input]:
    found = [(part, warehouse.committed()[part]) for part in warehouse.needed(name)]
    return [Input(f"table {part} version {run['version']}", 0, f"{part}:{run['runId']}") for part, run in found]


@cache
def code_version() -> str:
    """Package version and a hash over its source files."""
    digest = hashlib.sha256()
    for path in sorted(Path(genospark.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return f"{genospark.__version__}+{digest.hexdigest()[:8]}"
