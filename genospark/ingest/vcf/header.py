"""The header of a VCF: what kind of file it is, whose genotypes it holds and where its records begin."""

from __future__ import annotations

import itertools
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isal import igzip

from genospark.core.paths import open_bytes, reason
from genospark.errors import InputError
from genospark.ingest.vcf import bgzf
from genospark.ingest.vcf.index import RecordIndex
from genospark.ingest.vcf.regions import Regions

Compression = Literal["bgzf", "gzip", "plain"]
SITE_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
PIECE_BYTES = 1 << 20
GZIP = "a file is compressed with gzip, not with bgzip: one task reads all of it"
log = logging.getLogger("genospark.ingest.vcf")
_NOT_VCF = "give a VCF 4.x file: plain text or, better, compressed with `bgzip` (`bcftools view -Oz` converts BCF)"


@dataclass(frozen=True)
class VcfHeader:
    """What the header of a VCF says.

    Attributes:
        path: File.
        version: VCF version, such as ``4.2``.
        compression: How the file is compressed; only ``bgzf`` and ``plain`` can be split.
        contigs: Length of each contig in base pairs (None where not stated), in the order of the header.
        sample_ids: People, in the order of the columns.
        n_columns: Columns of every record: 8 (sites only), 9, or 9 + number of people.
        data_start: Byte offset of the first record, or of the BGZF block in which the header ends; 0 for gzip.
        data_skip: Inflated bytes between ``data_start`` and the first record.
        data_line: Line number of the first record, from 1.
        warnings: Findings that touch no stored value, counted.
        declarations: Lines that declare INFO and FORMAT fields.
        keep: What is kept of genotypes beside the calls: ``phase``, and names of ``measured.MEASURED``.
        regions: Regions that records have to overlap; all records where None.
        index: What says where in the file they are; only looked for where regions are chosen.
    """

    path: str
    version: str
    compression: Compression
    contigs: dict[str, int | None]
    sample_ids: tuple[str, ...]
    n_columns: int
    data_start: int
    data_skip: int
    data_line: int
    warnings: dict[str, int]
    declarations: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    regions: Regions | None = None
    index: RecordIndex | None = None

    @property
    def people_at(self) -> tuple[str, str, int]:
        """Where people are named: file, what of it each has, and the number of the first one's."""
        return self.path, "columns", 10


def read_header(path: str | Path) -> VcfHeader:
    """Read and check the header of a VCF.

    Raises:
        InputError: The file is absent or empty, is not a VCF, or its header is not as the specification asks.
    """
    path = str(path)
    compression = compression_of(path)
    if compression == "gzip":
        log.warning(
            "%s is compressed with gzip, not with bgzip: one process must read all of it. "
            "To read it in parallel: gzip -dc '%s' | bgzip -c > new.vcf.gz (or bcftools view -Oz)",
            path,
            path,
        )
    lines: list[str] = []
    warnings: Counter[str] = Counter({GZIP: 1} if compression == "gzip" else {})
    for (start, skip), raw in raw_lines(path, compression):
        text = _decode(raw.removesuffix(b"\n").removesuffix(b"\r"), path, len(lines) + 1, warnings)
        if not lines and not text.startswith("##fileformat=VCFv4."):
            raise InputError(
                # What a file of another kind begins with may be about people.
                f"{path}, line 1: not a VCF 4.x file: it should begin with ##fileformat=VCFv4.x"
                + (f" but begins with {text[:200]!r}" if text.startswith("##") else ""),
                _NOT_VCF,
            )
        lines.append(text)
        if text.startswith("#CHROM"):
            columns = text.split("\t")
            return VcfHeader(
                path=path,
                version=lines[0].removeprefix("##fileformat=VCFv"),
                compression=compression,
                contigs=contigs_of(lines, warnings),
                sample_ids=sample_ids_of(columns, path, len(lines)),
                n_columns=len(columns),
                data_start=start,
                data_skip=skip,
                data_line=len(lines) + 1,
                warnings=dict(warnings),
                declarations=declarations_of(lines),
            )
        if not text.startswith("##"):
            raise InputError(
                f"{path}, line {len(lines)}: the #CHROM line is missing: a record or other text comes first",
                "put the line of column names (#CHROM, POS, ...) between the ## lines and the records",
            )
    if not lines:
        raise InputError(f"{path}: the file is empty", _NOT_VCF)
    raise InputError(f"{path}: the file ends after {len(lines)} header lines, without a #CHROM line", _NOT_VCF)


def gzip_pieces(path: str) -> Iterator[bytes]:
    """Inflate a gzip file without BGZF blocks, in pieces.

    Raises:
        InputError: The file is truncated or damaged.
    """
    again = "copy or download the file again, and check it with `gzip -t`"
    try:
        with open_bytes(path) as packed, igzip.open(packed, "rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    except EOFError as error:
        raise InputError(f"{path}: the gzip file is truncated ({error})", again) from error
    except (OSError, bgzf.InflateError) as error:
        raise InputError(f"{path}: the gzip file is damaged ({error})", again) from error


def compression_of(path: str) -> Compression:
    """How a file is compressed, by its first bytes.

    Raises:
        InputError: It cannot be opened.
    """
    try:
        with open_bytes(path) as file:
            head = file.read(4096)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({reason(error)})", "check the path and its permissions") from error
    if bgzf.block_bytes(head) is not None:
        return "bgzf"
    return "gzip" if head.startswith(b"\x1f\x8b") else "plain"


def raw_lines(path: str, compression: Compression) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Lines with their line ends, each with (offset, skip) of the byte after it, as in ``VcfHeader``.

    Raises:
        InputError: The compressed data are damaged.
    """
    pieces: Iterator[tuple[int, bytes]]
    if compression == "bgzf":
        pieces = bgzf.blocks(path, 0)
    elif compression == "gzip":
        pieces = zip(itertools.repeat(0), gzip_pieces(path))
    else:
        pieces = _plain_pieces(path)
    rest = b""
    seen = 0
    for offset, piece in pieces:
        at = 0
        while (end := piece.find(b"\n", at)) >= 0:
            yield _place(compression, offset, end + 1, seen), rest + piece[at : end + 1]
            rest, at = b"", end + 1
        rest += piece[at:]
        seen += len(piece)
    if rest:
        yield _place(compression, offset, len(piece), seen - len(piece)), rest


def _place(compression: Compression, offset: int, within: int, seen: int) -> tuple[int, int]:
    if compression == "bgzf":
        return offset, within
    return (0, seen + within) if compression == "gzip" else (seen + within, 0)


def _plain_pieces(path: str) -> Iterator[tuple[int, bytes]]:
    with open_bytes(path) as file:
        while piece := file.read(PIECE_BYTES):
            yield 0, piece


def _decode(raw: bytes, path: str, line: int, warnings: Counter[str]) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if raw.startswith(b"##") and line > 1:
            warnings["a line of the header is not UTF-8 text"] += 1
            return raw.decode(errors="replace")
        raise InputError(f"{path}, line {line}: not UTF-8 text", _NOT_VCF) from error


def declarations_of(lines: list[str]) -> tuple[str, ...]:
    """Lines that declare INFO and FORMAT fields."""
    return tuple(line for line in lines if line.startswith(("##INFO=<", "##FORMAT=<")))


def contigs_of(lines: list[str], warnings: Counter[str]) -> dict[str, int | None]:
    """Contigs that lines of a header declare, with their lengths."""
    contigs: dict[str, int | None] = {}
    for line in lines:
        if line.startswith("##") and "=" not in line:
            warnings["a line of the header is not KEY=VALUE"] += 1
        if not line.startswith("##contig=<"):
            continue
        name = re.search(r"[<,]ID=([^,>]+)", line)
        if not name:
            warnings["a ##contig line of the header has no ID"] += 1
            continue
        if name[1] in contigs:
            warnings["a contig stands more than once in the header"] += 1
        length = re.search(r"[<,]length=(\d{1,18})[,>]", line)
        contigs[name[1]] = int(length[1]) if length else None
    return contigs


def sample_ids_of(columns: list[str], path: str, line: int) -> tuple[str, ...]:
    """People that the line of column names names.

    Raises:
        InputError: It does not name the columns as it should, or two people alike.
    """
    expected = (*SITE_COLUMNS, "FORMAT")[: max(len(columns), len(SITE_COLUMNS))]
    if tuple(columns[:9]) != expected:
        # What stands there may be somebody's id.
        wrong = next((place for place, name in enumerate(expected) if columns[place : place + 1] != [name]), 8)
        raise InputError(
            f"{path}, line {line}: wrong column names: expected {' '.join(expected)} (with tabs) but column {wrong + 1} is not "
            f"{expected[wrong]}",
            "correct the #CHROM line",
        )
    ids = tuple(columns[9:])
    places: dict[str, list[str]] = {}
    for place, sample in enumerate(ids, 10):
        places.setdefault(sample, []).append(str(place))
    repeated = [found for found in places.values() if len(found) > 1]
    if repeated or "" in ids:
        same = "; ".join(" and ".join(found[:3]) for found in repeated[:5])
        what = f"sample ids that occur more than once: columns {same}" if repeated else "an empty sample id"
        raise InputError(f"{path}, line {line}: {what}", "give each person one id (`bcftools reheader -s` renames)")
    return ids
