"""Reference bases as codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pysam

from genospark.core.paths import is_url, place
from genospark.core.pileup import BASES, UNKNOWN_BASE
from genospark.errors import InputError
from genospark.ingest.reads.remote_fasta import RemoteFasta

Codes = npt.NDArray[np.uint8]
LETTERS = f"{BASES}N"
"""A letter for each code of a base."""

_CODES = np.full(256, UNKNOWN_BASE, np.uint8)
for _code, _letter in enumerate(BASES):
    _CODES[[ord(_letter), ord(_letter.lower())]] = _code


class Fasta(Protocol):
    """What is asked of an indexed FASTA file; pysam's has it."""

    @property
    def filename(self) -> bytes: ...

    @property
    def references(self) -> Sequence[str]: ...

    @property
    def lengths(self) -> Sequence[int]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> object: ...

    def get_reference_length(self, reference: str) -> int: ...

    def fetch(self, reference: str, start: int, end: int) -> str: ...


def reference_contigs(fasta: str | Path) -> dict[str, int]:
    """Length of each contig of a FASTA file in base pairs.

    Raises:
        InputError: The file or its index is absent or cannot be read.
    """
    with open_reference(fasta) as file:
        return dict(zip(file.references, file.lengths, strict=True))


def open_reference(fasta: str | Path) -> Fasta:
    """Open an indexed FASTA file.

    Raises:
        InputError: The file or its index is absent or cannot be read.
    """
    # Without an index pysam would write one, next to data that is not ours.
    for path, step in ((place(fasta), "check the path of the reference"), (place(f"{fasta}.fai"), f"make it: `samtools faidx {fasta}`")):
        if not path.is_file():
            raise InputError(f"{path}: no such file", step)
    if is_url(fasta):
        return RemoteFasta(str(fasta))
    try:
        opened: Fasta = pysam.FastaFile(str(fasta))
        return opened
    except (OSError, ValueError) as error:
        raise InputError(f"{fasta}: cannot be read as an indexed FASTA file ({error})", f"index it: `samtools faidx {fasta}`") from error


def reference_codes(file: Fasta, contig_name: str, start: int, end: int) -> Codes:
    """(end - start,) codes of reference bases at 0-based positions; those outside the contig are ``UNKNOWN_BASE``.

    Raises:
        InputError: The FASTA has no such contig.
    """
    codes = np.full(end - start, UNKNOWN_BASE, np.uint8)
    try:
        length = file.get_reference_length(contig_name)
    except KeyError as error:
        name = file.filename.decode()
        raise InputError(f"{name}: no contig {contig_name}", "give the FASTA file that the reads were aligned to") from error
    first, last = max(start, 0), min(end, length)
    if first < last:
        text = file.fetch(contig_name, first, last).encode()
        codes[first - start : last - start] = _CODES[np.frombuffer(text, np.uint8)]
    return codes
