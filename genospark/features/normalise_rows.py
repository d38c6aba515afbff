"""A fitted normalisation as rows of ``expressionNormalisation``, and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from genospark.core.storage import Warehouse
from genospark.models.normaliser import Context, Normaliser

_SCHEMA = (
    "task string, cellType string, state string, geneIndex int, geneId string, transform string, wholeSample boolean, logScale double, "
    "meanLibrary double, referenceCount double, quantile double, knotValues array<double>, knotProbabilities array<double>, mean double, "
    "standardDeviation double, loadings array<double>"
)


def to_rows(warehouse: Warehouse, task: str, normaliser: Normaliser | None) -> DataFrame:
    """The normalisation as rows; none where nothing was fitted."""
    rows: list[tuple[object, ...]] = []
    for found in normaliser.contexts if normaliser else ():
        assert normaliser is not None
        n = len(found.genes)
        shared = (normaliser.transform, found.whole, found.log_scale, found.mean_library)
        columns = [_listed(found.counts, n), _listed(found.quantiles, n), _of_kept(found, found.knot_values)]
        columns += [_of_kept(found, found.knot_probabilities), _of_kept(found, found.means), _of_kept(found, found.deviations)]
        columns.append(_of_kept(found, found.loadings, empty=True))
        context = (task, found.cell_type, found.state)
        rows += [(*context, i, gene, *shared, *values) for i, (gene, *values) in enumerate(zip(found.genes, *columns, strict=True))]
    return warehouse.spark.createDataFrame(rows, _SCHEMA)


def _listed(values: NDArray[np.float64], n: int) -> list[object]:
    return values.tolist() if values.size else [None] * n


def _of_kept(found: Context, values: NDArray[np.float64], empty: bool = False) -> list[object]:
    """Values of the kept genes at their places, None elsewhere and where there are none."""
    made: list[object] = [None] * len(found.genes)
    if values.size or empty:
        for place, value in zip(found.kept.tolist(), values.tolist(), strict=True):
            made[place] = value
    return made


def from_table(warehouse: Warehouse, task: str) -> Normaliser | None:
    """The normalisation that ``expressionNormalisation`` holds for a task; None where nothing was fitted.

    Raises:
        TableError: The table is not there.
    """
    rows: pd.DataFrame = warehouse.read(f"expressionNormalisation/{task}").toPandas()
    if rows.empty:
        return None
    rows = rows.sort_values(["cellType", "state", "geneIndex"])
    contexts = tuple(_context(group) for _, group in rows.groupby(["cellType", "state"]))
    return Normaliser(str(rows["transform"].iloc[0]), contexts)


def _context(rows: pd.DataFrame) -> Context:
    first = rows.iloc[0]
    kept = rows["loadings"].notna().to_numpy()

    def wide(name: str) -> NDArray[np.float64]:
        lists = [np.asarray(value, float) for value in rows.loc[kept, name] if value is not None]
        return np.stack(lists) if lists else np.zeros((int(kept.sum()), 0))

    def flat(name: str, mine: NDArray[np.bool_]) -> NDArray[np.float64]:
        values = rows.loc[mine, name]
        return values.to_numpy(float) if values.notna().any() else np.zeros(0)

    everyone = np.ones(len(rows), bool)
    return Context(
        str(first["cellType"]),
        str(first["state"]),
        tuple(rows["geneId"]),
        bool(first["wholeSample"]),
        float(first["logScale"]),
        float(first["meanLibrary"]),
        np.flatnonzero(kept),
        flat("referenceCount", everyone),
        flat("quantile", everyone),
        wide("knotValues"),
        wide("knotProbabilities"),
        flat("mean", kept),
        flat("standardDeviation", kept),
        wide("loadings"),
    )
