"""BAM files written by pysam, and what they show worked out read by read and base by base in plain Python."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pysam

from genospark.core.pileup import CHANNELS
from genospark.ingest.reads import ReadFilters

DROPPED_FLAGS = 0x4 | 0x100 | 0x200 | 0x400 | 0x800
EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@dataclass
class Read:
    name: str
    start: int
    cigar: str
    bases: str = "*"
    flag: int = 0
    mapping_quality: int = 60
    qualities: Sequence[int] | int | None = 30

    def segment(self, header: pysam.AlignmentHeader) -> pysam.AlignedSegment:
        text = "*"
        if self.qualities is not None and self.bases != "*":
            values = [self.qualities] * len(self.bases) if isinstance(self.qualities, int) else self.qualities
            text = "".join(chr(value + 33) for value in values)
        fields = [self.name, self.flag, "c", self.start + 1, self.mapping_quality, self.cigar, "*", 0, 0, self.bases, text]
        return pysam.AlignedSegment.fromstring("\t".join(map(str, fields)), header)


@dataclass
class Files:
    bam: Path
    fasta: Path


def write_reference(path: Path, **contigs: str) -> Path:
    path.write_text("".join(f">{name}\n{text}\n" for name, text in contigs.items()))
    pysam.faidx(str(path))
    return path


def write_bam(
    folder: Path, reference: str, reads: Iterable[Read], block_bytes: int | None = None, header: str = "", index: bool = True
) -> Files:
    """Write reads sorted by start, on the contig ``c``; with ``block_bytes``, in BGZF blocks of so many inflated bytes."""
    fasta = write_reference(folder / "reference.fa", c=reference)
    text = header or f"@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:c\tLN:{len(reference)}\n@RG\tID:1\tSM:person\n"
    bam_header = pysam.AlignmentHeader.from_text(text)
    path = folder / "reads.bam"
    with pysam.AlignmentFile(str(path), "wb", header=bam_header) as file:
        for read in sorted(reads, key=lambda read: read.start):
            file.write(read.segment(bam_header))
    if block_bytes:
        path.write_bytes(reblocked(path.read_bytes(), block_bytes))
    if index:
        pysam.index(str(path))
    return Files(path, fasta)


def reblocked(data: bytes, block_bytes: int) -> bytes:
    out = []
    plain = gzip.decompress(data)
    for piece in (plain[at : at + block_bytes] for at in range(0, len(plain), block_bytes)):
        deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
        body = deflate.compress(piece) + deflate.flush()
        head = struct.pack("<4BI2BH2BHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(body) + 25)
        out.append(head + body + struct.pack("<II", zlib.crc32(piece), len(piece)))
    return b"".join(out) + EOF_BLOCK


Observation = tuple[str, int, str]
"""Kind (base or gap), quality, and letter of what a read shows at a position."""


@dataclass
class Seen:
    """One read, base by base."""

    read: pysam.AlignedSegment
    at: dict[int, Observation] = field(default_factory=dict)
    spanning: set[int] = field(default_factory=set)
    indels: dict[int, tuple[str, str]] = field(default_factory=dict)
    clips: list[int] = field(default_factory=list)


def look(read: pysam.AlignedSegment, reference: str, min_quality: int) -> Seen:
    seen = Seen(read)
    bases = read.query_sequence
    stored = read.query_qualities
    qualities = [min_quality] * len(bases) if stored is None else list(stored)
    ops: list[list] = []
    for op, length in read.cigartuples:
        letter = "MIDNSHPMM"[op]
        if letter in "HP" or length == 0:
            continue
        letter = "V" if letter in "ID" else letter
        entry = (op, length)
        if ops and ops[-1][0] == letter:
            ops[-1][1].append(entry)
        else:
            ops.append([letter, [entry]])
    position, query = read.reference_start, 0
    run_start = None
    for number, (letter, entries) in enumerate(ops):
        total = sum(length for _, length in entries)
        if letter == "S":
            seen.clips.append(read.reference_start if query == 0 else read.reference_end - 1)
            query += total
        elif letter == "N":
            position += total
        elif letter == "M":
            run_start = position
            for step in range(total):
                seen.at[position + step] = ("base", qualities[query + step], bases[query + step])
                if step + 1 < total:
                    seen.spanning.add(position + step)
            position, query = position + total, query + total
        else:
            deleted = sum(length for op, length in entries if op == 2)
            inserted = bases[query : query + sum(length for op, length in entries if op == 1)]
            for step in range(deleted):
                seen.at[position + step] = ("gap", qualities[max(query - 1, 0)], "-")
            if 0 < number < len(ops) - 1 and ops[number - 1][0] == ops[number + 1][0] == "M":
                anchor, alleles = normalise(position - 1, deleted, inserted, reference, run_start)
                seen.indels[anchor] = alleles
                seen.spanning -= set(range(anchor, position))
            position, query = position + deleted, query + len(inserted)
    return seen


def normalise(anchor: int, deleted: int, inserted: str, reference: str, floor: int) -> tuple[int, tuple[str, str]]:
    """Left-align two alleles as text: drop equal last letters, and put a letter before them where an allele would be empty."""
    clean = "".join(letter if letter in "ACGT" else "N" for letter in reference)
    inserted = "".join(letter if letter in "ACGT" else "N" for letter in inserted)
    old, new = clean[anchor : anchor + deleted + 1], clean[anchor] + inserted
    while (not deleted or not inserted) and old[-1] == new[-1] != "N" and anchor > floor:
        old, new = old[:-1], new[:-1]
        anchor -= 1
        old, new = clean[anchor] + old, clean[anchor] + new
    return anchor, (old, new)


@dataclass
class Truth:
    counts: dict[str, np.ndarray]
    candidates: list[tuple[int, str, str, int, int]]
    """Position, alleles, reads forward and reverse; those with enough support, whatever their rank."""


def work_out(files: Files, filters: ReadFilters, contig: str = "c") -> Truth:
    """The counts of every position; ``quality_*`` and ``mapping_quality`` as means that are not rounded."""
    with pysam.FastaFile(str(files.fasta)) as fasta:
        reference = fasta.fetch(contig).upper()
    out = {name: np.zeros(len(reference)) for name in CHANNELS}
    out["reference"] = np.array([("ACGT" + letter).index(letter) for letter in reference])
    quality_sums, covering, mapping = defaultdict(float), Counter(), Counter()
    fragments: dict[int, dict[str, list[Seen]]] = defaultdict(lambda: defaultdict(list))
    with pysam.AlignmentFile(str(files.bam)) as file:
        reads = list(file.fetch(until_eof=True))
    for number, read in enumerate(reads):
        if read.flag & DROPPED_FLAGS or read.query_sequence is None or not read.cigartuples or not read.reference_length:
            continue
        seen = look(read, reference, filters.min_base_quality)
        if read.mapping_quality < filters.min_mapping_quality:
            for position in seen.at:
                out["low_mapping_quality"][position] += 1
            continue
        for position in seen.clips:
            out["soft_clips"][position] += 1
        name = read.query_name if read.is_paired and filters.mates_once else str(number)
        for position in seen.at:
            covering[position] += 1
            mapping[position] += read.mapping_quality
            fragments[position][name].append(seen)
    support: dict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for position, names in fragments.items():
        for several in names.values():
            # The first of equals: max keeps it.
            seen = max(several, key=lambda seen: goodness(seen.at[position]))
            kind, quality, letter = seen.at[position]
            strand, backward = ("reverse", 1) if seen.read.is_reverse else ("forward", 0)
            if kind == "gap":
                out[f"deletion_{strand}"][position] += 1
            elif quality >= filters.min_base_quality and letter in "ACGT":
                out[f"{strand}_{letter}"][position] += 1
                quality_sums[position, letter] += quality
            if position in seen.spanning:
                out[f"spanning_{strand}"][position] += 1
            if position in seen.indels:
                out["indels"][position] += 1
                support[position, *seen.indels[position]][backward] += 1
    for position, count in covering.items():
        out["mapping_quality"][position] = mapping[position] / count
    for (position, letter), total in quality_sums.items():
        out[f"quality_{letter}"][position] = total / (out[f"forward_{letter}"][position] + out[f"reverse_{letter}"][position])
    enough = sorted((*key, *strands) for key, strands in support.items() if sum(strands) >= filters.min_indel_support)
    return Truth(out, enough)


def goodness(observation: Observation) -> int:
    kind, quality, letter = observation
    return -1 if kind == "base" and letter not in "ACGT" else quality
