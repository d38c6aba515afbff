"""Fitting the normalisation of expression on training people: reference sample, mean profile, normal scores and hidden factors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.features.components import gene_components
from genospark.features.dense import check_not_negative, scatter
from genospark.features.normalise import by_context, check_counts, profiles
from genospark.features.normalise_config import NormaliseConfig
from genospark.features.profiles import Profiles
from genospark.models.distributions import inverse_normal, knots, sorted_profiles
from genospark.models.normaliser import SCALES, Context, Normaliser, steps_of
from genospark.models.tmm import effective_libraries, log_factors, reference_sample, upper_quartiles

Doubles = NDArray[np.float64]
_LEAST_SPREAD = 1e-8


def fit(expression: DataFrame, people: pd.DataFrame, config: NormaliseConfig) -> Normaliser | None:
    """Fits the steps of a transform, one after the other, and hidden factors of what they make.

    Args:
        expression: Rows of ``expression``.
        people: Training people: `sampleId`.
        config: The steps, and how many hidden factors to remove; these are fewer where people or genes are.

    Returns:
        None where nothing needs to be fitted.

    Raises:
        TableError: Values are no counts where these are needed, or negative where a logarithm is to be taken.
    """
    transform, hidden_factors = config.expression_transform, config.hidden_factors
    steps = steps_of(transform)
    if not hidden_factors and steps[0] in SCALES[:-1] and len(steps) == 1:
        return None
    if "cpm" in steps:
        check_counts(expression)
    spark = expression.sparkSession
    places = people[["sampleId"]].assign(person=range(len(people)))
    mine = expression.join(f.broadcast(spark.createDataFrame(places, "sampleId string, person int")), "sampleId")
    contexts = _contexts(mine, steps, hidden_factors)
    if not contexts:
        return Normaliser(transform, ())
    with bounded_batches(spark, 12 * max(len(found.genes) for found in contexts)):
        rows = profiles(mine, contexts, "person").persist()
        try:
            if "cpm" in steps:
                contexts = _with_references(rows, contexts)
            if "quantile" in steps:
                contexts = _with_quantiles(rows, contexts, steps[: steps.index("quantile")])
            if "inverse-normal" in steps or hidden_factors:
                contexts = _with_genes(rows, contexts, steps, hidden_factors, len(people))
        finally:
            rows.unpersist()
    # Where nobody has enough of the genes, nothing was fitted.
    needed = [name for name, step in (("counts", "cpm"), ("quantiles", "quantile")) if step in steps]
    return Normaliser(transform, tuple(found for found in contexts if all(getattr(found, name).size for name in (*needed, "kept"))))


def _contexts(mine: DataFrame, steps: list[str], hidden_factors: int) -> tuple[Context, ...]:
    """Cell types and states with the genes that training people have there; of counts, those that anyone has any of."""
    ranges = mine.groupBy("cellType", "state", "geneId").agg(f.min("expressionValue").alias("low"), f.max("expressionValue").alias("high"))
    found: pd.DataFrame = ranges.toPandas()
    found = found.sort_values(["cellType", "state", "geneId"])
    if steps[0] != "none" and steps[0] in SCALES:
        check_not_negative(found["low"].min())
    if "cpm" in steps:
        found = found[found["high"] > 0]
    whole = bool({"cpm", "quantile"} & set(steps)) or hidden_factors > 0
    groups = found.groupby(["cellType", "state"])["geneId"]
    return tuple(Context.bare(cell_type, state, tuple(genes), whole) for (cell_type, state), genes in groups)


def _with_references(rows: DataFrame, contexts: tuple[Context, ...]) -> tuple[Context, ...]:
    """Chooses each context's reference sample and fits the scale of the factors."""

    def describe(number: int, found: Context, people: pa.RecordBatch, raw: Doubles) -> pa.RecordBatch:
        enough = found.enough(raw)
        values = raw[enough]
        quartiles = upper_quartiles(values) if len(values) else np.zeros(0)
        arrays = [people.column("sampleId").filter(pa.array(enough)), pa.array(np.full(len(values), number, np.int32))]
        return _batch([*arrays, pa.array(quartiles), pa.array(np.nansum(np.sqrt(values), axis=1))], described)

    described = "sampleId string, context int, quartile double, roots double"
    seen: pd.DataFrame = by_context(rows, contexts, describe, described).toPandas()
    seen = seen.sort_values(["context", "sampleId"])
    made = list(contexts)
    chosen = []
    for number, group in seen.groupby("context"):
        best = reference_sample(group["quartile"].to_numpy(), group["roots"].to_numpy())
        chosen.append((group["sampleId"].iloc[best], number))
    wanted = f.broadcast(rows.sparkSession.createDataFrame(chosen, "sampleId string, context int"))
    for row in rows.join(wanted, ["sampleId", "context"]).collect():
        counts = np.zeros(len(contexts[row["context"]].genes))
        counts[row["places"]] = row["values"]
        made[row["context"]] = replace(contexts[row["context"]], counts=counts)

    def factors(number: int, found: Context, people: pa.RecordBatch, raw: Doubles) -> pa.RecordBatch:
        values = raw[found.enough(raw)]
        logs = log_factors(values, found.counts) if len(values) else np.zeros(0)
        sizes = effective_libraries(values, found.counts, 0.0) if len(values) else np.zeros(0)
        return _batch([pa.array(np.full(len(values), number, np.int32)), pa.array(logs), pa.array(sizes)], scaled)

    scaled = "context int, logFactor double, library double"
    fitted: pd.DataFrame = by_context(rows, tuple(made), factors, scaled).toPandas()
    fitted = fitted.sort_values(["context", "library", "logFactor"])
    for number, group in fitted.groupby("context"):
        scale = float(group["logFactor"].mean())
        made[number] = replace(made[number], log_scale=scale, mean_library=float(group["library"].mean() * np.exp(-scale)))
    return tuple(made)


def _with_quantiles(rows: DataFrame, contexts: tuple[Context, ...], before: list[str]) -> tuple[Context, ...]:
    """Fits each context's mean sorted profile."""

    def work(number: int, found: Context, people: pa.RecordBatch, raw: Doubles) -> pa.RecordBatch:
        values = found.normalised(raw[found.enough(raw)], before)
        total = sorted_profiles(values).sum(axis=0) if len(values) else np.zeros(len(found.genes))
        first = people.column("sampleId").slice(0, 1)
        arrays = [pa.array([number], pa.int32()), first, pa.array([len(values)], pa.int64()), pa.array([total.tobytes()], pa.binary())]
        return _batch(arrays, "context int, first string, n bigint, total binary")

    # In a fixed order, so that sums are the same to the last bit.
    parts = by_context(rows, contexts, work, "context int, first string, n bigint, total binary").collect()
    totals, counts = [np.zeros(len(found.genes)) for found in contexts], np.zeros(len(contexts))
    for part in sorted(parts, key=lambda part: (part["context"], part["first"])):
        totals[part["context"]] += np.frombuffer(part["total"])
        counts[part["context"]] += part["n"]
    return tuple(replace(found, quantiles=totals[i] / counts[i]) if counts[i] else found for i, found in enumerate(contexts))


def _with_genes(
    rows: DataFrame, contexts: tuple[Context, ...], steps: list[str], hidden_factors: int, n_people: int
) -> tuple[Context, ...]:
    """Fits what needs a gene's values in all training people: normal scores, and means, deviations and hidden factors."""
    before = [step for step in steps if step != "inverse-normal"]
    normal = "inverse-normal" in steps

    def emit(number: int, found: Context, people: pa.RecordBatch, raw: Doubles) -> pa.RecordBatch:
        values = found.normalised(raw, before)
        person, gene = np.nonzero(~np.isnan(values))
        places = people.column("person").to_numpy()[person]
        arrays = [np.full(len(person), number, np.int32), gene.astype(np.int32), places, values[person, gene]]
        return _batch([pa.array(array) for array in arrays], "context int, gene int, person int, value double")

    long = by_context(rows, contexts, emit, "context int, gene int, person int, value double")
    lists = long.groupBy("context", "gene").agg(f.collect_list("person").alias("places"), f.collect_list("value").alias("values"))
    schema = "context int, genes array<int>, means array<double>, deviations array<double>, width int, knots binary, values binary"

    def describe(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            numbers = batch.column("context").to_numpy()
            for number in np.unique(numbers):
                mine = batch.filter(pa.array(numbers == number))
                values = scatter(mine.column("places"), mine.column("values"), n_people)
                found = knots(values) if normal else (np.zeros((len(values), 0)),) * 2
                if normal:
                    values = inverse_normal(values.T, *found).T
                means, deviations = np.nanmean(values, axis=1), np.nanstd(values, axis=1)
                deviations[deviations < _LEAST_SPREAD] = 0
                z = np.nan_to_num((values - means[:, None]) / np.where(deviations > 0, deviations, np.inf)[:, None])
                lists = [mine.column("gene").to_numpy(), means, deviations]
                arrays = [pa.array([number], pa.int32()), *(pa.array([part]) for part in lists), pa.array([found[0].shape[1]], pa.int32())]
                kept = z.astype("<f4").tobytes() if hidden_factors else b""
                yield _batch([*arrays, pa.array([np.stack(found).tobytes()], pa.binary()), pa.array([kept], pa.binary())], schema)

    with bounded_batches(rows.sparkSession, 64 * n_people):
        blocks = lists.sortWithinPartitions("context", "gene").mapInArrow(describe, schema).persist()
        try:
            parts = blocks.drop("values").collect()
            made = []
            for number, found in enumerate(contexts):
                own = _gathered(found, [part for part in parts if part["context"] == number], hidden_factors > 0)
                if hidden_factors:
                    here = blocks.where(f.col("context") == number).select("genes", "values")
                    own = replace(own, loadings=_loadings(here, own, hidden_factors, n_people))
                made.append(own)
        finally:
            blocks.unpersist()
    return tuple(made)


def _gathered(found: Context, parts: list[Any], scales: bool) -> Context:
    """A context with what was fitted of its genes."""
    n, width = len(found.genes), max((part["width"] for part in parts), default=0)
    means, deviations, all_knots = np.zeros(n), np.zeros(n), np.zeros((2, n, width))
    for part in parts:
        genes = part["genes"]
        means[genes], deviations[genes] = part["means"], part["deviations"]
        all_knots[:, genes] = np.frombuffer(part["knots"]).reshape(2, len(genes), width)
    kept = np.sort(np.concatenate([np.zeros(0, np.int64), *(np.array(part["genes"], np.int64) for part in parts)]))
    made = replace(found, kept=kept, knot_values=all_knots[0, kept], knot_probabilities=all_knots[1, kept], loadings=all_knots[0, kept, :0])
    return replace(made, means=means[kept], deviations=deviations[kept]) if scales else made


def _loadings(blocks: DataFrame, found: Context, count: int, n_people: int) -> Doubles:
    """Orthonormal directions [kept, factors] in which the standardised genes of training people vary most."""
    standing = pd.DataFrame({"person": range(n_people)})
    places, shares = gene_components(Profiles(list(found.genes), standing, blocks), count)
    places = places[found.kept].astype(float)
    used = shares > 1e-9
    return np.linalg.qr(places[:, used])[0] if used.any() else np.zeros((len(found.kept), 0))


def _batch(arrays: list[pa.Array], schema: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(arrays, [part.split()[0] for part in schema.split(", ")])
