"""Ridge scores of people, and their weights as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from genospark.core.blocks import KEY
from genospark.core.calls import packed_rows
from genospark.core.storage import Warehouse
from genospark.features.matching import match
from genospark.models.ridge import RidgeScores
from genospark.models.spec import Variant


@dataclass(frozen=True)
class Ridge:
    """Scores, and those by which training people are told.

    Attributes:
        scores: The mean of the models.
        parts: Which of the models tells a training person, by sampleId: the one that was made without them.
        of_parts: Weights of each model, [models, variants, scores].
    """

    scores: RidgeScores
    parts: dict[str, int] = field(default_factory=dict)
    of_parts: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def values(self, sample_ids: list[str], packed: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Scores, [people, scores], of people whose calls are packed as ``RidgeScores.of`` takes them."""
        found = self.scores.of(packed)
        part = np.array([self.parts.get(name, -1) for name in sample_ids])
        for one in np.unique(part[part >= 0]):
            mine = part == one
            found[mine] = self.scores.of(packed[mine], self.of_parts[one])
        return found


def score_rows(warehouse: Warehouse, ridge: Ridge, first: int) -> DataFrame:
    """Scores of everyone: sampleId, place (`first` for the first of them), value.

    Args:
        warehouse: Its ``samples``, ``variants`` and ``genotypes`` are read.
        ridge: The scores; without `parts` all people are told by the mean of the models.
        first: Place of the first score.
    """
    n = len(ridge.scores.names)

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values = ridge.values(batch.column("sampleId").to_pylist(), packed_rows(batch.column("calls").to_pylist()))
            person = pa.array(np.repeat(np.arange(len(batch)), n))
            places = pa.array(np.tile(np.arange(first, first + n, dtype=np.int32), len(batch)))
            arrays = [batch.column("sampleId").take(person), places, pa.array(values.ravel())]
            yield pa.RecordBatch.from_arrays(arrays, ["sampleId", "place", "value"])

    return match(warehouse, variants_of(ridge.scores)).rows.mapInArrow(work, "sampleId string, place int, value double")


def variants_of(scores: RidgeScores) -> list[Variant]:
    """The variants as ``match`` looks for them."""
    return [Variant(*site, mean, 1.0, 1.0) for site, mean in zip(scores.sites, scores.means.tolist(), strict=True)]


def to_rows(spark: SparkSession, scores: RidgeScores | None) -> DataFrame:
    """The weights as rows of ``riskRidge``; none without scores."""
    rows: list[tuple[Any, ...]] = []
    if scores:
        means, weights = scores.means.tolist(), scores.weights.tolist()
        rows = [(*site, mean, weight) for site, mean, weight in zip(scores.sites, means, weights, strict=True)]
    schema = "contigName string, start bigint, referenceAllele string, alternateAllele string, mean double, weights array<double>"
    return spark.createDataFrame(rows, schema)


def from_table(warehouse: Warehouse, names: Sequence[str]) -> RidgeScores | None:
    """The scores of some names that ``riskRidge`` holds; None without names."""
    if not names:
        return None
    rows: pd.DataFrame = warehouse.read("riskRidge").orderBy(*KEY).toPandas()
    sites = tuple((str(contig), int(start), str(ref), str(alt)) for contig, start, ref, alt in rows[list(KEY)].itertuples(index=False))
    return RidgeScores(tuple(names), sites, rows["mean"].to_numpy(float), np.stack(list(rows["weights"])).astype(float))
