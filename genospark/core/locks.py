"""One writer at a time: locks of the operating system's, which end with the process that holds them, however it ends.

Behind a URL there are no such locks: there a writer holds leases (``leases``).
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from genospark.core import leases, paths
from genospark.errors import SetupError

Check = Callable[[], None]
"""Raises ``BusyError`` where the lock was lost meanwhile."""


@contextmanager
def writing(warehouse: str, stage: str, alone: bool = False) -> Iterator[Check]:
    """Holds a stage's lock of a warehouse; with `alone` nothing else may write there meanwhile.

    Args:
        warehouse: Folder on a disk whose locks all writers share (NFS version 4 does), or a URL.
        stage: Name.
        alone: Whether other stages are kept out, too.

    Yields:
        A check to be made before what was written is published.

    Raises:
        BusyError: Somebody else holds the lock.
        SetupError: The warehouse is no folder, or must not be written to.
    """
    if paths.is_url(warehouse):
        with leases.writing(warehouse, stage, alone) as check:
            yield check
        return
    folder = Path(warehouse, "locks")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{warehouse}: cannot be written ({error.strerror})", "name a folder that this user may write to") from None
    with (
        _held(folder / "warehouse.lock", stage, fcntl.LOCK_EX if alone else fcntl.LOCK_SH),
        _held(folder / f"{stage.replace(' ', '-')}.lock", stage, fcntl.LOCK_EX),
    ):
        yield lambda: None


@contextmanager
def _held(path: Path, stage: str, how: int) -> Iterator[None]:
    with path.open("a+") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read().strip() or "another process"
            raise leases.busy(str(path.parent.parent), stage, who) from None
        if how == fcntl.LOCK_EX:
            file.truncate(0)
            file.write(leases.owner(stage))
            file.flush()
        yield
