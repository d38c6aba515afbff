"""Older versions of tables: made the newest again, and removed."""

from __future__ import annotations

from genospark.core import ledger
from genospark.core.progress import log
from genospark.core.runlog import Run
from genospark.core.storage import Warehouse, Written


def settle(run: Run) -> None:
    """Makes the committed version of every table that the run does not write its newest one, so that others can be removed.

    Newer ones are left by runs that were killed before their commit.
    """
    mine = {entry.table for entry in run.outputs}
    for part, committed in run.warehouse.committed().items():
        if part not in mine:
            version = ledger.make_newest(run.warehouse.location(part), committed["version"])
            if version != committed["version"]:
                rows = next(output["rows"] for output in committed["outputs"] if output["table"] == part)
                run.outputs.append(Written(part, version, rows))


def is_settled(warehouse: Warehouse) -> bool:
    """Whether every committed version is its table's newest, and no table is there that no run has committed."""
    committed = warehouse.committed()
    newest = (ledger.opened(warehouse.location(part)).version() == run["version"] for part, run in committed.items())
    return all(newest) and set(ledger.tables(warehouse.location(""))) <= {*committed, "runs"}


def forget_all(warehouse: str) -> None:
    """Removes all versions of tables but the committed ones, with their files and their log, and tables that no run has committed.

    A committed version that is not its table's newest any more is left, with a warning: ``settle`` comes first.
    """
    book = ledger.Ledger(warehouse)
    committed = book.committed()
    for part in set(ledger.tables(book.location(""))) - {*committed, "runs"}:
        ledger.remove(book.location(part))
    for part, run in committed.items():
        location = book.location(part)
        if ledger.opened(location).version() == run["version"]:
            ledger.forget(location)
        else:
            log.warning("%s: a stage has written it meanwhile; older versions stay until `withdraw` is run again", location)
