"""Ranges of variants of a BGEN file, found by its index (``.bgi``) or by walking from variant to variant."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from genospark.core.paths import is_url, open_bytes, place
from genospark.errors import InputError
from genospark.ingest.bgen.header import AGAIN, BgenHeader, BgenOptions, Compression

_HEAD_BYTES = 512
_BGI = "remove it, or make it anew (`bgenix -index -clobber`)"


@dataclass(frozen=True)
class BgenSplit:
    """A range of variants.

    Attributes:
        path: File.
        start: First byte.
        stop: Byte after the last.
        first: Number of the first variant, from 0.
        n_samples: People.
        compression: As in ``BgenHeader``.
        options: As there.
    """

    path: str
    start: int
    stop: int
    first: int
    n_samples: int
    compression: Compression
    options: BgenOptions


class Site(NamedTuple):
    """A variant before its genotypes, and where these are, counted from the variant's first byte."""

    name: str
    contig: str
    position: int
    alleles: tuple[str, ...]
    genotypes: int
    end: int


def plan_bgen(header: BgenHeader, target_bytes: int) -> list[BgenSplit]:
    """Cuts the variants of a file into ranges of about ``target_bytes``.

    Raises:
        InputError: The file is truncated, or its index is of another one.
    """
    if target_bytes < 1:
        raise InputError(f"a split cannot have {target_bytes} bytes", "give a positive number of bytes")
    bgi = f"{header.path}.bgi"
    size = place(header.path).stat().st_size
    # SQLite reads local files alone.
    by_index = not is_url(bgi) and Path(bgi).is_file()
    cuts, last, n = [(header.first, 0)], header.first, 0
    for start, length in _by_index(header, bgi, size) if by_index else _walk(header, size):
        if start != last:
            raise InputError(f"{bgi}: no variant begins at byte {last} of {header.path}: the index of another file", _BGI)
        if start - cuts[-1][0] >= target_bytes:
            cuts.append((start, n))
        last, n = start + length, n + 1
    if n != header.n_variants or last != size:
        raise InputError(
            f"{header.path}: {n} variants in {last} of {size} bytes, but its header says that there are {header.n_variants}", AGAIN
        )
    stops = [start for start, _ in cuts[1:]] + [size]
    n_samples = len(header.sample_ids)
    return [
        BgenSplit(header.path, start, stop, first, n_samples, header.compression, header.options)
        for (start, first), stop in zip(cuts, stops, strict=True)
    ]


def _by_index(header: BgenHeader, bgi: str, size: int) -> Iterator[tuple[int, int]]:
    try:
        with sqlite3.connect(f"file:{Path(bgi).resolve().as_uri().removeprefix('file://')}?mode=ro&immutable=1", uri=True) as index:
            if index.execute("SELECT 1 FROM sqlite_master WHERE name = 'Metadata'").fetchone():
                told = index.execute("SELECT file_size, first_1000_bytes FROM Metadata").fetchone()
                with open_bytes(header.path) as file:
                    if told and (told[0] != size or bytes(told[1]) != file.read(len(told[1]))):
                        raise InputError(f"{bgi}: the index of another or an earlier file", _BGI)
            yield from index.execute("SELECT file_start_position, size_in_bytes FROM Variant ORDER BY file_start_position")
    except sqlite3.Error as error:
        raise InputError(f"{bgi}: cannot be read ({error})", _BGI) from None


def _walk(header: BgenHeader, size: int) -> Iterator[tuple[int, int]]:
    at, number = header.first, 0
    with open_bytes(header.path, 1 << 13) as file:
        while at < size:
            number += 1
            length, site = _HEAD_BYTES, None
            while site is None:
                file.seek(at)
                head = file.read(length)
                site = read_site(head, 0)
                if site is None and len(head) < length:
                    raise InputError(f"{header.path}: the file ends within variant {number}", AGAIN)
                # Alleles may be long.
                length *= 16
            if at + site.end > size:
                raise InputError(f"{header.path}: the file ends within variant {number}", AGAIN)
            yield at, site.end
            at += site.end


def read_site(data: bytes, at: int) -> Site | None:
    """The variant that begins at a byte; None where the data end before its genotypes."""
    texts, begin = [], at
    try:
        for _ in range(3):
            (length,) = struct.unpack_from("<H", data, at)
            texts.append(data[at + 2 : at + 2 + length].decode(errors="replace"))
            at += 2 + length
        position, n_alleles = struct.unpack_from("<IH", data, at)
        at += 6
        alleles = []
        for _ in range(n_alleles):
            (length,) = struct.unpack_from("<I", data, at)
            alleles.append(data[at + 4 : at + 4 + length].decode(errors="replace"))
            at += 4 + length
        (length,) = struct.unpack_from("<I", data, at)
    except struct.error:
        return None
    at += 4 - begin
    return Site(texts[1] or texts[0] or ".", texts[2], position, tuple(alleles), at, at + length)
