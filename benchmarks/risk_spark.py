"""The cohort of a seed of ``bench-risk`` as users would bring it: through ingest, features, Horovod ranks and scoring on Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import risk_cohort
from numpy.typing import NDArray
from risk_cohort import Cohort

from genospark.core import crosswalk
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.features.ridge_fit import RidgeConfig, fit
from genospark.features.ridge_scores import Ridge, score_rows
from genospark.pipeline import PipelineConfig, run_stages
from genospark.tasks.bundles import last_version

Floats = NDArray[np.float64]


def scored(cohort: Cohort, covariates: pd.DataFrame, n_training: int, work: Path) -> tuple[Floats, Floats, dict[str, Any]]:
    """Trains on the first people and scores the rest in a warehouse of their own.

    Args:
        cohort: Everyone.
        covariates: Of everyone.
        n_training: People of the first warehouse; four in five of them train, the others validate (and a few are test people).
        work: Scratch folder.

    Returns:
        Shipped probabilities of the rest, [people, diseases]; scores of everyone by Glow's whole-genome regression, likewise; and the notes
        of the training run.
    """
    n = len(cohort.labels)
    spark = session("genospark bench")
    trained, fresh = work / "trained", work / "fresh"
    _run(spark, trained, _ingest(_files(cohort, covariates, slice(0, n_training), work / "first"), trained))
    features = {"expression_transform": "none", "fractions": (0.8, 0.19, 0.01), "min_call_rate": 0.5, "row_groups": 8}
    _run(spark, trained, {"build-features risk": features, "train risk": {"epochs": 20, "patience": 3}})
    warehouse = Warehouse(spark, str(trained))
    bundle = trained / "bundles" / last_version(warehouse, "risk")
    inputs = _files(cohort, covariates, slice(n_training, n), work / "rest")
    _run(spark, fresh, _ingest(inputs, fresh) | {"score risk": {"bundle": str(bundle)}})
    rows: pd.DataFrame = Warehouse(spark, str(fresh)).read("riskScores").select("sampleId", "disease", "riskProbability").toPandas()
    rows["place"] = rows["sampleId"].map(crosswalk.read(f"{fresh}-crosswalk")).str.removeprefix("p").astype(int)
    wide = rows.pivot(index="place", columns="disease", values="riskProbability")
    run = warehouse.producer("metrics/risk")
    assert run is not None
    shipped = wide.loc[range(n_training, n), list(risk_cohort.DISEASES)].to_numpy(float)
    return shipped, _by_wgr(warehouse, Warehouse(spark, str(fresh)), cohort, covariates), {"notes": run["notes"]}


def _by_wgr(trained: Warehouse, fresh: Warehouse, cohort: Cohort, covariates: pd.DataFrame) -> Floats:
    """Scores of everyone, [people, diseases], by ``glow.wgr`` on the training people of the first warehouse, penalties as Glow has them."""
    split = trained.read("riskExamples").where("split = 'train'").select("sampleId")
    training: pd.DataFrame = split.join(trained.read("samples"), "sampleId").select("sampleId", "sampleIndex").toPandas()
    places = training["sampleId"].map(crosswalk.read(f"{trained.path}-crosswalk")).str.removeprefix("p").astype(int).to_numpy()
    labels = pd.DataFrame(cohort.labels[places].astype(float), columns=list(risk_cohort.DISEASES))
    known = covariates.iloc[places].reset_index(drop=True)
    model = fit(trained.read("genotypes"), training, labels, (known - known.mean()) / known.std(), RidgeConfig(), 0.5, 1)
    found = np.full(cohort.labels.shape, np.nan)
    for warehouse in (trained, fresh):
        rows: pd.DataFrame = score_rows(warehouse, Ridge(model.scores), 0).toPandas()
        person = rows["sampleId"].map(crosswalk.read(f"{warehouse.path}-crosswalk")).str.removeprefix("p").astype(int)
        found[person.to_numpy(), rows["place"].to_numpy()] = rows["value"].to_numpy()
    return found


def _run(spark: Any, warehouse: Path, stages: dict[str, Any]) -> None:
    run_stages(spark, PipelineConfig(warehouse=str(warehouse), stages=stages))


def _ingest(files: dict[str, str], warehouse: Path) -> dict[str, Any]:
    people = {"crosswalk": f"{warehouse}-crosswalk"}
    return {
        "ingest-vcf": people | {"inputs": [files["calls"]]},
        "ingest-expression": people | {"inputs": [files["expression"]], "unit": "standardised"},
        "ingest-phenotypes": people | {"inputs": [f"phenotypes={files['labels']}", f"covariates={files['covariates']}"]},
    }


def _files(cohort: Cohort, covariates: pd.DataFrame, which: slice, folder: Path) -> dict[str, str]:
    """VCF and tables of some people, who are called p and their place in the cohort."""
    folder.mkdir(parents=True)
    names = [f"p{place}" for place in range(*which.indices(len(cohort.labels)))]
    paths = {name: folder / f"{name}.tsv" for name in ("expression", "labels", "covariates")} | {"calls": folder / "calls.vcf"}
    genes = [f"gene{place}" for place in range(cohort.expression.shape[1])]
    expression = pd.DataFrame(cohort.expression[which].round(6), columns=genes)
    expression.insert(0, "state", "resting")
    expression.insert(0, "cellType", "blood")
    tables = {
        "expression": expression,
        "labels": pd.DataFrame(cohort.labels[which].astype(int), columns=list(risk_cohort.DISEASES)),
        "covariates": covariates.iloc[which].reset_index(drop=True),
    }
    for name, table in tables.items():
        table.insert(0, "sampleId", names)
        table.to_csv(paths[name], sep="\t", index=False)
    cells = np.array([b"0/0\t", b"0/1\t", b"1/1\t", b"./.\t"])[cohort.calls[which].T]
    with paths["calls"].open("wb") as out:
        contigs = dict.fromkeys(f"chr{place // risk_cohort.PER_GENE + 1}" for place in range(len(cells)))
        out.write(b"##fileformat=VCFv4.2\n" + b"".join(f"##contig=<ID={name},length=1000000>\n".encode() for name in contigs))
        out.write(b'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        out.write("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]).encode() + b"\n")
        for place, row in enumerate(cells):
            site = f"chr{place // risk_cohort.PER_GENE + 1}\t{1000 * (place % risk_cohort.PER_GENE + 1)}\t.\tA\tC\t.\t.\t.\tGT\t"
            out.write(site.encode() + row.tobytes()[:-1] + b"\n")
    return {name: str(path) for name, path in paths.items()}
