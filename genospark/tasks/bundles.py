"""Bundles of a warehouse: the last that was trained for a task, or one that is named."""

from __future__ import annotations

from pathlib import Path

from genospark.core.paths import absolute
from genospark.core.storage import Warehouse
from genospark.errors import InputError, TableError
from genospark.models.bundle import Bundle, load

SHIPPED = Path(__file__).resolve().parents[1] / "shipped"


def last_version(warehouse: Warehouse, task: str) -> str:
    """Version of the bundle that this warehouse trained for a task last.

    Raises:
        TableError: None was.
    """
    if warehouse.producer(f"metrics/{task}") is None:
        next_step = f"run `train {task}` first, or name a bundle with --set bundle=PATH"
        raise TableError(f"{warehouse.path}: no bundle was trained for {task} here", next_step)
    found = warehouse.read(f"metrics/{task}").select("modelVersion").first()
    assert found is not None
    return str(found[0])


def shipped(task: str) -> Path:
    """The bundle that comes with the package for a task.

    Raises:
        InputError: None does.
    """
    found = sorted(SHIPPED.glob(f"{task}/{task}-*"))
    if not found:
        raise InputError(f"no bundle for {task} comes with this package", "name one that was trained with --set bundle=PATH")
    return found[-1]


def chosen(warehouse: Warehouse, task: str, path: str | None) -> Bundle:
    """The bundle at a path, the one that ships with the package (`shipped`), or the one that this warehouse trained for the task last.

    Raises:
        InputError: It is not there, or damaged.
        TableError: None was trained here and no path is given.
    """
    if path == "shipped":
        return load(shipped(task), task)
    return load(absolute(path) if path else warehouse.bundles / last_version(warehouse, task), task)
