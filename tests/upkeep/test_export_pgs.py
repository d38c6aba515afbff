"""A model's linear part as scoring files: plink2 and ``score pgs`` make of them what the model does."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pysam.bcftools
import pytest
from plink_helpers import plink2, table
from pyspark.sql import SparkSession
from support import Cohort, people

from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest.pgs import IngestPgsConfig, ingest_pgs
from genospark.models.bundle import load
from genospark.scoring.pgs import ScorePgsConfig, score
from genospark.tasks.risk import dense, fields
from genospark.tasks.risk_model import RiskModel
from genospark.upkeep.export import ExportConfig, export


def _by_model(cohort: Cohort) -> pd.DataFrame:
    """What variants add to each person's logits by the logistic regression, and from where the scores' sums count."""
    model = RiskModel.of(load(cohort.bundle, "risk"))
    rows = cohort.warehouse.read("riskExamples").select("sampleId", "calls", "measurements").toPandas()
    calls, measurements = (field.read(list(rows[field.name])) for field in fields(model.spec))
    n = len(model.spec.variants)
    means, deviations = model.spec.variant_scale()
    weights = model.coefficients[0, :n].astype(float)
    sums = dense(model.spec, calls, np.full_like(measurements, np.nan))[:, :n] @ weights + (means / deviations) @ weights
    return pd.DataFrame(sums, rows["sampleId"], list(model.spec.diseases))


def test_plink2_and_score_pgs_make_the_same_sums(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    export(ExportConfig(warehouse=str(cohort.path), out=str(tmp_path / "out"), format="pgs"), spark)
    files = sorted((tmp_path / "out").iterdir())
    expected = _by_model(cohort)
    assert [path.name for path in files] == [f"{disease}.txt.gz" for disease in sorted(expected)]
    pysam.bcftools.norm("-m-", "-Oz", "-o", str(tmp_path / "s.vcf.gz"), str(cohort.files / "genotypes.vcf.gz"), catch_stdout=False)
    ids = ["--set-all-var-ids", "@:#:$r:$a", "--new-id-max-allele-len", "100"]
    prefix = plink2(tmp_path / "p", "--vcf", tmp_path / "s.vcf.gz", *ids, "--make-pgen", "--sort-vars")
    warehouse = str(tmp_path / "w")
    shutil.copytree(cohort.path, warehouse, ignore=shutil.ignore_patterns("input", "bundles"))
    ingest_pgs(IngestPgsConfig(warehouse=warehouse, inputs=[str(path) for path in files]), spark)
    score(ScorePgsConfig(warehouse=warehouse, ambiguous="keep"), spark)
    ours = Warehouse(spark, warehouse).read("pgsScores").toPandas()
    for path in files:
        disease = path.name.removesuffix(".txt.gz")
        with gzip.open(path, "rt") as file:
            rows = pd.read_csv(file, sep="\t", comment="#", dtype={"chr_name": str})
        bare = rows["chr_name"].str.removeprefix("chr")
        rows["ID"] = bare + ":" + rows["chr_position"].astype(str) + ":" + rows["other_allele"] + ":" + rows["effect_allele"]
        rows[["ID", "effect_allele", "effect_weight"]].to_csv(tmp_path / "weights", sep="\t", index=False)
        # Missing calls count as the training people's mean.
        known = rows.assign(CHROM=bare, n=1_000_000)[["CHROM", "ID", "other_allele", "effect_allele", "allelefrequency_effect", "n"]]
        known.set_axis(["#CHROM", "ID", "REF", "ALT", "ALT_FREQS", "OBS_CT"], axis=1).to_csv(tmp_path / "f.afreq", sep="\t", index=False)
        words = ["--read-freq", tmp_path / "f.afreq", "--score", tmp_path / "weights", "1", "2", "3", "header", "cols=+scoresums"]
        theirs = table(Path(f"{plink2(tmp_path / 'o', '--pfile', prefix, *words)}.sscore"))
        sums = pd.Series(theirs["SCORE1_SUM"].to_numpy(), people(*theirs["IID"])).loc[expected.index]
        assert expected[disease].std() > 0.05
        np.testing.assert_allclose(sums, expected[disease], atol=1e-4)
        mine = ours[ours["pgsId"].str.endswith(f"-{disease}")].set_index("sampleId").loc[expected.index]
        assert (mine["matchRate"] == 1).all()
        # Here missing calls count as the mean over all founders.
        complete = (mine["nCalled"] == mine["nVariants"]).to_numpy()
        assert complete.sum() > 5
        np.testing.assert_allclose(mine["scoreSum"][complete], sums[complete], atol=1e-4)


def test_a_missing_bundle_is_said(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no bundle there"):
        export(ExportConfig(warehouse=str(cohort.path), out=str(tmp_path / "o"), format="pgs", bundle=str(tmp_path / "risk-x")), spark)
