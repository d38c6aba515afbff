"""One writer at a time: locks of the operating system's, which end with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from genospark.errors import BusyError, SetupError


@contextmanager
def writing(warehouse: str, stage: str, alone: bool = False) -> Iterator[None]:
    """Holds a stage's lock of a warehouse; with `alone` nothing else may write there meanwhile.

    Args:
        warehouse: Folder on a disk whose locks all writers share (NFS version 4 does).
        stage: Name.
        alone: Whether other stages are kept out, too.

    Raises:
        BusyError: Somebody else holds the lock.
        SetupError: The warehouse is no folder, or must not be written to.
    """
    folder = Path(warehouse, "locks")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{warehouse}: cannot be written ({error.strerror})", "name a folder that this user may write to") from None
    with (
        _held(folder / "warehouse.lock", stage, fcntl.LOCK_EX if alone else fcntl.LOCK_SH),
        _held(folder / f"{stage.replace(' ', '-')}.lock", stage, fcntl.LOCK_EX),
    ):
        yield


@contextmanager
def _held(path: Path, stage: str, how: int) -> Iterator[None]:
    with path.open("a+") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read().strip() or "another process"
            raise BusyError(
                f"{path.parent.parent}: `{stage}` cannot write now: {who}", "wait until it has ended, then run it again"
            ) from None
        if how == fcntl.LOCK_EX:
            file.truncate(0)
            file.write(f"`{stage}` runs on {socket.gethostname()}, process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
            file.flush()
        yield
