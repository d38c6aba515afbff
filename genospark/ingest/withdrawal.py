"""People taken out of tables, within a run that writes what is left."""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.calls import SAMPLE_BLOCK
from genospark.core.ledger import REMOVED
from genospark.core.runlog import Run
from genospark.ingest.blocks import KEY, clear
from genospark.ingest.merged import merged


def parts_now(run: Run, name: str, but: str = "") -> list[str]:
    """Parts of a table as they will be once the run is committed, `but` one."""
    mine = {entry.table: entry.version for entry in run.outputs if entry.table.partition("/")[0] == name}
    known = {*run.warehouse.parts(name), *mine} - {but}
    return sorted(part for part in known if mine.get(part) != REMOVED)


def rows_now(run: Run, name: str) -> DataFrame:
    """Rows of a table as they will be once the run is committed."""
    return reduce(DataFrame.unionByName, (_part_now(run, part) for part in parts_now(run, name)))


def _part_now(run: Run, part: str) -> DataFrame:
    mine = next((entry for entry in run.outputs if entry.table == part), None)
    return run.warehouse.written(mine) if mine else run.warehouse.read_parts([part])


def clear_genotypes(run: Run, people: Collection[str]) -> None:
    """Takes people out of ``samples`` and makes their calls missing in ``genotypes``; ``variants`` is left as it is."""
    warehouse = run.warehouse
    names = warehouse.spark.createDataFrame([(person,) for person in sorted(people)], "sampleId string")
    for part in parts_now(run, "samples"):
        samples = warehouse.read_parts([part])
        found = samples.join(f.broadcast(names), "sampleId").select("sampleIndex").collect()
        gone = np.array([row[0] for row in found], np.int64)
        if not len(gone):
            continue
        batch = part.partition("/")[2]
        genotypes = warehouse.read_parts([f"genotypes/{batch}"])
        places = {int(block): gone[gone // SAMPLE_BLOCK == block] % SAMPLE_BLOCK for block in np.unique(gone // SAMPLE_BLOCK)}
        left = samples.drop("runId").join(f.broadcast(names), "sampleId", "leftanti")
        if left.isEmpty():
            run.remove(part)
            run.remove(f"genotypes/{batch}")
            continue
        run.write(f"genotypes/{batch}", clear(genotypes, places))
        run.write(part, left)


def recount(run: Run) -> None:
    """Counts ``variants`` anew once people were taken out of ``genotypes``; variants that only they carried go from both."""
    warehouse = run.warehouse
    if not parts_now(run, "samples"):
        run.remove("variants")
        return
    before = warehouse.read("variants")
    counted = merged([before], rows_now(run, "genotypes"), rows_now(run, "samples").count()).persist()
    try:
        carried = before.where("alleleCount > 0").select(*KEY)
        private = counted.where("alleleCount = 0").select(*KEY).join(carried, KEY, "leftsemi").persist()
        if not private.isEmpty():
            for part in parts_now(run, "genotypes"):
                run.write(part, _part_now(run, part).drop("runId").join(private, KEY, "leftanti"))
        run.write("variants", counted.join(private, KEY, "leftanti"))
    finally:
        counted.unpersist()
