"""Every table of a warehouse. Coordinates are 0-based and half-open; names follow Glow wherever Glow has one."""

from __future__ import annotations

from genospark.schema import association, cohort, expression, genes, insight, pgs, quality, reads, risk, runs
from genospark.schema.dictionary import Table

TABLES: dict[str, Table] = {
    found.name: found
    for module in (association, cohort, expression, genes, insight, pgs, quality, reads, risk, runs)
    for found in vars(module).values()
    if isinstance(found, Table)
}


def table(name: str) -> Table:
    """The table of that name, or of the name before the slash of a part's.

    Raises:
        KeyError: No such table; a mistake of ours, not of the user's.
    """
    return TABLES[name.partition("/")[0]]
