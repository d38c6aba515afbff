"""Training and serving agree, and what happens where a cohort lacks some of the model's sites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core import crosswalk
from genospark.core.storage import Warehouse
from genospark.errors import CoverageError, InputError, TableError
from genospark.features.specification import from_tables
from genospark.ingest.expression import IngestExpressionConfig, ingest_expression
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.models.bundle import load
from genospark.scoring.risk import ScoreRiskConfig, score
from genospark.tasks.risk_model import RiskModel

KEY = ["sampleId", "disease"]
PROBABILITIES = ["riskProbability", "networkProbability", "logisticProbability"]


@pytest.fixture(scope="module")
def model_sites(cohort: Cohort) -> list[tuple[str, int]]:
    """The model's sites that one biallelic record of the VCF holds, in order."""
    with pysam.VariantFile(str(cohort.files / "genotypes.vcf.gz")) as vcf:
        biallelic = {(record.chrom, record.start) for record in vcf if len(record.alts) == 1}
    return [site for v in from_tables(cohort.warehouse).variants if (site := (v.contig_name, v.start)) in biallelic]


def _rewritten(cohort: Cohort, path: Path, turned: set[tuple[str, int]], dropped: set[tuple[str, int]]) -> str:
    """The cohort's VCF with REF and ALT exchanged at some sites and others left out."""
    exchange = str.maketrans("01", "10")
    with pysam.BGZFile(str(cohort.files / "genotypes.vcf.gz")) as source, pysam.BGZFile(str(path), "w") as target:
        for raw in source:
            line = raw.decode()
            if not line.startswith("#"):
                contig, position, name, ref, alt, *rest = line.split("\t")
                site = (contig, int(position) - 1)
                if site in dropped:
                    continue
                if site in turned:
                    calls = [call.translate(exchange) for call in rest[4:]]
                    line = "\t".join([contig, position, name, alt, ref, *rest[:4], *calls])
            target.write(f"{line}\n".encode())
    return str(path)


def _scores(cohort: Cohort, spark: SparkSession, home: Path, vcf: str, expression: bool = True) -> pd.DataFrame:
    warehouse = str(home / "warehouse")
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[vcf]), spark)
    if expression:
        ingest_expression(IngestExpressionConfig(warehouse=warehouse, inputs=[str(cohort.files / "expression.tsv.gz")]), spark)
    roles = [f"phenotypes={cohort.files}/phenotypes.tsv", f"covariates={cohort.files}/covariates.tsv"]
    ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=roles), spark)
    score(ScoreRiskConfig(warehouse=warehouse, bundle=str(cohort.bundle)), spark)
    found = Warehouse(spark, warehouse).read("riskScores").toPandas()
    found["sampleId"] = found["sampleId"].map(crosswalk.read(f"{warehouse}-crosswalk"))
    return found.set_index(KEY).sort_index()


def _original(cohort: Cohort) -> pd.DataFrame:
    return cohort.table("riskScores").set_index(KEY).sort_index()


def test_exchanged_alleles_give_the_same_probabilities(
    cohort: Cohort, spark: SparkSession, tmp_path: Path, model_sites: list[tuple[str, int]]
) -> None:
    tenth = set(model_sites[: len(from_tables(cohort.warehouse).variants) // 10])
    found = _scores(cohort, spark, tmp_path, _rewritten(cohort, tmp_path / "turned.vcf.gz", tenth, set()))
    expected = _original(cohort)
    assert np.abs(found[PROBABILITIES] - expected[PROBABILITIES]).to_numpy().max() < 1e-5
    assert (found["variantCoverage"] == 1).all()
    run = Warehouse(spark, str(tmp_path / "warehouse")).producer("riskScores")
    assert run is not None
    assert f'"ref_alt_exchanged": {len(tenth)}' in run["notes"]


def test_what_cannot_be_turned_counts_as_not_found(
    cohort: Cohort, spark: SparkSession, tmp_path: Path, model_sites: list[tuple[str, int]]
) -> None:
    """At an exchanged site one person is made haploid: 2 minus copies would be wrong for them."""
    path = tmp_path / "haploid.vcf.gz"
    _rewritten(cohort, tmp_path / "turned.vcf.gz", {model_sites[0]}, set())
    with pysam.BGZFile(str(tmp_path / "turned.vcf.gz")) as source, pysam.BGZFile(str(path), "w") as target:
        for raw in source:
            fields = raw.decode().split("\t")
            if len(fields) > 9 and (fields[0], fields[1]) == (model_sites[0][0], str(model_sites[0][1] + 1)):
                fields[9] = "1"
            target.write(("\t".join(fields) + "\n").encode())
    found = _scores(cohort, spark, tmp_path, str(path))
    assert (found["variantCoverage"] == 0.99).all()
    run = Warehouse(spark, str(tmp_path / "warehouse")).producer("riskScores")
    assert run is not None
    assert '"turns_refused": 1' in run["notes"]


def test_left_out_sites_are_replaced_by_training_means(
    cohort: Cohort, spark: SparkSession, tmp_path: Path, model_sites: list[tuple[str, int]]
) -> None:
    """Coverage says .9, and the logistic regression's logit drops by just what the sites left out had added."""
    bundle = RiskModel.of(load(cohort.bundle, "risk"))
    tenth = model_sites[: len(bundle.spec.variants) // 10]
    found = _scores(cohort, spark, tmp_path, _rewritten(cohort, tmp_path / "fewer.vcf.gz", set(), set(tenth)))
    assert (found["variantCoverage"] == 0.9).all()
    logit = pd.Series({key: np.log(p / (1 - p)) for key, p in found["logisticProbability"].items()})
    before = _original(cohort)["logisticProbability"]
    with pysam.VariantFile(str(cohort.files / "genotypes.vcf.gz")) as vcf:
        calls = {
            (r.chrom, r.start): {name: call["GT"] for name, call in r.samples.items()} for r in vcf if (r.chrom, r.start) in set(tenth)
        }
    for (person, disease), value in list(logit.items())[::37]:
        task = bundle.spec.diseases.index(disease)
        added = 0.0
        for index, variant in enumerate(bundle.spec.variants):
            call = calls.get((variant.contig_name, variant.start), {}).get(person, (None,))
            if None not in call:
                added += bundle.coefficients[0, index, task] * (sum(call) - variant.mean) / variant.standard_deviation
        p = before[(person, disease)]
        assert value == pytest.approx(np.log(p / (1 - p)) - added, abs=1e-4)


def test_half_of_the_sites_is_too_little(cohort: Cohort, spark: SparkSession, tmp_path: Path, model_sites: list[tuple[str, int]]) -> None:
    with pytest.raises(CoverageError, match=r"of the model's 100 variants are there") as caught:
        _scores(cohort, spark, tmp_path, _rewritten(cohort, tmp_path / "half.vcf.gz", set(), set(model_sites[:50])))
    assert caught.value.exit_code == 5
    with pytest.raises(TableError, match="no table `riskScores`"):
        Warehouse(spark, str(tmp_path / "warehouse")).read("riskScores")


def test_people_without_expression_are_scored_and_say_so(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    found = _scores(cohort, spark, tmp_path, str(cohort.files / "fresh" / "genotypes.vcf.gz"), expression=False)
    assert len(found) == 120
    assert (found["expressionCoverage"] == 0).all()
    assert found["riskProbability"].between(0, 1).all()
    assert (_original(cohort)["expressionCoverage"] > 0.8).all()


def test_a_missing_bundle_is_said(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no bundle there"):
        score(ScoreRiskConfig(warehouse=str(cohort.path), bundle=str(tmp_path / "risk-x")), spark)
    with pytest.raises(TableError, match="no bundle was trained for risk here"):
        score(ScoreRiskConfig(warehouse=str(tmp_path)), spark)
