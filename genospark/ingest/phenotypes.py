"""Stage ``ingest-phenotypes``: labels, traits, covariates, pedigree, populations and splits to tables of these names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from genospark.core.config import Settings
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse
from genospark.errors import InputError, RecordError
from genospark.ingest.batches import BatchConfig, write_batch
from genospark.ingest.people import People, run_about_people
from genospark.ingest.quarantine import Rejects
from genospark.ingest.roles import by_role
from genospark.ingest.table_checks import numbers, refuse_values, require, unique
from genospark.ingest.tabular import read_table
from genospark.ingest.text_files import read_text
from genospark.schema import table

ROLES = ("phenotypes", "traits", "covariates", "pedigree", "populations", "splits")
# How the first column of a pedigree with a header may be called, where no # says that it is one.
_FAMILY_NAMES = (b"fid", b"familyid", b"family_id", b"family")
PED_SCHEMA = "sampleId string, familyId string, fatherId string, motherId string, sex tinyint"
PED_COLUMNS = ["familyId", "sampleId", "fatherId", "motherId", "sex"]


class Target(Settings):
    """A disease made from a column of another kind of file.

    Attributes:
        column: The column.
        cases: Its values that make a case.
        controls: Its values that make a control; all others where empty.
    """

    column: str
    cases: list[str]
    controls: list[str] = []


class IngestPhenotypesConfig(BatchConfig):
    """Settings of ``ingest-phenotypes``.

    Attributes:
        inputs: ``role=path`` entries; the role is one of `ROLES`, and phenotypes where none is given.
        sample_column: Column of the person in all files but pedigrees.
        population_column: Column of the population in files of populations.
        split_column: Column of the side, or fold, in files of splits.
        targets: Diseases made from columns of the phenotype file; where empty, every column but the person is one, of 0, 1 and NA.
    """

    sample_column: str = "sampleId"
    population_column: str = "population"
    split_column: str = "split"
    targets: dict[str, Target] = {}


def ingest_phenotypes(config: IngestPhenotypesConfig, spark: SparkSession) -> str:
    """Reads what is given of each role; tables of roles that are not given stay as they are.

    Returns:
        The run's id.

    Raises:
        InputError: A file is not what its role says.
        ConfigError: An input's role is not known.
    """
    people = People(config)
    roles = by_role(config.inputs, ROLES, needed=ROLES)
    warehouse = Warehouse(spark, config.warehouse)
    return run_about_people("ingest-phenotypes", config, warehouse, people, lambda run: _ingest(run, config, roles, people), roles)


def _ingest(run: Run, config: IngestPhenotypesConfig, roles: dict[str, list[Path]], people: People) -> None:
    rejects = Rejects(config)

    def read(role: str, key: list[str], reader: Callable[[Path, frozenset[int]], pd.DataFrame]) -> pd.DataFrame:
        frames = [rejects.read(path, partial(reader, path)) for path in roles[role]]
        return _joined(frames, roles[role], key)

    written = []
    if "phenotypes" in roles:
        labels = read("phenotypes", ["sampleId", "disease"], lambda path, without: read_labels(path, config, without))
        written.append(("phenotypes", labels, "sampleId string, disease string, label tinyint"))
    for role in ("traits", "covariates"):
        if role in roles:
            one = role.removesuffix("s")
            numeric = read(role, ["sampleId", one], partial(read_numbers, column=config.sample_column, name=one))
            written.append((role, numeric, f"sampleId string, {one} string, {one}Value double"))
    if "pedigree" in roles:
        pedigree = read("pedigree", ["sampleId"], read_pedigree)
        written.append(("pedigree", pedigree, PED_SCHEMA))
    for role, name, column in (("populations", "population", config.population_column), ("splits", "split", config.split_column)):
        if role in roles:
            words = read(role, ["sampleId"], partial(read_words, columns=[config.sample_column, column], name=name))
            written.append((role, words, f"sampleId string, {name} string"))
    for name, frame, schema in written:
        write_named(run, config, name, frame, schema, people)
    rejects.publish(run)
    if "phenotypes" in roles:
        counts = labels.groupby("disease")["label"].agg(["sum", "count"])
        run.note(**{f"{disease} cases/known": f"{row['sum']}/{row['count']}" for disease, row in counts.iterrows()})


def write_named(run: Run, config: BatchConfig, name: str, frame: pd.DataFrame, schema: str, people: People) -> None:
    """Writes a batch's part of a table, of rows in which people are called as in the files.

    Args:
        run: Run under way.
        config: Its settings.
        name: Table.
        frame: Rows; ids are replaced by names.
        schema: Columns.
        people: Names them.
    """
    for column in (column for column in PED_COLUMNS[:4] if column in frame):
        known = frame[column].notna()
        frame.loc[known, column] = people.named(frame.loc[known, column])
    rows = frame.astype(object).where(frame.notna(), None).values.tolist()
    write_batch(run, name, run.warehouse.spark.createDataFrame(rows, schema), config, list(table(name).key))


def _joined(frames: list[pd.DataFrame], paths: list[Path], key: list[str]) -> pd.DataFrame:
    """The rows of several files of one role; a key that two files hold is an error of the later one."""
    for number in range(1, len(frames)):
        try:
            unique(pd.concat(frames[: number + 1]), key, paths[number])
        except RecordError as error:
            # Which of two files is right is no question of a record.
            raise InputError(error.problem, error.next_step) from None
    return pd.concat(frames)


def read_labels(path: Path, config: IngestPhenotypesConfig, without: frozenset[int] = frozenset()) -> pd.DataFrame:
    """Known labels of a phenotype file, without the lines of some numbers.

    Returns:
        Columns sampleId, disease, label (0 or 1).

    Raises:
        InputError: A disease lacks cases or controls.
        RecordError: A value is none of 0, 1 and NA, or a person is missing or stands twice.
    """
    frame = read_table(path, without=without)
    require(frame, [config.sample_column, *(target.column for target in config.targets.values())], path)
    unique(frame, [config.sample_column], path)
    if config.targets:
        made = {disease: _label(frame[target.column], target) for disease, target in config.targets.items()}
        wide = pd.DataFrame(made)
    else:
        diseases = [name for name in frame.columns if name != config.sample_column]
        values = numbers(frame, diseases, path)
        bad = ~(np.isnan(values) | np.isin(values, (0, 1)))
        step = "code controls 0 and cases 1, or make targets from other columns under `targets` in the configuration"
        refuse_values(frame, bad, diseases, path, "not 0, 1 or NA", step)
        wide = pd.DataFrame(values, columns=diseases)
    for disease in wide.columns:
        if wide[disease].nunique() < 2:
            raise InputError(f"{path}: {disease} has no cases or no controls", "leave the column out, or check its coding")
    return _long(wide, frame[config.sample_column], "disease", "label").astype({"label": np.int8})


def _label(column: pd.Series, target: Target) -> pd.Series:
    case = column.isin(target.cases)
    control = column.isin(target.controls) if target.controls else column.notna() & ~case
    return pd.Series(np.where(case, 1.0, np.where(control, 0.0, np.nan)))


def _long(wide: pd.DataFrame, people: pd.Series, name: str, value: str) -> pd.DataFrame:
    """Known values of a wide table, one row each, with the line each came from as index."""
    values = wide.to_numpy(float)
    row, column = np.nonzero(~np.isnan(values))
    known = {"sampleId": people.to_numpy()[row], name: wide.columns.to_numpy(object)[column], value: values[row, column]}
    return pd.DataFrame(known, index=people.index[row])


def read_numbers(path: Path, without: frozenset[int], column: str, name: str) -> pd.DataFrame:
    """Known values of a table of numbers, without the lines of some numbers: columns sampleId, `name` and its value.

    Raises:
        InputError: A column is missing.
        RecordError: A value is not a number, or a person is missing or stands twice.
    """
    frame = read_table(path, without=without)
    require(frame, [column], path)
    unique(frame, [column], path)
    names = [other for other in frame.columns if other != column]
    wide = pd.DataFrame(numbers(frame, names, path), columns=names)
    return _long(wide, frame[column], name, f"{name}Value")


def read_words(path: Path, without: frozenset[int], columns: list[str], name: str) -> pd.DataFrame:
    """Known words of a table, such as populations, without the lines of some numbers: columns sampleId and `name`.

    Raises:
        InputError: A column is missing.
        RecordError: A person is missing or stands twice.
    """
    frame = read_table(path, without=without)
    require(frame, columns, path)
    unique(frame, columns[:1], path)
    return frame[columns].dropna().set_axis(["sampleId", name], axis=1)


def read_pedigree(path: Path, without: frozenset[int] = frozenset()) -> pd.DataFrame:
    """A PED file: family, person, father, mother, sex, then columns that are not read; 0 stands for not known.

    Args:
        path: The file.
        without: Numbers of lines that are left out.

    Returns:
        Columns sampleId, familyId, fatherId, motherId, sex (1 male, 2 female).

    Raises:
        InputError: It has fewer than five columns.
        RecordError: A person is missing or stands twice.
    """
    text = read_text(path)
    first = text[: text.find(b"\n") + 1 or None]
    if b"\t" not in first:
        text = b"\n".join(b"\t".join(line.split()) for line in text.splitlines())
    named = first.startswith(b"#") or first.lower().split()[:1] in [[name] for name in _FAMILY_NAMES]
    frame = read_table(path, text, header=named, without=without)
    if frame.shape[1] < len(PED_COLUMNS):
        raise InputError(
            f"{path}: {frame.shape[1]} columns where a pedigree has at least 5",
            "write familyId, sampleId, fatherId, motherId and sex, separated by tabs",
        )
    frame = frame.iloc[:, : len(PED_COLUMNS)].set_axis(PED_COLUMNS, axis=1)
    unique(frame, ["sampleId"], path)
    for name in ("familyId", "fatherId", "motherId"):
        frame[name] = frame[name].where(frame[name] != "0")
    sex = pd.to_numeric(frame["sex"], errors="coerce")
    frame["sex"] = sex.where(sex.isin((1, 2))).astype("Int64")
    frame["familyId"] = frame["familyId"].fillna(frame["sampleId"])
    return frame[["sampleId", "familyId", "fatherId", "motherId", "sex"]]
