"""Packed examples from Parquet to tensors, through Petastorm. The only file that imports petastorm."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from genospark.core import paths
from genospark.tasks.problem import Field, Problem, Tensors

Batch = tuple[Tensors, Tensors]
"""Inputs and labels."""

_SHUFFLED_BYTES = 128 << 20
_SHUFFLED_ROWS = 4096


class Feed:
    """One rank's share of some Parquet files, as batches of inputs and labels.

    Petastorm deals row groups to ranks, so ranks hold different numbers of examples.

    Args:
        files: URLs of the Parquet files.
        problem: What the rows hold.
        batch_size: Examples of a batch.
        rank: This rank.
        ranks: All ranks.
        shuffle: Seed of the order of examples, or None for the order of the files.
    """

    def __init__(self, files: list[str], problem: Problem, batch_size: int, rank: int, ranks: int, shuffle: int | None = None) -> None:
        self._inputs, self._labels = problem.inputs, problem.labels
        self._started = False
        # What is of no width, such as measurements where there are none, does not go through tf.data, which dies of it.
        fields = [field for field in (*self._inputs, *self._labels) if field.n_bytes]
        self._reader = _open(files, [field.name for field in fields], rank, ranks, shuffle)
        rows = self._dataset(fields)
        if shuffle is not None:
            held = max(1, min(_SHUFFLED_ROWS, _SHUFFLED_BYTES // sum(field.n_bytes for field in fields)))
            rows = rows.shuffle(held, seed=shuffle + rank, reshuffle_each_iteration=True)
        self._batches = rows.batch(batch_size)

    def _dataset(self, fields: list[Field]) -> tf.data.Dataset:
        from petastorm.tf_utils import make_petastorm_dataset

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            groups = make_petastorm_dataset(self._reader)

        def decode(group: Any) -> Tensors:
            return {field.name: _decoded(getattr(group, field.name), field) for field in fields}

        return groups.map(decode, deterministic=True).unbatch()

    def epoch(self) -> Iterator[tuple[Batch, int]]:
        """One pass: batches with their number of examples, then, without end, batches of none (one row, no label known)."""
        if self._started:
            self._reader.reset()
        self._started = True
        for columns in self._batches:
            examples = int(next(iter(columns.values())).shape[0])
            empty = {field.name: tf.zeros((examples, *field.shape), field.dtype) for field in self._inputs if not field.n_bytes}
            yield self._sides(columns | empty), examples
        none = {field.name: tf.fill((1, *field.shape), tf.constant(field.missing, field.dtype)) for field in (*self._inputs, *self._labels)}
        while True:
            yield self._sides(none), 0

    def _sides(self, columns: Tensors) -> Batch:
        return {field.name: columns[field.name] for field in self._inputs}, {field.name: columns[field.name] for field in self._labels}

    def close(self) -> None:
        self._reader.stop()
        self._reader.join()


def _decoded(column: tf.Tensor, field: Field) -> tf.Tensor:
    return tf.reshape(tf.io.decode_raw(column, tf.as_dtype(field.dtype)), (-1, *field.shape))


def _open(files: list[str], columns: list[str], rank: int, ranks: int, shuffle: int | None) -> Any:
    from petastorm import make_batch_reader

    logging.getLogger("petastorm").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_batch_reader(
            files,
            filesystem=_file_system(files[0]),
            schema_fields=[f"^{name}$" for name in columns],
            cur_shard=rank,
            shard_count=ranks,
            num_epochs=1,
            shuffle_row_groups=shuffle is not None,
            seed=shuffle,
            # One thread that keeps the order: the same seed gives the same batches.
            reader_pool_type="dummy",
        )


def _file_system(url: str) -> Any:
    """What Petastorm reads a URL's file by; None for its own way, which is that for local files.

    Petastorm uses pyarrow's older file systems and hands fsspec's to newer code, which refuses.
    """
    if not paths.is_url(url):
        return None
    from pyarrow.filesystem import DaskFileSystem

    class Files(DaskFileSystem):  # type: ignore[misc]
        def isfile(self, path: str) -> bool:
            return bool(self.fs.isfile(path))

        def isdir(self, path: str) -> bool:
            return bool(self.fs.isdir(path))

    return Files(paths.file_system(url))
