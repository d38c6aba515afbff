"""Leases of stages on a warehouse behind a URL: objects that their holder renews, so that those of a killed one expire.

A lease is the object of the highest number under its name; empty means given back. Taking one means making the next number's object,
which a store does for one of several who try (PUT with If-None-Match). Numbers only rise, so a holder that was thought dead sees by a
higher one that it has lost. Clocks of writers and store have to agree within a minute.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from genospark.core import paths, stores
from genospark.core.progress import log
from genospark.errors import BusyError

EXPIRY_S = 180
RENEWAL_S = 20
_NAME = re.compile(r"(.+)\.(\d{8})$")
_WHOLE = "warehouse"


def owner(stage: str) -> str:
    """Who this process is and what it does, for whoever comes second."""
    return f"`{stage}` runs on {socket.gethostname()}, process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


def busy(warehouse: str, stage: str, who: str) -> BusyError:
    return BusyError(f"{warehouse}: `{stage}` cannot write now: {who}", "wait until it has ended, then run it again")


@contextmanager
def writing(warehouse: str, stage: str, alone: bool = False) -> Iterator[Callable[[], None]]:
    """As ``locks.writing``, for a warehouse behind a URL.

    Raises:
        BusyError: Somebody else holds the lease.
        SetupError: The warehouse cannot be written to.
    """
    with paths.refusals(warehouse):
        files = paths.file_system(warehouse)
        if not stores.is_s3(warehouse):
            files.makedirs(f"{warehouse}/locks", exist_ok=True)
        mine = stage.replace(" ", "-")
        names = [mine, _WHOLE] if alone else [mine]
        held: list[_Lease] = []
        try:
            for name in names:
                held.append(_taken(files, f"{warehouse}/locks", name, warehouse, stage))
            # Each writes first and looks then, so of two that exclude each other one sees the other, or both do.
            for name, lease in _alive(files, f"{warehouse}/locks").items():
                if name not in names and (alone or name == _WHOLE):
                    raise busy(warehouse, stage, lease.text)
        except BaseException:
            _release(held)
            raise
    stop = threading.Event()
    renewal = threading.Thread(target=_renew, args=(held, stop), daemon=True)
    renewal.start()

    def check() -> None:
        for lease in held:
            if lease.lost or time.monotonic() - lease.renewed > EXPIRY_S - 2 * RENEWAL_S:
                raise BusyError(f"{warehouse}: `{stage}` was not heard of for too long and lost its lease", "run it again")

    try:
        yield check
    finally:
        stop.set()
        renewal.join()
        _release(held)


@dataclass
class _Lease:
    """One object; `renewed` is by this process's own clock, and `lost` once somebody has a higher number."""

    files: Any
    folder: str
    name: str
    number: int
    text: str
    renewed: float = field(default_factory=time.monotonic)
    lost: bool = False

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}.{self.number:08d}"


def _highest(files: Any, folder: str) -> dict[str, int]:
    """The highest number of each name."""
    try:
        found = [match for entry in files.ls(folder, detail=False) if (match := _NAME.match(str(entry).rpartition("/")[2]))]
    except FileNotFoundError:
        return {}
    highest: dict[str, int] = {}
    for match in found:
        highest[match[1]] = max(int(match[2]), highest.get(match[1], 0))
    return highest


def _alive(files: Any, folder: str) -> dict[str, _Lease]:
    """Leases that have not expired."""
    leases = (_Lease(files, folder, name, number, "") for name, number in _highest(files, folder).items())
    return {lease.name: lease for lease in leases if _read(lease)}


def _read(lease: _Lease) -> bool:
    """Reads who holds a lease; false where it has expired or was given back."""
    try:
        changed = lease.files.modified(lease.path)
        lease.text = lease.files.cat_file(lease.path).decode(errors="replace")
    except FileNotFoundError:
        return False
    changed = changed if changed.tzinfo else changed.replace(tzinfo=UTC)
    return bool(lease.text) and bool(datetime.now(UTC) - changed < timedelta(seconds=EXPIRY_S))


def _taken(files: Any, folder: str, name: str, warehouse: str, stage: str) -> _Lease:
    number = _highest(files, folder).get(name, 0)
    before = _Lease(files, folder, name, number, "")
    if number and _read(before):
        raise busy(warehouse, stage, before.text)
    mine = _Lease(files, folder, name, number + 1, owner(stage))
    try:
        files.pipe_file(mine.path, mine.text.encode(), mode="create")
    except FileExistsError:
        raise busy(warehouse, stage, "another process has begun just now") from None
    if _highest(files, folder).get(name, 0) > mine.number:
        # Others came and went since we looked.
        files.rm_file(mine.path)
        raise busy(warehouse, stage, "another process has begun just now")
    if before.text:
        log.info("%s: the lease of a process that has ended is taken over: %s", warehouse, before.text)
    if number:
        _change(before, before.files.rm_file, before.path)
    return mine


def _renew(held: list[_Lease], stop: threading.Event) -> None:
    while not stop.wait(RENEWAL_S):
        for lease in held:
            try:
                highest = _highest(lease.files, lease.folder)
                lease.lost = lease.lost or highest.get(lease.name, 0) != lease.number
                if not lease.lost:
                    lease.files.pipe_file(lease.path, lease.text.encode())
                    lease.renewed = time.monotonic()
            except stores.errors() as error:
                log.warning("%s: the lease was not renewed: %s", lease.folder, paths.reason(error))


def _release(held: list[_Lease]) -> None:
    for lease in held:
        if not lease.lost:
            _change(lease, lease.files.pipe_file, lease.path, b"")


def _change(lease: _Lease, action: Callable[..., Any], *arguments: object) -> None:
    try:
        action(*arguments)
    except FileNotFoundError:
        return
    except stores.errors() as error:
        # A lease expires by itself, and what this process did must not fail for it.
        log.warning("%s: the lease could not be changed: %s", lease.folder, paths.reason(error))
