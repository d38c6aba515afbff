"""Expression: network beside linear models on held-out families of a simulated cohort, and on the markers of 109 yeast strains.

``make bench-expression`` runs it. The yeast data (Smith & Kruglyak 2008) are read from ../shared/data/yeast-eqtl where they are there.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from results_io import row, write
from sklearn.linear_model import MultiTaskElasticNet, RidgeCV

from genospark.core import crosswalk
from genospark.core.progress import configure_logging
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.features.expression_specification import from_tables
from genospark.pipeline import PipelineConfig, demo_config, run_stages
from genospark.tasks.expression import ExpressionProblem, Inputs, fields
from genospark.training.r2 import r2_and_r

COMMAND = "make bench-expression"
YEAST = Path(__file__).resolve().parents[2] / "shared" / "data" / "yeast-eqtl"
GOAL = 0.02
MODELS = {"network": "networkTransformed", "baseline": "baselineTransformed", "default": "predictedTransformed"}
INGEST = ("simulate", "ingest-vcf", "ingest-expression", "ingest-phenotypes", "ingest-genes")


def simulated(spark: SparkSession, work: Path, variations: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """R2 on test families of the default cohort; the first variation of ``train expression`` is the default."""
    config = demo_config(str(work / "cohort"))
    stages: dict[str, Any] = {name: config.stages[name] for name in INGEST} | {"build-features expression": {}}
    stages["simulate"] = {"cohort": {"reads": {"people": 0}}}
    run_stages(spark, config.model_copy(update={"stages": stages}))
    rows = []
    for number, (name, settings) in enumerate(variations.items()):
        run_stages(spark, config.model_copy(update={"stages": {"train expression": settings}}))
        metrics: pd.DataFrame = Warehouse(spark, config.warehouse).read("metrics/expression").toPandas()
        found = metrics[(metrics["metric"] == "R2") & (metrics["split"] == "test")].set_index(["target", "model"])
        validation = metrics[(metrics["metric"] == "R2") & (metrics["split"] == "validation")].set_index(["target", "model"])["value"]
        if number:
            value, other = found.loc[("all", "network")], validation["all", "network"]
            rows.append(
                row(f"network, {name}: mean R2, test families", _text(value), "R2 (95%)", "", None, COMMAND, f"validation {other:.4f}")
            )
            continue
        for target in ("all", "all, without panel"):
            for model in MODELS:
                value = found.loc[(target, model)]
                figure = f"{model}, {target.replace('all', 'all cell types and states')}: mean R2, test families"
                rows.append(row(figure, _text(value), "R2 (95%)", "", None, COMMAND, value["method"]))
            gap = found.loc[(target, "baseline"), "value"] - found.loc[(target, "network"), "value"]
            figure = f"baseline minus network, {target}"
            rows.append(row(figure, round(gap, 4), "R2", f"<= {GOAL}", bool(gap <= GOAL), COMMAND))
        rows.append(_peer(Warehouse(spark, config.warehouse), found.loc[("all", "network"), "value"]))
    return rows


def _text(value: pd.Series) -> str:
    return f"{value['value']:.4f} ({value['valueLow']:.4f} to {value['valueHigh']:.4f})"


def _peer(warehouse: Warehouse, network: float) -> dict[str, Any]:
    """scikit-learn's MultiTaskElasticNet on panel and all cis variants, its penalty chosen on validation people."""
    spec = from_tables(warehouse)
    rows: pd.DataFrame = warehouse.read("expressionExamples").toPandas()
    rows = rows.sort_values(["sampleId", "cellType"])
    given = Inputs.of(spec, {field.name: field.read(list(rows[field.name])) for field in fields(spec)})
    (labels,) = ExpressionProblem(spec, {}, {}, {}, ()).labels
    targets = labels.read(list(rows["targets"])).reshape(len(rows), -1)
    x = np.concatenate([np.nan_to_num(given.panel).reshape(len(rows), -1), given.variants], axis=1)
    sides = {side: (rows["split"] == side).to_numpy() for side in ("train", "validation", "test")}
    best: tuple[float, NDArray[np.float64]] | None = None
    most = np.linalg.norm(x[sides["train"]].T @ np.nan_to_num(targets[sides["train"]]), axis=1).max() / sides["train"].sum()
    for l1_ratio in (0.5, 0.9):
        for share in (0.08, 0.05, 0.03):
            model = MultiTaskElasticNet(alpha=share * most / l1_ratio, l1_ratio=l1_ratio, tol=1e-3, max_iter=200)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(x[sides["train"]], np.nan_to_num(targets[sides["train"]]))
            said = model.predict(x)
            error = float(np.nanmean((said - targets)[sides["validation"]] ** 2))
            if best is None or error < best[0]:
                best = (error, said)
    assert best is not None
    test = sides["test"]
    width = targets.shape[1]
    spread = np.full((2, int(test.sum()), len(spec.cell_types) * width), np.nan, np.float32)
    for place, which in enumerate(given.types[test]):
        spread[:, place, which * width : (which + 1) * width] = best[1][test][place], targets[test][place]
    r2, _, _ = r2_and_r(np.nan_to_num(spread[0]), spread[1], rows["familyId"].to_numpy(str)[test])
    text, gap = f"{r2.value:.4f} ({r2.low:.4f} to {r2.high:.4f})", r2.value - network
    figure = "scikit-learn MultiTaskElasticNet on panel and cis variants: mean R2, test families"
    return row(figure, text, "R2 (95%)", f"network within {GOAL}", bool(gap <= GOAL), COMMAND, f"minus network {gap:+.4f}")


def yeast(spark: SparkSession, work: Path, folds: int) -> list[dict[str, Any]]:
    """Mean Pearson r over genes between prediction and measurement of strains that no model has seen."""
    markers = pd.read_csv(YEAST / "markers.tsv.gz", sep="\t", index_col=0)
    measured = pd.read_csv(YEAST / "expression.glucose.tsv.gz", sep="\t", index_col=0)
    warehouse = str(work / "yeast")
    stages: dict[str, Any] = {
        "ingest-vcf": {"inputs": [_vcf(markers, work / "yeast.vcf.gz")]},
        "ingest-expression": {
            "inputs": [_bed(measured, work / "yeast.bed.gz")],
            "unit": "log ratio",
            "cell_type": "yeast",
            "state": "glucose",
        },
    }
    run_stages(spark, PipelineConfig(warehouse=warehouse, stages=stages))
    said = {name: (measured * np.nan).copy() for name in (*MODELS, "RidgeCV", "RidgeCV, also validation strains")}
    for fold in range(folds):
        stages = {
            "build-features expression": {
                **{"panel": 0, "targets": "all", "variants": "all", "expression_transform": "none"},
                **{"folds": folds, "fold": fold},
            },
            "train expression": {"batch_size": 16, "epochs": 40, "patience": 5},
            "score expression": {},
        }
        run_stages(spark, PipelineConfig(warehouse=warehouse, stages=stages))
        tables = Warehouse(spark, warehouse)
        people: pd.DataFrame = tables.read("expressionExamples").select("sampleId", "split").toPandas()
        originals = crosswalk.read(f"{warehouse}-crosswalk")
        sides = people.set_index("sampleId")["split"].rename(originals)
        test = sides.index[sides == "test"]
        predictions: pd.DataFrame = tables.read("expressionPredictions").toPandas()
        for name, column in MODELS.items():
            wide = predictions.pivot_table(index="geneId", columns="sampleId", values=column).rename(columns=originals)
            said[name].loc[wide.index, test] = wide[test]
        for name, taken in {"RidgeCV": ["train"], "RidgeCV, also validation strains": ["train", "validation"]}.items():
            strains = sides.index[sides.isin(taken)]
            known = measured[strains].T.fillna(measured[strains].mean(axis=1))
            model = RidgeCV(alphas=np.logspace(1, 6, 21)).fit(markers[strains].T, known)
            said[name][test] = np.asarray(model.predict(markers[test].T)).T
    rows = []
    values = {name: _correlations(predicted, measured) for name, predicted in said.items()}
    for name, r in values.items():
        low, high = _interval(said[name], measured)
        text = f"{r.mean():.4f} ({low:.4f} to {high:.4f})"
        figure = f"yeast, {measured.shape[1]} strains, {folds} folds: mean r over {len(r)} genes, {name}"
        rows.append(row(figure, text, "Pearson r (95%, over strains)", "", None, COMMAND))
    for peer in ("RidgeCV", "RidgeCV, also validation strains"):
        gap = values[peer].mean() - values["network"].mean()
        figure = f"yeast: {peer} minus network"
        rows.append(row(figure, round(float(gap), 4), "Pearson r", f"<= {GOAL}", bool(gap <= GOAL), COMMAND))
    return rows


def _vcf(markers: pd.DataFrame, path: Path) -> str:
    """Markers as a VCF: strains are haploid, written as homozygous diploids."""
    positions = pd.read_csv(YEAST / "marker_positions.tsv", sep="\t", index_col=0).loc[markers.index]
    calls = {0: "0/0", 1: "1/1"}
    # Markers at one position get alleles of their own.
    alleles = positions.groupby(["chromosome", "position"]).cumcount().map(dict(enumerate("CGT")))
    with gzip.open(path, "wt") as out:
        out.write("##fileformat=VCFv4.2\n")
        out.write("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *markers.columns]) + "\n")
        for name, values in markers.iterrows():
            place = positions.loc[name]
            genotypes = [calls.get(value, "./.") for value in values]
            out.write(
                "\t".join(
                    [str(place["chromosome"]), str(place["position"]), str(name), "A", alleles[name], ".", ".", ".", "GT", *genotypes]
                )
                + "\n"
            )
    return str(path)


def _bed(measured: pd.DataFrame, path: Path) -> str:
    genes = pd.read_csv(YEAST / "genes.tsv", sep="\t", index_col=0).loc[measured.index]
    described = pd.DataFrame({"#chr": genes["chromosome"], "start": genes["start"], "end": genes["end"], "gene": genes.index})
    pd.concat([described, measured], axis=1).to_csv(path, sep="\t", index=False, na_rep="NA")
    return str(path)


def _correlations(predicted: pd.DataFrame, measured: pd.DataFrame, strains: Any = slice(None)) -> NDArray[np.float64]:
    """Pearson's r of each gene over strains."""
    y = measured.to_numpy(float)[:, strains]
    x = np.where(np.isnan(y), np.nan, predicted.to_numpy(float)[:, strains])
    x, y = (values - np.nanmean(values, axis=1, keepdims=True) for values in (x, y))
    spread = np.sqrt(np.nansum(x * x, axis=1) * np.nansum(y * y, axis=1))
    return np.asarray(np.nansum(x * y, axis=1) / np.maximum(spread, 1e-12))


def _interval(predicted: pd.DataFrame, measured: pd.DataFrame, resamples: int = 200) -> tuple[float, float]:
    """95% interval: bootstrap over strains (genes are not independent of each other)."""
    random = np.random.default_rng(0)
    n = measured.shape[1]
    means = [_correlations(predicted, measured, random.integers(n, size=n)).mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


VARIATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "lstm": {"network": {"kind": "lstm"}},
    "cnn": {"network": {"kind": "cnn"}},
    "from scratch (skip starts at zeros)": {"network": {"skip_start": "zeros"}, "epochs": 100},
}


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path, help="keep files and tables here")
    options.add_argument("--only", choices=["simulated", "yeast"], help="measure one part and write nothing")
    options.add_argument("--folds", type=int, default=5, help="of the yeast strains")
    chosen = options.parse_args()
    configure_logging()
    spark = session("genospark bench")
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        rows = simulated(spark, work, VARIATIONS) if chosen.only != "yeast" else []
        if chosen.only != "simulated" and YEAST.is_dir():
            rows += yeast(spark, work, chosen.folds)
    print(pd.DataFrame(rows)[["figure", "value", "goal", "holds", "peers"]].to_string())
    if chosen.only is None:
        write("expression", rows)


if __name__ == "__main__":
    main()
