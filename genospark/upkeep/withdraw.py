"""``withdraw``: people taken out of every table, and of the tables' history."""

from __future__ import annotations

import json
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from genospark.core import crosswalk, paths
from genospark.core.locks import writing
from genospark.core.paths import place
from genospark.core.progress import step
from genospark.core.pseudonyms import NamingConfig, read_key
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest.people import STAGES
from genospark.ingest.selection import read_ids
from genospark.ingest.withdrawal import clear_genotypes, recount
from genospark.schema import table
from genospark.upkeep.history import forget_all, is_settled, settle
from genospark.upkeep.lineage import made_from

# Taken out block by block, with what follows for `variants`.
_BLOCKS = ("samples", "genotypes")
# Columns that may name somebody else; a family without a name of its own has that of one of its people.
_PARENTS, _FAMILY = ("fatherId", "motherId"), "familyId"
# A row about two people goes with either.
_RELATIVE = "relativeId"


class WithdrawConfig(NamingConfig):
    """Settings of ``withdraw``.

    Attributes:
        samples: Text file with one person a line, by original id or by sampleId.
    """

    samples: str | None = None


def withdraw(config: WithdrawConfig, spark: SparkSession) -> str:
    """Takes people out of every table and of the crosswalk, and removes all older versions of the tables, which held them.

    Calls of theirs become missing; variants that nobody else carried go. Input files (and their names in ``runs``), written VCFs and
    trained models stay: the run's notes list the runs, models and scores that were made from these people.

    Returns:
        The run's id.

    Raises:
        ConfigError: No list is given.
        InputError: The list cannot be read, or nobody on it is in any table.
    """
    if config.samples is None:
        raise ConfigError("no people are given", "name a file of sample ids, one a line, with --set samples=PATH")
    path = place(config.samples)
    people = sorted(set(read_key(config.key_file).of(list(read_ids(path)))))
    warehouse = Warehouse(spark, config.warehouse)
    crosswalks = _crosswalks(config, warehouse)

    def intact() -> bool:
        return is_settled(warehouse) and not any(crosswalk.holds(folder, people) for folder in crosswalks)

    def work(run: Run) -> None:
        _withdraw(run, path, people, crosswalks)

    run_id = run_stage("withdraw", config, warehouse, work, files={"samples": [path]}, intact=intact, alone=True)
    with writing(warehouse.path, "withdraw", alone=True), step("withdraw: removing older versions"):
        for folder in crosswalks:
            crosswalk.withdraw(folder, people)
        forget_all(warehouse.path)
        # Of evaluations that were killed.
        paths.remove(f"{warehouse.path}/evaluations")
    return run_id


def _crosswalks(config: WithdrawConfig, warehouse: Warehouse) -> list[str]:
    """The crosswalk that is named, or else all that stages have written for the warehouse."""
    if config.crosswalk:
        return [config.crosswalk_folder]
    told = (json.loads(run["configuration"]) for run in warehouse.runs() if run["stage"] in STAGES)
    return sorted({config.crosswalk_folder, *(entry["crosswalk"] for entry in told if entry.get("crosswalk"))})


def _withdraw(run: Run, path: Path, people: list[str], crosswalks: list[str]) -> None:
    warehouse = run.warehouse
    names = f.broadcast(warehouse.spark.createDataFrame([(person,) for person in people], "sampleId string"))
    about = [part for part in warehouse.committed() if "sampleId" in table(part).names]
    found: dict[str, set[str]] = {}
    for part in about:
        rows = warehouse.read_parts([part])
        with step(f"withdraw: looking into {part}"):
            theirs = {row[0] for row in rows.join(names, "sampleId").select("sampleId").distinct().collect()}
        if theirs or not _naming(rows, people).isEmpty():
            found[part] = theirs
    if not found and is_settled(warehouse) and not any(crosswalk.holds(folder, people) for folder in crosswalks):
        raise InputError(f"{path}: none of its {len(people)} people is in a table of {warehouse.path}", "check how they are named")
    known: set[str] = set().union(*found.values())
    run.note(people=len(known), people_not_found=len(people) - len(known), **made_from(warehouse, set(found)))
    if any(table(part).name == "samples" for part in found):
        clear_genotypes(run, known)
        recount(run)
    for part in found:
        if table(part).name not in _BLOCKS:
            left = warehouse.read_parts([part]).drop("runId").join(names, "sampleId", "leftanti")
            if _RELATIVE in left.columns:
                left = left.where(~f.col(_RELATIVE).isin(people))
            for parent in (column for column in _PARENTS if column in left.columns):
                left = left.withColumn(parent, f.when(~f.col(parent).isin(people), f.col(parent)))
            if _FAMILY in left.columns:
                other = f.min("sampleId").over(Window.partitionBy(_FAMILY))
                left = left.withColumn(_FAMILY, f.when(f.col(_FAMILY).isin(people), other).otherwise(f.col(_FAMILY)))
            if left.isEmpty() and "/" in part:
                run.remove(part)
            else:
                run.write(part, left)
    settle(run)


def _naming(rows: DataFrame, people: list[str]) -> DataFrame:
    """Rows in which somebody else is named."""
    named = f.lit(False)
    for column in (name for name in (*_PARENTS, _FAMILY, _RELATIVE) if name in rows.columns):
        named = named | f.col(column).isin(people)
    return rows.where(named)
