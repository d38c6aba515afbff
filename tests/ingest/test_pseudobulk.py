"""Single cells to profiles, against dense arithmetic and by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from scipy import sparse

from genospark.core import crosswalk
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest import pseudobulk
from genospark.ingest.expression import IngestExpressionConfig, ingest_expression
from genospark.ingest.pseudobulk import PseudobulkSettings, count_cells, read_pseudobulk
from genospark.simulate import SimulateConfig, simulate_cohort

ONE = PseudobulkSettings(min_cells=1)


def _cells(path: Path, counts: Any, obs: dict[str, list[Any]], genes: list[str] | None = None, **more: Any) -> Path:
    table = pd.DataFrame(obs, index=[f"c{k}" for k in range(counts.shape[0])])
    var = pd.DataFrame(index=genes or [f"G{k}" for k in range(counts.shape[1])])
    anndata.AnnData(X=counts, obs=table, var=var, **more).write_h5ad(path)
    return path


def _obs(people: list[Any], cell_types: list[Any] | None = None) -> dict[str, list[Any]]:
    return {"sampleId": people, "cellType": cell_types or ["T"] * len(people), "state": ["rest"] * len(people)}


COUNTS = np.array([[1.0, 3, 0], [0, 0, 4], [5, 0, 5]])


def test_sum_and_mean_by_hand(tmp_path: Path) -> None:
    path = _cells(tmp_path / "a.h5ad", COUNTS, _obs(["p", "p", "q"]))
    keys, genes, values = read_pseudobulk(path, ONE, "bulk", "none")
    assert keys.values.tolist() == [["p", "T", "rest"], ["q", "T", "rest"]]
    assert genes == ["G0", "G1", "G2"]
    assert np.allclose(values, [[125_000, 375_000, 500_000], [500_000, 0, 500_000]])
    heavy = _cells(tmp_path / "b.h5ad", COUNTS * [[10], [1], [1]], _obs(["p", "p", "q"]))
    _, _, mean = read_pseudobulk(heavy, ONE.model_copy(update={"aggregate": "mean"}), "bulk", "none")
    assert np.allclose(mean, values)  # a cell with ten times the counts weighs no more
    _, _, total = read_pseudobulk(heavy, ONE, "bulk", "none")
    assert np.allclose(total[0], np.array([10, 30, 4]) / 44 * 1e6)


@pytest.mark.parametrize("aggregate", ["sum", "mean"])
@pytest.mark.parametrize("kind", ["csr", "dense", "layer", "raw"])
def test_blocks_of_cells_give_what_dense_arithmetic_gives(
    tmp_path: Path, kind: str, aggregate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pseudobulk, "BLOCK_VALUES", 7 * 13)  # seven cells a block
    rng = np.random.default_rng(3)
    counts = rng.poisson(rng.gamma(0.3, 3, size=(100, 13))).astype(np.float32)
    counts[5] = 0  # an empty cell
    obs: dict[str, list[Any]] = {
        name: rng.choice(values, size=100).tolist()
        for name, values in (("donor", ["p1", "p2", "p3"]), ("kind", ["B", "T", None]), ("when", ["early", "late"]))
    }
    stored: dict[str, Any] = {"csr": sparse.csr_matrix(counts), "dense": counts}
    settings = PseudobulkSettings.model_validate(
        {"sample_column": "donor", "cell_type_column": "kind", "state_column": "when", "aggregate": aggregate, "min_cells": 8}
    )
    path = tmp_path / "cells.h5ad"
    genes = [f"G{k}" for k in range(13)]
    if kind in stored:
        _cells(path, stored[kind], obs, genes)
    elif kind == "layer":
        _cells(path, np.log1p(counts), obs, genes, layers={"counts": sparse.csr_matrix(counts)})
        settings = settings.model_copy(update={"layer": "counts"})
    else:
        whole = anndata.AnnData(
            X=sparse.csr_matrix(counts), var=pd.DataFrame(index=genes), obs=pd.DataFrame(obs, index=map(str, range(100)))
        )
        whole.raw = whole.copy()
        whole[:, :4].copy().write_h5ad(path)  # only some of the genes are left in X
        settings = settings.model_copy(update={"layer": "raw"})
    keys, found_genes, values = read_pseudobulk(path, settings, "bulk", "none")
    weights = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) if aggregate == "mean" else counts
    groups = pd.DataFrame(obs).dropna().groupby(["donor", "kind", "when"]).indices
    rows = pd.DataFrame(obs).dropna().index
    expected = {key: weights[rows[members]].sum(axis=0) for key, members in groups.items() if len(members) >= 8}
    assert 0 < len(expected) < len(groups)
    assert found_genes == genes
    assert [tuple(key) for key in keys.values] == sorted(expected)
    for key, row in zip(keys.values, values, strict=True):
        assert np.allclose(row, expected[tuple(key)] / expected[tuple(key)].sum() * 1e6)
    notes = count_cells(path, settings, "bulk", "none")
    assert list(notes.values()) == [
        sum(len(members) for members in groups.values() if len(members) >= 8),
        len(expected),
        len(groups) - len(expected),
        100 - len(rows),
    ]


def test_columns_that_are_not_there_may_be_switched_off(tmp_path: Path) -> None:
    obs = {"sampleId": pd.Categorical(["p", "p", None]).tolist()}
    path = _cells(tmp_path / "a.h5ad", COUNTS, obs, ["x", "y", "z"])
    off = ONE.model_copy(update={"cell_type_column": None, "state_column": None})
    keys, _, _ = read_pseudobulk(path, off, "bulk", "none")
    assert keys.values.tolist() == [["p", "bulk", "none"]]


def test_genes_may_be_named_in_a_column(tmp_path: Path) -> None:
    path = tmp_path / "a.h5ad"
    var = pd.DataFrame({"gene_ids": ["E1", "E2", "E3"]}, index=["x", "x", "y"])
    with pytest.warns(UserWarning, match="not unique"):
        anndata.AnnData(X=COUNTS, obs=pd.DataFrame(_obs(["p", "p", "q"]), index=list("abc")), var=var).write_h5ad(path)
    assert read_pseudobulk(path, ONE.model_copy(update={"gene_column": "gene_ids"}), "bulk", "none")[1] == ["E1", "E2", "E3"]
    with pytest.raises(InputError, match=r"gene x stands more than once in `var`"):
        read_pseudobulk(path, ONE, "bulk", "none")


@pytest.mark.parametrize("store", [sparse.csr_matrix, np.asarray])
@pytest.mark.parametrize("value", [-1.0, 0.5, np.nan, np.inf])
def test_values_that_are_no_counts_are_refused(tmp_path: Path, store: Any, value: float) -> None:
    counts = COUNTS.copy()
    counts[1, 2] = value
    path = _cells(tmp_path / "a.h5ad", store(counts), _obs(["p", "p", "q"]))
    with pytest.raises(InputError, match=r"a\.h5ad: cell 2, gene G2: .* is not a count"):
        read_pseudobulk(path, ONE, "bulk", "none")


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"sample_column": "donor"}, "`obs` has no column donor; found cellType, sampleId, state"),
        ({"cell_type_column": "kind"}, "`obs` has no column kind"),
        ({"state_column": "when"}, "`obs` has no column when"),
        ({"gene_column": "ids"}, "`var` has no column ids"),
        ({"layer": "counts"}, "no layer counts; found none"),
        ({"layer": "raw"}, "no layer raw"),
        ({"min_cells": 4}, "no person, cell type and state has 4 cells"),
    ],
)
def test_settings_that_do_not_fit_the_file_are_refused(tmp_path: Path, update: dict[str, Any], says: str) -> None:
    path = _cells(tmp_path / "a.h5ad", COUNTS, _obs(["p", "p", "q"]))
    with pytest.raises((InputError, ConfigError), match=says) as caught:
        read_pseudobulk(path, ONE.model_copy(update=update), "bulk", "none")
    assert str(path) in caught.value.problem


def test_files_that_are_no_h5ad_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5ad"
    path.write_text("no")
    with pytest.raises(InputError, match="cannot be read as h5ad"):
        read_pseudobulk(path, ONE, "bulk", "none")
    _cells(path, sparse.csc_matrix(COUNTS), _obs(["p", "p", "q"]))
    with pytest.raises(InputError, match="stored as csc_matrix, by genes"):
        read_pseudobulk(path, ONE, "bulk", "none")
    _cells(path, COUNTS * 0, _obs(["p", "p", "q"]))
    with pytest.raises(InputError, match=r"somebody\'s cells \(T rest\) have no counts"):
        read_pseudobulk(path, ONE, "bulk", "none")


def test_single_cells_of_a_simulated_cohort_become_expression(spark: SparkSession, tmp_path: Path) -> None:
    small = {"people": 20, "variants": 100, "genes": 12, "reads": {"people": 0}, "single_cell": {"people": 4, "cells": 11}}
    files = simulate_cohort(SimulateConfig.model_validate(small), tmp_path / "files")
    tsv = tmp_path / "bulk.tsv"
    tsv.write_text("sampleId\tGENE00001\nS000001\t7\n")
    config = IngestExpressionConfig(warehouse=str(tmp_path / "w"), inputs=[str(files.single_cell), str(tsv)])
    ingest_expression(config, spark)
    warehouse = Warehouse(spark, config.warehouse)
    table = warehouse.read("expression").toPandas()
    table["sampleId"] = table["sampleId"].map(crosswalk.read(f"{config.warehouse}-crosswalk"))
    cells = anndata.read_h5ad(files.single_cell)
    groups = dict(cells.obs.groupby(["sampleId", "cellType", "state"], observed=True).indices)
    enough = {key: rows for key, rows in groups.items() if len(rows) >= 10}
    assert 0 < len(enough) < len(groups)
    assert len(table) == len(enough) * 12 + 1
    assert set(table["expressionUnit"]) == {"CPM", "TPM"}
    profiles = table[table["expressionUnit"] == "CPM"].pivot(
        index=["sampleId", "cellType", "state"], columns="geneId", values="expressionValue"
    )
    for key, rows in enough.items():
        sums = np.asarray(cells.X[rows].sum(axis=0)).ravel()
        assert np.allclose(profiles.loc[[key], cells.var_names], sums / sums.sum() * 1e6)
    run = warehouse.producer("expression/main")
    assert run is not None
    notes = json.loads(run["notes"])
    assert notes["profiles of cells"] == len(enough)
    assert notes["profiles left out for fewer than 10 cells"] == len(groups) - len(enough)
