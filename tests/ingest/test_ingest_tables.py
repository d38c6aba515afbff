"""Expression, phenotypes, covariates and pedigree files to tables, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, GenosparkError, InputError
from genospark.ingest.expression import IngestExpressionConfig, ingest_expression, read_expression
from genospark.ingest.phenotypes import IngestPhenotypesConfig, Target, ingest_phenotypes, read_labels, read_pedigree
from genospark.ingest.tabular import read_table

EXPRESSION = IngestExpressionConfig(warehouse="w", cell_type="LCL", state="rest")
PHENOTYPES = IngestPhenotypesConfig(warehouse="w")


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def _long(path: Path) -> list[tuple[object, ...]]:
    batches = [batch.to_pandas() for batch in read_expression(path, EXPRESSION)]
    return [tuple(row) for row in pd.concat(batches).itertuples(index=False)]


def test_tsv_and_bed_of_the_same_values_give_the_same_rows(tmp_path: Path) -> None:
    tsv = _file(tmp_path, "e.tsv.gz", "sampleId\tG1\tG2\np1\t1.5\tNA\np2\t0\t3\n")
    bed = _file(
        tmp_path, "e.bed.gz", "#chr\tstart\tend\tgene\tlength\tstrand\tp1\tp2\n1\t0\t1\tG1\t9\t+\t1.5\t0\n1\t5\t6\tG2\t9\t-\tNA\t3\n"
    )
    short = _file(tmp_path, "f.bed", "#chr\tstart\tend\tgene_id\tp1\tp2\n1\t0\t1\tG1\t1.5\t0\n1\t5\t6\tG2\tNA\t3\n")
    expected = [("p1", "G1", "LCL", "rest", 1.5, "TPM"), ("p2", "G1", "LCL", "rest", 0.0, "TPM"), ("p2", "G2", "LCL", "rest", 3.0, "TPM")]
    assert sorted(_long(tsv)) == sorted(_long(bed)) == sorted(_long(short)) == expected


def test_expression_in_the_warehouse_is_that_of_the_file(cohort: Cohort) -> None:
    raw = pd.read_csv(cohort.files / "expression.tsv.gz", sep="\t")
    table = cohort.table("expression")
    wide = table.pivot(index=["sampleId", "cellType", "state"], columns="geneId", values="expressionValue")
    expected = raw.set_index(["sampleId", "cellType", "state"]).sort_index()
    assert np.allclose(wide.sort_index()[expected.columns], expected, equal_nan=True)
    assert len(table) == expected.notna().to_numpy().sum()


def test_covariates_and_pedigree_are_those_of_the_files(cohort: Cohort) -> None:
    table = cohort.table("covariates").pivot(index="sampleId", columns="covariate", values="covariateValue")
    raw = pd.read_csv(cohort.files / "covariates.tsv", sep="\t").set_index("sampleId")
    assert np.allclose(table, raw.loc[table.index, table.columns], equal_nan=True)
    pedigree = cohort.table("pedigree").set_index("sampleId")
    raw = pd.read_csv(cohort.files / "pedigree.ped", sep="\t", dtype=str).set_index("sampleId")
    assert (pedigree["familyId"] == raw.loc[pedigree.index, "#familyId"]).all()
    assert pedigree["fatherId"].isna().sum() == (raw["fatherId"] == "0").sum()


def test_columns_may_be_called_anything(tmp_path: Path) -> None:
    found = read_labels(_file(tmp_path, "p.tsv", "sampleId\tlabel\tdisease\na\t0\t1\nb\t1\t0\n"), PHENOTYPES)
    assert sorted(found.itertuples(index=False, name=None)) == [
        ("a", "disease", 1),
        ("a", "label", 0),
        ("b", "disease", 0),
        ("b", "label", 1),
    ]


def test_swapped_roles_are_another_run(spark: SparkSession, tmp_path: Path) -> None:
    one, other = (_file(tmp_path, name, f"sampleId\t{name[0]}\na\t0\nb\t1\n") for name in ("x.tsv", "y.tsv"))
    warehouse = str(tmp_path / "w")
    for first, second in ((one, other), (other, one)):
        inputs = [f"phenotypes={first}", f"covariates={second}"]
        ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=inputs), spark)
        diseases = {row["disease"] for row in Warehouse(spark, warehouse).read("phenotypes").collect()}
        assert diseases == {first.name[0]}


def test_a_person_of_two_pedigree_files_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    labels = _file(tmp_path, "p.tsv", "sampleId\td\na\t0\nb\t1\n")
    for name in ("one.ped", "two.ped"):
        _file(tmp_path, name, "f a 0 0 1 -9\n")
    inputs = [str(labels), f"pedigree={tmp_path}/*.ped"]
    with pytest.raises(InputError, match=r"two\.ped: line 1: the same sampleId as on an earlier line"):
        ingest_phenotypes(IngestPhenotypesConfig(warehouse=str(tmp_path / "w"), inputs=inputs), spark)


def test_targets_are_made_from_other_columns(tmp_path: Path) -> None:
    path = _file(tmp_path, "s.ped", "#Family ID\tIndividual ID\tGender\tPopulation\nf\ta\t1\tFIN\nf\tb\t2\tTSI\ng\tc\t0\tNA\n")
    targets = {"finnish": Target(column="Population", cases=["FIN"]), "female": Target(column="Gender", cases=["2"], controls=["1"])}
    config = PHENOTYPES.model_copy(update={"sample_column": "Individual ID", "targets": targets})
    found = {(row.sampleId, row.disease): row.label for row in read_labels(path, config).itertuples()}
    assert found == {("a", "finnish"): 1, ("b", "finnish"): 0, ("a", "female"): 0, ("b", "female"): 1}


def test_pedigrees_with_and_without_header_and_tabs(tmp_path: Path) -> None:
    named = "#fid\tiid\tpat\tmat\tsex\np\ta\t0\t0\t1\np\tb\ta\t0\t3\n"
    plain = "p a 0 0 1 -9\np b a 0 3 -9\n"
    for name, text in (("x.ped", named), ("x.ped.gz", named), ("y.ped", named.replace("#", "")), ("z.ped", plain), ("z.ped.gz", plain)):
        found = read_pedigree(_file(tmp_path, name, text)).set_index("sampleId")
        assert list(found.index) == ["a", "b"]
        assert found.loc["b", "fatherId"] == "a"
        assert found["motherId"].isna().all()
        assert found.loc["a", "sex"] == 1
        assert pd.isna(found.loc["b", "sex"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("sampleId\tG1\n", "no rows"),
        ("sampleId\tG1\tG1\np1\t1\t2\n", "line 1: columns 2 and 3 have the same name"),
        ("person\tG1\np1\t1\n", "no column sampleId"),
        ("sampleId\tG1\np1\t1\np1\t2\n", "line 3: the same sampleId and cellType and state as on an earlier line"),
        ("sampleId\tG1\np1\t1\np2\thigh\n", "line 3, column G1: 'high' is not a finite number"),
        ("sampleId\tG1\np1\tinf\n", "line 2, column G1: 'inf'"),
        ("sampleId\tG1\np1\t1\t2\n", "line 2: 3 columns where 2 are expected"),
        ("sampleId\tG1\tG2\np1\t1\t2\np2\t3\n", "line 3: 2 columns where 3 are expected"),
        ("sampleId\tG1\np1\t1\n\np3\tx\n", "line 3: no sampleId"),
        ("sampleId\np1\n", "no column with values"),
        ("sampleId\tG1\n\t1\n", "line 2: no sampleId"),
    ],
)
def test_bad_expression_names_file_line_and_reason(tmp_path: Path, text: str, says: str) -> None:
    path = _file(tmp_path, "e.tsv", text)
    with pytest.raises(InputError, match=says) as caught:
        list(read_expression(path, EXPRESSION))
    assert str(path) in caught.value.problem


def test_bed_without_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="4 columns; a BED table"):
        list(read_expression(_file(tmp_path, "e.bed", "#chr\tstart\tend\tgene\n1\t0\t1\tG\n"), EXPRESSION))


def test_truncated_gzip_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, "e.tsv.gz", "sampleId\tG1\n" + "".join(f"p{i}\t{i}\n" for i in range(5000)))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="cannot be read"):
        read_table(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sampleId\td\na\t0\nb\t2\n", "line 3, column d: 2 is not 0, 1 or NA"),
        ("sampleId\td\na\t0\nb\t0\n", "d has no cases"),
        ("sampleId\td\na\t0\na\t1\n", "line 3: the same sampleId as on an earlier line"),
    ],
)
def test_bad_labels_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_labels(_file(tmp_path, "p.tsv", text), PHENOTYPES)


def test_an_error_in_a_spark_worker_reaches_the_caller_as_itself(spark: SparkSession, tmp_path: Path) -> None:
    path = _file(tmp_path, "e.tsv", "sampleId\tG1\np1\tx\n")
    config = IngestExpressionConfig(warehouse=str(tmp_path / "w"), inputs=[str(path)])
    with pytest.raises(InputError, match="line 2, column G1") as caught:
        ingest_expression(config, spark)
    assert caught.value.exit_code == 3
    assert not Warehouse(spark, config.warehouse).has("expression")


def test_the_same_value_from_two_files_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a.tsv", "b.tsv"):
        _file(tmp_path, name, "sampleId\tG1\np1\t1\n")
    with pytest.raises(InputError, match="more than one file"):
        ingest_expression(IngestExpressionConfig(warehouse=str(tmp_path / "w"), inputs=[f"{tmp_path}/*.tsv"]), spark)


@pytest.mark.parametrize("inputs", [["label=x.tsv"], []])
def test_inputs_need_a_known_role(spark: SparkSession, tmp_path: Path, inputs: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"role|phenotype") as caught:
        ingest_phenotypes(IngestPhenotypesConfig(warehouse=str(tmp_path), inputs=inputs), spark)
    assert isinstance(caught.value, GenosparkError)
