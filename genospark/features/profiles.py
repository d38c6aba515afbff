"""Genes' expression profiles: standardised within each cell type and state, so that what differs between these says nothing of genes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.storage import Warehouse
from genospark.features.dense import transformed

Floats = NDArray[np.float32]
_OBSERVED = ["sampleId", "cellType", "state"]
# Values of one block in a Python worker.
_BLOCK_VALUES = 4_000_000


@dataclass(frozen=True)
class Profiles:
    """Blocks of genes with their standardised expression.

    Attributes:
        genes: Genes, in order.
        observations: sampleId, cellType, state of each observation, in order.
        blocks: Rows of genes (indices) and values, float32 [genes, observations]; what was not measured is 0, the mean.
    """

    genes: list[str]
    observations: pd.DataFrame
    blocks: DataFrame

    def map(self, work: Callable[[NDArray[np.int32], Floats], pa.RecordBatch], schema: str) -> DataFrame:
        """Rows that `work` makes of the indices of a block's genes and their profiles, on Spark's executors."""
        width = len(self.observations)

        def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for genes, values in zip(batch.column("genes"), batch.column("values"), strict=True):
                    found = np.frombuffer(values.as_buffer(), "<f4").reshape(-1, width)
                    yield work(genes.values.to_numpy(), found)

        return self.blocks.mapInArrow(each, schema)

    def of(self, chosen: NDArray[np.int64]) -> Floats:
        """The profiles of some genes, [chosen, observations]; 0 for a gene that no block has."""

        def pick(genes: NDArray[np.int32], values: Floats) -> pa.RecordBatch:
            mine = np.isin(genes, chosen)
            return pa.RecordBatch.from_arrays(
                [pa.array(genes[mine]), pa.array([row.tobytes() for row in values[mine]], pa.binary())], ["gene", "profile"]
            )

        rows = {row["gene"]: row["profile"] for row in self.map(pick, "gene int, profile binary").collect()}
        nothing = bytes(4 * len(self.observations))
        return np.frombuffer(b"".join(rows.get(int(gene), nothing) for gene in chosen), "<f4").reshape(len(chosen), -1)


def profiles(warehouse: Warehouse, transform: str, most: int, seed: int = 0) -> Profiles:
    """Everyone's expression of every gene.

    Args:
        warehouse: Its ``expression`` is read.
        transform: log1p or none.
        most: Observations (people in a cell type and state) to take at most, drawn by a hash.
        seed: Of the draw.

    Raises:
        TableError: There is no expression.
    """
    spark = warehouse.spark
    measured = warehouse.read("expression").select("geneId", *_OBSERVED, "expressionValue")
    drawn = measured.select(*_OBSERVED).distinct().orderBy(f.xxhash64(*_OBSERVED, f.lit(seed)), *_OBSERVED).limit(most)
    observed: pd.DataFrame = drawn.toPandas()
    observations = observed.sort_values(_OBSERVED, ignore_index=True)
    genes = sorted(row["geneId"] for row in measured.select("geneId").distinct().collect())
    contexts = observations.groupby(_OBSERVED[1:], sort=True).ngroup().to_numpy()
    places = spark.createDataFrame(
        observations.assign(observation=range(len(observations))), "sampleId string, cellType string, state string, observation int"
    )
    indices = spark.createDataFrame(list(enumerate(genes)), "geneIndex int, geneId string")
    n_blocks = max(spark.sparkContext.defaultParallelism, len(genes) * len(observations) // _BLOCK_VALUES)
    size = -(-len(genes) // n_blocks)

    def block(rows: pd.DataFrame) -> pd.DataFrame:
        mine, row = np.unique(rows["geneIndex"].to_numpy(), return_inverse=True)
        values = np.full((len(mine), len(contexts)), np.nan)
        values[row, rows["observation"].to_numpy()] = rows["expressionValue"].to_numpy()
        profile = standardised(transformed(values, transform), contexts)
        return pd.DataFrame({"genes": [mine.astype(np.int32)], "values": [profile.astype("<f4").tobytes()]})

    rows = measured.join(f.broadcast(places), _OBSERVED).join(f.broadcast(indices), "geneId")
    grouped = rows.select("geneIndex", "observation", "expressionValue").groupBy((f.col("geneIndex") / size).cast("int"))
    return Profiles(genes, observations, grouped.applyInPandas(block, "genes array<int>, values binary"))


def standardised(values: NDArray[np.float64], contexts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each gene's values less their mean in the context, over their standard deviation there.

    Args:
        values: [genes, observations], NaN where not measured.
        contexts: Context of each observation, from 0.

    Returns:
        [genes, observations]; 0 where not measured, and where a gene does not vary in the context.
    """
    result = np.zeros_like(values)
    for context in range(contexts.max(initial=-1) + 1):
        here = contexts == context
        known = ~np.isnan(values[:, here])
        n = np.maximum(known.sum(axis=1, keepdims=True), 1)
        centred = np.where(known, values[:, here], 0)
        centred = np.where(known, centred - centred.sum(axis=1, keepdims=True) / n, 0)
        deviations = np.sqrt((centred**2).sum(axis=1, keepdims=True) / n)
        result[:, here] = np.where(deviations > 1e-8, centred / np.maximum(deviations, 1e-8), 0)
    return result
