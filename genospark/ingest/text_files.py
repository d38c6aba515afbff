"""The text of delimited files, plain or gzipped, in blocks of whole records."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from genospark.errors import InputError
from genospark.ingest.quoting import last_record_end

_MARK = b"\xef\xbb\xbf"
# Text that is parsed at once: its values take some fifty times as much on the way.
_BLOCK_BYTES = 8 << 20


def is_csv(path: Path) -> bool:
    """Whether commas separate the columns."""
    return ".csv" in path.suffixes


def read_text(path: Path) -> bytes:
    """The decompressed content of a plain or gzipped file; lines end with a line feed.

    Raises:
        InputError: It cannot be read, is damaged, or is empty.
    """
    return b"".join(decompressed(path))


def decompressed(path: Path) -> Iterator[bytes]:
    """The content of a plain or gzipped file in pieces, without a byte order mark and carriage returns."""
    empty, first, held = True, True, b""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            while piece := stream.read(_BLOCK_BYTES):
                piece = held + (piece.removeprefix(_MARK) if first else piece)
                empty, first = empty and not piece.strip(), False
                # The parser ends lines at a carriage return, too: counting them has to agree.
                held = b"\r" if piece.endswith(b"\r") else b""
                piece = piece.removesuffix(held)
                yield piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in piece else piece
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error})", "check the path and its permissions, or write the file again") from None
    if empty:
        raise InputError(f"{path}: is empty", "check that the file was written completely")
    if held:
        yield b"\n"


def records(path: Path, pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Whole records in blocks, with the line that each block begins at; empty lines at the end of the file are left out.

    Args:
        path: Decides what a record is.
        pieces: The file's text.
    """
    line, text = 1, b""
    for piece in pieces:
        text += piece
        whole = text[: last_record_end(text) if is_csv(path) else text.rfind(b"\n") + 1].rstrip(b"\n")
        if whole:
            # Empty lines wait for what follows them.
            end = len(whole) + 1
            yield line, text[:end]
            line, text = line + text.count(b"\n", 0, end), text[end:]
    text = text.rstrip(b"\n")
    if text:
        yield line, text + b"\n"
