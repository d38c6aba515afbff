"""Small valid files of every kind, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pysam

SITE = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
REFERENCE = "ACGTTGCA" * 250
LINE = "22\t{}\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1|1"


def vcf(*lines: str, people: Sequence[str] = ("Ann", "Bob"), contig: str = "##contig=<ID=22,length=51304566>") -> str:
    head = ["##fileformat=VCFv4.2", contig, "\t".join([*SITE, *people])]
    return "".join(f"{line}\n" for line in [*head, *lines])


def good(*positions: int) -> list[str]:
    return [LINE.format(position) for position in positions]


def write(folder: Path, name: str, text: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def bgzipped(folder: Path, name: str, text: str) -> Path:
    path = write(folder, name, b"")
    with pysam.BGZFile(str(path), "wb") as file:
        for line in text.splitlines(keepends=True):
            file.write(line.encode())
    return path


def fasta(folder: Path, name: str = "reference.fa", contig: str = "22", bases: str = REFERENCE) -> Path:
    path = write(folder, name, f">{contig}\n{bases}\n")
    pysam.faidx(str(path))
    return path


def bam(
    folder: Path, name: str = "a.bam", *, person: str = "Ann", order: str = "coordinate", starts: Sequence[int] = range(0, 1600, 8)
) -> Path:
    """Reads of 40 bases that are the reference's, and one without a place."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    text = f"@HD\tVN:1.6\tSO:{order}\n@SQ\tSN:22\tLN:{len(REFERENCE)}\n@RG\tID:1\tSM:{person}\n"
    header = pysam.AlignmentHeader.from_text(text)
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for number, start in enumerate(starts):
            bases = REFERENCE[start : start + 40]
            fields = [f"r{number}", 0, "22", start + 1, 60, "40M", "*", 0, 0, bases, "I" * 40]
            file.write(pysam.AlignedSegment.fromstring("\t".join(map(str, fields)), header))
        file.write(pysam.AlignedSegment.fromstring("u\t4\t*\t0\t0\t*\t*\t0\t0\tACGT\tIIII", header))
    if order == "coordinate" and list(starts) == sorted(starts):
        pysam.index(str(path))
    return path


def cram(folder: Path, index: bool = True) -> Path:
    """The reads of ``bam``, and the reference that they were compressed with apart from what tests name."""
    source, path = bam(folder), folder / "a.cram"
    reference = fasta(folder / "compressed")
    pysam.samtools.view("-C", "-T", str(reference), "-o", str(path), str(source), catch_stdout=False)
    if index:
        pysam.index(str(path))
    return path


def cut(path: Path, left_bytes: int) -> Path:
    path.write_bytes(path.read_bytes()[:-left_bytes])
    return path


def flip(path: Path, at: float) -> Path:
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 0xFF
    path.write_bytes(data)
    return path
