"""AUC of network, logistic regression and shipped default on 5,000 fresh simulated people; the same with permuted labels.

``make bench-first-light`` runs it; ``--work DIR`` keeps the files and tables.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import SparkSession
from results_io import row, write

from genospark.core.progress import configure_logging
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.pipeline import demo_config, run_stages
from genospark.training.metrics import auc, interval

COMMAND = "make bench-first-light"
FRESH = 5000
MODELS = {"network": "networkProbability", "logistic": "logisticProbability", "default": "riskProbability"}
BELOW_LOGISTIC, BELOW_BETTER = 0.03, 0.005


def fresh_aucs(spark: SparkSession, work: Path, permuted: bool) -> pd.DataFrame:
    """Trains on a cohort, scores fresh people of the same population: one row a disease and model."""
    home = work / ("permuted" if permuted else "true")
    cohort, fresh = home / "cohort", home / "fresh"
    config = demo_config(str(cohort))
    settings: dict[str, Any] = {"cohort": {"fresh_people": FRESH, "permute_labels": permuted}}
    run_stages(spark, config.model_copy(update={"stages": config.stages | {"simulate": settings}}))
    version = Warehouse(spark, str(cohort)).read("metrics").first()["modelVersion"]
    stages = demo_config(str(cohort)).stages
    kept = {name: stages[name] for name in ("ingest-vcf", "ingest-expression", "ingest-phenotypes")}
    files = f"{cohort.resolve()}/input"
    moved = {name: {"inputs": [path.replace(files, f"{files}/fresh") for path in value["inputs"]]} for name, value in kept.items()}
    scoring = {"score": {"bundle": str(cohort / "bundles" / version)}}
    run_stages(spark, config.model_copy(update={"warehouse": str(fresh), "stages": moved | scoring}))
    return _measured(Warehouse(spark, str(fresh)))


def _measured(warehouse: Warehouse) -> pd.DataFrame:
    scored = warehouse.read("riskScores").join(warehouse.read("phenotypes").drop("runId"), ["sampleId", "disease"])
    people = scored.join(warehouse.read("pedigree").select("sampleId", "familyId"), "sampleId").toPandas()
    rows = []
    for disease, group in people.groupby("disease"):
        truth, families = group["label"].to_numpy(float), group["familyId"].to_numpy(str)
        for model, column in MODELS.items():
            scores = group[column].to_numpy()
            low, high = interval(scores, truth, families)
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
    for entry in null.itertuples() if null is not None else ():
        text = f"{entry.auc:.4f} ({entry.low:.4f} to {entry.high:.4f})"
        holds = bool(entry.low <= 0.5 <= entry.high)
        rows.append(row(f"permuted labels: AUC of {entry.model}, {entry.disease}", text, "AUC (95%)", "0.5 inside", holds, COMMAND))
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path)
    options.add_argument("--skip-permuted", action="store_true")
    chosen = options.parse_args()
    configure_logging()
    spark = session("genospark bench")
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        found = fresh_aucs(spark, work, permuted=False)
        print(found.to_string())
        null = None if chosen.skip_permuted else fresh_aucs(spark, work, permuted=True)
    rows = rows_of(found, null)
    print(pd.DataFrame(rows)[["figure", "value", "goal", "holds"]].to_string())
    if null is not None:
        write("first-light", rows)


if __name__ == "__main__":
    main()
