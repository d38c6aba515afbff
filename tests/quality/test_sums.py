"""Arrays that partitions add to: the same sum, whether the driver adds few of them or the executors many."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from genospark.quality import sums

SHAPE = (3, 700)


@pytest.mark.parametrize("most", [sums._DRIVER_BYTES, 0], ids=["driver", "executors"])
def test_partitions_add_up(spark: SparkSession, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    def powers(batch: pa.RecordBatch) -> NDArray[np.float64]:
        ids = batch.column("id").to_numpy().astype(float)
        return np.stack([np.multiply.outer(ids**power, np.arange(SHAPE[1])).sum(axis=0) for power in range(SHAPE[0])])

    monkeypatch.setattr(sums, "_DRIVER_BYTES", most)
    # Pieces of an array go to different tasks.
    monkeypatch.setattr(sums, "_PIECE_BYTES", 4096)
    ids = np.arange(40.0)
    wanted = np.stack([(ids**power).sum() * np.arange(SHAPE[1]) for power in range(SHAPE[0])])
    found = sums.summed(spark.range(0, 40, 1, 7), powers, SHAPE, partitions=7)
    np.testing.assert_array_equal(found, wanted)
    assert not sums.summed(spark.range(0, 40, 1, 7).where("id < 0"), powers, SHAPE, partitions=7).any()
