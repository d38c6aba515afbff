"""The header of a BCF file. Format: "The Variant Call Format Specification", section "BCF specification"."""

from __future__ import annotations

import re
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from genospark.core.paths import open_bytes, reason
from genospark.errors import InputError
from genospark.ingest.vcf import bgzf
from genospark.ingest.vcf.header import contigs_of, declarations_of, sample_ids_of
from genospark.ingest.vcf.regions import Regions

_MAGIC, _VERSIONS = b"BCF\2", (1, 2)
_PREFIX_BYTES = 9
_DICTIONARY = re.compile(r"##(FILTER|INFO|FORMAT|contig)=<(?:.*,)?ID=([^,>]+)")
_IDX = re.compile(r"[<,]IDX=(\d+)[,>]")
AGAIN = "make it anew: `bcftools view -Ob`"


@dataclass(frozen=True)
class BcfHeader:
    """What the header of a BCF file says.

    Attributes:
        path: File.
        contigs: Length of each contig in base pairs, None where not stated.
        contig_names: Their names by their numbers in records; empty where a number is not used.
        strings: Names of filters and fields by their numbers.
        sample_ids: People.
        data_start: Byte of the BGZF block in which records begin.
        data_skip: Inflated bytes of it before them.
        warnings: Findings that touch no stored value, counted.
        declarations: Lines that declare INFO and FORMAT fields.
        keep: As in ``VcfHeader``.
        regions: As there.
    """

    path: str
    contigs: dict[str, int | None]
    contig_names: tuple[str, ...]
    strings: tuple[str, ...]
    sample_ids: tuple[str, ...]
    data_start: int
    data_skip: int
    warnings: dict[str, int]
    declarations: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    regions: Regions | None = None
    data_line: int = 1

    @property
    def people_at(self) -> tuple[str, str, int]:
        """As in ``genotype_files.Header``."""
        return self.path, "samples", 1


def is_bcf(path: Path | str) -> bool:
    """Whether a file begins as BCF does.

    Raises:
        InputError: It is BCF, but not bgzipped.
    """
    try:
        with open_bytes(path) as file:
            head = file.read(bgzf.MAX_BLOCK_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({reason(error)})", "check the path and its permissions") from None
    if head.startswith(b"BCF"):
        raise InputError(f"{path}: BCF that is not compressed", AGAIN)
    if bgzf.block_bytes(head) is None:
        return False
    return next((text for _, text in bgzf.blocks(str(path), 0)), b"").startswith(b"BCF")


def read_bcf_header(path: Path | str) -> BcfHeader:
    """Reads the header of a BCF file.

    Raises:
        InputError: It is of another version, its header is cut short, or as ``vcf.read_header``.
    """
    path = str(path)
    data, text_bytes, offset, before = b"", 0, 0, 0
    for at, block in bgzf.blocks(path, 0):
        offset, before = at, len(data)
        data += block
        if not text_bytes and len(data) >= _PREFIX_BYTES:
            if data[:4] != _MAGIC or data[4] not in _VERSIONS:
                raise InputError(f"{path}: BCF of another version than 2.1 and 2.2", AGAIN)
            text_bytes = struct.unpack_from("<I", data, 5)[0] + _PREFIX_BYTES
        if text_bytes and len(data) >= text_bytes:
            break
    else:
        raise InputError(f"{path}: the file ends within its header", AGAIN)
    try:
        lines = data[_PREFIX_BYTES:text_bytes].rstrip(b"\0").decode().splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: the header is not UTF-8 text", AGAIN) from None
    if not lines or not lines[-1].startswith("#CHROM"):
        raise InputError(f"{path}: the header has no #CHROM line at its end", AGAIN)
    warnings: Counter[str] = Counter()
    contigs = contigs_of(lines, warnings)
    people = sample_ids_of(lines[-1].split("\t"), path, len(lines))
    return BcfHeader(path, contigs, *_dictionaries(lines), people, offset, text_bytes - before, dict(warnings), declarations_of(lines))


def _dictionaries(lines: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of contigs, and of filters and fields, by the numbers that stand for them: those stated, or else the order of the lines."""
    contigs: dict[int, str] = {}
    strings: dict[int, str] = {0: "PASS"}
    for line in lines:
        found = _DICTIONARY.match(line)
        if not found:
            continue
        names = contigs if found[1] == "contig" else strings
        stated = _IDX.search(line)
        if stated:
            names[int(stated[1])] = found[2]
        elif found[2] not in names.values():
            names[len(names)] = found[2]
    contig_names, string_names = (tuple(names.get(n, "") for n in range(max(names, default=-1) + 1)) for names in (contigs, strings))
    return contig_names, string_names
