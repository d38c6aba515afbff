"""The lines of a split, in chunks of whole lines.

A split owns the lines that begin after its first inflated byte, up to and including the line that begins at the first byte after
it; the first split also owns the line at its first byte. So each line has one owner wherever newlines and blocks fall, and no
split needs to look back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genospark.core.calls import Bytes
from genospark.core.paths import open_bytes
from genospark.ingest.vcf import bgzf
from genospark.ingest.vcf.header import gzip_pieces
from genospark.ingest.vcf.index import Range
from genospark.ingest.vcf.splits import Split

CHUNK_BYTES = 8 << 20
TAIL = 4
"""Zero bytes after the text, so that the four bytes at any of its positions can be read as one word."""
_PLAIN_BYTES = 1 << 18
_Piece = tuple[int, int, bytes, bool]
"""Offset in the file of a piece, position of its text in the inflated piece, text, and whether it lies in the split."""


@dataclass(frozen=True)
class PlainCalls:
    """Calls of the lines of a chunk whose genotypes are not in its text: these lines end with FORMAT.

    Attributes:
        lines: (lines of the chunk,) whether a line is one of them.
        starts: (lines of the chunk,) where each line would begin, were they in the text; ``Chunk.marks`` are relative to that.
        packed: (those lines, ceil(n / 4)) uint8, of the one alternate allele 1.
        phase: (those lines, ceil(n / 4)) uint8, as in ``genotypes.Calls``; of no width where it is not kept.
    """

    lines: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]
    packed: Bytes
    phase: Bytes


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a split.

    Attributes:
        buffer: (n + 4,) uint8: n bytes of text, of which the last is a newline, and four zero bytes.
        split: Split the lines belong to.
        marks: Position of each piece that the text was read from, relative to the text, and its offset in the file; ascending.
        ended: False where the newline at the end is not in the file.
        plain: Genotypes that are decoded and no longer in the text; None where all are in it.
    """

    buffer: npt.NDArray[np.uint8]
    split: Split
    marks: list[tuple[int, int]]
    ended: bool = True
    plain: PlainCalls | None = None

    @property
    def text(self) -> npt.NDArray[np.uint8]:
        """(n,) uint8: the text without the bytes after it."""
        return self.buffer[:-TAIL]


def read_chunks(split: Split) -> Iterator[Chunk]:
    """Read the lines that a split owns, in chunks of about ``CHUNK_BYTES``.

    A last line without a newline gets one. Memory: the text of a chunk, or of the longest line where that is longer.
    """
    for parts, marks, ended in whole_lines(split, CHUNK_BYTES):
        yield Chunk(np.frombuffer(b"".join([*parts, bytes(TAIL)]), np.uint8), split, marks, ended)


def whole_lines(split: Split, size: int) -> Iterator[tuple[list[bytes], list[tuple[int, int]], bool]]:
    """The lines that a split owns, whole ones of about ``size`` bytes together.

    Yields:
        Parts of their text, and what ``Chunk`` has as ``marks`` and ``ended``.
    """
    parts: list[bytes] = []
    marks: list[tuple[int, int]] = []
    there = 0
    for offset, within, text, owned in _owned_text(split):
        marks.append((there - within, offset))
        cut = text.rfind(b"\n") + 1 if there + len(text) >= size or not owned else 0
        if not cut:
            parts.append(text)
            there += len(text)
            continue
        yield [*parts, text[:cut]], marks, True
        parts, marks, there = [text[cut:]], [(-within - cut, offset)], len(text) - cut
    if there:
        ended = parts[-1].endswith(b"\n")
        yield parts if ended else [*parts, b"\n"], marks, ended


def _owned_text(split: Split) -> Iterator[_Piece]:
    """The text of the lines that a split owns; what is not marked as its own ends with the last of these lines."""
    if split.ranges is not None:
        yield from _between(split.path, split.ranges)
        return
    pieces = _pieces(split)
    if not split.first:
        for offset, within, text, owned in pieces:
            if not owned:
                return
            if begin := text.find(b"\n") + 1:
                yield offset, within + begin, text[begin:], True
                break
        else:
            return
    skip = split.skip
    for offset, within, text, owned in pieces:
        begin = min(skip, len(text))
        skip -= begin
        end = 0 if owned else text.find(b"\n") + 1
        yield offset, within + begin, text[begin : end or None], not end
        if end:
            return


def _between(path: str, ranges: Iterable[Range]) -> Iterator[_Piece]:
    """The text between places that an index has."""
    for (start, skip), (stop, stop_skip) in ranges:
        for offset, text in bgzf.blocks(path, start):
            if offset > stop or (offset == stop and not stop_skip):
                break
            yield offset, skip, text[skip : stop_skip if offset == stop else None], True
            skip = 0


def _pieces(split: Split) -> Iterator[_Piece]:
    """Inflated text from the first piece of a split to the end of the file, marked with whether it begins in the split."""
    if split.compression == "gzip":
        yield from ((0, 0, text, True) for text in gzip_pieces(split.path))
    elif split.compression == "bgzf":
        start = split.start if split.first else bgzf.find_block(split.path, split.start, split.stop)
        if start is not None:
            yield from ((at, 0, text, at < split.stop) for at, text in bgzf.blocks(split.path, start))
    else:
        with open_bytes(split.path) as file:
            file.seek(split.start)
            at = split.start
            while text := file.read(min(_PLAIN_BYTES, split.stop - at) if at < split.stop else _PLAIN_BYTES):
                yield at, 0, text, at < split.stop
                at += len(text)
