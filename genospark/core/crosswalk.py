"""The crosswalk: which id of the input files each pseudonym stands for. It lies apart from the warehouse, for fewer eyes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake

from genospark.core import ledger, paths, stores
from genospark.errors import TableError

COLUMNS = pa.schema([("sampleId", pa.string()), ("originalId", pa.string())])


def write(location: str, part: str, originals: Mapping[str, str]) -> None:
    """Adds to a part of the crosswalk. Only ``withdraw`` takes anybody out: tables may know people whom a newer batch does not.

    Args:
        location: Folder of the crosswalk.
        part: Name of the part.
        originals: Original id of each pseudonym.
    """
    place = f"{paths.absolute(location)}/{part}"
    known = dict(originals)
    if ledger.exists(place):
        known |= _pairs([place])
    rows = pa.Table.from_pydict({"sampleId": list(known), "originalId": list(known.values())}, schema=COLUMNS)
    _replace(place, rows)


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
    files(location)
    return _pairs(_parts(location))


def _pairs(parts: list[str]) -> dict[str, str]:
    rows = pa.concat_tables(ledger.opened(part).to_pyarrow_table() for part in parts)
    return dict(zip(rows["sampleId"].to_pylist(), rows["originalId"].to_pylist(), strict=True))


def holds(location: str, people: Collection[str]) -> bool:
    """Whether somebody is in a crosswalk, which need not be there."""
    parts = _parts(location)
    return bool(parts) and not _pairs(parts).keys().isdisjoint(people)


def withdraw(location: str, people: Collection[str]) -> None:
    """Takes pseudonyms out of all parts, and out of what is kept of earlier versions."""
    gone = pa.array(sorted(people), pa.string())
    for part in _parts(location):
        rows = ledger.opened(part).to_pyarrow_table()
        mine = pc.is_in(rows["sampleId"], gone)
        if pc.any(mine).as_py():
            _replace(part, rows.filter(pc.invert(mine)))


def _parts(location: str) -> list[str]:
    return sorted({str(path.parent.parent) for path in paths.absolute(location).glob("*/*/_delta_log/*.json")})


def _replace(part: str, rows: pa.Table) -> None:
    write_deltalake(part, rows, mode="overwrite", storage_options=stores.delta_options(part))
    ledger.forget(part)
