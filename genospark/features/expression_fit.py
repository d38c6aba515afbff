"""What ``build-features expression`` fits on training people: the panel, the variants, means and standard deviations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.core.progress import step
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features import cis, normalise_fit
from genospark.features.builds import check_shared
from genospark.features.dense import scatter, transformed
from genospark.features.expression_config import BuildExpressionFeaturesConfig
from genospark.features.expression_specification import cis_of
from genospark.features.expression_vectors import binaries, panels, row_bytes
from genospark.features.normalise import bounded, prepared
from genospark.features.panel import correlations, covering
from genospark.models.expression_spec import ExpressionSpec
from genospark.models.neighbours import nearest
from genospark.models.spec import Variant

# People that choose the panel, at most: their values are held on the driver.
PANEL_PEOPLE = 2000


def fit(run: Run, training: pd.DataFrame, config: BuildExpressionFeaturesConfig) -> ExpressionSpec:
    """Chooses panel, targets and variants, and fits means and standard deviations.

    Args:
        run: Its warehouse is read.
        training: Training people: sampleId, sampleIndex; their order is arbitrary, the first ones choose the panel.
        config: Settings.

    Raises:
        TableError: Nothing is left to predict, or a gene or state that is named was not measured.
    """
    warehouse = run.warehouse
    order = training[["sampleId"]].assign(place=range(len(training)))
    raw = warehouse.read("expression")
    units = sorted(row[0] for row in raw.select("expressionUnit").distinct().collect())
    mine = raw.join(f.broadcast(warehouse.spark.createDataFrame(order[["sampleId"]])), "sampleId", "left_semi")
    with step(f"{run.stage}: fitting the normalisation"):
        normaliser = normalise_fit.fit(raw, order, config)
        expression, transform = prepared(mine, config.expression_transform, normaliser)
        if normaliser:
            with bounded(warehouse.spark, normaliser):
                expression = expression.persist()
                expression.count()
    with bounded_batches(warehouse.spark, 32 * len(order)):
        values = standardised(expression, order, transform).persist()
        try:
            with step(f"{run.stage}: choosing the panel"):
                scales: pd.DataFrame = values.drop("values").toPandas()
                panel = _panel(warehouse, values, scales, config)
                genes = sorted(scales["geneId"].unique())
                targets = genes if config.targets == "all" else [gene for gene in genes if gene not in set(panel)]
                targets = config.targets if isinstance(config.targets, list) else targets
                if not targets:
                    raise TableError("every gene is in the panel, so none is left to predict", "give a smaller panel, or name targets")
            cell_types = tuple(sorted(scales["cellType"].unique()))
            states = _states(scales, config)
            with step(f"{run.stage}: choosing variants"):
                variants, speaks_to = _variants(run, training, _of(values, targets), targets, config)
        finally:
            values.unpersist()
            expression.unpersist()
    if normaliser:
        normaliser = normaliser.restricted({(gene, c, s) for gene in (*panel, *targets) for c in cell_types for s in states})
    units_text = ", ".join(units)
    chosen = (tuple(panel), tuple(targets), cell_types, states, config.expression_transform, units_text, variants, speaks_to)
    panel_scale, target_scale = (_grid(scales, names, cell_types, states) for names in (panel, targets))
    spec = ExpressionSpec(*chosen, panel_scale, target_scale, normaliser)
    return _with_neighbours(warehouse, spec, order, config) if config.expression_filling == "knn" and spec.panel else spec


def _with_neighbours(
    warehouse: Warehouse, spec: ExpressionSpec, order: pd.DataFrame, config: BuildExpressionFeaturesConfig
) -> ExpressionSpec:
    """The specification with the panel's neighbours in each cell type, as seen in some training people."""
    made = panels(warehouse, spec)
    assert made is not None
    chosen = f.broadcast(warehouse.spark.createDataFrame(order[["sampleId"]].head(PANEL_PEOPLE)))
    with bounded_batches(warehouse.spark, row_bytes(spec)):
        rows: pd.DataFrame = made.join(chosen, "sampleId", "left_semi").select("sampleId", "cellType", "panel").toPandas()
    near = np.full((len(spec.cell_types), spec.panel_width, min(config.filling_neighbours, spec.panel_width - 1)), -1, np.int32)
    far = np.full(near.shape, np.nan)
    for number, cell_type in enumerate(spec.cell_types):
        mine = rows[rows["cellType"] == cell_type].sort_values("sampleId")
        if len(mine):
            near[number], far[number] = nearest(np.stack([np.frombuffer(row, "<f4").astype(float) for row in mine["panel"]]), near.shape[2])
    return replace(spec, neighbours=near, distances=far)


def standardised(expression: DataFrame, order: pd.DataFrame, transform: str) -> DataFrame:
    """Standardised expression of some people: geneId, cellType, state, mean, standardDeviation, values (float32 [people], missing 0).

    Args:
        expression: Rows of ``expression``.
        order: The people: `sampleId`, `place` (0-based).
        transform: Of ``dense.transformed``.
    """
    people = expression.sparkSession.createDataFrame(order, "sampleId string, place int")
    measured = expression.join(f.broadcast(people), "sampleId").groupBy("geneId", "cellType", "state")
    lists = measured.agg(f.collect_list("place").alias("places"), f.collect_list("expressionValue").alias("measured"))
    n = len(order)
    names = ["geneId", "cellType", "state"]

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values = transformed(scatter(batch.column("places"), batch.column("measured"), n), transform)
            means, deviations = np.nanmean(values, axis=1), np.nanstd(values, axis=1)
            varies = deviations > 1e-8
            z = np.nan_to_num((values[varies] - means[varies, None]) / deviations[varies, None])
            arrays = [
                *batch.select(names).filter(pa.array(varies)).columns,
                pa.array(means[varies]),
                pa.array(deviations[varies]),
                binaries(z),
            ]
            yield pa.RecordBatch.from_arrays(arrays, [*names, "mean", "standardDeviation", "values"])

    return lists.mapInArrow(work, "geneId string, cellType string, state string, mean double, standardDeviation double, values binary")


def _states(scales: pd.DataFrame, config: BuildExpressionFeaturesConfig) -> tuple[str, ...]:
    found = set(scales["state"])
    if config.states is None:
        return tuple(sorted(found))
    if set(config.states) - found:
        raise TableError(
            f"no training person has expression in state {', '.join(sorted(set(config.states) - found))}",
            f"the states measured are {', '.join(sorted(found))}",
        )
    return tuple(config.states)


def _panel(warehouse: Warehouse, values: DataFrame, scales: pd.DataFrame, config: BuildExpressionFeaturesConfig) -> list[str]:
    found = set(scales["geneId"])
    if isinstance(config.panel, list):
        missing = [gene for gene in config.panel if gene not in found]
        if missing:
            raise TableError(
                f"{len(missing)} of the panel's {len(config.panel)} genes, such as {missing[0]}, vary in no training person's expression",
                "name genes as the expression file does",
            )
        return config.panel
    if config.panel == "regulators":
        regulators = [row[0] for row in warehouse.read("genes").where("isRegulator").select("geneId").collect()]
        if not found & set(regulators):
            raise TableError(
                "no regulator is among the genes with expression", "ingest genes with a list of regulators, or choose another panel"
            )
        return sorted(found & set(regulators))
    if not config.panel:
        return []
    spread = scales.groupby("geneId")["standardDeviation"].agg(["size", "mean"])
    candidates = sorted(spread.sort_values(["size", "mean"], ascending=False).head(config.panel_candidates).index)
    kept = _of(values, candidates).select("geneId", "cellType", "state", f.expr(f"left(values, {4 * PANEL_PEOPLE})").alias("values"))
    rows: pd.DataFrame = kept.toPandas()
    matrix = correlations(_stacked(rows, candidates))
    names = np.array(candidates)
    explained = np.isin(names, config.targets) if isinstance(config.targets, list) else np.ones(len(names), bool)
    open_ = np.flatnonzero(~explained if isinstance(config.targets, list) else explained)
    return sorted(names[covering(matrix, open_, np.flatnonzero(explained), config.panel)].tolist())


def _of(rows: DataFrame, genes: list[str]) -> DataFrame:
    """The rows of some genes."""
    return rows.join(f.broadcast(rows.sparkSession.createDataFrame([(gene,) for gene in genes], "geneId string")), "geneId", "left_semi")


def _stacked(rows: pd.DataFrame, genes: list[str]) -> NDArray[np.float32]:
    """Values [genes, contexts, people], 0 where a gene has no row for a context."""
    contexts = rows[["cellType", "state"]].agg("\t".join, axis=1)
    names = sorted(contexts.unique())
    array = np.zeros((len(genes), len(names), len(rows["values"].iloc[0]) // 4), np.float32)
    array[pd.Index(genes).get_indexer(rows["geneId"]), pd.Index(names).get_indexer(contexts)] = [
        np.frombuffer(v, "<f4") for v in rows["values"]
    ]
    return array


def _variants(
    run: Run, training: pd.DataFrame, values: DataFrame, targets: list[str], config: BuildExpressionFeaturesConfig
) -> tuple[tuple[Variant, ...], NDArray[np.int32] | None]:
    """The variants, and for each target those that speak to it."""
    warehouse = run.warehouse
    if config.variants == "none":
        return (), cis_of([], len(targets))
    columns = training["sampleIndex"].to_numpy(np.int64)
    calls = cis.training_calls(warehouse.read("genotypes"), columns, config.min_call_rate, config.min_allele_count)
    key = ["contigName", "start", "referenceAllele", "alternateAllele"]
    if config.variants == "all":
        rows: pd.DataFrame = calls.drop("calls").toPandas()
        rows = rows.sort_values(key).assign(pValue=np.nan)
        return tuple(Variant(*row) for row in rows.itertuples(index=False)), None
    if not warehouse.producer("genes"):
        run.note(no_cis_variants="the table `genes` is not there; see ingest-genes")
        return (), cis_of([], len(targets))
    check_shared(warehouse, "genes", "variants")
    genes = _of(warehouse.read("genes"), targets)
    near = cis.near_genes(calls, genes, config.cis_window_bp)
    chosen = cis.best_variants(near, values, len(training), config.cis_variants_per_target)
    run.note(targets_with_cis_variants=int(chosen["geneId"].nunique()))
    sites = chosen.groupby(key, as_index=False).agg({"mean": "first", "standardDeviation": "first", "pValue": "min"}).sort_values(key)
    index = pd.MultiIndex.from_frame(sites[key]).get_indexer(pd.MultiIndex.from_frame(chosen[key]))
    target = pd.Index(targets).get_indexer(chosen["geneId"])
    pairs = [(int(t), int(v)) for t, v in zip(target, index, strict=True)]
    return tuple(Variant(*row) for row in sites.itertuples(index=False)), cis_of(pairs, len(targets))


def _grid(scales: pd.DataFrame, genes: list[str], cell_types: tuple[str, ...], states: tuple[str, ...]) -> NDArray[np.float64]:
    """Means and standard deviations [2, cell types, states, genes], NaN where training people have none."""
    grid = np.full((2, len(cell_types), len(states), len(genes)), np.nan)
    names = ((cell_types, "cellType"), (states, "state"), (genes, "geneId"))
    c, s, g = (pd.Index(list(known)).get_indexer(scales[column]) for known, column in names)
    there = (s >= 0) & (g >= 0)
    grid[:, c[there], s[there], g[there]] = scales.loc[there, ["mean", "standardDeviation"]].to_numpy().T
    return grid
