"""Folds keep relatives together and spread diseases evenly; given ones that part relatives are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.config import StageConfig
from genospark.core.runlog import run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.folds import folds, sides
from genospark.features.people import with_families
from genospark.features.risk import BuildRiskFeaturesConfig, build_features
from genospark.features.split import families_of, stratified
from genospark.features.variants import BuildVariantFeaturesConfig
from genospark.features.variants import build_features as build_variant_features
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes


def test_families_stay_and_strata_spread() -> None:
    random = np.random.default_rng(1)
    people = pd.Index([f"p{i:04d}" for i in random.permutation(2000)])
    families = pd.Series([f"f{int(name[1:]) // 4}" for name in people], people)
    strata = pd.Series(np.where(random.random(2000) < 0.1, "case", np.where(random.random(2000) < 0.5, "control", "")), people)
    found = stratified(families, strata, 5, 1)
    assert found.index.equals(people)
    assert (found.groupby(families).nunique() == 1).all()
    counts = pd.crosstab(strata, found)
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 12
    assert (found == stratified(families, strata, 5, 1)).all()
    assert (found != stratified(families, strata, 5, 2)).any()
    # The order of people does not matter.
    turned = stratified(families[::-1], strata[::-1], 5, 1)
    assert (turned[people] == found).all()
    for fold in sorted(found.unique()):
        side = sides(found.astype(str), str(fold))
        assert (side[found == fold] == "test").all()
        assert (side[found == (fold + 1) % 5] == "validation").all()
        assert (side == "train").sum() == (~found.isin([fold, (fold + 1) % 5])).sum()


def test_kinship_makes_families() -> None:
    pedigree = pd.DataFrame({"sampleId": ["a", "b"], "familyId": ["x", "x"], "fatherId": None, "motherId": None})
    relatives = pd.DataFrame({"sampleId": ["b", "d"], "relativeId": ["c", "e"]})
    assert families_of(pedigree, relatives).to_dict() == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}


@pytest.fixture
def copy(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> Warehouse:
    shutil.copytree(cohort.path, tmp_path / "w", ignore=shutil.ignore_patterns("input", "bundles"))
    return Warehouse(spark, str(tmp_path / "w"))


def test_kinship_counts_where_it_is_certain(copy: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    people = copy.read("samples").select("sampleId").orderBy("sampleIndex").toPandas()
    alone = with_families(copy, people)["familyId"]
    # Strangers by the pedigree: the first pair is certain, of the second too few variants are known, the third is too far.
    strangers = people["sampleId"][~alone.duplicated(keep=False)].tolist()[:6]
    pairs = [(*strangers[i : i + 2], n, 0.1, 0.0, kinship) for i, n, kinship in ((0, 6000, 0.2), (2, 600, 0.2), (4, 6000, 0.05))]
    rows = copy.spark.createDataFrame(
        [(*pair, None) for pair in pairs],
        "sampleId string, relativeId string, nVariants bigint, hetHetShare double, ibs0Share double, kinship double, degree int",
    )
    run_stage("qc kinship", StageConfig(warehouse=copy.path), copy, lambda run: run.write("kinship", rows))
    copy.refresh()
    # The cohort's contigs are short: whoever shares one of them need not be related.
    assert with_families(copy, people)["familyId"].tolist() == alone.tolist()
    monkeypatch.setattr("genospark.features.people.ENOUGH_BASES", 100_000)
    found = with_families(copy, people).set_index("sampleId")["familyId"]
    assert found[strangers[0]] == found[strangers[1]]
    assert found[strangers[2]] != found[strangers[3]]
    assert found[strangers[4]] != found[strangers[5]]
    assert found.nunique() == alone.nunique() - 1
    labels = pd.DataFrame({"d": 0.0}, people["sampleId"])
    assert (folds(copy, labels, 3, 1).groupby(found).nunique() == 1).all()


def test_of_people_without_a_locus_in_common_people_alone_decide(copy: Warehouse) -> None:
    def windows(table: str) -> pd.Series[int]:
        return copy.read(table).groupBy("sampleId").count().toPandas().set_index("sampleId")["count"]

    whole = windows("readWindows")
    judged = copy.read("variantExamples").where("split != 'train'").select("sampleId").distinct().toPandas()["sampleId"]
    assert len(judged)
    assert (windows("variantExamples")[judged] < whole[judged]).all()
    build_variant_features(BuildVariantFeaturesConfig(warehouse=copy.path, loci=None, context_bp=None, rerun=True), copy.spark)
    copy.refresh()
    assert (windows("variantExamples").sort_index() == whole.sort_index()).all()


def test_a_given_split_is_taken_unless_it_parts_relatives(copy: Warehouse, cohort: Cohort, tmp_path: Path) -> None:
    people = with_families(copy, copy.read("samples").select("sampleId").toPandas()).set_index("sampleId")
    people["split"] = stratified(people["familyId"], people["familyId"].str[:0], 3, 5).map(["train", "validation", "test"].__getitem__)
    people["name"] = people.index.map(cohort.names)

    def ingest(rows: pd.DataFrame) -> None:
        rows.rename(columns={"name": "sampleId"})[["sampleId", "split"]].to_csv(tmp_path / "s.tsv", sep="\t", index=False)
        inputs = [f"splits={tmp_path / 's.tsv'}"]
        ingest_phenotypes(IngestPhenotypesConfig(warehouse=copy.path, inputs=inputs, crosswalk=f"{copy.path}/crosswalk"), copy.spark)
        copy.refresh()

    config = BuildRiskFeaturesConfig(warehouse=copy.path, variants=20, expression=0, given_split="main")
    with pytest.raises(TableError, match="no table `splits"):
        build_features(config, copy.spark)
    ingest(people)
    build_features(config, copy.spark)
    copy.refresh()
    made = copy.read("riskExamples").select("sampleId", "split").toPandas().set_index("sampleId")["split"]
    assert (made == people.loc[made.index, "split"]).all()

    parted = people.copy()
    family = parted["familyId"][parted["familyId"].duplicated()].iloc[0]
    parted.loc[parted.index[parted["familyId"] == family][0], "split"] = "test"
    parted.loc[parted.index[parted["familyId"] == family][1], "split"] = "train"
    ingest(parted)
    with pytest.raises(TableError, match="the given split parts the relatives of 1 families") as caught:
        build_features(config, copy.spark)
    assert caught.value.exit_code == 4
    with pytest.raises(TableError, match="parts the relatives"):
        folds(copy, people[["split"]], 5, 1, "main")
    ingest(people[:-1])
    with pytest.raises(TableError, match=r"`splits` says nothing of 1 of \d+ people"):
        folds(copy, people[["split"]], 5, 1, "main")
    ingest(people.assign(split=people["split"].replace("test", "other")))
    with pytest.raises(TableError, match="has the side other"):
        build_features(config, copy.spark)
