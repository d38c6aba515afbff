"""The header of a BGEN file. Format: "The BGEN format", version 1.3, by G. Band and J. Marchini."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from genospark.core.paths import open_bytes, place, reason
from genospark.errors import InputError
from genospark.ingest.bare_header import BareHeader
from genospark.ingest.plink.people import check_unique
from genospark.ingest.plink.sites import ReferenceAllele

Compression = Literal["none", "zlib", "zstd"]
AGAIN = "copy or download the file again, or make it anew (`plink2 --export bgen-1.2`)"
_COMPRESSIONS: tuple[Compression, ...] = ("none", "zlib", "zstd")
_NOT_BGEN = "give a BGEN file of version 1.2 or 1.3"
_MAGICS = (b"bgen", bytes(4))


@dataclass(frozen=True)
class BgenOptions:
    """How genotypes become calls.

    Attributes:
        reference: Which of the two alleles is the reference.
        threshold: How far the expected copies of an allele may be from a whole number, of two alleles, for a call.
        keep: What is kept beside the calls: ``dosage``, ``phase``.
    """

    reference: ReferenceAllele = "first"
    threshold: float = 0.1
    keep: tuple[str, ...] = ("dosage",)


@dataclass(frozen=True)
class BgenHeader(BareHeader):
    """What a BGEN file says of itself.

    Attributes:
        path: File.
        named_in: File that names the people: itself, or a ``.sample`` file.
        sample_ids: People.
        n_variants: Variants.
        first: Byte at which the first begins.
        compression: Of genotypes.
        options: How they become calls.
    """

    path: str
    named_in: str
    sample_ids: tuple[str, ...]
    n_variants: int
    first: int
    compression: Compression
    options: BgenOptions
    data_line: int = 1

    @property
    def people_at(self) -> tuple[str, str, int]:
        """As in ``genotype_files.Header``."""
        return self.named_in, "samples", 1


def read_bgen_header(path: Path | str, options: BgenOptions | None = None) -> BgenHeader:
    """Reads the header of a BGEN file, and who is in it; where it does not say so, a ``.sample`` file beside it does.

    Raises:
        InputError: It is no BGEN file of version 1.2 or 1.3, or nothing names its people, or two of them alike.
    """
    try:
        with open_bytes(path) as file:
            return _read(file, str(path), options or BgenOptions())
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({reason(error)})", "check the path and its permissions") from None


def _read(file: BinaryIO, path: str, options: BgenOptions) -> BgenHeader:
    head = file.read(20)
    if len(head) < 20 or head[16:] not in _MAGICS:
        raise InputError(f"{path}: not a BGEN file: `bgen` does not stand at byte 16", _NOT_BGEN)
    offset, header_bytes, n_variants, n_samples = struct.unpack_from("<4I", head)
    file.seek(header_bytes)
    (flags,) = struct.unpack("<I", _exactly(file, 4, path))
    layout, compression = flags >> 2 & 15, flags & 3
    if layout != 2 or compression >= len(_COMPRESSIONS):
        raise InputError(f"{path}: of layout {layout} and compression {compression}, which are not those of version 1.2 or 1.3", _NOT_BGEN)
    named_in = path
    if flags >> 31:
        _, count = struct.unpack("<2I", _exactly(file, 8, path))
        if count != n_samples:
            raise InputError(f"{path}: names {count} people, but has genotypes of {n_samples}", AGAIN)
        ids = []
        for _ in range(count):
            (length,) = struct.unpack("<H", _exactly(file, 2, path))
            ids.append(_exactly(file, length, path).decode(errors="replace"))
    else:
        named_in = f"{path.removesuffix('.bgen')}.sample"
        ids = _sample_file(path, named_in, n_samples)
    check_unique(named_in, ids, 1, "samples")
    return BgenHeader(path, named_in, tuple(ids), n_variants, offset + 4, _COMPRESSIONS[compression], options)


def _exactly(file: BinaryIO, n: int, path: str) -> bytes:
    found = file.read(n)
    if len(found) < n:
        raise InputError(f"{path}: the file ends within its header", AGAIN)
    return found


def _sample_file(path: str, named_in: str, n_samples: int) -> list[str]:
    """Second ids of an Oxford ``.sample`` file, which has two lines of names and types first."""
    if not place(named_in).is_file():
        raise InputError(
            f"{path}: does not name its people, and {named_in} is not there", "put the .sample file beside it, of the same name"
        )
    with open_bytes(named_in) as file:
        rows = [line.split() for line in file.read().decode(errors="replace").splitlines()[2:] if line.strip()]
    if len(rows) != n_samples or min((len(row) for row in rows), default=2) < 2:
        raise InputError(
            f"{named_in}: {len(rows)} people with two ids, but {path} has genotypes of {n_samples}", "give the file that belongs to it"
        )
    return [row[1] for row in rows]
