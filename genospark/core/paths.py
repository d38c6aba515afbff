"""Paths that may be anywhere: local ones are pathlib's own, URLs are fsspec's behind pathlib's interface.

Messages and tables show a URL as it was given. What a store needs to be reached stands in the environment, never in a URL.
"""

from __future__ import annotations

import glob
import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from genospark.core import stores
from genospark.errors import ConfigError, GenosparkError, InputError, SetupError

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SIGNED = re.compile(r"[?&](x-amz-|signature=|sig=|token=|access_key)", re.IGNORECASE)
_BUFFER_BYTES = 1 << 16
_JUMPING = {"cache_type": "blockcache", "block_size": 1 << 20, "cache_options": {"maxblocks": 64}}
_BUCKET = re.compile("bucket.*(does not exist|not found)", re.IGNORECASE)


def is_url(path: str | Path) -> bool:
    """Whether a path is a URL: `file:` ones are not, they are paths of the local disk."""
    return bool(_URL.match(str(path))) and not str(path).lower().startswith("file://")


def place(path: str | Path) -> Path:
    """A path or URL with pathlib's interface.

    Raises:
        ConfigError: A URL holds credentials, or nothing here reads its scheme.
    """
    text = str(path)
    if not is_url(text):
        return Path(urlsplit(text).path if _URL.match(text) else text)
    if urlsplit(text).password or _SIGNED.search(text):
        shown = f"{urlsplit(text).scheme}://...{urlsplit(text).path}"
        raise ConfigError(f"{shown}: the URL holds credentials", "leave them out and set them in the environment, as AWS_ACCESS_KEY_ID")
    from upath import UPath  # only where there are URLs

    stores.configure()
    try:
        found = UPath(stores.canonical(text).rstrip("/"))
        found.fs  # noqa: B018 makes the file system
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{text}: no way to read such URLs ({error})", "use s3:// or https://, or install its fsspec package") from None
    return cast(Path, found)


def absolute(path: str | Path) -> Path:
    """A place whose text does not depend on the present folder."""
    return place(path) if is_url(path) else place(path).resolve()


def file_system(path: str | Path) -> Any:
    """The fsspec file system of a URL."""
    return cast(Any, place(path)).fs


def find(pattern: str) -> list[Path]:
    """What a path or a glob names, sorted.

    Raises:
        InputError: The store refuses.
    """
    if not is_url(pattern):
        return sorted(Path(name) for name in glob.glob(str(place(pattern)), recursive=True))  # noqa: PTH207 absolute patterns
    with refusals(pattern, InputError):
        found = place(pattern)
        if not glob.has_magic(pattern):
            return [found] if found.exists() else []
        files = cast(Any, found).fs
        return [place(files.unstrip_protocol(name)) for name in sorted(files.glob(stores.canonical(pattern)))]


def open_bytes(path: str | Path, buffering: int = -1) -> BinaryIO:
    """Opens a file for reading bytes at any place; of one behind a URL only what is read is fetched, in blocks.

    Args:
        path: File.
        buffering: Bytes that reads of a local file are rounded up to, as for ``open``.

    Raises:
        OSError: The file cannot be opened.
    """
    if not is_url(path):
        return place(path).open("rb", buffering=buffering)
    return io.BufferedReader(cast(Any, place(path).open("rb")), _BUFFER_BYTES)


def open_jumping(path: str | Path) -> BinaryIO:
    """Opens a file behind a URL for readers that jump about in it: the last 64 MiB that were fetched are kept."""
    opened = cast(Any, place(path)).open("rb", **_JUMPING)
    return cast(BinaryIO, opened)


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that readers see the old one or the new one, whatever ends this process."""
    if is_url(path):
        # An object is there once all of it is; pathlib's way would open a stream, which S3's blocks for reading are too small for.
        file_system(path).pipe_file(str(path), content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def remove(folder: str | Path) -> None:
    """Removes a folder with all that is in it, where it is there."""
    if not is_url(folder):
        shutil.rmtree(place(folder), ignore_errors=not place(folder).exists())
    elif file_system(folder).exists(str(folder)):
        file_system(folder).rm(str(folder), recursive=True)


@contextmanager
def local_folder(folder: Path) -> Iterator[Path]:
    """A folder on the local disk to write into: the folder itself, or one whose files are then put behind its URL."""
    if not is_url(folder):
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with TemporaryDirectory() as scratch:
        yield Path(scratch)
        files = file_system(folder)
        for path in sorted(entry for entry in Path(scratch).rglob("*") if entry.is_file()):
            files.put_file(str(path), f"{folder}/{path.relative_to(scratch)}")


def reason(error: Exception) -> str:
    """What went wrong with a file, in one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200]


@contextmanager
def refusals(path: str | Path, kind: type[GenosparkError] = SetupError) -> Iterator[None]:
    """Turns what a store answers instead of content into an error that names the place.

    Raises:
        GenosparkError: Of the kind: the store cannot be reached, does not let us in, or has no such bucket.
    """
    try:
        yield
    except GenosparkError:
        raise
    except Exception as error:
        # botocore's, aiohttp's and delta-rs's errors have no class in common.
        if not is_url(path) or not isinstance(error, stores.errors()):
            raise
        raise kind(f"{path}: the store refuses: {reason(error)}", stores.NEXT_STEP) from None


def check_reachable(folder: str) -> None:
    """Asks for a folder's list, which costs one request.

    Raises:
        SetupError: The store cannot be reached, does not let us in, or has no such bucket.
    """
    with refusals(folder):
        try:
            file_system(folder).ls(folder)
        except FileNotFoundError as error:
            if _BUCKET.search(str(error)):
                raise SetupError(f"{folder}: no such bucket", "make it, or check the name") from None
