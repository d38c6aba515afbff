"""Packed examples from Parquet to tensors, through Petastorm. The only file that imports petastorm."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from genospark.models.spec import FeatureSpec

Batch = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class Feed:
    """One rank's share of some Parquet files, as batches of calls, measurements and labels.

    Petastorm deals row groups to ranks, so ranks hold different numbers of people.

    Args:
        files: URLs of the Parquet files.
        spec: What the rows hold.
        batch_size: People of a batch.
        rank: This rank.
        ranks: All ranks.
        shuffle: Seed of the order of people, or None for the order of the files.
    """

    def __init__(self, files: list[str], spec: FeatureSpec, batch_size: int, rank: int, ranks: int, shuffle: int | None = None) -> None:
        self._spec = spec
        self._started = False
        self._reader = _open(files, rank, ranks, shuffle)
        rows = self._dataset()
        if shuffle is not None:
            rows = rows.shuffle(4096, seed=shuffle + rank, reshuffle_each_iteration=True)
        self._batches = rows.batch(batch_size)

    def _dataset(self) -> tf.data.Dataset:
        from petastorm.tf_utils import make_petastorm_dataset

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            groups = make_petastorm_dataset(self._reader)
        return groups.map(self._decode, deterministic=True).unbatch()

    def _decode(self, group: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        spec = self._spec
        calls = tf.reshape(tf.io.decode_raw(group.calls, tf.uint8), (-1, spec.call_bytes))
        measurements = tf.reshape(tf.io.decode_raw(group.measurements, tf.float32), (-1, spec.n_measurements))
        labels = tf.reshape(tf.io.decode_raw(group.labels, tf.float32), (-1, len(spec.diseases)))
        return calls, measurements, labels

    def epoch(self) -> Iterator[tuple[Batch, int]]:
        """One pass: batches with their number of people, then, without end, batches of nobody (one row, no label known)."""
        if self._started:
            self._reader.reset()
        self._started = True
        for batch in self._batches:
            yield batch, int(batch[0].shape[0])
        spec = self._spec
        nobody = (
            tf.zeros((1, spec.call_bytes), tf.uint8),
            tf.zeros((1, spec.n_measurements), tf.float32),
            tf.fill((1, len(spec.diseases)), np.float32("nan")),
        )
        while True:
            yield nobody, 0

    def close(self) -> None:
        self._reader.stop()
        self._reader.join()


def _open(files: list[str], rank: int, ranks: int, shuffle: int | None) -> Any:
    from petastorm import make_batch_reader

    logging.getLogger("petastorm").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_batch_reader(
            files,
            schema_fields=["^calls$", "^measurements$", "^labels$"],
            cur_shard=rank,
            shard_count=ranks,
            num_epochs=1,
            shuffle_row_groups=shuffle is not None,
            seed=shuffle,
            # One thread that keeps the order: the same seed gives the same batches.
            reader_pool_type="dummy",
        )
