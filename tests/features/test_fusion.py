"""The fused vector against the cohort's own files, and what is fitted on whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.calls import packed_rows, unpack
from genospark.features.risk import BuildRiskFeaturesConfig, build_features
from genospark.features.specification import from_tables
from genospark.ingest.expression import IngestExpressionConfig, ingest_expression
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf

SETTINGS = {"variants": 100, "expression": 30}


def test_vectors_hold_the_files_values(cohort: Cohort) -> None:
    spec = from_tables(cohort.warehouse)
    examples = cohort.table("riskExamples").set_index("sampleId")
    calls = pd.DataFrame(unpack(packed_rows(list(examples["calls"])), len(spec.variants)), index=examples.index)
    with pysam.VariantFile(str(cohort.files / "genotypes.vcf.gz")) as vcf:
        records = {(record.chrom, record.start): record for record in vcf}
    for column, variant in list(enumerate(spec.variants))[::9]:
        record = records[(variant.contig_name, variant.start)]
        which = record.alts.index(variant.alternate_allele) + 1
        for person in examples.index[::17]:
            call = record.samples[person]["GT"]
            assert calls.loc[person, column] == (3 if None in call else sum(allele == which for allele in call))
    raw = pd.read_csv(cohort.files / "expression.tsv.gz", sep="\t").set_index(["sampleId", "cellType", "state"])
    people = examples.index[examples["split"] == "train"]
    measured = pd.DataFrame([np.frombuffer(row, "<f4") for row in examples["measurements"]], index=examples.index)
    for column, feature in list(enumerate(spec.expression))[::5]:
        values = np.log1p(raw[feature.gene_id].xs((feature.cell_type, feature.state), level=(1, 2)))
        training = values.loc[people]
        expected = (values - training.mean()) / training.std(ddof=0)
        assert np.allclose(measured[column], expected.loc[examples.index], atol=1e-5, equal_nan=True)
        assert measured[column].isna().any() == expected.isna().any()


def test_labels_are_those_of_the_file(cohort: Cohort) -> None:
    spec = from_tables(cohort.warehouse)
    examples = cohort.table("riskExamples").set_index("sampleId")
    truth = pd.read_csv(cohort.files / "phenotypes.tsv", sep="\t").set_index("sampleId")
    labels = pd.DataFrame([np.frombuffer(row, "<f4") for row in examples["labels"]], index=examples.index, columns=spec.diseases)
    assert np.allclose(labels, truth.loc[labels.index, list(spec.diseases)], equal_nan=True)
    assert labels.isna().any().any()


def test_nothing_about_held_out_people_changes_what_is_fitted(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    """Calls, covariates, labels and expression of validation and test people are replaced: the features stay the same."""
    sides = cohort.table("riskExamples").set_index("sampleId")["split"]
    held_out = set(sides.index[sides != "train"])
    random = np.random.default_rng(0)
    expression = pd.read_csv(cohort.files / "expression.tsv.gz", sep="\t")
    rows = expression["sampleId"].isin(held_out)
    genes = expression.columns[3:]
    expression.loc[rows, genes] = random.gamma(2.0, 5.0, (rows.sum(), len(genes)))
    phenotypes = pd.read_csv(cohort.files / "phenotypes.tsv", sep="\t")
    rows = phenotypes["sampleId"].isin(held_out)
    phenotypes.loc[rows, phenotypes.columns[1:]] = random.integers(0, 2, (rows.sum(), phenotypes.shape[1] - 1))
    covariates = pd.read_csv(cohort.files / "covariates.tsv", sep="\t")
    rows = covariates["sampleId"].isin(held_out)
    covariates.loc[rows, "ageYears"] = 99.0
    covariates.to_csv(tmp_path / "covariates.tsv", sep="\t", index=False, na_rep="NA")
    with pysam.BGZFile(str(cohort.files / "genotypes.vcf.gz")) as source, (tmp_path / "changed.vcf").open("w") as target:
        for raw in source:
            fields = raw.decode().split("\t")
            if fields[0] == "#CHROM":
                columns = [place for place, name in enumerate(fields) if name in held_out]
            elif len(fields) > 9:
                for place in columns:
                    fields[place] = "1|1"
            target.write("\t".join(fields) + "\n")
    expression.to_csv(tmp_path / "expression.tsv", sep="\t", index=False, na_rep="NA")
    phenotypes.to_csv(tmp_path / "phenotypes.tsv", sep="\t", index=False, na_rep="NA")
    warehouse = str(tmp_path / "warehouse")
    files = cohort.files
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[f"{tmp_path}/changed.vcf"]), spark)
    ingest_expression(IngestExpressionConfig(warehouse=warehouse, inputs=[f"{tmp_path}/expression.tsv"]), spark)
    roles = [f"phenotypes={tmp_path}/phenotypes.tsv", f"covariates={tmp_path}/covariates.tsv", f"pedigree={files}/pedigree.ped"]
    ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=roles), spark)
    build_features(BuildRiskFeaturesConfig(warehouse=warehouse, **SETTINGS), spark)
    changed = type(cohort.warehouse)(spark, warehouse)
    ours, theirs = from_tables(cohort.warehouse), from_tables(changed)
    assert ours.variants == theirs.variants
    assert ours.covariates == theirs.covariates
    for one, other in zip(ours.expression, theirs.expression, strict=True):
        assert (one.gene_id, one.cell_type, one.state) == (other.gene_id, other.cell_type, other.state)
        assert (one.mean, one.p_value) == pytest.approx((other.mean, other.p_value))
