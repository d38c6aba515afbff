"""Nothing of test people enters a model: with all that is known of them dealt anew among them, the bundle is the same to the last bit."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, run_stages
from genospark.tasks.bundles import last_version


def _dealt(table: pd.DataFrame, test: set[str], seed: int) -> pd.DataFrame:
    """Rows of test people, put on others of them; rows of one person stay together."""
    names = sorted(test & set(table["sampleId"]))
    order = np.random.default_rng(seed).permutation(len(names))
    assert (order != np.arange(len(names))).mean() > 0.9
    return table.assign(sampleId=table["sampleId"].replace({name: names[other] for name, other in zip(names, order, strict=True)}))


def _vcf(source: Path, target: Path, test: set[str]) -> None:
    with pysam.BGZFile(str(source)) as file, pysam.BGZFile(str(target), "w") as out:
        for raw in file:
            line = raw.decode().rstrip("\n")
            if not line.startswith("##"):
                fields = line.split("\t")
                if line.startswith("#"):
                    mine = np.array([i for i, name in enumerate(fields) if i > 8 and name in test])
                    order = np.random.default_rng(1).permutation(mine)
                else:
                    found = np.array(fields, object)
                    found[mine] = found[order]
                    line = "\t".join(found)
            out.write(f"{line}\n".encode())


def test_the_bundle_does_not_know_test_people(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    examples = cohort.table("riskExamples")
    test = set(examples["sampleId"][examples["split"] == "test"])
    assert len(test) > 20
    files = tmp_path / "in"
    files.mkdir()
    _vcf(cohort.files / "genotypes.vcf.gz", files / "genotypes.vcf.gz", test)
    for seed, name in enumerate(("phenotypes.tsv", "covariates.tsv", "expression.tsv.gz"), 2):
        table = pd.read_csv(cohort.files / name, sep="\t", dtype=str, keep_default_na=False)
        dealt = _dealt(table, test, seed)
        # In the order of the file, as it was.
        dealt = dealt.set_index("sampleId", drop=False).loc[table["sampleId"].drop_duplicates()]
        with (gzip.open if name.endswith(".gz") else open)(files / name, "wt") as out:
            dealt.to_csv(out, sep="\t", index=False)
    roles = {"phenotypes": files / "phenotypes.tsv", "covariates": files / "covariates.tsv", "pedigree": cohort.files / "pedigree.ped"}
    settings = cohort.config.stages
    stages = {
        "ingest-vcf": {"inputs": [str(files / "genotypes.vcf.gz")]},
        "ingest-expression": {"inputs": [str(files / "expression.tsv.gz")]},
        "ingest-phenotypes": {"inputs": [f"{role}={path}" for role, path in roles.items()]},
        "build-features risk": settings["build-features risk"],
        "train risk": settings["train risk"],
    }
    run_stages(spark, PipelineConfig(warehouse=str(tmp_path / "w"), stages=stages))
    other = Warehouse(spark, str(tmp_path / "w"))
    key = ["sampleId", "split", "calls", "measurements", "labels"]
    mine, theirs = (w.read("riskExamples").select(*key).toPandas().set_index("sampleId").sort_index() for w in (cohort.warehouse, other))
    assert mine.index.equals(theirs.index)
    same = (mine == theirs).all(axis=1)
    assert same[mine["split"] != "test"].all()
    assert not same[mine["split"] == "test"].any()
    assert last_version(other, "risk") == last_version(cohort.warehouse, "risk")
    key = ["target", "metric", "model"]
    measured = [
        w.read("metrics").where("task = 'risk' and split = 'test'").toPandas().set_index(key)["value"] for w in (cohort.warehouse, other)
    ]
    both = pd.concat(measured, axis=1, join="inner").dropna().to_numpy()
    assert len(both) > 10
    # Counts of right answers may happen to agree.
    assert np.isclose(*both.T).mean() < 0.5
