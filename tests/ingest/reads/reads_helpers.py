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
    indels: list[tuple[int, str, str, int]] = field(default_factory=list)
    """Position before each, alleles, and the first position that it may be shifted to."""
    clips: list[int] = field(default_factory=list)
    runs: list[tuple[int, int, int]] = field(default_factory=list)
    """Start and end in the reference and first base in the read of each aligned run."""
    name: str = ""

    @property
    def begin(self) -> int:
        op, length = next(entry for entry in self.read.cigartuples if entry[0] != 5)
        return self.read.reference_start - (min(length, 128) if op == 4 else 0)

    @property
    def stop(self) -> int:
        op, length = next(entry for entry in self.read.cigartuples[::-1] if entry[0] != 5)
        return self.read.reference_end + (min(length, 128) if op == 4 else 0)

    def end_distance(self, position: int) -> int:
        start, _, query = next(run for run in self.runs if run[0] <= position < run[1])
        base = query + position - start
        return min(base, len(self.read.query_sequence) - 1 - base)

    def mismatches(self, position: int, reference: str) -> int:
        start, end, query = next(run for run in self.runs if run[0] <= position < run[1])
        found = 0
        for at in range(max(start, position - 100), min(end, position + 101)):
            letter = self.read.query_sequence[query + at - start]
            found += at != position and letter in "ACGT" and reference[at] not in (letter, "N")
        return found

    def hinges(self, site: int, extent: int) -> tuple[int, int]:
        """Where base 0 of the read would lie, by the last run that begins at or before a site and by the first that ends behind it."""
        before = [number for number, run in enumerate(self.runs) if run[0] <= site]
        left = before[-1] if before else 0
        behind = [number for number, run in enumerate(self.runs) if run[1] > site + 1 + extent]
        right = max(left, behind[0] if behind else len(self.runs) - 1)
        return self.runs[left][0] - self.runs[left][2], self.runs[right][0] - self.runs[right][2]

    def cost(
        self,
        reference: str,
        anchor: int,
        deleted: int,
        inserted: str,
        offsets: tuple[int, int],
        first: int,
        last: int,
        filters: ReadFilters,
    ) -> float:
        """Qualities of the bases that are not those of a haplotype, at the better of two offsets, at most 120."""
        changed = reference[: anchor + 1] + inserted + reference[anchor + 1 + deleted :]
        qualities = self.read.query_qualities
        best = 120.0
        for offset in offsets:
            total = 0
            for base in range(first, last):
                at, letter = base + offset, self.read.query_sequence[base]
                if 0 <= at < len(changed) and letter in "ACGT" and changed[at] not in (letter, "N"):
                    total += filters.min_base_quality if qualities is None else qualities[base]
            best = min(best, total)
        return best


def look(read: pysam.AlignedSegment, reference: str, min_quality: int) -> Seen:
    seen = Seen(read)
    bases = read.query_sequence
    stored = read.query_qualities
    qualities = [min_quality] * len(bases) if stored is None else [min(value, read.mapping_quality) for value in stored]
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
            seen.runs.append((position, position + total, query))
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
                floor = max(0, run_start - 100)
                anchor, alleles = normalise(position - 1, deleted, inserted, reference, floor)
                seen.indels.append((anchor, *alleles, floor))
                seen.spanning -= set(range(max(anchor, run_start), position))
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
    candidates: list[tuple[int, int, str, str, int, int]]
    """Position, rank, alleles, reads forward and reverse."""


def work_out(files: Files, filters: ReadFilters, contig: str = "c") -> Truth:
    """The counts of every position; means are not rounded."""
    with pysam.FastaFile(str(files.fasta)) as fasta:
        reference = fasta.fetch(contig).upper()
    out = {name: np.zeros(len(reference)) for name in CHANNELS}
    clean = "".join(letter if letter in "ACGT" else "N" for letter in reference)
    out["reference"] = np.array(["ACGTN".index(letter) for letter in clean])
    for position in range(len(clean)):
        out["homopolymer"][position], out["repeat_unit"][position], out["repeat_length"][position] = surroundings(clean, position)
    quality_sums, covering, mapping = defaultdict(float), Counter(), Counter()
    fragments: dict[int, dict[str, list[Seen]]] = defaultdict(lambda: defaultdict(list))
    with pysam.AlignmentFile(str(files.bam)) as file:
        reads = list(file.fetch(until_eof=True))
    kept: list[Seen] = []
    for number, read in enumerate(reads):
        if read.flag & DROPPED_FLAGS or read.query_sequence is None or not read.cigartuples or not read.reference_length:
            continue
        seen = look(read, reference, filters.min_base_quality)
        if read.mapping_quality < filters.min_mapping_quality:
            for position in seen.at:
                out["low_mapping_quality"][position] += 1
            continue
        kept.append(seen)
        for position in seen.clips:
            out["soft_clips"][position] += 1
        seen.name = read.query_name if read.is_paired and filters.mates_once else str(number)
        for position in seen.at:
            covering[position] += 1
            mapping[position] += read.mapping_quality
            fragments[position][seen.name].append(seen)
    for seen in kept:
        mates = [other for other in kept if other.name == seen.name and other is not seen]
        for anchor, *_ in seen.indels:
            out["indels"][anchor] += anchor not in seen.at and not any(
                anchor in mate.at for mate in mates if anchor >= seen.read.reference_start
            )
    for position, names in fragments.items():
        alternates = []
        for several in names.values():
            # The first of equals: max keeps it.
            seen = max(several, key=lambda seen: goodness(seen.at[position]))
            kind, quality, letter = seen.at[position]
            strand = "reverse" if seen.read.is_reverse else "forward"
            if kind == "gap":
                out[f"deletion_{strand}"][position] += 1
            elif quality >= filters.min_base_quality and letter in "ACGT":
                out[f"{strand}_{letter}"][position] += 1
                quality_sums[position, letter] += quality
                if clean[position] not in (letter, "N"):
                    alternates.append(seen)
            if position in seen.spanning:
                out[f"spanning_{strand}"][position] += 1
            out["indels"][position] += sum(anchor == position for anchor, *_ in seen.indels)
        if len(alternates) > 1:
            out["alternate_mapping_quality"][position] = np.mean([seen.read.mapping_quality for seen in alternates])
            out["alternate_end_distance"][position] = np.mean([seen.end_distance(position) for seen in alternates])
            out["alternate_mismatches"][position] = np.mean([10 * seen.mismatches(position, clean) for seen in alternates])
    for position, count in covering.items():
        out["mapping_quality"][position] = mapping[position] / count
    for (position, letter), total in quality_sums.items():
        out[f"quality_{letter}"][position] = total / (out[f"forward_{letter}"][position] + out[f"reverse_{letter}"][position])
    candidates = []
    for position, site in realign(kept, clean, filters).items():
        for rank, (allele, strands) in enumerate(site.ranked, 1):
            candidates.append((position, rank, *as_text(clean, position, allele), *strands))
        if site.ranked:
            out["spanning_forward"][position], out["spanning_reverse"][position] = site.none
            for genotype, phred in zip(("00", "01", "11", "12"), site.likelihoods, strict=True):
                out[f"indel_likelihood_{genotype}"][position] = phred
    return Truth(out, candidates)


def surroundings(reference: str, position: int) -> tuple[int, int, int]:
    """Run of equal bases around a position, and unit and length of the repeat after it."""
    letter, run = reference[position], 0
    if letter != "N":
        left = right = position
        while left > 0 and reference[left - 1] == letter:
            left -= 1
        while right + 1 < len(reference) and reference[right + 1] == letter:
            right += 1
        run = right - left + 1
    best = (0, 0)
    for unit in range(1, 7):
        at = position + 1
        while at + unit < len(reference) and reference[at] == reference[at + unit] != "N":
            at += 1
        length = min(at - position - 1 + unit, 100)
        if at - position - 1 >= unit and length > best[1]:
            best = (unit, length)
    return min(run, 100), *best


Allele = tuple[int, str]
"""Deleted bases and inserted letters."""


@dataclass
class Site:
    ranked: list[tuple[Allele, tuple[int, int]]]
    none: tuple[int, int]
    likelihoods: list[float]


def as_text(reference: str, position: int, allele: Allele) -> tuple[str, str]:
    return reference[position : position + allele[0] + 1], reference[position] + allele[1]


def realign(kept: list[Seen], reference: str, filters: ReadFilters) -> dict[int, Site]:
    """What ``genospark.ingest.reads.realign`` says it does, read by read and haplotype by haplotype."""
    support: Counter[tuple[int, Allele]] = Counter()
    for seen in kept:
        for anchor, old, new, floor in seen.indels:
            allele = (len(old) - 1, new[1:])
            support[anchor, allele] += "N" not in new[1:]
            support.update(copies_of(anchor, allele, floor, reference))
    proposed = {}
    for (anchor, allele), count in (+support).items():
        depth = sum(seen.read.reference_start <= anchor < seen.read.reference_end for seen in kept)
        if count >= min(filters.min_indel_support, filters.min_indel_share * depth):
            proposed[anchor, allele] = count
    return {site: weigh(site, proposed, kept, reference, filters) for site in sorted({anchor for anchor, _ in proposed})}


def copies_of(anchor: int, allele: Allele, floor: int, reference: str) -> list[tuple[int, Allele]]:
    """Repeats of the bases after and before an insertion that it nearly is."""
    deleted, inserted = allele
    size, found = len(inserted), []
    if deleted or size < 2:
        return []
    for begin in (anchor + 1, anchor + 1 - size):
        copied = "".join(reference[at] if 0 <= at < len(reference) else "N" for at in range(begin, begin + size))
        wrong = sum(a != b for a, b in zip(copied, inserted, strict=True))
        if 0 < 2 * wrong <= size and "N" not in copied:
            at = begin - 1
            while at > floor and reference[at] == reference[at + size] != "N":
                at -= 1
            found.append((at, (0, reference[at + 1 : at + 1 + size])))
    return found


def reach(anchor: int, allele: Allele, reference: str) -> tuple[int, int]:
    """Bases after the anchor among which the indel may lie, and how easily one slips."""
    deleted, inserted = allele
    free = 0
    text = reference + "N" * 200
    changed = (
        inserted + text[anchor + 1 : anchor + 101] if inserted and not deleted else text[anchor + 1 + deleted : anchor + 101 + deleted]
    )
    while free < min(100, len(changed)) and text[anchor + 1 + free] == changed[free] != "N":
        free += 1
    moved = inserted or text[anchor + 1 : anchor + 1 + deleted]
    unit = next(size for size in range(1, len(moved) + 1) if len(moved) % size == 0 and moved == moved[:size] * (len(moved) // size))
    return deleted + free, free // unit // (1 if unit == 1 else 2)


def weigh(site: int, proposed: dict[tuple[int, Allele], int], kept: list[Seen], reference: str, filters: ReadFilters) -> Site:
    order = sorted(
        (anchor != site, -count, anchor, allele[0], allele[1]) for (anchor, allele), count in proposed.items() if abs(anchor - site) <= 50
    )
    rivals = [(anchor, (deleted, inserted)) for _, _, anchor, deleted, inserted in order[:4]]
    own = [rival for rival in rivals if rival[0] == site]
    extent, slips = (max(values) for values in zip(*(reach(site, allele, reference) for _, allele in own), strict=True))
    told: dict[str, list[tuple[float, int, Seen, list[float]]]] = defaultdict(list)
    for number, seen in enumerate(kept):
        if not (seen.begin <= site and seen.stop > site + 1):
            continue
        left, right = seen.hinges(site, extent)
        first = max(0, site + 1 - 32 - max(left, right))
        last = min(len(seen.read.query_sequence), site + 1 + extent + 32 - min(left, right), first + 256)
        costs = [seen.cost(reference, site, 0, "", (left, right), first, last, filters)]
        for anchor, (deleted, inserted) in rivals:
            offsets = (left, right + len(inserted) - deleted)
            costs.append(seen.cost(reference, anchor, deleted, inserted, offsets, first, last, filters))
        told[seen.name].append((max(costs) - min(costs), -number, seen, costs))
    reads = [max(several)[2:] for several in told.values()]
    sure = max(12, min(45, 45 - 2 * max(slips - 3, 0)))
    rows = []
    for seen, costs in reads:
        least, most = min(costs), min(sure, seen.read.mapping_quality)
        rows.append((seen.read.is_reverse, most, [min(cost, least + most) for cost in costs]))
    others = [0, *(number for number, rival in enumerate(rivals, 1) if rival[0] != site)]
    mine = [number for number, rival in enumerate(rivals, 1) if rival[0] == site]
    shown = {}
    for number in mine:
        strands = [0, 0]
        for backward, _, costs in rows:
            strands[backward] += all(costs[number] + 10 <= costs[other] for other in [*others, *mine] if other != number)
        shown[number] = tuple(strands)
    best = [number for number in sorted(mine, key=lambda number: -sum(shown[number])) if sum(shown[number])][:2]
    none, likelihoods = [0, 0], [0.0] * 4
    for backward, most, costs in rows:
        three = [min(costs[other] for other in others), *(costs[number] for number in best), *[10**6] * (2 - len(best))]
        none[backward] += three[0] + 10 <= min(three[1:])
        chance = [10 ** (-min(cost - min(three), most) / 10) for cost in three]
        for index, (one, two) in enumerate(((0, 0), (0, 1), (1, 1), (1, 2))):
            likelihoods[index] -= 10 * np.log10((chance[one] + chance[two]) / 2)
    if len(best) < 2:
        likelihoods[3] = np.inf
    least = min(likelihoods)
    ranked = [(rivals[number - 1][1], shown[number]) for number in best]
    return Site(ranked, tuple(none), [min(255.0, phred - least) for phred in likelihoods])


def goodness(observation: Observation) -> int:
    kind, quality, letter = observation
    return -1 if kind == "base" and letter not in "ACGT" else quality
