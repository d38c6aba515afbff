"""Gene function and the regulatory network where the answer is known: a simulated cohort, yeast genes, DREAM4.

``make bench-insight`` runs it. Public data are read from ``../shared/data`` and converted to what the ingest stages take.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from results_io import row, write

from genospark.core.progress import configure_logging
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, demo_config, run_stages
from genospark.training.function import areas

COMMAND = "make bench-insight"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FUNCTION = ("build-features function", "train function", "score function")
Rows = list[dict[str, Any]]
# C-HMCNN (Giunchiglia and Lukasiewicz 2020), which trains on the validation genes too.
PUBLISHED = "C-HMCNN 0.255 (published; also trained on the validation genes)"


def figure(
    name: str, value: float, ends: tuple[float, float] | None, unit: str, chance: float | None, peers: object = None
) -> dict[str, Any]:
    """A row with its interval; its goal is an interval above chance where `chance` is given."""
    text = f"{value:.4f}" + (f" ({ends[0]:.4f} to {ends[1]:.4f})" if ends else "")
    if chance is None or ends is None:
        return row(name, text, unit, "", None, COMMAND, peers)
    return row(name, text, unit, f"interval above {chance:.4f}", bool(ends[0] > chance), COMMAND, peers)


def measured(
    warehouse: Warehouse, part: str, about: str, chances: dict[str, float], peers: dict[str, object] | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of ``metrics`` of test examples."""
    found = warehouse.read(f"metrics/{part}").where("split = 'test'").toPandas().sort_values(["metric", "model"])
    for entry in found.itertuples():
        name = f"{about}: {entry.metric} of {entry.model} ({entry.method}), n {entry.n}"
        yield figure(
            name,
            entry.value,
            (entry.valueLow, entry.valueHigh),
            entry.metric.split()[-1],
            chances[entry.metric],
            (peers or {}).get(entry.metric),
        )


def simulated(spark: SparkSession, work: Path, seed: int) -> Rows:
    """The demo's cohort: genes that nobody annotated against their true terms, edges against the true network."""
    path = work / f"simulated-{seed}"
    config = demo_config(str(path))
    files = path / "input"
    gold = str(files / "truth" / "network.tsv")
    wanted = ("simulate", "ingest-vcf", "ingest-expression", "ingest-genes", "build-features expression", "train expression", *FUNCTION)
    stages = {name: config.stages[name] for name in wanted} | {"infer-network": {"gold_standard": gold}}
    stages["simulate"] = {"cohort": {"seed": seed, "reads": {"people": 0}}}
    run_stages(spark, config.model_copy(update={"stages": stages}))
    about = f"simulated cohort, seed {seed}"
    rows = list(true_terms(Warehouse(spark, str(path)), files, f"{about}, co-expression"))
    rows += network_rows(Warehouse(spark, str(path)), about)
    both: dict[str, Any] = {name: {} for name in FUNCTION} | {"build-features function": {"embedding": "both"}}
    regulators = {"build-features expression": {"panel": "regulators"}, "train expression": {}}
    attributed = {"infer-network": {"network": "expression", "gold_standard": gold}}
    run_stages(spark, PipelineConfig(warehouse=str(path), stages=both | regulators | attributed))
    rows += true_terms(Warehouse(spark, str(path)), files, f"{about}, co-expression and expression network")
    rows += network_rows(Warehouse(spark, str(path)), f"{about}, regulators as the expression network's panel, edges to other genes")
    return rows


def network_rows(warehouse: Warehouse, about: str) -> Rows:
    """AUROC and AUPRC of edges; chance is the share of true edges."""
    first = warehouse.read("metrics/regulation").select("nPositive", "n").first()
    assert first is not None
    return list(measured(warehouse, "regulation", about, {"AUROC": 0.5, "AUPRC": first[0] / first[1]}))


def true_terms(warehouse: Warehouse, files: Path, about: str) -> Iterator[dict[str, Any]]:
    """The genes that the annotation says nothing about, against the simulation's truth."""
    scores = warehouse.read("geneFunctions").where("isAnnotated is null").toPandas()
    truth = pd.read_csv(files / "truth" / "gene_terms.tsv", sep="\t").dropna()
    pairs = set(zip(truth["geneId"], truth["termId"], strict=True))
    scores["truth"] = [float(pair in pairs) for pair in zip(scores["geneId"], scores["termId"], strict=True)]
    labels = scores.pivot(index="geneId", columns="termId", values="truth").to_numpy()
    shares = warehouse.read("functionTerms").toPandas().sort_values("termId")["trainingPrevalence"].to_numpy()
    chances = chance_of(shares, labels)
    for model, column in {"network": "networkProbability", "baseline": "baselineScore", "default": "probability"}.items():
        values, ends = areas(scores.pivot(index="geneId", columns="termId", values=column).to_numpy(), labels)
        for (metric, chance), value, end in zip(chances.items(), values, ends, strict=True):
            name = f"{about}: {metric} of {model}, {len(labels)} genes without annotation, true terms"
            yield figure(name, value, (end[0], end[1]), metric.split()[-1], chance)


def chance_of(shares: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """What terms' training shares alone reach: they rank terms, not genes."""
    return {"macro AUROC": 0.5, "micro AUPRC": float(areas(np.tile(shares, (len(labels), 1)), labels)[0][1])}


def yeast(spark: SparkSession, work: Path) -> Rows:
    """FunCat terms of yeast genes from their expression over the cell cycle, official split (Vens et al. 2008)."""
    folder, path = DATA / "gene-function-cellcycle", work / "yeast"
    scratch = path / "input"
    scratch.mkdir(parents=True, exist_ok=True)
    values, terms, splits = {}, [], []
    for file, side in (("train", "train"), ("valid", "validation"), ("test", "test")):
        header, genes = arff(folder / f"cellcycle_FUN.{file}.arff")
        for number, (numbers, labels) in enumerate(genes):
            gene = f"{file}{number:04d}"
            values[gene] = numbers
            terms += [(gene, label) for label in labels]
            splits.append((gene, side))
    wide = pd.DataFrame(values, index=header[:-1])
    wide.rename_axis("sampleId").to_csv(scratch / "expression.tsv", sep="\t", na_rep="NA")
    pd.DataFrame(terms, columns=["geneId", "termId"]).to_csv(scratch / "terms.tsv", sep="\t", index=False)
    pd.DataFrame(splits, columns=["geneId", "split"]).to_csv(scratch / "splits.tsv", sep="\t", index=False)
    features = {"expression_transform": "none", "components": 64, "min_genes": 0, "separators": "/", "splits": str(scratch / "splits.tsv")}
    stages: dict[str, dict[str, Any] | None] = {
        "ingest-expression": {"inputs": [str(scratch / "expression.tsv")], "unit": "log ratio"},
        "ingest-genes": {"inputs": [f"terms={scratch}/terms.tsv"]},
        "build-features function": features,
        "train function": {"learning_rate": 0.001},
    }
    run_stages(spark, PipelineConfig(warehouse=str(path), stages=stages))
    warehouse = Warehouse(spark, str(path))
    test = warehouse.read("functionExamples").where("split = 'test'").orderBy("geneId").select("labels").collect()
    labels = np.stack([np.frombuffer(entry[0], "<f4") for entry in test]).astype(float)
    shares = warehouse.read("functionTerms").orderBy("termIndex").toPandas()["trainingPrevalence"].to_numpy()
    about = f"yeast cell cycle, {labels.shape[1]} FunCat terms, official test genes"
    return list(measured(warehouse, "function", about, chance_of(shares, labels), {"micro AUPRC": PUBLISHED}))


def arff(path: Path) -> tuple[list[str], list[tuple[list[float], list[str]]]]:
    """Names of the attributes, and each line's numbers and labels."""
    names, lines = [], []
    for line in path.read_text().splitlines():
        if line.startswith("@ATTRIBUTE"):
            names.append(line.split()[1])
        elif line.strip() and not line.startswith("@"):
            *numbers, labels = line.strip().split(",")
            lines.append(([np.nan if number == "?" else float(number) for number in numbers], labels.split("@")))
    return names, lines


def dream4(spark: SparkSession, work: Path) -> Rows:
    """DREAM4's first network of 100 genes, every gene a possible regulator.

    The file of the gold standard has targets as rows and regulators as columns, as Inferelator wants it; turned around, forests do
    markedly worse, which is measured too.
    """
    folder, path = DATA / "dream4-network", work / "dream4"
    scratch = path / "input"
    scratch.mkdir(parents=True, exist_ok=True)
    values = pd.read_csv(folder / "expression.tsv", sep="\t")
    values.T.rename_axis("sampleId").to_csv(scratch / "expression.tsv", sep="\t")
    known = pd.read_csv(folder / "gold_standard.tsv", sep="\t").rename_axis("target").stack()
    pairs = known[known == 1].index.to_frame(index=False).set_axis(["targetId", "regulatorId"], axis=1)
    rows: Rows = []
    for about, table in (("", pairs), (", gold standard turned around", pairs.set_axis(["regulatorId", "targetId"], axis=1))):
        gold = scratch / f"gold{len(rows)}.tsv"
        table.to_csv(gold, sep="\t", index=False)
        stages: dict[str, dict[str, Any] | None] = {
            "ingest-expression": {"inputs": [str(scratch / "expression.tsv")], "unit": "relative"},
            "infer-network": {"expression_transform": "none", "gold_standard": str(gold), "forest": {"trees": 200}},
        }
        run_stages(spark, PipelineConfig(warehouse=str(path), stages=stages))
        found = network_rows(Warehouse(spark, str(path)), f"DREAM4, network 1 of 100 genes{about}")
        rows += [entry | {"goal": "", "holds": None} for entry in found] if about else found
    return rows


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path, help="keep files and tables here")
    options.add_argument("--only", choices=["simulated", "yeast", "dream4"], help="one of the parts; then nothing is written")
    options.add_argument("--seeds", type=int, nargs="+", default=[7, 8], help="of simulated cohorts; 7 is the demo's")
    chosen = options.parse_args()
    configure_logging()
    spark = session("genospark bench")
    rows: Rows = []
    with tempfile.TemporaryDirectory() as scratch:
        work = (chosen.work or Path(scratch)).resolve()
        if chosen.only in (None, "simulated"):
            rows += [entry for seed in chosen.seeds for entry in simulated(spark, work, seed)]
        if chosen.only in (None, "yeast"):
            rows += yeast(spark, work)
        if chosen.only in (None, "dream4"):
            rows += dream4(spark, work)
    print(pd.DataFrame(rows)[["figure", "value", "goal", "holds"]].to_string())
    if chosen.only is None:
        write("insight", rows)


if __name__ == "__main__":
    main()
