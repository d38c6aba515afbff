"""An expression model's specification as rows of ``expressionFeatures``, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame, Row

from genospark.core.storage import Warehouse
from genospark.features.normalise_rows import from_table
from genospark.models.expression_spec import ExpressionSpec
from genospark.models.spec import Variant

_COLUMNS = (
    "kind string, featureIndex int, geneId string, cellType string, cellTypeIndex int, state string, stateIndex int, contigName string, "
    "start bigint, referenceAllele string, alternateAllele string, targetIndices array<int>, transform string, unit string, "
    "mean double, standardDeviation double, pValue double, neighbours array<int>, distances array<double>"
)


def to_rows(warehouse: Warehouse, spec: ExpressionSpec) -> DataFrame:
    """The specification as rows."""
    names = [part.split()[0] for part in _COLUMNS.split(", ")]
    rows: list[dict[str, Any]] = []
    for kind, genes, scale in (("panel", spec.panel, spec.panel_scale), ("target", spec.targets, spec.target_scale)):
        means, deviations = _nulls(scale).tolist()
        for c, cell_type in enumerate(spec.cell_types):
            for s, state in enumerate(spec.states):
                place = {"kind": kind, "cellType": cell_type, "cellTypeIndex": c, "state": state, "stateIndex": s}
                place |= {"transform": spec.transform, "unit": spec.unit}
                near = _near(spec, c, s) if kind == "panel" else [{}] * len(genes)
                rows += [
                    place | {"featureIndex": g, "geneId": gene, "mean": means[c][s][g], "standardDeviation": deviations[c][s][g]} | near[g]
                    for g, gene in enumerate(genes)
                ]
    hears = _targets_of(spec)
    for index, variant in enumerate(spec.variants):
        described = {"contigName": variant.contig_name, "start": variant.start, "mean": variant.mean}
        described |= {"referenceAllele": variant.reference_allele, "alternateAllele": variant.alternate_allele}
        p_value = None if np.isnan(variant.p_value) else variant.p_value
        described |= {"standardDeviation": variant.standard_deviation, "pValue": p_value, "targetIndices": hears[index]}
        rows.append({"kind": "variant", "featureIndex": index, "transform": "none"} | described)
    return warehouse.spark.createDataFrame([tuple(row.get(name) for name in names) for row in rows], _COLUMNS)


def _near(spec: ExpressionSpec, cell_type: int, state: int) -> list[dict[str, Any]]:
    """Neighbours of each panel gene in a cell type and state."""
    if spec.neighbours is None or spec.distances is None:
        return [{}] * len(spec.panel)
    mine = slice(state * len(spec.panel), (state + 1) * len(spec.panel))
    pairs = zip(spec.neighbours[cell_type, mine], spec.distances[cell_type, mine], strict=True)
    return [{"neighbours": near[near >= 0].tolist(), "distances": far[near >= 0].tolist()} for near, far in pairs]


def _neighbours(rows: list[Row], shape: tuple[int, int, int]) -> tuple[NDArray[np.int32], NDArray[np.float64]] | tuple[None, None]:
    """The inverse of ``_near`` for all cell types and states; shape is [cell types, states, panel]."""
    if all(row["neighbours"] is None for row in rows):
        return None, None
    near = np.full((shape[0], shape[1] * shape[2], max(len(row["neighbours"]) for row in rows)), -1, np.int32)
    far = np.full(near.shape, np.nan)
    for row in rows:
        place = (row["cellTypeIndex"], row["stateIndex"] * shape[2] + row["featureIndex"], slice(0, len(row["neighbours"])))
        near[place], far[place] = row["neighbours"], row["distances"]
    return near, far


def _nulls(scale: NDArray[np.float64]) -> NDArray[np.object_]:
    """None for NaN."""
    values = scale.astype(object)
    values[np.isnan(scale)] = None
    return values


def _targets_of(spec: ExpressionSpec) -> list[list[int] | None]:
    """For each variant the targets that hear it; None where all do."""
    if spec.cis is None:
        return [None] * len(spec.variants)
    hears: list[list[int] | None] = [[] for _ in spec.variants]
    for target, place in zip(*np.nonzero(spec.cis >= 0), strict=True):
        found = hears[spec.cis[target, place]]
        assert found is not None
        found.append(int(target))
    return hears


def cis_of(pairs: list[tuple[int, int]], n_targets: int) -> NDArray[np.int32]:
    """Targets' variants as a rectangle.

    Args:
        pairs: Target and variant, by target.
        n_targets: Targets.

    Returns:
        [targets, most variants of a target], ascending, -1 where a target has fewer.
    """
    counts = np.bincount([target for target, _ in pairs], minlength=n_targets) if pairs else np.zeros(n_targets, int)
    table = np.full((n_targets, int(counts.max(initial=0))), -1, np.int32)
    seen = np.zeros(n_targets, int)
    for target, variant in sorted(pairs):
        table[target, seen[target]] = variant
        seen[target] += 1
    return table


def from_tables(warehouse: Warehouse) -> ExpressionSpec:
    """The specification that ``expressionFeatures`` holds.

    Raises:
        TableError: It is not there.
    """
    rows = warehouse.read("expressionFeatures").orderBy("featureIndex").collect()
    of = {kind: [row for row in rows if row["kind"] == kind] for kind in ("panel", "target", "variant")}
    cell_types = {row["cellTypeIndex"]: row["cellType"] for row in of["target"]}
    states = {row["stateIndex"]: row["state"] for row in of["target"]}
    shape = (len(cell_types), len(states))
    panel, panel_scale = _genes(of["panel"], shape)
    targets, target_scale = _genes(of["target"], shape)
    variants = tuple(
        Variant(
            row["contigName"],
            row["start"],
            row["referenceAllele"],
            row["alternateAllele"],
            row["mean"],
            row["standardDeviation"],
            float("nan") if row["pValue"] is None else row["pValue"],
        )
        for row in of["variant"]
    )
    cis = None
    if not any(row["targetIndices"] is None for row in of["variant"]):
        cis = cis_of([(target, row["featureIndex"]) for row in of["variant"] for target in row["targetIndices"]], len(targets))
    first = of["target"][0]
    return ExpressionSpec(
        panel, targets, tuple(cell_types[c] for c in sorted(cell_types)), tuple(states[s] for s in sorted(states)), first["transform"],
        first["unit"], variants, cis, panel_scale, target_scale, from_table(warehouse, "expression"),
        *_neighbours(of["panel"], (*shape, len(panel))),
    )  # fmt: skip


def _genes(rows: list[Row], shape: tuple[int, int]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    genes = {row["featureIndex"]: row["geneId"] for row in rows}
    scale = np.full((2, *shape, len(genes)), np.nan)
    for row in rows:
        place = (row["cellTypeIndex"], row["stateIndex"], row["featureIndex"])
        if row["mean"] is not None:
            scale[(slice(None), *place)] = row["mean"], row["standardDeviation"]
    return tuple(genes[index] for index in sorted(genes)), scale
