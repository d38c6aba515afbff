"""AUC of risk on real genotypes and expression (1000 Genomes, GEUVADIS), diseases simulated on them, beside what could be reached.

``make bench-geuvadis`` runs it: ``conf/geuvadis.yaml`` with several normalisations and splits of the people.
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

from genospark.core.config import load
from genospark.core.progress import configure_logging
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, run_stages
from genospark.training.metrics import auc

COMMAND = "make bench-geuvadis"
ROOT = Path(__file__).parents[1]
WAYS: dict[str, dict[str, Any]] = {
    "log1p": {"expression_transform": "log1p"},
    "log+quantile+inverse-normal": {"expression_transform": "log+quantile+inverse-normal"},
    "log1p, 5 hidden factors removed": {"expression_transform": "log1p", "hidden_factors": 5},
}
BELOW_BASELINE = 0.03


def configured(warehouse: Path) -> PipelineConfig:
    """``conf/geuvadis.yaml`` with its tables in another folder."""
    config = load(PipelineConfig, ROOT / "conf" / "geuvadis.yaml", [], {"warehouse": str(warehouse)})
    stages = config.stages
    inputs = [f"phenotypes={warehouse}/input/phenotypes.tsv", stages["ingest-phenotypes"]["inputs"][1]]
    return config.model_copy(update={"stages": stages | {"ingest-phenotypes": {"inputs": inputs}}})


def ceilings(warehouse: Warehouse) -> pd.Series:
    """AUC, on test people, of the part of liability that variants and expression make: no model can be expected to do better."""
    truth = pd.read_csv(f"{warehouse.path}/input/truth/people.tsv", sep="\t").set_index("sampleId")
    test = [found[0] for found in warehouse.read("riskExamples").where("split = 'test'").select("sampleId").collect()]
    names = [found[0] for found in warehouse.read("riskTargets").select("disease").collect()]
    mine = truth.loc[test]
    known = {name: mine[f"genetic_{name}"] + mine[f"expression_{name}"] for name in names}
    return pd.Series({name: auc(score.to_numpy(), mine[f"label_{name}"].to_numpy(float)) for name, score in known.items()})


def measured(spark: SparkSession, work: Path, splits: int) -> pd.DataFrame:
    """One row a normalisation, split and disease: AUC of network, baseline, default and ceiling on test people."""
    config = configured(work)
    first = {name: settings for name, settings in config.stages.items() if name.startswith(("ingest", "simulate"))}
    run_stages(spark, config.model_copy(update={"stages": first}))
    parts = []
    for way, settings in WAYS.items():
        for seed in range(1, splits + 1):
            features = config.stages["build-features risk"] | settings | {"seed": seed}
            run_stages(spark, config.model_copy(update={"stages": {"build-features risk": features, "train risk": {}}}))
            warehouse = Warehouse(spark, config.warehouse)
            targets = warehouse.read("riskTargets").selectExpr("disease as target")
            metrics = warehouse.read("metrics").where("split = 'test' and metric = 'AUC'").join(targets, "target").toPandas()
            found = metrics.pivot(index="target", columns="model", values="value")
            parts.append(found.assign(ceiling=ceilings(warehouse), way=way, seed=seed).rename_axis("disease").reset_index())
    return pd.concat(parts, ignore_index=True)


def rows_of(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over diseases and splits; intervals over diseases, of the mean over splits."""
    rows = []
    for way, group in found.groupby("way", sort=False):
        means = group.groupby("disease")[["network", "baseline", "default", "ceiling"]].mean()
        setting = f"{len(means)} diseases on real genotypes and expression, {group['seed'].nunique()} splits of 358 people, {way}"
        for model in means:
            reach = stats.t.ppf(0.975, len(means) - 1) * means[model].std() / np.sqrt(len(means))
            name = "what causes say" if model == "ceiling" else model
            text = f"{means[model].mean():.4f} ({means[model].mean() - reach:.4f} to {means[model].mean() + reach:.4f})"
            rows.append(row(f"mean test AUC of {name}: {setting}", text, "AUC (95% over diseases)", "", None, COMMAND))
        gap = float((means["baseline"] - means["network"]).mean())
        goal = f"<= {BELOW_BASELINE}"
        rows.append(row(f"baseline minus network: {way}", round(gap, 4), "AUC", goal, gap <= BELOW_BASELINE, COMMAND))
    return rows


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path, help="keep files and tables here")
    options.add_argument("--splits", type=int, default=3, help="splits of the people for each normalisation")
    chosen = options.parse_args()
    configure_logging()
    spark = session("genospark bench")
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(spark, (chosen.work or Path(scratch)).resolve(), chosen.splits)
    print(found.to_string())
    rows = rows_of(found)
    print(pd.DataFrame(rows)[["figure", "value", "goal", "holds"]].to_string())
    write("geuvadis", rows)


if __name__ == "__main__":
    main()
