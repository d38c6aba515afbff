"""Older versions of tables: made the newest again, and removed."""

from __future__ import annotations

from genospark.core import ledger
from genospark.core.ledger import REMOVED
from genospark.core.runlog import Run
from genospark.core.storage import Written


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


def forget_all(warehouse: str) -> None:
    """Removes all versions of tables but the committed ones, whose newest they have to be, with their files and their log."""
    book = ledger.Ledger(warehouse)
    committed = book.committed()
    removed = {output["table"] for run in book.runs() for output in run["outputs"] if output["version"] == REMOVED}
    for part in removed - set(committed):
        ledger.remove(book.location(part))
    for part in committed:
        ledger.forget(book.location(part))
