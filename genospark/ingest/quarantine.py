"""What becomes of bad records: in the mode ``strict`` the first ends the stage, in ``quarantine`` they are put aside and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal, TypeVar

import pyarrow as pa
from pydantic import Field
from pyspark.sql import DataFrame

from genospark.core.config import StageConfig
from genospark.core.environment import command
from genospark.core.progress import log
from genospark.core.runlog import Run
from genospark.errors import BadRecord, InputError, RecordError

ROWS = "stage string, path string, line bigint, columnName string, reason string, content string"
_REJECT = pa.struct([(name, pa.int64() if name == "line" else pa.string()) for name in ("path", "line", "column", "reason", "content")])
REJECT = "reject struct<path: string, line: bigint, column: string, reason: string, content: string>"
_Read = TypeVar("_Read")


class IngestConfig(StageConfig):
    """What every ingest stage is told.

    Attributes:
        inputs: Files; paths or globs.
        mode: ``strict``: the first bad record ends the stage. ``quarantine``: bad records are left out and written to ``quarantine``.
        max_bad: In quarantine, the share of a file's records that may be bad; more end the stage.
    """

    inputs: list[str] = []
    mode: Literal["strict", "quarantine"] = "strict"
    max_bad: float = Field(0.001, ge=0, le=1)

    @property
    def quarantines(self) -> bool:
        """Whether bad records are put aside."""
        return self.mode == "quarantine"


@dataclass
class Rejects:
    """Bad records of the files of a stage.

    Attributes:
        config: The stage's settings.
        found: Bad records, each with its file.
    """

    config: IngestConfig
    found: list[tuple[str, BadRecord]] = field(default_factory=list)

    def refuse(self, path: Path | str, error: RecordError) -> None:
        """Puts records aside.

        Raises:
            InputError: The mode is strict.
        """
        if not self.config.quarantines:
            # As the class by which an error is known again that crosses from Spark's workers.
            raise InputError(error.problem, error.next_step) from None
        self.found += [(str(path), record) for record in error.records]

    def count(self, path: Path | str) -> int:
        """Bad records of a file."""
        return sum(file == str(path) for file, _ in self.found)

    def check(self, path: Path | str, total: int) -> None:
        """Ends the stage where a file has too many bad records.

        Args:
            path: The file, all of whose bad records are known.
            total: Its records, the bad ones included.

        Raises:
            InputError: Their share is above `max_bad`.
        """
        bad = [record for file, record in self.found if file == str(path)]
        if bad:
            first = min(bad, key=lambda record: record.line)
            check_share(str(path), len(bad), total, self.config.max_bad, f"the first on line {first.line}: {first.reason}")

    def read(self, path: Path, reader: Callable[[frozenset[int]], _Read]) -> _Read:
        """Reads a file without its bad records.

        Args:
            path: The file.
            reader: Reads it without the lines of these numbers, and raises ``RecordError`` for all others that a check finds bad.

        Raises:
            InputError: The mode is strict and a record is bad, or too many are.
        """
        without: frozenset[int] = frozenset()
        total = 0
        while True:
            try:
                read = reader(without)
            except RecordError as error:
                self.refuse(path, error)
                total = error.total + len(without)
                without |= {record.line for record in error.records}
                self.check(path, total)
            else:
                return read

    def publish(self, run: Run) -> None:
        """Writes the stage's part of ``quarantine`` and counts it in ``runs``."""
        rows = [(run.stage, path, record.line, record.column, record.reason, record.content) for path, record in self.found]
        spark = run.warehouse.spark
        publish(run, lambda: spark.createDataFrame(rows, ROWS), Counter(record.reason for _, record in self.found))


def read_in_worker(
    path: Path, config: IngestConfig, reader: Callable[[frozenset[int]], Iterator[pa.RecordBatch]]
) -> Iterator[pa.RecordBatch]:
    """``Rejects.read`` for readers in Spark's workers: their batches, with a column `reject` of null, then a row for each bad record.

    Args:
        path: The file.
        config: The stage's settings.
        reader: As in ``Rejects.read``; in quarantine it finds bad records before its first batch.
    """
    rejects = Rejects(config)

    def begun(without: frozenset[int]) -> tuple[pa.RecordBatch | None, Iterator[pa.RecordBatch]]:
        batches = reader(without)
        return next(batches, None), batches

    first, others = rejects.read(path, begun)
    if first is None:
        return
    try:
        for batch in chain([first], others):
            yield pa.RecordBatch.from_arrays([*batch.columns, pa.nulls(batch.num_rows, _REJECT)], [*batch.schema.names, "reject"])
    except RecordError as error:
        raise InputError(error.problem, error.next_step) from None
    if rejects.found:
        found = pa.array([{"path": file, **asdict(record)} for file, record in rejects.found], _REJECT)
        empty = [pa.nulls(len(found), kind) for kind in first.schema.types]
        yield pa.RecordBatch.from_arrays([*empty, found], [*first.schema.names, "reject"])


def collected(read: DataFrame, config: IngestConfig) -> tuple[DataFrame, Rejects]:
    """Rows of ``read_in_worker`` apart: those of the table, and the bad records."""
    found: list[tuple[str, BadRecord]] = []
    if config.quarantines:
        for row in read.where("reject is not null").select("reject.*").collect():
            values = row.asDict()
            found.append((values.pop("path"), BadRecord(**values)))
    return read.where("reject is null").drop("reject"), Rejects(config, found)


def check_share(path: str, bad: int, total: int, max_bad: float, example: str) -> None:
    """Ends the stage where too many records of a file are bad.

    Raises:
        InputError: Their share is above `max_bad`.
    """
    if bad > max_bad * total:
        raise InputError(
            f"{path}: {bad} of {total} records are bad ({bad / max(total, 1):.3%}, at most {max_bad:.3%} may be), {example}",
            "mend the file, or allow more with --max-bad SHARE",
        )


def publish(run: Run, rows: Callable[[], DataFrame], counts: Mapping[str, int]) -> None:
    """Writes the stage's part of ``quarantine``; what an earlier run of the stage put aside of the same batch is replaced.

    Args:
        run: The run.
        rows: Makes the rows, of ``ROWS``.
        counts: Records by reason.
    """
    part = "/".join(["quarantine", run.stage, *([batch] if (batch := getattr(run.config, "batch", "")) else [])])
    if counts or run.warehouse.producer(part):
        run.write(part, rows())
    if counts:
        run.note(quarantined=dict(counts))
        query = f"SELECT * FROM quarantine WHERE stage = '{run.stage}'"
        log.warning('%s: records were left out; see %s sql --warehouse %s "%s"', run.stage, command(), run.warehouse.path, query)


def warn(run: Run, warnings: Mapping[str, int]) -> None:
    """Counts findings in ``runs`` that touch no stored value."""
    if warnings:
        run.note(warnings=dict(warnings))
