"""Lines of a VCF that cannot be read: what is wrong, where they are, and what of them may be shown.

Nobody's genotype is shown: of a line the columns CHROM to FORMAT, and nothing after text that could be a genotype where the columns are
not those of a record.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field

from genospark.core.paths import open_bytes
from genospark.errors import InputError
from genospark.ingest.vcf import bgzf
from genospark.ingest.vcf.chunks import Chunk

SITE_FIELDS = 9
SHOWN = 200
"""Characters of a line in messages and in ``quarantine``."""
_GENOTYPE = re.compile(r"(?:^|(?<=\s))[0-9.]+[/|]")
_WORDS = re.compile(rf"\S*(?:\s+\S+){{0,{SITE_FIELDS - 1}}}")
_PIECE = 1 << 22


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a line.

    Attributes:
        start: Position of its first byte in the chunk.
        number: Number of the line in the chunk, from 0.
        column: Column, by its name or, of a person, by its number.
        reason: What is wrong, the same words for all lines with the fault.
        detail: The same with what is particular to this line.
        next_step: What the user can do.
    """

    start: int
    number: int
    column: str
    reason: str
    detail: str
    next_step: str


class BadLinesError(Exception):
    """Some lines of a chunk cannot be read; the others may be read without them."""

    def __init__(self, wrong: list[Wrong]) -> None:
        super().__init__()
        self.wrong = wrong


@dataclass(frozen=True)
class BadLine:
    """A line that was left out.

    Attributes:
        line: Number of the line in its split, from 0.
        column: As in ``Wrong``.
        reason: As in ``Wrong``.
        content: What may be shown of it.
    """

    line: int
    column: str
    reason: str
    content: str


@dataclass
class Findings:
    """What was found while a split was read, besides its rows.

    Attributes:
        lines: Lines.
        records: Records, those that were left out included.
        bad: Those that were left out.
        warnings: Findings that touch no stored value, counted.
        contigs: Last position (0-based) of a record on each contig.
    """

    lines: int = 0
    records: int = 0
    bad: list[BadLine] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    contigs: dict[str, int] = field(default_factory=dict)


def left_out(chunk: Chunk, wrong: Wrong, lines_before: int) -> BadLine:
    """A bad line as ``quarantine`` keeps it."""
    return BadLine(lines_before + wrong.number, wrong.column, wrong.reason, site(_line(chunk, wrong.start)))


def refusal(chunk: Chunk, wrong: Wrong, lines_before: int) -> InputError:
    """The error that a bad line makes.

    Args:
        chunk: Its chunk.
        wrong: What is wrong with it.
        lines_before: Lines of the split before the chunk.
    """
    shown = site(_line(chunk, wrong.start))
    fields = shown.split("\t")
    where = f" ({fields[0]}:{fields[1][:20]})" if len(fields) > 1 else ""
    place = _place(chunk, wrong, lines_before)
    return InputError(f"{chunk.split.path}, {place}{where}: {wrong.detail}; the line: {shown}", wrong.next_step)


def site(line: str) -> str:
    """What may be shown of a line: CHROM to FORMAT, 200 characters at most, and no genotype."""
    fields = line.split("\t")
    shown = "\t".join(fields[:SITE_FIELDS])
    if len(fields) < SITE_FIELDS:
        # Columns that are separated by something else.
        words = _WORDS.match(shown)
        shown = words[0] if words else ""
    genotype = _GENOTYPE.search(shown)
    return (shown[: genotype.start()] if genotype else shown)[:SHOWN].rstrip()


def _line(chunk: Chunk, start: int) -> str:
    return bytes(chunk.buffer[start : start + (1 << 16)]).split(b"\n", 1)[0].removesuffix(b"\r").decode(errors="replace")


def _place(chunk: Chunk, wrong: Wrong, lines_before: int) -> str:
    split = chunk.split
    if split.first_line is not None:
        return f"line {split.first_line + lines_before + wrong.number}"
    start = wrong.start if chunk.plain is None else int(chunk.plain.starts[wrong.number])
    position, offset = chunk.marks[bisect_right(chunk.marks, (start, 1 << 62)) - 1]
    within = start - position
    if split.compression == "plain":
        return f"line {_lines_to(split.path, offset + within) + 1}, the line at byte {offset + within}"
    return f"line {_lines_to(split.path, within, offset) + 1}, the line at BGZF virtual offset {offset}:{within}"


def _lines_to(path: str, stop: int, block: int | None = None) -> int:
    """Lines before a byte of a file, or of a BGZF block of it; counted only for a message, as it takes reading all before."""
    if block is not None:
        before = 0
        for at, text in bgzf.blocks(path, 0):
            if at >= block:
                return before + text[:stop].count(b"\n")
            before += text.count(b"\n")
        return before
    with open_bytes(path) as file:
        left, lines = stop, 0
        while left and (piece := file.read(min(left, _PIECE))):
            lines += piece.count(b"\n")
            left -= len(piece)
        return lines
