"""Panel, cis variants and examples of the task expression, against the cohort's own files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.calls import packed_rows, unpack
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.cis import forward
from genospark.features.expression import BuildExpressionFeaturesConfig, build_features
from genospark.features.expression_specification import cis_of, from_tables
from genospark.features.panel import correlations, covering
from genospark.features.split import folds_of


@pytest.fixture(scope="module")
def raw(cohort: Cohort) -> pd.DataFrame:
    return pd.read_csv(cohort.files / "expression.tsv.gz", sep="\t").set_index(["sampleId", "cellType", "state"])


@pytest.fixture(scope="module")
def examples(cohort: Cohort) -> pd.DataFrame:
    return cohort.table("expressionExamples").set_index(["sampleId", "cellType"]).sort_index()


def test_the_panel_covers_what_is_left() -> None:
    """Gene 0 goes with 1 (r = .9) and 2 (r = .8): it explains 1 + .81 + .64 and comes first, then gene 3, which is alone."""
    matrix = np.array([[1, 0.9, 0.8, 0], [0.9, 1, 0.72, 0], [0.8, 0.72, 1, 0], [0, 0, 0, 1]])
    everything = np.arange(4)
    assert covering(matrix, everything, everything, 3) == [0, 3, 2]
    # Only gene 2 counts and cannot be chosen: gene 0 says .64 of it; of the rest, 1 says nothing (.72 - .9 * .8 = 0).
    assert covering(matrix, np.array([0, 1, 3]), np.array([2]), 1) == [0]
    values = np.array([[[1.0, -1.0, 1.0, -1.0]], [[1.0, 1.0, -1.0, -1.0]]], np.float32)
    assert correlations(values).tolist() == [[1, 0], [0, 1]]


def test_linked_variants_are_not_taken_twice() -> None:
    one, other = np.array([1.0, 1, -1, -1] * 5), np.array([1.0, -1, 1, -1] * 5)
    copies = np.stack([one, one, other])
    # Variant 1 is variant 0 again; the first of them says 4 of 5 parts, variant 2 the rest.
    assert forward(copies, (2 * one + other)[None], 3) == [0, 2]


def test_targets_variants_are_a_rectangle() -> None:
    assert cis_of([(2, 5), (0, 3), (2, 1)], 3).tolist() == [[3, -1], [-1, -1], [1, 5]]


def test_values_are_standardised_by_training_people(cohort: Cohort, raw: pd.DataFrame, examples: pd.DataFrame) -> None:
    spec = from_tables(cohort.warehouse)
    training = examples.index[examples["split"] == "train"].get_level_values(0).unique()
    assert len(training) < 0.9 * len(examples.index.get_level_values(0).unique())
    for name, genes in (("panel", spec.panel), ("targets", spec.targets)):
        held = np.stack([np.frombuffer(row, "<f4").reshape(len(spec.states), len(genes)) for row in examples[name]])
        for cell_type in spec.cell_types:
            of = examples.index.get_level_values(1) == cell_type
            people = examples.index[of].get_level_values(0)
            for s, state in enumerate(spec.states):
                values = np.log1p(raw.xs((cell_type, state), level=(1, 2))[list(genes)])
                seen = values.loc[training]
                expected = ((values - seen.mean()) / seen.std(ddof=0)).loc[people].to_numpy()
                assert np.isnan(expected).any() or len(genes) < 9
                assert np.allclose(held[of, s], expected, atol=1e-5, equal_nan=True)
    types = [np.frombuffer(row, "<i4")[0] for row in examples["cellTypeIndex"]]
    assert [spec.cell_types[which] for which in types] == list(examples.index.get_level_values(1))


def test_calls_are_the_files(cohort: Cohort, examples: pd.DataFrame) -> None:
    spec = from_tables(cohort.warehouse)
    calls = unpack(packed_rows(list(examples["calls"])), len(spec.variants))
    assert (calls[::3] == calls[1::3]).all()
    with pysam.VariantFile(str(cohort.files / "genotypes.vcf.gz")) as vcf:
        records = {(record.chrom, record.start): record for record in vcf}
    people = examples.index.get_level_values(0)
    for column, variant in list(enumerate(spec.variants))[::5]:
        record = records[(variant.contig_name, variant.start)]
        which = record.alts.index(variant.alternate_allele) + 1
        for row in range(0, len(people), 53):
            call = record.samples[people[row]]["GT"]
            assert calls[row, column] == (3 if None in call else sum(allele == which for allele in call))


def test_cis_variants_lie_near_their_targets(cohort: Cohort) -> None:
    spec = from_tables(cohort.warehouse)
    genes = cohort.warehouse.read("genes").toPandas().set_index("geneId")
    assert len(spec.panel) == 8
    assert not set(spec.panel) & set(spec.targets)
    assert len(spec.panel) + len(spec.targets) == 20
    assert spec.cis is not None
    assert spec.cis.shape == (12, 5)
    for target, variants in zip(spec.targets, spec.cis, strict=True):
        gene = genes.loc[target]
        for variant in (spec.variants[index] for index in variants if index >= 0):
            assert variant.contig_name == gene["contigName"]
            assert gene["start"] - 100_000 <= variant.start < gene["end"] + 100_000
    # What acts is known: most targets have a variant that is the true one or near it in linkage, seen by its p-value.
    best = [min(spec.variants[index].p_value for index in variants if index >= 0) for variants in spec.cis]
    assert np.median(best) < 1e-3


def test_people_stand_where_they_stand_for_risk(cohort: Cohort, examples: pd.DataFrame) -> None:
    risk = cohort.table("riskExamples").set_index("sampleId")[["split", "familyId"]]
    ours = examples.reset_index().drop_duplicates("sampleId").set_index("sampleId")[["split", "familyId"]]
    common = ours.index.intersection(risk.index)
    assert len(common) > 200
    assert (ours.loc[common] == risk.loc[common]).all().all()


def test_each_family_is_tested_on_in_one_fold() -> None:
    families = pd.Series([f"F{number // 2}" for number in range(200)])
    sides = pd.DataFrame({fold: folds_of(families, fold, 5, seed=1) for fold in range(5)})
    for side in ("test", "validation"):
        assert ((sides == side).sum(axis=1) == 1).all()
    assert (sides.iloc[::2].to_numpy() == sides.iloc[1::2].to_numpy()).all()
    assert all((sides[fold][sides[(fold + 1) % 5] == "test"] == "validation").all() for fold in range(5))


def test_a_fold_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="fold 5 is not one of 5"):
        BuildExpressionFeaturesConfig(warehouse="w", folds=5, fold=5)


def test_panel_states_and_targets_can_be_named(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    shutil.copytree(cohort.path, tmp_path / "warehouse", ignore=shutil.ignore_patterns("input"))
    path = str(tmp_path / "warehouse")
    settings = {"panel": "regulators", "variants": "none", "states": ["stimulated", "resting"]}
    build_features(BuildExpressionFeaturesConfig(warehouse=path, **settings), spark)
    spec = from_tables(Warehouse(spark, path))
    regulators = pd.read_csv(cohort.files / "regulators.tsv", sep="\t")["geneId"]
    assert list(spec.panel) == sorted(regulators)
    assert not set(spec.panel) & set(spec.targets)
    assert spec.states == ("stimulated", "resting")
    assert spec.variants == ()
    for wrong, says in (({"panel": ["nowhere"]}, "1 of the panel's 1 genes, such as nowhere"), ({"panel": 20}, "none is left to predict")):
        with pytest.raises(TableError, match=says):
            build_features(BuildExpressionFeaturesConfig(warehouse=path, **wrong), spark)
    with pytest.raises(TableError, match="no training person has expression in state busy"):
        build_features(BuildExpressionFeaturesConfig(warehouse=path, states=["busy"], panel=["GENE00001"], variants="none"), spark)
