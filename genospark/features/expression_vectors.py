"""Every person's panel, calls and targets in each cell type, for training and scoring alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.storage import Warehouse
from genospark.features.dense import scatter, transformed
from genospark.features.matching import Matched, match
from genospark.features.normalise import prepared
from genospark.models.expression_spec import ExpressionSpec
from genospark.models.neighbours import filled


@dataclass(frozen=True)
class Vectors:
    """What an expression model is fed.

    Attributes:
        rows: sampleId, cellType, cellTypeIndex, panel, calls, targets, panelCoverage: one row per person of ``samples`` and cell type.
        matched: Which variants were found.
    """

    rows: DataFrame
    matched: Matched


def vectors(warehouse: Warehouse, spec: ExpressionSpec) -> Vectors:
    """Makes the vectors.

    Args:
        warehouse: Its ``samples`` is read, ``genotypes`` where the model has variants, ``expression`` where it is there.
        spec: What to look for.

    Raises:
        TableError: There are no genotypes, or an expression value does not fit the transform.
    """
    spark = warehouse.spark
    matched = match(warehouse, spec.variants)
    types = spark.createDataFrame(
        [(name, np.int32(index).tobytes()) for index, name in enumerate(spec.cell_types)], "cellType string, cellTypeIndex binary"
    )
    rows = matched.rows.crossJoin(f.broadcast(types))
    measured = panels(warehouse, spec)
    empty = {"panel": "binary", "targets": "binary", "panelCoverage": "double"}
    rows = (
        rows.join(measured, ["sampleId", "cellType"], "left")
        if measured
        else rows.withColumns({name: f.lit(None).cast(kind) for name, kind in empty.items()})
    )
    nothing = {name: f.lit(np.full(width, np.nan, "<f4").tobytes()) for name, width in _widths(spec).items()}
    filled = [f.coalesce(name, value).alias(name) for name, value in nothing.items()]
    coverage = f.coalesce("panelCoverage", f.lit(0.0)).alias("panelCoverage")
    return Vectors(rows.select("sampleId", "cellType", "cellTypeIndex", "calls", *filled, coverage), matched)


def _widths(spec: ExpressionSpec) -> dict[str, int]:
    return {"panel": spec.panel_width, "targets": spec.target_width}


def row_bytes(spec: ExpressionSpec) -> int:
    """Bytes that one person's cell type takes while its vectors are made."""
    genes = max((len(found.genes) for found in spec.normaliser.contexts), default=0) if spec.normaliser else 0
    return max(8 * 3 * (spec.panel_width + spec.target_width) + spec.call_bytes, 12 * genes)


def panels(warehouse: Warehouse, spec: ExpressionSpec) -> DataFrame | None:
    """Standardised panel and targets, [states, genes] each, and the share of the panel that is known."""
    if not warehouse.has("expression"):
        return None
    spark = warehouse.spark
    n_panel, n_targets = len(spec.panel), len(spec.targets)
    kinds = ((0, spec.panel), (n_panel, spec.targets))
    places = [(gene, first + index) for first, names in kinds for index, gene in enumerate(names)]
    genes = spark.createDataFrame(places, "geneId string, gene int")
    states = spark.createDataFrame(list(enumerate(spec.states)), "stateIndex int, state string")
    names = {(gene, cell_type, state) for _, found in kinds for gene in found for cell_type in spec.cell_types for state in spec.states}
    expression, transform = prepared(warehouse.read("expression"), spec.transform, spec.normaliser, names)
    wanted = expression.where(f.col("cellType").isin(*spec.cell_types))
    placed = wanted.join(f.broadcast(states), "state").join(f.broadcast(genes), "geneId")
    place = (f.col("stateIndex") * (n_panel + n_targets) + f.col("gene")).alias("place")
    grouped = placed.select("sampleId", "cellType", place, "expressionValue").groupBy("sampleId", "cellType")
    lists = grouped.agg(f.collect_list("place").alias("places"), f.collect_list("expressionValue").alias("values"))
    scale = np.concatenate([spec.panel_scale, spec.target_scale], axis=-1)
    shape = (-1, len(spec.states), n_panel + n_targets)

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            raw = scatter(batch.column("places"), batch.column("values"), shape[1] * shape[2])
            values = transformed(raw, transform).reshape(shape)
            kinds = batch.column("cellType").to_pylist()
            which = np.array([spec.cell_types.index(name) for name in kinds], int)
            z = (values - scale[0][which]) / scale[1][which]
            known = ~np.isnan(z[:, :, :n_panel])
            coverage = known.mean(axis=(1, 2)) if n_panel else np.zeros(len(z))
            panel = _filled(z[:, :, :n_panel], spec, which)
            arrays = [binaries(panel), binaries(z[:, :, n_panel:]), pa.array(coverage)]
            yield pa.RecordBatch.from_arrays(
                [batch.column("sampleId"), batch.column("cellType"), *arrays], ["sampleId", "cellType", "panel", "targets", "panelCoverage"]
            )

    return lists.mapInArrow(work, "sampleId string, cellType string, panel binary, targets binary, panelCoverage double")


def _filled(panel: NDArray[np.float64], spec: ExpressionSpec, types: NDArray[np.int64]) -> NDArray[np.float64]:
    """The panel [rows, states, panel] with gaps filled by its nearest genes, where the model has been told which these are."""
    if spec.neighbours is None or spec.distances is None:
        return panel
    flat = panel.reshape(len(panel), -1)
    for which in np.unique(types):
        flat[types == which] = filled(flat[types == which], spec.neighbours[which], spec.distances[which])
    return flat.reshape(panel.shape)


def binaries(rows: NDArray[np.float64]) -> pa.Array:
    """Each row as one binary of float32."""
    return pa.array([row.tobytes() for row in rows.astype("<f4")], pa.binary())
