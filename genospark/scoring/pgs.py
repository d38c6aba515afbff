"""Stage ``score pgs``: published scores of every person to ``pgsScores``, equal to ``plink2 --score``."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from genospark.core.builds import prefix_hint
from genospark.core.config import StageConfig
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, CoverageError, TableError
from genospark.features.builds import contigs
from genospark.features.published import KEY, Found, find_weights
from genospark.quality.cohort import Cohort, SitesConfig
from genospark.quality.packed import frequencies, genotype_counts, only
from genospark.quality.sums import summed
from genospark.quality.weighted import Weights, weighted_sums


class ScorePgsConfig(StageConfig):
    """Settings of ``score pgs``.

    Attributes:
        scores: Ids of the scores; all of ``pgsCatalog`` where empty.
        sites: Variants that are scored; of autosomes alone.
        ambiguous: Variants of A and T, or C and G, whose strand cannot be told from alleles: drop, or keep as they stand.
        flip_strand: Take alleles of the other strand where they do not fit as they stand.
        missing_calls: mean: copies that are expected by the founders' allele frequency, as plink2; zero: nothing, as its
            no-mean-imputation.
        min_match_rate: Least share of a score's weights that must have a variant.
    """

    scores: list[str] = []
    sites: SitesConfig = SitesConfig()
    ambiguous: Literal["drop", "keep"] = "drop"
    flip_strand: bool = True
    missing_calls: Literal["mean", "zero"] = "mean"
    min_match_rate: float = Field(0.75, ge=0, le=1)


def score(config: ScorePgsConfig, spark: SparkSession) -> str:
    """Scores every person of ``samples``.

    Returns:
        The run's id.

    Raises:
        ConfigError: A score is not in ``pgsCatalog``.
        TableError: A table is missing, or the cohort's genome build is known and another.
        CoverageError: Too few of a score's variants are in the tables.
    """
    warehouse = Warehouse(spark, config.warehouse)
    tables = dict.fromkeys(["variants", *Cohort.tables(warehouse), *config.sites.tables(), "pgsCatalog", "pgsWeights"])
    return run_stage("score pgs", config, warehouse, lambda run: _score(run, config), tables=list(tables))


def _score(run: Run, config: ScorePgsConfig) -> None:
    warehouse = run.warehouse
    ids = _wanted(warehouse, config)
    cohort = Cohort.read(warehouse)
    with step("score pgs: matching alleles"):
        weights = warehouse.read("pgsWeights").where(f.col("pgsId").isin(ids))
        variants = warehouse.read("variants").join(cohort.rows(config.sites).select(*KEY), KEY, "leftsemi")
        found = find_weights(variants, weights, config.ambiguous == "keep", config.flip_strand)
        _check(run, config, found)
    with step(f"score pgs: {len(ids)} score(s) of {len(cohort.people)} people"):
        sums, absent = _sums(cohort, config, found, ids)[:, :, cohort.places]
    matched = found.counts.loc[ids, "matched"].to_numpy(np.int64)
    called = matched[:, None] - absent.astype(np.int64)
    alleles = 2 * (called if config.missing_calls == "zero" else np.broadcast_to(matched[:, None], called.shape))
    with np.errstate(divide="ignore", invalid="ignore"):
        average = sums / alleles
    people = cohort.people["sampleId"].tolist()
    rates = (found.counts["matched"] / found.counts["weights"]).loc[ids].to_numpy()
    rows = pd.DataFrame(
        {
            "sampleId": people * len(ids),
            "pgsId": np.repeat(ids, len(people)),
            "scoreSum": sums.ravel(),
            "scoreAverage": average.ravel(),
            "nVariants": np.repeat(matched, len(people)),
            "nCalled": called.ravel(),
            "matchRate": np.repeat(rates, len(people)),
        }
    )
    run.write("pgsScores", warehouse.spark.createDataFrame(rows))


def _wanted(warehouse: Warehouse, config: ScorePgsConfig) -> list[str]:
    """Ids of the scores, of one genome build with the cohort."""
    catalog: dict[str, str | None] = {row["pgsId"]: row["genomeBuild"] for row in warehouse.read("pgsCatalog").collect()}
    if unknown := [name for name in config.scores if name not in catalog]:
        raise ConfigError(f"setting scores: there is no {unknown[0]}", f"ingest it, or name one of {', '.join(sorted(catalog))}")
    ids = sorted(set(config.scores) or catalog)
    committed = warehouse.committed()
    given = {committed[part]["referenceBuild"] for part in warehouse.parts("genotypes")}
    builds = {name for name in given if name in ("GRCh37", "GRCh38")}
    for name in ids:
        if catalog[name] in ("GRCh37", "GRCh38") and builds - {catalog[name]}:
            problem = f"{warehouse.path}: {name} is of {catalog[name]} and genotypes are of {', '.join(sorted(builds))}"
            raise TableError(problem, "ingest the scoring file that is harmonised to the build of the genotypes")
    return ids


def _check(run: Run, config: ScorePgsConfig, found: Found) -> None:
    for name, row in found.counts.iterrows():
        run.note(**{str(name): ", ".join(f"{count} {what}" for what, count in row.items() if count)})
    for name, row in found.counts.iterrows():
        if row["matched"] < config.min_match_rate * row["weights"]:
            weights = run.warehouse.read("pgsWeights").where(f.col("pgsId") == name).select("contigName").distinct().collect()
            theirs = contigs(run.warehouse, "variants")
            bare = {one.removeprefix("chr") for one in theirs}
            apart = {row[0] for row in weights if row[0]} - bare - theirs
            hint = f"; {len(apart)} of its contigs are not in `variants`{prefix_hint(apart, theirs)}" if apart else ""
            raise CoverageError(
                f"{run.warehouse.path}: {row['matched']} of {row['weights']} weights of {name} have a variant "
                f"({row['matched'] / row['weights']:.0%}), at least {config.min_match_rate:.0%} are needed{hint}",
                "check genome build, impute the missing sites, or lower min_match_rate",
            )


def _sums(cohort: Cohort, config: ScorePgsConfig, found: Found, ids: list[str]) -> NDArray[np.float64]:
    """Sums and missing calls, (2, scores, 4 x bytes of a variant)."""
    place = f.create_map(*(f.lit(part) for pair in zip(ids, range(len(ids)), strict=True) for part in pair))[f.col("pgsId")]
    entry = f.struct(place.cast("int").alias("score"), "weight", "ofReference")
    weights = found.weights.groupBy(*KEY).agg(f.collect_list(entry).alias("weights"))
    layout, n_scores = cohort.layout, len(ids)
    founders = only(cohort.at(cohort.people["isFounder"]))
    imputed = config.missing_calls == "mean"

    def work(batch: pa.RecordBatch) -> NDArray[np.float64]:
        packed = layout.side_by_side(batch.column("blocks"))
        entries = batch.column("weights")
        row, of = np.repeat(np.arange(len(batch)), entries.value_lengths().to_numpy()), entries.flatten()
        score, weight = of.field("score").to_numpy(), of.field("weight").to_numpy()
        reference = of.field("ofReference").to_numpy(zero_copy_only=False).astype(bool)
        values = np.zeros((3, len(batch), n_scores))
        np.add.at(values, (reference.astype(int), row, score), weight)
        values[2, row, score] = 1
        mean = np.full(len(batch), np.nan)
        if imputed:
            mean = 2 * np.nan_to_num(frequencies(genotype_counts(packed | founders)))
        return weighted_sums(packed, Weights.of(values[0], values[1], mean, values[2] > 0))

    with cohort.bounded():
        return summed(cohort.rows(config.sites).join(weights, KEY), work, (2, n_scores, 4 * layout.width))
