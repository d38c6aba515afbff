"""Batches of files about people: what a batch writes beside what others have written."""

from __future__ import annotations

from functools import reduce
from typing import Literal

from pydantic import Field
from pyspark.sql import DataFrame

from genospark.core.pseudonyms import NamingConfig
from genospark.core.runlog import Run
from genospark.errors import InputError
from genospark.ingest.quarantine import IngestConfig

SHOWN = 10
OVERLAP = "leave them out, or say what to do with --on-overlap keep (what is there) or replace (it)"


class BatchConfig(IngestConfig, NamingConfig):
    """What stages are told that read files about people.

    Attributes:
        batch: Name of the batch of files; the same name again replaces it, another adds to it.
        on_overlap: What to do where another batch has the same people's values: refuse, keep those, or replace them.
    """

    batch: str = Field("main", pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")
    on_overlap: Literal["refuse", "keep", "replace"] = "refuse"


def write_batch(run: Run, name: str, rows: DataFrame, config: BatchConfig, key: list[str]) -> None:
    """Writes a batch's part of a table, once it is settled what other batches have of the same people.

    Args:
        run: Run under way.
        name: Table.
        rows: Rows of the batch.
        config: Its name, and what to do about overlaps.
        key: Columns that say what a row is about; the person is the first.

    Raises:
        InputError: Another batch has rows of the same key, and that is to be refused.
    """
    part = f"{name}/{config.batch}"
    others = run.warehouse.other_parts(part)
    if others:
        rows = _settled(run, name, rows, config, key, others)
    run.write(part, rows)


def _settled(run: Run, name: str, rows: DataFrame, config: BatchConfig, key: list[str], others: list[str]) -> DataFrame:
    keys = rows.select(*key).distinct()
    # Of what an older release wrote the keys are known too: such batches are made anew one after the other.
    held = reduce(DataFrame.unionByName, (run.warehouse.read_as_is(part).select(*key) for part in others))
    both = keys.join(held.distinct(), key, "leftsemi").persist()
    try:
        count = both.count()
        if not count:
            return rows
        if config.on_overlap == "refuse":
            people = both.select(key[0]).distinct()
            n_people = people.count()
            listed = ", ".join(row[0] for row in people.orderBy(key[0]).limit(SHOWN).collect()) + (", ..." if n_people > SHOWN else "")
            raise InputError(f"`{name}`: another batch has values of {n_people} of these people: {listed}", OVERLAP)
        run.note(**{f"{name}_{config.on_overlap}": count})
        if config.on_overlap == "keep":
            return rows.join(held.distinct(), key, "leftanti")
        for part in others:
            there = run.warehouse.read_parts([part])
            if not there.join(keys, key, "leftsemi").isEmpty():
                run.write(part, there.drop("runId").join(keys, key, "leftanti"))
        return rows
    finally:
        both.unpersist()
