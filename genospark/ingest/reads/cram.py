"""CRAM files, decoded by HTSlib: a region becomes a BAM of its own, and the native engine goes on from there."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pysam

from genospark.core.paths import is_url
from genospark.errors import InputError

# The empty container that ends a file: CRAM specification, section 9. Version 2.1 has the shorter one.
_ENDS = (
    bytes.fromhex("0f000000ffffffff0fe0454f4600000000010005bdd94f0001000606010001000100ee63014b"),
    bytes.fromhex("0b000000ffffffff0fe0454f46000000000100000606010001000100"),
)
_BROKEN = "copy or download the file again, and check it with `samtools quickcheck`"


def is_cram(head: bytes) -> bool:
    """Whether a file that begins so is a CRAM."""
    return head.startswith(b"CRAM")


def read_header(path: str) -> tuple[str, dict[str, int]]:
    """Text of the header, and the length of each contig.

    Raises:
        InputError: The file is remote, damaged or truncated.
    """
    if is_url(path):
        raise InputError(f"{path}: a CRAM file is read from a local disk alone", "copy it there, or convert it to BAM")
    with Path(path).open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - len(_ENDS[0])))
        tail = file.read()
    if not any(tail.endswith(end) for end in _ENDS):
        raise InputError(f"{path}: the file is truncated: the block that ends a CRAM is absent", _BROKEN)
    try:
        with pysam.AlignmentFile(path, "rc", check_sq=False) as opened:
            return str(opened.header), dict(zip(opened.references, opened.lengths, strict=True))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a CRAM file ({error})", _BROKEN) from error


def check_cram_index(path: str, n_contigs: int) -> None:
    """Checks that the index is there, and that what it names lies in the file.

    Raises:
        InputError: It is not, or does not.
    """
    index = Path(f"{path}.crai")
    make = f"make it anew: `samtools index {path}`"
    if not index.is_file():
        raise InputError(f"{path}: no index ({index.name}) beside it", f"make it: `samtools index {path}`")
    try:
        beyond = any(row[0] >= n_contigs or row[3] >= Path(path).stat().st_size for row in _index_rows(index))
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise InputError(f"{index}: not an index of a CRAM, or truncated ({error})", make) from error
    if beyond:
        raise InputError(f"{index}: not the index of this CRAM: it names what the file does not have", make)


def contigs_with_reads(path: str) -> set[int]:
    """Numbers of the contigs that the index names; of one that ``check_cram_index`` has seen."""
    return {row[0] for row in _index_rows(Path(f"{path}.crai")) if row[0] >= 0}


def _index_rows(index: Path) -> list[list[int]]:
    content = index.read_bytes()
    text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    return [[int(field) for field in line.split(b"\t")] for line in text.splitlines()]


@contextmanager
def as_bam(path: str, fasta: str, contig_name: str, start: int, end: int) -> Iterator[str]:
    """A BAM of the reads that overlap positions [start, end), 0-based, sorted as they are in the CRAM.

    Raises:
        InputError: The file is damaged, or was made with another reference.
    """
    with TemporaryDirectory(prefix="genospark-cram-") as folder:
        made = f"{folder}/region.bam"
        region = f"{{{contig_name}}}:{max(start, 0) + 1}-{end}"
        # What HTSlib says to the terminal, line by line, is said in one message.
        told = pysam.set_verbosity(0)
        try:
            pysam.samtools.view("-u", "-T", fasta, "-o", made, path, region, catch_stdout=False)
        except pysam.SamtoolsError:
            problem = (
                f"{path}: the reads at {contig_name}:{start + 1}-{end} cannot be decoded: the file is damaged, or of another reference"
            )
            raise InputError(problem, f"give the FASTA that the reads were aligned to instead of {fasta}, or copy the file again") from None
        finally:
            pysam.set_verbosity(told)
        yield made
