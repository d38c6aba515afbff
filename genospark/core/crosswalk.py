"""The crosswalk: which id of the input files each pseudonym stands for. It lies apart from the warehouse, for fewer eyes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from genospark.core import ledger
from genospark.errors import TableError

COLUMNS = pa.schema([("sampleId", pa.string()), ("originalId", pa.string())])


def write(location: str, part: str, originals: Mapping[str, str]) -> None:
    """Replaces a part of the crosswalk; nothing of what it held before stays.

    Args:
        location: Folder of the crosswalk.
        part: Name of the part.
        originals: Original id of each pseudonym.
    """
    rows = pa.Table.from_pydict({"sampleId": list(originals), "originalId": list(originals.values())}, schema=COLUMNS)
    _replace(f"{location}/{part}", rows)


def files(location: str) -> list[str]:
    """Paths of the Parquet files that hold the crosswalk; someone whom several stages saw stands in several.

    Raises:
        TableError: There are none.
    """
    found = [path for part in _parts(location) for path in ledger.live_files(part)]
    if not found:
        raise TableError(f"{location}: no crosswalk there", "name the folder that the stages of ingest have told")
    return found


def read(location: str) -> dict[str, str]:
    """Original id of each pseudonym.

    Raises:
        TableError: There is no crosswalk.
    """
    rows = pa.concat_tables(pq.read_table(path) for path in files(location))
    return dict(zip(rows["sampleId"].to_pylist(), rows["originalId"].to_pylist(), strict=True))


def withdraw(location: str, people: Collection[str]) -> None:
    """Takes pseudonyms out of all parts, and out of what is kept of earlier versions."""
    gone = pa.array(sorted(people), pa.string())
    for part in _parts(location):
        rows = DeltaTable(part).to_pyarrow_table()
        mine = pc.is_in(rows["sampleId"], gone)
        if pc.any(mine).as_py():
            _replace(part, rows.filter(pc.invert(mine)))


def _parts(location: str) -> list[str]:
    return sorted(str(path.parent) for path in Path(location).rglob("_delta_log"))


def _replace(part: str, rows: pa.Table) -> None:
    write_deltalake(part, rows, mode="overwrite")
    ledger.forget(part)
