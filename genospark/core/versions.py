"""Whether a table is of the version that this program reads, and what to do where it is not."""

from __future__ import annotations

from genospark.core.environment import command
from genospark.errors import TableError
from genospark.schema import Table


def check_version(entry: Table, location: str, found: int, warehouse: str) -> None:
    """Checks the version of a table, or of a part of one.

    Args:
        entry: The table in the dictionary.
        location: Folder of the part.
        found: Version in the dictionary that it was written as.
        warehouse: Folder of all tables.

    Raises:
        TableError: It is another than this program's.
    """
    if found == entry.version:
        return
    problem = f"{location}: version {found} of the table; this program has version {entry.version}"
    if found > entry.version:
        raise TableError(f"{problem}: a newer release wrote it", "run that release, or a newer one")
    if found < entry.since:
        raise TableError(f"{problem}, whose rows cannot be made of it", again([entry]))
    raise TableError(problem, f"run `{command()} migrate --warehouse {warehouse}`")


def again(entries: list[Table]) -> str:
    """What to do where tables have to be made anew."""
    stages, names = (list(dict.fromkeys(names)) for names in ([entry.stage for entry in entries], [entry.name for entry in entries]))
    shown = [" and ".join(f"`{one}`" for one in found) for found in (stages, names)]
    batches = " (every batch)" if any(entry.parts == "batch" for entry in entries) else ""
    return f"run {shown[0]} again{batches}, then the stages that read {shown[1]}, trainings among them"
