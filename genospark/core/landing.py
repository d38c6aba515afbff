"""Files of a table that Spark's tasks write themselves, from Arrow: their rows never pass through the JVM.

The driver publishes the files that tasks report. What a task left that failed and was run again is never named, and removed.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genospark.core import paths

ROW_GROUP_BYTES = 8 << 20
"""Of Arrow's memory, from which rows of a file go to the disk."""
_UPLOAD_BYTES = 16 << 20
# As Spark escapes values in names of folders.
_ESCAPED = {*map(chr, range(1, 32)), *"\"#%'*/:=?\\{[]^\x7f"}


@dataclass(frozen=True)
class Landing:
    """Where tasks put files of a table; picklable.

    Attributes:
        name: Table, or part of one.
        folder: New folder of the table.
        columns: Its columns, that of the partition included.
        partition: Column of the partition.
        run_id: Run that writes.
    """

    name: str
    folder: str
    columns: pa.Schema
    partition: str
    run_id: str

    def writer(self, number: int) -> Writer:
        """A writer of files.

        Args:
            number: Of the task; files are in its order.
        """
        return Writer(self, number)


@dataclass
class Writer:
    """Writes batches of a table, sorted by `start`, into one file a value of the partition. Memory: a row group for each of these."""

    landing: Landing
    number: int
    files: list[str] = field(default_factory=list)
    _pending: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    _open: dict[str, pq.ParquetWriter] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, columns: dict[str, pa.Array]) -> None:
        """Adds rows, of all columns but `runId`."""
        landing = self.landing
        rows = len(columns[landing.partition])
        found = columns | {"runId": pa.repeat(landing.run_id, rows)}
        kept = [entry for entry in landing.columns if entry.name != landing.partition]
        batch = pa.record_batch([found[entry.name].cast(entry.type) for entry in kept], schema=pa.schema(kept))
        values = columns[landing.partition].dictionary_encode()
        names = values.dictionary.to_pylist()
        for code, name in enumerate(names):
            part = batch if len(names) == 1 else batch.filter(pc.equal(values.indices, code))
            pending = self._pending.setdefault(name, [])
            pending.append(part)
            if sum(entry.nbytes for entry in pending) >= ROW_GROUP_BYTES:
                self._flush(name)

    def finish(self) -> list[str]:
        """Writes what is left, and returns the paths of the files."""
        for name in self._pending:
            self._flush(name)
        self._stack.close()
        return self.files

    def _flush(self, name: str) -> None:
        batches, self._pending[name] = self._pending[name], []
        if not batches:
            return
        table = pa.Table.from_batches(batches)
        starts = table["start"].to_numpy()
        if (np.diff(starts) < 0).any():
            table = table.take(pc.sort_indices(table["start"]))
        if name not in self._open:
            self._open[name] = self._file(name, table.schema)
        self._open[name].write_table(table, row_group_size=len(table))

    def _file(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        value = "".join(f"%{ord(letter):02X}" if letter in _ESCAPED else letter for letter in name)
        path = f"{self.landing.folder}/{self.landing.partition}={value}/part-{self.number:06d}-{uuid4().hex}.parquet"
        self.files.append(path)
        stream = self._stack.enter_context(created(path))
        # Packed calls have no values that come again, and smallest ones tell nothing.
        plain = [
            f"{entry.name}.list.element" if pa.types.is_list(entry.type) else entry.name for entry in schema if entry.type != pa.binary()
        ]
        writer = pq.ParquetWriter(stream, schema, compression="zstd", use_dictionary=plain, write_statistics=plain)
        return cast(pq.ParquetWriter, self._stack.enter_context(writer))


def created(path: str) -> BinaryIO:
    """A new file, in folders that are made for it."""
    if paths.is_url(path):
        files: Any = paths.file_system(path)
        return cast(BinaryIO, files.open(path, "wb", block_size=_UPLOAD_BYTES))
    place = paths.place(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.open("wb")


def remove(written: str, keep: set[str]) -> None:
    """Removes what tasks wrote into a folder, but the files that are published."""
    folder = paths.place(written)
    found = [path for path in folder.rglob("*.parquet") if str(path) not in keep]
    for path in found:
        path.unlink()
    if not keep and not paths.is_url(written):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir()
        if folder.is_dir():
            folder.rmdir()
