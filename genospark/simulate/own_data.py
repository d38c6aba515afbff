"""Diseases on a warehouse's own genotypes and expression, with known causes: what a cohort of this size and kind can show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f
from pyspark.sql.types import IntegerType, StructField, StructType
from scipy.stats import norm, rankdata

from genospark.core.blocks import by_variant, gather
from genospark.core.calls import MISSING
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.simulate.arrays import Floats, standardise, stream
from genospark.simulate.config import OwnDataConfig
from genospark.simulate.files import write_table

_VARIANT = ["contigName", "start", "referenceAllele", "alternateAllele"]
_CALLED = "contigName string, start bigint, referenceAllele string, alternateAllele string, draw int, calls binary"
_GENE = ["geneId", "cellType", "state"]
# Variants drawn for each that is wanted: some are rare among the people with expression.
_SPARE = 8


def simulate_diseases(config: OwnDataConfig, warehouse: Warehouse, out: Path) -> None:
    """Writes ``phenotypes.tsv`` and, under ``truth``, the causal variants and genes and everyone's liability.

    Liability is the sum of standardised copies of causal alleles, of normal scores of causal genes' expression (so that no unit and no
    transform matters), and of noise; each part is scaled to its share of the variance (Falconer 1965). Who has no expression is left out
    where genes are causal.

    Args:
        config: What to simulate.
        warehouse: Its ``samples``, ``variants`` and ``genotypes`` are read, and ``expression`` where genes are causal.
        out: Folder.

    Raises:
        TableError: A table is not there, or there are too few people, common variants or genes.
    """
    people: pd.DataFrame = warehouse.read("samples").select("sampleId", "sampleIndex").toPandas()
    if config.n_genes:
        measured: pd.DataFrame = warehouse.read("expression").select("sampleId").distinct().toPandas()
        people = people[people["sampleId"].isin(measured["sampleId"])]
    if len(people) < 20:
        raise TableError(f"{warehouse.path}: {len(people)} people to simulate on, at least 20 are needed", "ingest more of them")
    people = people.sort_values("sampleIndex", ignore_index=True)
    n_diseases = len(config.diseases)
    variants, copies = _variants(config, warehouse, people, n_diseases * config.n_variants)
    genes, scores = _genes(config, warehouse, people, n_diseases * config.n_genes)
    everyone, cases = {"sampleId": people["sampleId"]}, {"sampleId": people["sampleId"]}
    causes = []
    for number, disease in enumerate(config.diseases):
        parts = {}
        by_variants = ("genetic", copies, config.heritability, config.n_variants)
        kinds = (by_variants, ("expression", scores, config.expression_share, config.n_genes))
        for part, values, share, count in kinds:
            rng = stream(config.seed, part, disease.name)
            effects = rng.choice([-1.0, 1.0], count) * rng.uniform(0.5, 1.5, count)
            mine = slice(number * count, (number + 1) * count)
            raw = values[:, mine] @ effects
            parts[part] = standardise(raw, share, slice(None))
            effects = effects * np.sqrt(share) / max(raw.std(), 1e-12)
            table = (variants if part == "genetic" else genes).iloc[mine].assign(disease=disease.name, effect=effects)
            causes.append((part, table))
        rest = 1 - sum(share for _, _, share, count in kinds if count)
        parts["noise"] = stream(config.seed, "noise", disease.name).normal(0, np.sqrt(rest), len(people))
        liability = np.sum(list(parts.values()), axis=0)
        label = (liability > np.quantile(liability, 1 - disease.prevalence)).astype(int)
        everyone |= {f"{part}_{disease.name}": values for part, values in parts.items()}
        everyone |= {f"liability_{disease.name}": liability, f"label_{disease.name}": label}
        cases[disease.name] = label
    (out / "truth").mkdir(parents=True, exist_ok=True)
    write_table(out / "phenotypes.tsv", pd.DataFrame(cases))
    write_table(out / "truth" / "people.tsv", pd.DataFrame(everyone))
    for part, name in (("genetic", "variants.tsv"), ("expression", "genes.tsv")):
        write_table(out / "truth" / name, pd.concat([table for kind, table in causes if kind == part]))


def _variants(config: OwnDataConfig, warehouse: Warehouse, people: pd.DataFrame, count: int) -> tuple[pd.DataFrame, Floats]:
    """Causal variants in the order of their draw, and standardised copies of their alternate alleles [people, variants]."""
    if not count:
        return pd.DataFrame(columns=_VARIANT), np.zeros((len(people), 0))
    single = f.expr("size(alternateAlleles) = 1 and array_contains(array('A', 'C', 'G', 'T'), alternateAlleles[0])")
    common = f.expr("least(alleleFrequency, 1 - alleleFrequency)") >= config.min_allele_frequency / 2
    keys = warehouse.read("variants").where(single & common).withColumn("alternateAllele", f.col("alternateAlleles")[0])
    drawn = _drawn(keys, _VARIANT, _SPARE * count + 50, config.seed)
    columns = people["sampleIndex"].to_numpy(np.int64)
    named = warehouse.read("genotypes").withColumn("alternateAllele", f.col("alternateAlleles")[0])
    found = by_variant(named.join(f.broadcast(drawn.drop("draw")), _VARIANT, "left_semi")).join(f.broadcast(drawn), _VARIANT)
    rows: pd.DataFrame = found.select(*_VARIANT, "draw", "blocks").mapInArrow(partial(_called, columns), _CALLED).toPandas()
    rows = rows.sort_values("draw", ignore_index=True)
    calls = np.frombuffer(b"".join(rows["calls"]), np.uint8).reshape(len(rows), len(columns)).T
    known = calls != MISSING
    frequency = np.where(known, calls, 0).sum(axis=0) / np.maximum(2 * known.sum(axis=0), 1)
    fits = (np.minimum(frequency, 1 - frequency) >= max(config.min_allele_frequency, 1e-9)) & (known.mean(axis=0) >= config.min_measured)
    chosen = np.flatnonzero(fits)[:count]
    if len(chosen) < count:
        raise TableError(
            f"{warehouse.path}: {len(chosen)} common variants were found where {count} are to be causal",
            "lower own_data.variants or own_data.min_allele_frequency, or ingest more of the genome",
        )
    copies = np.where(known, calls, 2 * frequency)[:, chosen]
    return rows.loc[chosen, _VARIANT], standardise(copies, 1.0, slice(None))


def _called(columns: NDArray[np.int64], batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        calls = pa.array([row.tobytes() for row in gather(batch.column("blocks"), columns)], pa.binary())
        yield pa.RecordBatch.from_arrays([*batch.columns[:-1], calls], [*batch.schema.names[:-1], "calls"])


def _genes(config: OwnDataConfig, warehouse: Warehouse, people: pd.DataFrame, count: int) -> tuple[pd.DataFrame, Floats]:
    """Causal genes in the order of their draw, and normal scores of their expression [people, genes], 0 where it was not measured."""
    if not count:
        return pd.DataFrame(columns=_GENE), np.zeros((len(people), 0))
    mine = warehouse.spark.createDataFrame(people[["sampleId"]])
    expression = warehouse.read("expression").join(f.broadcast(mine), "sampleId", "left_semi")
    spread = expression.groupBy(*_GENE).agg(f.count("*").alias("n"), f.countDistinct("expressionValue").alias("levels"))
    fits = spread.where((f.col("n") >= config.min_measured * len(people)) & (f.col("levels") > f.col("n") / 2))
    drawn = _drawn(fits, _GENE, count, config.seed)
    rows: pd.DataFrame = expression.join(f.broadcast(drawn), _GENE).select(*_GENE, "draw", "sampleId", "expressionValue").toPandas()
    chosen = rows[[*_GENE, "draw"]].drop_duplicates().sort_values("draw", ignore_index=True)
    if len(chosen) < count:
        raise TableError(
            f"{warehouse.path}: {len(chosen)} genes vary and were measured in enough people where {count} are to be causal",
            "lower own_data.genes or own_data.min_measured",
        )
    values = rows.pivot(index="sampleId", columns="draw", values="expressionValue").reindex(people["sampleId"]).to_numpy()
    ranks = rankdata(values, axis=0, nan_policy="omit")
    scores = np.nan_to_num(norm.ppf((ranks - 0.375) / ((~np.isnan(values)).sum(axis=0) + 0.25)))
    return chosen[_GENE], standardise(scores, 1.0, slice(None))


def _drawn(rows: DataFrame, key: list[str], count: int, seed: int) -> DataFrame:
    """Some rows' keys, drawn by a hash, with their place in the draw."""
    drawn: pd.DataFrame = rows.select(*key).orderBy(f.xxhash64(*key, f.lit(seed)), *key).limit(count).toPandas()
    schema = StructType([*rows.select(*key).schema.fields, StructField("draw", IntegerType())])
    return rows.sparkSession.createDataFrame(drawn.assign(draw=range(len(drawn))), schema)
