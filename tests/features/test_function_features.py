"""Embedding, hierarchy and labels of genes: by hand, and as the stage writes them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.features.components import gene_components
from genospark.features.function import BuildFunctionFeaturesConfig, _sides, build_features
from genospark.features.hierarchy import ancestors_by_file, ancestors_by_name
from genospark.features.profiles import profiles, standardised
from genospark.ingest.expression import IngestExpressionConfig, ingest_expression
from genospark.ingest.genes import IngestGenesConfig, ingest_genes
from genospark.models.terms import TermSpec
from genospark.tasks.function import Neighbours
from genospark.tasks.problem import Problem
from genospark.training.function import FunctionRecipe, TrainFunctionConfig


def test_standardised_within_each_context() -> None:
    values = np.array([[1.0, 3.0, 10.0, np.nan, 14.0], [5.0, 5.0, 1.0, 2.0, 3.0]])
    found = standardised(values, np.array([0, 0, 1, 1, 1]))
    step = np.sqrt(1.5)
    assert found == pytest.approx(np.array([[-1, 1, -1, 0, 1], [0, 0, -step, 0, step]]))


def test_profiles_and_components_are_those_of_numpy(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    found = profiles(cohort.warehouse, "log1p", 10_000)
    found.blocks.persist()
    table: pd.DataFrame = cohort.warehouse.read("expression").toPandas()
    table["z"] = np.log1p(table["expressionValue"])
    by_context = table.groupby(["geneId", "cellType", "state"])["z"]
    table["z"] = (table["z"] - by_context.transform("mean")) / by_context.transform("std", ddof=0)
    wide = table.pivot(index=["sampleId", "cellType", "state"], columns="geneId", values="z").fillna(0).sort_index()
    assert list(wide.columns) == found.genes
    expected = wide.to_numpy().T
    assert found.of(np.arange(len(found.genes))[::-1]) == pytest.approx(expected[::-1], abs=1e-4)
    whole, _ = gene_components(found, 5)
    monkeypatch.setattr("genospark.features.components._AT_ONCE", 0)
    # Twenty genes have a flat spectrum: subspace iteration takes its time to tell the fifth component from the rest.
    monkeypatch.setattr("genospark.features.components._PASSES", 40)
    places, shares = gene_components(found, 5)
    found.blocks.unpersist()
    left, sizes, _ = np.linalg.svd(expected, full_matrices=False)
    assert shares == pytest.approx(sizes[:5] ** 2 / (sizes**2).sum(), rel=1e-4)
    truth = left[:, :5] * sizes[:5]
    assert np.abs(left[:, :5].T @ places).max(axis=0) == pytest.approx(np.linalg.norm(places, axis=0), rel=1e-3)
    assert places @ places.T == pytest.approx(truth @ truth.T / (truth**2).mean(), abs=1e-2)
    assert whole == pytest.approx(places, abs=1e-2)


def test_fewer_observations_are_a_fixed_draw(cohort: Cohort) -> None:
    first, again, other = (profiles(cohort.warehouse, "log1p", 50, seed).observations for seed in (1, 1, 2))
    assert len(first) == 50
    assert first.equals(again)
    assert not first.equals(other)


def test_wider_terms_by_name() -> None:
    assert ancestors_by_name(["a/b.c", "d"], "./") == {"a": set(), "a/b": {"a"}, "a/b.c": {"a", "a/b"}, "d": set()}
    assert ancestors_by_name(["a/b"], "") == {"a/b": set()}


def test_wider_terms_by_file(tmp_path: Path) -> None:
    path = tmp_path / "parents.tsv"
    path.write_text("termId\tparentId\nx\ty\nx\tz\ny\troot\nz\troot\n")
    assert ancestors_by_file(path, ["x"]) == {"root": set(), "x": {"y", "z", "root"}, "y": {"root"}, "z": {"root"}}
    path.write_text("termId\tparentId\nx\ty\ny\tx\n")
    with pytest.raises(InputError, match="lies under itself"):
        ancestors_by_file(path, ["x"])


def test_a_term_is_never_below_a_narrower_one() -> None:
    # 0 lies over 1 and 2, and 1 over 2; 3 stands alone.
    spec = TermSpec(1, ("a", "a.b", "a.b.c", "d"), ((), (0,), (0, 1), ()), (0.1,) * 4)
    found = spec.consistent(np.array([[0.2, 0.1, 0.3, 0.9], [0.5, 0.6, 0.1, 0.0]]))
    assert found == pytest.approx(np.array([[0.3, 0.3, 0.3, 0.9], [0.6, 0.6, 0.1, 0.0]]))
    assert TermSpec.from_json(spec.to_json()) == spec


def _examples(cohort: Cohort) -> pd.DataFrame:
    rows: pd.DataFrame = cohort.warehouse.read("functionExamples").toPandas().set_index("geneId").sort_index()
    rows["labels"] = [np.frombuffer(row, "<f4") for row in rows["labels"]]
    return rows


def test_labels_are_the_annotation_with_wider_terms(cohort: Cohort) -> None:
    rows = _examples(cohort)
    terms = cohort.warehouse.read("functionTerms").orderBy("termIndex").toPandas()
    annotation: pd.DataFrame = cohort.warehouse.read("geneTerms").toPandas()
    looked, pairs = set(annotation["geneId"]), annotation.dropna()
    assert set(rows.index[rows["split"] == "unlabelled"]) == set(rows.index) - looked
    for gene, labels in rows["labels"].items():
        own = set(pairs.loc[pairs["geneId"] == gene, "termId"])
        expected = [
            float(any(term == name or name.startswith(term + ".") for name in own)) if gene in looked else np.nan
            for term in terms["termId"]
        ]
        assert labels == pytest.approx(np.array(expected), nan_ok=True)
    training = rows[rows["split"] == "train"]
    assert list(terms["trainingGenes"]) == list(np.stack(list(training["labels"])).sum(axis=0))
    for side in ("train", "validation", "test"):
        assert len(cohort.warehouse.files("functionExamples", split=side)) >= 2


def test_labels_of_held_out_genes_change_nothing_that_is_fitted(cohort: Cohort, tmp_path: Path) -> None:
    """The annotation of test genes is exchanged; terms, prevalence, and every row of other genes stay."""
    before = _examples(cohort)
    test = list(before.index[before["split"] == "test"])
    table = pd.read_csv(cohort.files / "gene_terms.tsv", sep="\t")
    others = table[~table["geneId"].isin(test)]
    names = sorted(others["termId"].dropna().unique())
    changed = pd.concat([others, pd.DataFrame([(gene, name) for gene in test for name in names], columns=["geneId", "termId"])])
    changed.to_csv(tmp_path / "terms.tsv", sep="\t", index=False, na_rep="NA")
    spark, path = cohort.warehouse.spark, str(tmp_path / "W")
    ingest_expression(IngestExpressionConfig(warehouse=path, inputs=[str(cohort.files / "expression.tsv.gz")]), spark)
    ingest_genes(IngestGenesConfig(warehouse=path, inputs=[f"terms={tmp_path}/terms.tsv"]), spark)
    build_features(BuildFunctionFeaturesConfig(warehouse=path, **cohort.config.stages["build-features function"] or {}), spark)
    other = Cohort(tmp_path / "W", Warehouse(spark, path), cohort.config)
    after = _examples(other)
    assert list(after["split"]) == list(before["split"])
    assert list(after["embedding"]) == list(before["embedding"])
    held = before["split"] == "test"
    assert all(
        (a == b).all()
        for a, b in zip(
            after.loc[~held & (before["split"] != "unlabelled"), "labels"],
            before.loc[~held & (before["split"] != "unlabelled"), "labels"],
            strict=True,
        )
    )
    assert all((row == 1).all() for row in after.loc[held, "labels"])
    fitted = [
        warehouse.read("functionTerms").drop("runId").orderBy("termIndex").collect() for warehouse in (cohort.warehouse, other.warehouse)
    ]
    assert fitted[0] == fitted[1]
    votes, problems = zip(*(_before_the_ranks(warehouse) for warehouse in (cohort.warehouse, other.warehouse)), strict=True)
    assert problems[0] == problems[1]
    assert (votes[0].genes, votes[0].count, votes[0].power) == (votes[1].genes, votes[1].count, votes[1].power)
    assert (votes[0].labels == votes[1].labels).all()


def _before_the_ranks(warehouse: Warehouse) -> tuple[Neighbours, Problem]:
    """What training fits before it starts the ranks, which then read the files of training and validation genes only."""
    recipe = FunctionRecipe()
    run = SimpleNamespace(warehouse=warehouse, stage="train function", note=lambda **_: None)
    problem = recipe.problem(run, TrainFunctionConfig(warehouse=warehouse.path))  # type: ignore[arg-type]
    return recipe._neighbours, problem


def test_given_splits_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "splits.tsv"
    path.write_text("geneId\tsplit\nG1\ttest\nG2\ttrain\n")
    found = _sides(np.array(["G2", "G1", "G3"], object), BuildFunctionFeaturesConfig(warehouse="w", splits=str(path)))
    assert list(found.fillna("none")) == ["train", "test", "none"]
    path.write_text("geneId\tsplit\nG1\tvalid\n")
    with pytest.raises(InputError, match="none of train, validation, test"):
        _sides(np.array(["G1"], object), BuildFunctionFeaturesConfig(warehouse="w", splits=str(path)))
