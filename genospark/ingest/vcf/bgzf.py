"""BGZF, the blocked gzip of bgzip and htslib: finding, checking and inflating blocks.

Layout: SAM specification, section 4.1. A block is a gzip member of at most 64 KiB whose extra field ``BC`` holds its size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from isal import igzip_lib, isal_zlib

from genospark.core.paths import open_bytes
from genospark.errors import InputError

MAGIC = b"\x1f\x8b\x08\x04"
EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
MAX_BLOCK_BYTES = 1 << 16
# The stubs of isal take the class for an instance of it.
InflateError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]
_FIXED_BYTES = 12
_TRAILER_BYTES = 8
# Bytes of text in a block that is written: what does not get smaller still fits, as in htslib.
_WRITTEN_BYTES, _EXTRA_BYTES, _LEVEL = 0xFF00, 6, 3
_BROKEN = "copy or download the file again, or make it anew with `bgzip`, and check it with `bgzip -t`"


def block_bytes(data: bytes, at: int = 0) -> int | None:
    """Compressed size of the block whose header begins at ``data[at]``, in bytes; None where no BGZF header begins there."""
    if data[at : at + 4] != MAGIC or len(data) < at + _FIXED_BYTES:
        return None
    extra = at + _FIXED_BYTES
    stop = extra + int.from_bytes(data[at + 10 : at + 12], "little")
    while extra + 4 <= min(stop, len(data)):
        size = int.from_bytes(data[extra + 2 : extra + 4], "little")
        if data[extra : extra + 2] == b"BC" and size == 2 and extra + 6 <= len(data):
            total = int.from_bytes(data[extra + 4 : extra + 6], "little") + 1
            return total if total >= stop - at + _TRAILER_BYTES else None
        extra += 4 + size
    return None


def find_block(path: str, start: int, stop: int) -> int | None:
    """First compressed byte offset in ``[start, stop)`` at which a block begins, or None.

    Blocks are followed from one that begins before ``start``: so compressed data that holds the magic by chance is not taken for a
    block, and a block with a damaged header is not passed over.

    Raises:
        InputError: No blocks lead there.
    """
    base = max(0, start - MAX_BLOCK_BYTES)
    with open_bytes(path) as file:
        size = file.seek(0, 2)
        file.seek(base)
        # The block before, the longest block, the header after it, and its extra field.
        window = file.read(4 * MAX_BLOCK_BYTES)
    at = window.find(MAGIC)
    while 0 <= at <= start - base:
        place, length = at, block_bytes(window, at)
        while length is not None and base + place < start:
            place += length
            length = block_bytes(window, place)
        if base + place == size or (length is not None and base + place >= start):
            return base + place if base + place < min(stop, size) else None
        at = window.find(MAGIC, at + 1)
    raise InputError(f"{path}: the file is damaged: no BGZF blocks lead to byte {start}", _BROKEN)


def blocks(path: str, start: int) -> Iterator[tuple[int, bytes]]:
    """Inflate blocks one after the other, from the one that begins at compressed byte ``start`` to the end of the file.

    Yields:
        Compressed byte offset of the block, and its inflated bytes (not empty).

    Raises:
        InputError: A block is cut short, or its checksum does not fit.
    """
    with open_bytes(path, 1 << 20) as file:
        file.seek(start)
        at = start
        while (data := _read_block(file, path, at)) is not None:
            length, inflated = data
            if inflated:
                yield at, inflated
            at += length


def _read_block(file: BinaryIO, path: str, at: int) -> tuple[int, bytes] | None:
    head = file.read(_FIXED_BYTES)
    if not head:
        return None
    extra_bytes = int.from_bytes(head[10:12], "little")
    head += file.read(extra_bytes)
    length = block_bytes(head)
    if length is None:
        what = "is truncated" if MAGIC.startswith(head[:4]) and len(head) < _FIXED_BYTES + extra_bytes else "is damaged"
        raise InputError(f"{path}: the file {what}: no BGZF block at byte {at}", _BROKEN)
    body = file.read(length - len(head))
    if len(body) < length - len(head):
        raise InputError(f"{path}: the file is truncated within the BGZF block at byte {at}", _BROKEN)
    checksum, size = struct.unpack_from("<II", body, len(body) - _TRAILER_BYTES)
    if size > MAX_BLOCK_BYTES:
        raise InputError(f"{path}: the BGZF block at byte {at} is damaged (of {size} bytes)", _BROKEN)
    try:
        # The trailer tells the size: one allocation and no copy.
        inflated = isal_zlib.decompress(memoryview(body)[:-_TRAILER_BYTES], -15, max(size, 1))
    except InflateError as error:
        raise InputError(f"{path}: the BGZF block at byte {at} is damaged ({error})", _BROKEN) from error
    if len(inflated) != size or isal_zlib.crc32(inflated) != checksum:
        raise InputError(f"{path}: the BGZF block at byte {at} is damaged (checksum)", _BROKEN)
    return length, inflated


def compressed(data: bytes) -> bytes:
    """BGZF blocks of some bytes, without the empty block that ends a file."""
    made = []
    for at in range(0, len(data), _WRITTEN_BYTES):
        piece = data[at : at + _WRITTEN_BYTES]
        body = isal_zlib.compress(piece, _LEVEL, -15)
        size = _FIXED_BYTES + _EXTRA_BYTES + len(body) + _TRAILER_BYTES
        head = MAGIC + bytes(4) + struct.pack("<BBHccHH", 0, 255, _EXTRA_BYTES, b"B", b"C", 2, size - 1)
        made += [head, body, struct.pack("<II", isal_zlib.crc32(piece), len(piece))]
    return b"".join(made)


def check_end(path: str) -> None:
    """Check that the file ends with the empty block that marks a complete BGZF file.

    Raises:
        InputError: The mark is absent: the file was probably cut short.
    """
    with open_bytes(path) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - len(EOF_BLOCK)))
        if file.read() != EOF_BLOCK:
            raise InputError(
                f"{path}: the file is truncated: the empty BGZF block that ends a complete file is missing",
                _BROKEN,
            )
