"""The header of a BAM or CRAM: whose reads a file holds, on which contigs, and whether the file can be read by region."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from genospark.core.builds import prefix_hint
from genospark.core.paths import open_bytes, place, reason
from genospark.errors import InputError
from genospark.ingest.reads import cram
from genospark.ingest.reads.index import find_index, load_index
from genospark.ingest.reads.reference import reference_contigs
from genospark.ingest.vcf import bgzf

BROKEN = "copy or download the file again, or make it anew with `samtools sort`, and check it with `samtools quickcheck`"
_NOT_BAM = "give a BAM or CRAM file that is sorted and indexed (`samtools sort`, then `samtools index`)"
_NAMED_CONTIGS = 5


@dataclass(frozen=True)
class AlignmentHeader:
    """What the header of a BAM or CRAM says.

    Attributes:
        path: File.
        sample_id: The person: of a sample sheet, or the one sample (SM) of all read groups.
        contigs: Length of each contig in base pairs, in the order of the file.
        first_read: Virtual offset of the first record; 0 in a CRAM.
        is_cram: Whether the file is a CRAM.
        samples: Samples of the read groups.
    """

    path: str
    sample_id: str
    contigs: dict[str, int]
    first_read: int
    is_cram: bool = False
    samples: tuple[str, ...] = ()


def read_alignment_header(path: str | Path, sample_id: str | None = None, named_by_file: bool = False) -> AlignmentHeader:
    """Read and check the header of a BAM or CRAM.

    Args:
        path: File.
        sample_id: The person, whatever the read groups say; where not given, they have to name one.
        named_by_file: Whether the person is called as the file, without its ending, where no read group names a sample.

    Raises:
        InputError: The file is absent, neither of these, truncated, not sorted by coordinate, without an index, or of no or several
            samples and nobody says whose it is.
    """
    path = str(path)
    head = _head(path)
    first_read = 0
    if cram.is_cram(head):
        text, contigs = cram.read_header(path)
    else:
        text, contigs, first_read = _read(path, head)
        try:
            bgzf.check_end(path)
        except InputError as error:
            raise InputError(error.problem, BROKEN) from error
    lines = [line.split("\t") for line in text.splitlines()]
    order = next((field[3:] for line in lines if line[0] == "@HD" for field in line if field.startswith("SO:")), "unknown")
    if order not in ("coordinate", "unknown"):
        raise InputError(
            f"{path}: the reads are not sorted by coordinate (the header says SO:{order})",
            "sort and index the file: `samtools sort -o sorted.bam FILE`, then `samtools index sorted.bam`",
        )
    samples = _samples(lines)
    sample_id = sample_id or (place(path).stem if named_by_file and not samples else _only(path, samples))
    if cram.is_cram(head):
        cram.check_cram_index(path, len(contigs))
    else:
        find_index(path)
    return AlignmentHeader(path, sample_id, contigs, first_read, cram.is_cram(head), samples)


def bam_start(path: str) -> int:
    """Virtual offset of the first record of a BAM."""
    return _read(path, _head(path))[2]


def check_reference(header: AlignmentHeader, fasta: str | Path, wanted: Collection[str] | None = None) -> list[str]:
    """Check that the reads were aligned to a reference with the names and lengths of this one.

    Args:
        header: Header of a BAM or CRAM.
        fasta: FASTA file with a ``.fai`` index; it may hold more contigs than the file.
        wanted: Contigs that will be looked at; where not given, all that have reads.

    Returns:
        Contigs of the file that the FASTA does not have; none of them is wanted.

    Raises:
        InputError: A contig that is wanted is absent from the FASTA, any has another length there, or the FASTA has no index.
    """
    lengths = reference_contigs(fasta)
    absent = [name for name in header.contigs if name not in lengths]
    other = [name for name in header.contigs if name in lengths and lengths[name] != header.contigs[name]]
    if absent:
        needed = absent if len(absent) == len(header.contigs) else _wanted(header, absent, wanted)
        if needed:
            named = ", ".join(needed[:_NAMED_CONTIGS])
            raise InputError(
                f"{header.path}: {len(needed)} contigs are not in {fasta}: {named}{prefix_hint(needed, lengths)}",
                "give the FASTA file that the reads were aligned to, or regions (BED) on the contigs that it has",
            )
    if other:
        found = ", ".join(f"{name} ({header.contigs[name]} and {lengths[name]} bp)" for name in other[:_NAMED_CONTIGS])
        raise InputError(
            f"{header.path}: {len(other)} contigs have another length in {fasta}: {found}",
            "give the FASTA file that the reads were aligned to; these two are different genome builds",
        )
    return absent


def _wanted(header: AlignmentHeader, contigs: list[str], wanted: Collection[str] | None) -> list[str]:
    """Those of some contigs that are wanted, or that have reads by the index."""
    if wanted is None:
        if header.is_cram:
            names = list(header.contigs)
            wanted = {names[number] for number in cram.contigs_with_reads(header.path)}
        else:
            wanted = {name for name, marks in zip(header.contigs, load_index(header.path), strict=False) if marks.first is not None}
    return [name for name in contigs if name in wanted]


def inflate(path: str, start: int) -> Iterator[tuple[int, bytes]]:
    """``bgzf.blocks`` with advice for BAM files."""
    try:
        yield from bgzf.blocks(path, start)
    except InputError as error:
        raise InputError(error.problem, BROKEN) from error


def _head(path: str) -> bytes:
    try:
        with open_bytes(path) as file:
            return file.read(4096)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({reason(error)})", "check the path and its permissions") from error


def _read(path: str, head: bytes) -> tuple[str, dict[str, int], int]:
    """Text and contigs of a header, and the virtual offset after it."""
    if bgzf.block_bytes(head) is None:
        raise InputError(f"{path}: neither a BAM nor a CRAM file: no BGZF block begins at its first byte", _NOT_BAM)
    data = bytearray()
    for offset, piece in inflate(path, 0):
        before = len(data)
        data += piece
        if not data.startswith(b"BAM\1"):
            break
        try:
            text, contigs, end = _parse(data, path)
        except struct.error:
            continue
        return text, contigs, offset << 16 | end - before
    if not data.startswith(b"BAM\1"):
        raise InputError(f"{path}: not a BAM file: its content does not begin with BAM", _NOT_BAM)
    raise InputError(f"{path}: the file is truncated within its header", BROKEN)


def _parse(data: bytearray, path: str) -> tuple[str, dict[str, int], int]:
    """Text and contigs of a header, and its length; ``struct.error`` where ``data`` ends before it does."""
    (text_bytes,) = struct.unpack_from("<I", data, 4)
    (n_contigs,) = struct.unpack_from("<I", data, 8 + text_bytes)
    at = 12 + text_bytes
    contigs: dict[str, int] = {}
    for number in range(n_contigs):
        (name_bytes,) = struct.unpack_from("<I", data, at)
        name, length = struct.unpack_from(f"<{name_bytes}sI", data, at + 4)
        contigs[name.rstrip(b"\0").decode(errors="replace")] = length
        if len(contigs) <= number:
            raise InputError(f"{path}: the file is damaged: its header names a contig twice", BROKEN)
        at += 8 + name_bytes
    return bytes(data[8 : 8 + text_bytes]).rstrip(b"\0").decode(errors="replace"), contigs, at


def _samples(lines: list[list[str]]) -> tuple[str, ...]:
    groups = [line for line in lines if line[0] == "@RG"]
    return tuple(sorted({field[3:] for line in groups for field in line if field.startswith("SM:")} - {""}))


def _only(path: str, samples: tuple[str, ...]) -> str:
    if not samples:
        raise InputError(
            f"{path}: no read group (@RG) names a sample (SM)",
            "say whose reads they are in a sample sheet, or in the file: `samtools addreplacerg -r ID:1 -r SM:NAME -o new.bam FILE`, "
            "then `samtools index new.bam`",
        )
    if len(samples) > 1:
        raise InputError(
            f"{path}: reads of {len(samples)} samples",
            "give one file a person: `samtools split` makes one for each read group; where all are of one person, say so in a sample sheet",
        )
    return samples[0]
