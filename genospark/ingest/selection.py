"""Parts of files of genotypes: regions of the genome, and some of the people."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from genospark.core.builds import prefix_hint
from genospark.core.paths import reason
from genospark.errors import InputError
from genospark.ingest.bcf import BcfHeader
from genospark.ingest.genotype_files import Header
from genospark.ingest.vcf import VcfHeader
from genospark.ingest.vcf.index import RecordIndex, find_index
from genospark.ingest.vcf.regions import Interval, Regions, parse_region

_POSITION = re.compile("^[0-9]{1,15}$")
_SHOWN = 10
Variants = VcfHeader | BcfHeader


class _Pseudonyms(Protocol):
    def of(self, ids: list[str]) -> list[str]: ...


def read_bed(path: Path) -> list[Interval]:
    """Regions of a BED file: contig, start (0-based), end (exclusive).

    Raises:
        InputError: A line has no such columns.
    """
    found = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        parts = line.split()
        if len(parts) < 3 or not (_POSITION.match(parts[1]) and _POSITION.match(parts[2])):
            raise InputError(f"{path}: line {number}: not contig, start and end", "write BED: contig, 0-based start, exclusive end")
        found.append((parts[0], int(parts[1]), int(parts[2])))
    return found


def read_ids(path: Path) -> dict[str, int]:
    """Ids of people, one a line, and the lines they stand on.

    Raises:
        InputError: The list cannot be read, or names nobody.
    """
    found: dict[str, int] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            found.setdefault(line.strip(), number)
    if not found:
        raise InputError(f"{path}: names nobody", "write one id a line")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        what = reason(error) if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{path}: cannot be read ({what})", "check the path") from None


def within(headers: Sequence[Variants], regions: list[str] | Path, by_index: bool) -> list[Variants]:
    """Headers of which only records are read that overlap regions.

    Args:
        headers: Of all files.
        regions: As ``bcftools view -r`` takes them, or a BED file.
        by_index: As of ``Regions``.

    Raises:
        InputError: A region is none, no file has its contig, or an index is damaged or of another file.
    """
    headers = [replace(header, index=_index(header)) if isinstance(header, VcfHeader) else header for header in headers]
    known = [_contigs(header) for header in headers]
    contigs = {name for names in known for name in names or ()}
    intervals = read_bed(regions) if isinstance(regions, Path) else [parse_region(text, contigs) for text in regions]
    if not intervals:
        raise InputError(f"{regions}: holds no region", "write BED: contig, 0-based start, exclusive end")
    if all(names is not None for names in known):
        _check((name for name, *_ in intervals), contigs)
    chosen = Regions.of(intervals, by_index)
    return [replace(header, regions=chosen) for header in headers]


def check_regions(headers: Sequence[Header], seen: Collection[str]) -> None:
    """Checks, where only records told which contigs there are, that regions name one of them.

    Raises:
        InputError: They do not.
    """
    for header in headers:
        if isinstance(header, VcfHeader) and header.regions and _contigs(header) is None:
            _check(header.regions.spans, {*seen, *(name for one in headers for name in one.contigs or ())})


def _check(named: Iterable[str], there: Collection[str]) -> None:
    """Checks that files have the contigs that regions name.

    Raises:
        InputError: None has one of them.
    """
    absent = sorted(set(named) - set(there))
    if absent:
        some = ", ".join(sorted(there)[:_SHOWN]) or "none"
        raise InputError(f"regions: no file has the contig {', '.join(absent[:_SHOWN])}{prefix_hint(absent, there)}", f"name one of {some}")


def _index(header: VcfHeader) -> RecordIndex | None:
    return find_index(header.path) if header.compression == "bgzf" else None


def _contigs(header: Variants) -> set[str] | None:
    """Contigs of a file; None where only its records tell."""
    names = set(header.contigs)
    if isinstance(header, VcfHeader):
        return names.union(header.index.names if header.index else ()) or None
    return names


def chosen_people(headers: Sequence[Header], path: Path, pseudonyms: _Pseudonyms) -> frozenset[str]:
    """People of a list, as tables name them.

    Args:
        headers: Of all files, with people named as tables name them.
        path: Text file with one person a line, by original id or by sampleId.
        pseudonyms: Names people.

    Raises:
        InputError: The list cannot be read, or somebody on it is in none of the files.
    """
    lines = read_ids(path)
    names = dict(zip(pseudonyms.of(list(lines)), lines.values(), strict=True))
    absent = sorted(names[name] for name in set(names).difference(*(header.sample_ids for header in headers)))
    if absent:
        listed = ", ".join(map(str, absent[:_SHOWN])) + (", ..." if len(absent) > _SHOWN else "")
        raise InputError(f"{path}: {len(absent)} of {len(lines)} people are in none of the files: on lines {listed}", "check their ids")
    return frozenset(names)
