"""AUC of network, logistic regression and shipped default on 5,000 fresh simulated people; the same with permuted labels.

``make bench-first-light`` runs it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from results_io import row, write
from scipy import stats

from genospark.core.progress import configure_logging
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, demo_config, run_stages
from genospark.tasks.bundles import last_version
from genospark.training.metrics import auc, interval

COMMAND = "make bench-first-light"
FRESH = 5000
MODELS = {"network": "networkProbability", "logistic": "logisticProbability", "default": "riskProbability"}
BELOW_LOGISTIC, BELOW_BETTER = 0.03, 0.005


def true_aucs(spark: SparkSession, work: Path) -> pd.DataFrame:
    """Trains on a cohort, scores fresh people of the same population: one row a disease and model."""
    cohort, fresh = work / "cohort", work / "fresh"
    config = demo_config(str(cohort))
    run_stages(spark, config.model_copy(update={"stages": config.stages | {"simulate": {"cohort": {"fresh_people": FRESH}}}}))
    files = f"{cohort.resolve()}/input"
    moved = {
        name: {"inputs": [path.replace(files, f"{files}/fresh") for path in settings["inputs"]]}
        for name, settings in config.stages.items()
        if name.startswith("ingest")
    }
    run_stages(spark, config.model_copy(update={"warehouse": str(fresh), "stages": moved}))
    return _scored(spark, cohort, fresh, _labels(fresh, spark))


def null_aucs(spark: SparkSession, work: Path, seed: int) -> pd.DataFrame:
    """The same people with their labels shuffled, in the cohort and in the fresh people: one row a disease and model.

    `auc` is on the fresh people, `heldOut` on the cohort's own test families, where a leak of labels into features would show.
    """
    cohort, fresh = work / "cohort", work / "fresh"
    random = np.random.default_rng(seed)
    table = pd.read_csv(cohort / "input" / "phenotypes.tsv", sep="\t")
    shuffled = work / f"phenotypes.{seed}.tsv"
    table.assign(**{name: random.permutation(table[name]) for name in table.columns[1:]}).to_csv(
        shuffled, sep="\t", index=False, na_rep="NA"
    )
    config = demo_config(str(cohort))
    phenotypes = config.stages["ingest-phenotypes"] or {}
    others = [entry for entry in phenotypes["inputs"] if not entry.startswith("phenotypes=")]
    phenotypes |= {"inputs": [f"phenotypes={shuffled}", *others]}
    stages = {"ingest-phenotypes": phenotypes, "build-features risk": {}, "train risk": {}}
    run_stages(spark, config.model_copy(update={"stages": stages}))
    labels = _labels(fresh, spark)
    labels["label"] = labels.groupby("disease")["label"].transform(lambda column: random.permutation(column))
    found = _scored(spark, cohort, fresh, labels)
    metrics = (
        Warehouse(spark, str(cohort))
        .read("metrics")
        .where("split = 'test' and task = 'risk' and metric = 'AUC'")
        .selectExpr("target as disease", "replace(model, 'baseline', 'logistic') as model", "value as heldOut")
        .toPandas()
    )
    return found.merge(metrics)


def _labels(warehouse: Path, spark: SparkSession) -> pd.DataFrame:
    return Warehouse(spark, str(warehouse)).read("phenotypes").drop("runId").toPandas().sort_values(["disease", "sampleId"])


def _scored(spark: SparkSession, cohort: Path, fresh: Path, labels: pd.DataFrame) -> pd.DataFrame:
    """Scores the fresh people with the cohort's bundle and measures against `labels`."""
    version = last_version(Warehouse(spark, str(cohort)), "risk")
    run_stages(spark, PipelineConfig(warehouse=str(fresh), stages={"score risk": {"bundle": str(cohort / "bundles" / version)}}))
    warehouse = Warehouse(spark, str(fresh))
    families = warehouse.read("pedigree").select("sampleId", "familyId").toPandas()
    people = warehouse.read("riskScores").toPandas().merge(labels).merge(families)
    rows = []
    for disease, group in people.groupby("disease"):
        truth, family = group["label"].to_numpy(float), group["familyId"].to_numpy(str)
        for model, column in MODELS.items():
            scores = group[column].to_numpy()
            low, high = interval(scores, truth, family)
            rows.append({"disease": disease, "model": model, "auc": auc(scores, truth), "low": low, "high": high})
    return pd.DataFrame(rows)


def rows_of(found: pd.DataFrame, null: pd.DataFrame | None) -> list[dict[str, Any]]:
    rows = []
    for entry in found.itertuples():
        text = f"{entry.auc:.4f} ({entry.low:.4f} to {entry.high:.4f})"
        rows.append(row(f"AUC of {entry.model}, {entry.disease}, {FRESH} fresh people", text, "AUC (95%)", "", None, COMMAND))
    for disease, group in found.set_index("model").groupby("disease"):
        value = group["auc"]
        gap = value["logistic"] - value["network"]
        rows.append(
            row(f"logistic minus network, {disease}", round(gap, 4), "AUC", f"<= {BELOW_LOGISTIC}", bool(gap <= BELOW_LOGISTIC), COMMAND)
        )
        gap = max(value["logistic"], value["network"]) - value["default"]
        rows.append(
            row(f"better one minus default, {disease}", round(gap, 4), "AUC", f"<= {BELOW_BETTER}", bool(gap <= BELOW_BETTER), COMMAND)
        )
    if null is None:
        return rows
    for model in MODELS:
        for column, people in (("auc", f"{FRESH} fresh people"), ("heldOut", "the cohort's own test families")):
            means = null[null["model"] == model].groupby("seed")[column].mean()
            reach = stats.t.ppf(0.975, len(means) - 1) * means.std() / len(means) ** 0.5
            text = f"{means.mean():.4f} ({means.mean() - reach:.4f} to {means.mean() + reach:.4f})"
            figure = f"permuted labels: mean AUC of {model} over diseases, {len(means)} shuffles, {people}"
            rows.append(row(figure, text, "AUC (95%)", "0.5 inside", bool(abs(means.mean() - 0.5) <= reach), COMMAND))
    return rows


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path, help="keep files and tables here")
    options.add_argument("--shuffles", type=int, default=5, help="shuffles of the labels; with 0 nothing is written")
    chosen = options.parse_args()
    configure_logging()
    spark = session("genospark bench")
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        found = true_aucs(spark, work)
        print(found.to_string())
        shuffles = [null_aucs(spark, work, seed).assign(seed=seed) for seed in range(chosen.shuffles)]
    null = pd.concat(shuffles) if shuffles else None
    rows = rows_of(found, null)
    print(pd.DataFrame(rows)[["figure", "value", "goal", "holds"]].to_string())
    if null is not None:
        print(null.to_string())
        write("first-light", rows)


if __name__ == "__main__":
    main()
