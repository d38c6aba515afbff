"""Rows of ``expression`` to rows of normalised expression, person by person on Spark's executors, as fitted on training people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.errors import TableError
from genospark.features.dense import check_not_negative, scatter
from genospark.models.normaliser import SCALES, Context, Normaliser

Doubles = NDArray[np.float64]
Genes = set[tuple[str, str, str]]
"""Genes in cell types and states: geneId, cellType, state."""

_LONG = "sampleId string, geneId string, cellType string, state string, expressionValue double"
_COUNTS = re.compile(r"(raw|read|expected)?[ _]?counts?", re.IGNORECASE)
# Values of people that are normalised at once.
_CELLS = 1_000_000


def prepared(expression: DataFrame, transform: str, normaliser: Normaliser | None, wanted: Genes | None = None) -> tuple[DataFrame, str]:
    """Rows of expression after what was fitted, and what is still to be done to each value: a transform of ``dense.transformed``.

    Args:
        expression: Rows of ``expression``.
        transform: Of the model.
        normaliser: Of the model.
        wanted: Genes that are asked for; all where not given.

    Raises:
        TableError: The model is one of counts, and the values are none.
    """
    if normaliser is None:
        return expression, transform
    return normalised(expression, normaliser, wanted), "none"


def normalised(expression: DataFrame, normaliser: Normaliser, wanted: Genes | None = None) -> DataFrame:
    """Normalised expression: sampleId, geneId, cellType, state, expressionValue; only of the cell types and states that are fitted.

    People with less than half of a cell type's fitted genes have no rows there, where a gene's value depends on the others.

    Args:
        expression: Rows of ``expression``.
        normaliser: What was fitted.
        wanted: Genes to return; all where not given.
    """
    if not normaliser.contexts:
        return expression.sparkSession.createDataFrame([], _LONG)
    if "cpm" in normaliser.steps:
        check_counts(expression)
    steps = normaliser.steps
    chosen = [
        [wanted is None or (found.genes[gene], found.cell_type, found.state) in wanted for gene in found.kept]
        for found in normaliser.contexts
    ]
    columns = [np.flatnonzero(flags) for flags in chosen]
    positive = steps[0] in SCALES[1:]

    def work(number: int, found: Context, people: pa.RecordBatch, raw: Doubles) -> pa.RecordBatch:
        if positive:
            check_not_negative(float(np.nanmin(raw, initial=0.0)))
        values = found.normalised(raw, steps)[:, columns[number]]
        person, column = np.nonzero(~np.isnan(values))
        genes = pa.array(np.array(found.genes, object)[found.kept[columns[number]]], pa.string())
        n = len(person)
        arrays = [people.column("sampleId").take(pa.array(person)), genes.take(pa.array(column))]
        arrays += [pa.array([name], pa.string()).take(pa.array(np.zeros(n, np.int32))) for name in (found.cell_type, found.state)]
        return pa.RecordBatch.from_arrays([*arrays, pa.array(values[person, column])], [part.split()[0] for part in _LONG.split(", ")])

    return by_context(profiles(expression, normaliser.contexts), normaliser.contexts, work, _LONG)


def check_counts(expression: DataFrame) -> None:
    """Checks that values are raw counts.

    Raises:
        TableError: Their unit is another.
    """
    units = sorted(str(row[0]) for row in expression.select("expressionUnit").distinct().collect())
    wrong = [unit for unit in units if not _COUNTS.fullmatch(unit)]
    if wrong:
        raise TableError(
            f"expression in {wrong[0]} has no counts, which the transform cpm needs",
            "ingest raw counts (`ingest-expression --set unit=counts`), or choose another expression_transform",
        )


def profiles(expression: DataFrame, contexts: tuple[Context, ...], *others: str) -> DataFrame:
    """Everyone's values of the fitted genes, one row per person, cell type and state.

    Args:
        expression: Rows of ``expression``, with any `others`.
        contexts: Cell types and states with their genes.
        others: Further columns that a person has one value of.

    Returns:
        sampleId, others, context (index), places and values (of genes); sorted by context within each partition.
    """
    spark = expression.sparkSession
    names = [
        pd.DataFrame({"geneId": found.genes, "place": range(len(found.genes))}).assign(
            cellType=found.cell_type, state=found.state, context=i
        )
        for i, found in enumerate(contexts)
    ]
    index = spark.createDataFrame(pd.concat(names), "geneId string, place int, cellType string, state string, context int")
    rows = expression.join(f.broadcast(index), ["geneId", "cellType", "state"]).groupBy("sampleId", *others, "context")
    lists = rows.agg(f.collect_list("place").alias("places"), f.collect_list("expressionValue").alias("values"))
    return lists.sortWithinPartitions("context", "sampleId")


def by_context(
    rows: DataFrame, contexts: tuple[Context, ...], work: Callable[[int, Context, pa.RecordBatch, Doubles], pa.RecordBatch], schema: str
) -> DataFrame:
    """Rows that `work` makes, on executors, of some people of one cell type and state: its index, itself, the rows, values [people, genes].

    Args:
        rows: Of ``profiles``.
        contexts: The same as there.
        work: Called for few people at a time.
        schema: Of what it returns.
    """
    shared = rows.sparkSession.sparkContext.broadcast(contexts)

    def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            numbers = batch.column("context").to_numpy()
            for number in np.unique(numbers):
                found = shared.value[number]
                mine = batch.filter(pa.array(numbers == number))
                size = max(1, _CELLS // len(found.genes))
                for first in range(0, mine.num_rows, size):
                    people = mine.slice(first, size)
                    yield work(int(number), found, people, scatter(people.column("places"), people.column("values"), len(found.genes)))

    return rows.mapInArrow(each, schema)


def bounded(spark: SparkSession, normaliser: Normaliser | None, vector_bytes: int = 0) -> AbstractContextManager[None]:
    """Arrow batches of so few people that a worker's memory is bounded; for the actions inside.

    Args:
        spark: Session.
        normaliser: What is normalised there.
        vector_bytes: Of a person's vector.
    """
    genes = max((len(found.genes) for found in normaliser.contexts), default=0) if normaliser else 0
    return bounded_batches(spark, max(12 * genes, vector_bytes)) if genes or vector_bytes else nullcontext()
