"""Diseases on a warehouse's own genotypes and expression: what is written is what the model says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.errors import TableError
from genospark.simulate.config import Disease, OwnDataConfig
from genospark.simulate.stage import SimulateStageConfig, simulate

DISEASES = [Disease(name="one", prevalence=0.3), Disease(name="other", prevalence=0.2)]
OWN = OwnDataConfig(diseases=DISEASES, variants=4, genes=3, min_allele_frequency=0.1)


def test_liability_is_made_of_the_named_causes(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        simulate(SimulateStageConfig(warehouse=str(cohort.path), out=str(tmp_path / folder), own_data=OWN), spark)
    for name in ("phenotypes.tsv", "truth/people.tsv", "truth/variants.tsv", "truth/genes.tsv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    people, variants, genes, labels = (
        pd.read_csv(tmp_path / "a" / name, sep="\t")
        for name in ("truth/people.tsv", "truth/variants.tsv", "truth/genes.tsv", "phenotypes.tsv")
    )
    assert people["sampleId"].tolist() == labels["sampleId"].tolist()
    people["sampleId"] = people["sampleId"].map(cohort.names)
    wanted = {(row.contigName, row.start, row.referenceAllele): row.alternateAllele for row in variants.itertuples()}
    with pysam.VariantFile(str(cohort.files / "genotypes.vcf.gz")) as vcf:
        copies = {}
        for record in vcf:
            alternate = wanted.get((record.chrom, record.start, record.ref))
            if alternate in record.alts:
                which = record.alts.index(alternate) + 1
                calls = [record.samples[name]["GT"] for name in people["sampleId"]]
                copies[record.chrom, record.start] = np.array([np.nan if None in call else call.count(which) for call in calls], float)
    raw = pd.read_csv(cohort.files / "expression.tsv.gz", sep="\t").set_index(["cellType", "state", "sampleId"]).sort_index()
    for disease in DISEASES:
        mine = variants[variants["disease"] == disease.name]
        assert len(mine) == 4
        z = np.stack([copies[row.contigName, row.start] for row in mine.itertuples()], axis=1)
        assert (np.minimum(np.nanmean(z, axis=0), 2 - np.nanmean(z, axis=0)) >= 0.2).all()
        z = np.where(np.isnan(z), np.nanmean(z, axis=0), z)
        z = (z - z.mean(axis=0)) / z.std(axis=0)
        np.testing.assert_allclose(z @ mine["effect"], people[f"genetic_{disease.name}"], atol=1e-4)
        assert people[f"genetic_{disease.name}"].var(ddof=0) == pytest.approx(0.3, rel=1e-4)
        causes = genes[genes["disease"] == disease.name]
        ranks = np.stack(
            [raw.loc[row.cellType, row.state].loc[people["sampleId"], row.geneId].rank() for row in causes.itertuples()], axis=1
        )
        part = np.nan_to_num(ranks - np.nanmean(ranks, axis=0)) @ causes["effect"].to_numpy()
        assert np.corrcoef(part, people[f"expression_{disease.name}"])[0, 1] > 0.95
        assert people[f"expression_{disease.name}"].var(ddof=0) == pytest.approx(0.3, rel=1e-4)
        parts = sum(people[f"{name}_{disease.name}"] for name in ("genetic", "expression", "noise"))
        np.testing.assert_allclose(parts, people[f"liability_{disease.name}"], atol=1e-4)
        assert labels[disease.name].mean() == pytest.approx(disease.prevalence, abs=0.01)
        assert (labels[disease.name] == people[f"label_{disease.name}"]).all()
        cases = labels[disease.name] == 1
        assert people[f"liability_{disease.name}"][cases].min() > people[f"liability_{disease.name}"][~cases].max()


def test_more_causes_than_there_are_is_refused(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    for settings, says in (({"variants": 900}, "common variants were found where 1800"), ({"genes": 400}, "genes vary")):
        own = OWN.model_copy(update=settings)
        with pytest.raises(TableError, match=says):
            simulate(SimulateStageConfig(warehouse=str(cohort.path), out=str(tmp_path), own_data=own), spark)


@pytest.mark.parametrize(
    "wrong", [{"heritability": 0.6, "expression_share": 0.4}, {"variants": 0, "genes": 0}, {"diseases": DISEASES[:1] * 2}]
)
def test_shares_and_causes_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"below 1|neither|twice"):
        OwnDataConfig(**wrong)
