"""Genomes, ART's reads of them with a library's noise, and bwa mem: what the shipped caller is trained on and what callers are compared on.

``make peers`` installs the programs.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from genospark.errors import SetupError
from genospark.simulate.alignment import align
from genospark.simulate.alleles import Contig
from genospark.simulate.arrays import Bools, stream
from genospark.simulate.haplotypes import Haplotype, Region, haplotype, write_haplotype
from genospark.simulate.noise import NoiseConfig, Sequenced, add_noise
from genospark.simulate.vcf import write_fasta, write_vcf

PROGRAMS = ("art_illumina", "bwa", "samtools")
DUPLICATES = 0.03
_CIGAR = re.compile(rb"(\d+)([MID])")


@dataclass(frozen=True)
class Library:
    """How reads are made.

    Attributes:
        system: ART's profile of a sequencer.
        read_bp: Length of a read.
        insert_bp: Mean and spread of fragments.
        noise: What qualities do not tell; None for ART's errors alone.
        gc_slope: How strongly depth falls away from 45% G+C.
    """

    system: str
    read_bp: int
    insert_bp: tuple[int, int]
    noise: NoiseConfig | None = None
    gc_slope: float = 1.0


def shell(command: str, folder: Path) -> None:
    """Runs a pipeline of programs; what they say lands in ``folder``/log.txt."""
    with (folder / "log.txt").open("a") as said:
        subprocess.run(["bash", "-c", f"set -eo pipefail; {command}"], cwd=folder, stdout=said, stderr=said, check=True)


def check_programs() -> None:
    """Raises SetupError where a program is missing."""
    lacking = [program for program in PROGRAMS if not shutil.which(program)]
    if lacking:
        raise SetupError(f"{', '.join(lacking)} not found", "make peers")


def write_reference(contigs: list[Contig], folder: Path) -> Path:
    """Writes reference.fa and bwa's index of it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_fasta(folder / "reference.fa", contigs)
    shell("bwa index reference.fa", folder)
    return folder / "reference.fa"


def write_truth(path: Path, contigs: list[Contig], person: int, sample_id: str) -> None:
    """Writes what a person carries, .vcf.gz."""
    write_vcf(path, contigs, slice(person, person + 1), [sample_id], 0, np.random.default_rng(0))


def sequence(
    contigs: list[Contig], person: int, sample_id: str, depth: float, library: Library, seed: int, folder: Path, true: bool = False
) -> Path:
    """Writes a person's reads, aligned by bwa mem, as ``folder``/<sample_id>.bam; ``folder`` holds reference.fa.

    Args:
        contigs: Contigs with everyone's genotypes.
        person: Index of the person.
        sample_id: Name of the person.
        depth: Mean depth.
        library: How reads are made.
        seed: Of all draws.
        folder: Folder to write.
        true: Also write <sample_id>.true.bam, the same reads where they come from.

    Returns:
        The BAM file.
    """
    scratch = folder / f"{sample_id}.art"
    scratch.mkdir(parents=True, exist_ok=True)
    rng = stream(seed, "reads", sample_id)
    parts, places, copies = [], [], []
    for number, contig in enumerate(contigs):
        for strand in (0, 1):
            region = Region(number, 0, len(contig.reference))
            whole = haplotype(contigs, region, person, strand)
            write_haplotype(scratch / "h.fa", contigs, [region], person, strand)
            shell(
                f"art_illumina -ss {library.system} -p -na -q -sam -M -l {library.read_bp} -f {0.75 * depth:.3f} -m {library.insert_bp[0]} "
                f"-s {library.insert_bp[1]} -rs {rng.integers(1, 2**31)} -i h.fa -o h",
                scratch,
            )
            reads = _read_art(scratch / "h.sam", whole)
            kept = _kept_pairs(reads, whole, depth, library, rng)
            parts.append(reads.take((2 * kept[:, None] + np.arange(2)).ravel()))
            places += [number] * len(kept)
            copies += (np.diff(kept, prepend=-1) == 0).tolist()
    reads = _joined(parts)
    if library.noise:
        reads = add_noise(reads, library.noise, rng)
    _write_fastq(reads, scratch)
    group = shlex.quote(f"@RG\\tID:{sample_id}\\tSM:{sample_id}\\tLB:{sample_id}\\tPL:ILLUMINA")
    shell(
        f"bwa mem -t 1 -K 10000000 -R {group} ../reference.fa 1.fq 2.fq | samtools fixmate -u -m - - | samtools sort -u - "
        f"| samtools markdup - ../{sample_id}.bam; samtools index ../{sample_id}.bam",
        scratch,
    )
    if true:
        _write_true(reads, np.array(places), np.array(copies), contigs, sample_id, folder)
    shutil.rmtree(scratch)
    return folder / f"{sample_id}.bam"


def _read_art(path: Path, whole: Haplotype) -> Sequenced:
    """ART's reads, pair by pair, and the reference positions of their bases."""
    bases, qualities, index, inserted, lengths, reverse = [], [], [], [], [], []
    with path.open("rb") as file:
        lines = (line.split(b"\t", 11) for line in file if line[:1] != b"@")
        for pair in zip(lines, lines, strict=True):
            found = [_places(read) for read in pair]
            for read, (place, extra) in zip(pair, found, strict=True):
                # Now and then ART writes a CIGAR of another length than the read: such a pair is left out.
                if all(len(places) == len(one[9]) for one, (places, _) in zip(pair, found, strict=True)):
                    bases.append(read[9])
                    qualities.append(read[10].rstrip())
                    index.append(place)
                    inserted.append(extra)
                    lengths.append(len(place))
                    reverse.append(bool(int(read[1]) & 0x10))
    where = np.concatenate(index)
    return Sequenced(
        np.frombuffer(b"".join(bases), np.uint8),
        np.frombuffer(b"".join(qualities), np.uint8) - np.uint8(33),
        whole.positions[where],
        whole.inserted[where] | np.concatenate(inserted),
        np.array(lengths),
        np.array(reverse),
    )


def _places(read: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Index in the haplotype of each base of a read in ART's SAM, and whether the haplotype lacks it."""
    at, parts, extra = int(read[3]) - 1, [], []
    for length, operation in _CIGAR.findall(read[5]):
        n = int(length)
        if operation != b"D":
            parts.append(np.full(n, at - 1) if operation == b"I" else np.arange(at, at + n))
            extra.append(np.full(n, operation == b"I"))
        at += n * (operation != b"I")
    return np.maximum(np.concatenate(parts), 0), np.concatenate(extra)


def _kept_pairs(reads: Sequenced, whole: Haplotype, depth: float, library: Library, rng: np.random.Generator) -> np.ndarray:
    """Pairs that are sequenced: fewer where G+C is far from 45%, and some of them twice."""
    first = (reads.ends - reads.lengths).reshape(-1, 2)
    begin = reads.positions[first].min(axis=1)
    strong = np.isin(whole.sequence, np.frombuffer(b"GC", np.uint8))
    total = np.append(0, np.cumsum(strong))
    span = library.insert_bp[0]
    at = np.minimum(begin, len(strong) - span)
    gc = (total[at + span] - total[at]) / span
    weight = np.exp(-library.gc_slope * ((gc - 0.45) / 0.15) ** 2)
    wanted = depth / 2 * len(whole) / (2 * library.read_bp)
    kept = np.flatnonzero(rng.random(len(weight)) < weight * wanted / weight.sum())
    return np.sort(np.append(kept, rng.choice(kept, round(DUPLICATES * len(kept)))))


def _joined(parts: list[Sequenced]) -> Sequenced:
    names = ("bases", "quality", "positions", "inserted", "lengths", "reverse")
    return Sequenced(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _write_fastq(reads: Sequenced, folder: Path) -> None:
    complement = bytes.maketrans(b"ACGT", b"TGCA")
    ends = reads.ends.tolist()
    bases, quality = reads.bases.tobytes(), (reads.quality + 33).tobytes()
    texts: tuple[list[bytes], list[bytes]] = ([], [])
    for number, (end, length, reverse) in enumerate(zip(ends, reads.lengths.tolist(), reads.reverse.tolist(), strict=True)):
        text, phred = bases[end - length : end], quality[end - length : end]
        if reverse:
            text, phred = text.translate(complement)[::-1], phred[::-1]
        texts[number % 2].append(b"@f%d\n%b\n+\n%b\n" % (number // 2, text, phred))
    for name, lines in zip(("1.fq", "2.fq"), texts, strict=True):
        (folder / name).write_bytes(b"".join(lines))


def _write_true(reads: Sequenced, contig: np.ndarray, copies: Bools, contigs: list[Contig], sample_id: str, folder: Path) -> None:
    """The reads where they come from, errors of the sequencer as mismatches, insertions and deletions."""
    header = pysam.AlignmentHeader.from_dict(
        {
            "HD": {"VN": "1.6", "SO": "coordinate"},
            "SQ": [{"SN": one.name, "LN": len(one.reference)} for one in contigs],
            "RG": [{"ID": sample_id, "SM": sample_id, "LB": sample_id, "PL": "ILLUMINA"}],
        }
    )
    ends = reads.ends
    starts = ends - reads.lengths
    placed: list[tuple[int, int, pysam.AlignedSegment]] = []
    bases, quality = reads.bases.tobytes(), reads.quality
    for number in range(len(starts)):
        piece = slice(starts[number], ends[number])
        start, _, operations = align(reads.positions[piece], reads.inserted[piece])
        read = pysam.AlignedSegment(header)
        flag = 0x3 | (0x10 if reads.reverse[number] else 0x20) | (0x80 if number % 2 else 0x40) | (0x400 if copies[number // 2] else 0)
        read.query_name, read.flag = f"f{number // 2}", flag
        read.query_sequence = bases[piece].decode()
        read.query_qualities = quality[piece].tolist()
        read.reference_id, read.reference_start, read.mapping_quality, read.cigartuples = int(contig[number // 2]), start, 60, operations
        read.set_tag("RG", sample_id)
        placed.append((read.reference_id, start, read))
    placed.sort(key=lambda entry: entry[:2])
    path = str(folder / f"{sample_id}.true.bam")
    with pysam.AlignmentFile(path, "wb", header=header) as out:
        for _, _, read in placed:
            out.write(read)
    pysam.index(path)
