"""Whether a ``.fai`` is that of its FASTA: one of another file would give other bases without a word."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from genospark.core.paths import open_bytes, place, reason
from genospark.errors import InputError


def check_fasta_index(fasta: str | Path) -> None:
    """Checks that each contig begins and ends in the FASTA where the index says; a compressed FASTA is not checked.

    Raises:
        InputError: One does not, or the index is no index.
    """
    index = place(f"{fasta}.fai")
    step = f"make the index anew: `samtools faidx {fasta}`"
    try:
        rows = [line.split("\t") for line in index.read_text().splitlines()]
        contigs: list[tuple[str, list[int]]] = [(row[0], [int(text) for text in row[1:5]]) for row in rows]
        with open_bytes(fasta) as file:
            if file.read(2) == b"\x1f\x8b":
                return
            size = file.seek(0, 2)
            wrong = next((name for name, numbers in contigs if not _fits(file, size, name, *numbers)), None)
    except OSError as error:
        raise InputError(f"{error.filename or index}: cannot be read ({reason(error)})", "check the path and its permissions") from None
    except (ValueError, TypeError):
        raise InputError(f"{index}: not an index of a FASTA file", step) from None
    if wrong is not None:
        raise InputError(f"{index}: not the index of this FASTA: {wrong[:80]} does not lie where it says", step)


def _fits(file: BinaryIO, size: int, name: str, length: int, offset: int, line_bases: int, line_bytes: int) -> bool:
    """Whether a contig's header line ends before `offset`, and its bases after `length` of them."""
    if min(length, offset) < 0 or not 0 < line_bases < line_bytes or offset > size:
        return length == 0
    before = max(0, offset - len(name) - 4096)
    file.seek(before)
    header = file.read(offset - before)
    words = header[header.rfind(b"\n", 0, -1) + 1 :].rstrip(b"\r\n").split()
    if not header.endswith(b"\n") or not words or words[0] != b">" + name.encode():
        return False
    # The last base, the line end after it, and what follows: a contig or nothing.
    last = offset + max(length - 1, 0) // line_bases * line_bytes + max(length - 1, 0) % line_bases
    file.seek(last)
    after = file.read(8)
    return last < size and after[:1] not in (b"\n", b">", b"") and after[1:].lstrip(b"\r\n")[:1] in (b"", b">")
