"""Variants of PLINK 2: lines of ``.pvar`` files, compressed by zstd or not, read as those of a sites-only VCF, which they nearly are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genospark.core.paths import open_bytes, reason
from genospark.errors import InputError
from genospark.ingest.plink.sites import contig_names, is_of_males, is_of_one, read_lines
from genospark.ingest.vcf.chunks import TAIL, Chunk
from genospark.ingest.vcf.faults import BadLinesError, Findings, left_out, refusal
from genospark.ingest.vcf.header import SITE_COLUMNS
from genospark.ingest.vcf.lines import Ints, find_lines
from genospark.ingest.vcf.sites import Bools, Sites, read_sites
from genospark.ingest.vcf.splits import Split

_BIM = ("#CHROM", "ID", "CM", "POS", "ALT", "REF")
_NEEDED = ("#CHROM", "POS", "ID", "REF", "ALT")
_EACH = 1 << 16


@dataclass(frozen=True)
class Pvar:
    """What a ``.pvar`` file holds.

    Attributes:
        path: File.
        columns: Names of its columns.
        header_lines: Lines before the first variant's.
        n: Variants.
        starts: Byte of the text at which every so many-th variant's line begins.
        every: How many these are.
        several: Numbers of the variants that have several alternate alleles.
        n_alternates: How many these have.
    """

    path: str
    columns: tuple[str, ...]
    header_lines: int
    n: int
    starts: tuple[int, ...]
    every: int
    several: Ints
    n_alternates: Ints

    def allele_offsets(self) -> Any:
        """Alleles before each variant, as ``pgenlib`` asks for; None where all have two."""
        if not len(self.several):
            return None
        counts = np.full(self.n, 2, np.uintp)
        counts[self.several] = self.n_alternates + 1
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.uintp)


@contextmanager
def open_text(path: str) -> Iterator[Any]:
    """The text of a file whose name may end with ``.zst``.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with open_bytes(path) as file:
            yield pa.CompressedInputStream(pa.PythonFile(file), "zstd") if path.endswith(".zst") else file
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({reason(error)})", "copy the file again, or make it anew (`plink2 --make-pgen`)"
        ) from None


def read_pvar(path: str, every: int) -> Pvar:
    """Looks through a ``.pvar`` file once, a piece at a time.

    Args:
        path: File.
        every: After how many variants the place of a line is kept.

    Raises:
        InputError: It cannot be read, or lacks columns.
    """
    header: list[str] = []
    with open_text(path) as file:
        head = file.read(1 << 16)
        while not head.rpartition(b"\n")[0] or head[: head.rfind(b"\n") + 1].splitlines()[-1].startswith(b"##"):
            more = file.read(1 << 16)
            if not more:
                break
            head += more
    for raw in head.splitlines():
        line = raw.decode(errors="replace")
        if not line.startswith("#"):
            break
        header.append(line)
    columns = tuple(header[-1].split()) if header and header[-1].startswith("#CHROM") else _BIM
    if missing := [name for name in _NEEDED if name not in columns]:
        raise InputError(f"{path}: no column {missing[0]}", "make it anew (`plink2 --make-pgen`)")
    begin = sum(len(raw) + 1 for raw in head.splitlines()[: len(header)])
    starts, several, counts, n, at = [], [], [], 0, begin
    alternate = columns.index("ALT")
    for lines in read_lines(path, begin, 1 << 62, _EACH, open_text):
        lengths = pc.binary_length(lines).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        places = at + np.concatenate([[0], np.cumsum(lengths)])
        starts += places[:-1][(-n) % every :: every].tolist()
        words = pc.ascii_split_whitespace(lines)
        found = pc.count_substring(
            pc.list_element(words.filter(pc.greater(pc.list_value_length(words), alternate)), alternate), ","
        ).to_numpy()
        if len(found) == len(lines) and found.any():
            which = np.flatnonzero(found)
            several.append(which + n)
            counts.append(found[which] + 1)
        n, at = n + len(lines), int(places[-1])
    nobody = np.zeros(0, np.int64)
    return Pvar(
        path,
        columns,
        len(header),
        n,
        tuple(starts),
        every,
        np.concatenate([nobody, *several]).astype(np.int64),
        np.concatenate([nobody, *counts]).astype(np.int64),
    )


@dataclass(frozen=True)
class PvarSites:
    """Lines of a ``.pvar`` file; as ``BimSites``."""

    sites: Sites
    good: Ints
    of_males: Bools
    of_one: Bools


def pvar_sites(pvar: Pvar, lines: pa.StringArray, first: int, before: int, found: Findings, quarantine: bool) -> PvarSites | None:
    """Reads lines of a ``.pvar`` file; None where none is left.

    Args:
        pvar: The file.
        lines: Lines.
        first: Number of the first variant in the file, from 0.
        before: Number of the first in its split, from 0.
        found: Takes up bad lines and warnings.
        quarantine: Whether bad lines are left out.

    Raises:
        InputError: A line is bad, and not to be left out.
    """
    chunk = _as_vcf(pvar, lines, pvar.header_lines + 1 + first - before)
    good, wrong, _ = find_lines(chunk)
    sites: Sites | None = None
    while len(good) and sites is None:
        try:
            sites = read_sites(good)
        except BadLinesError as bad:
            wrong += bad.wrong
            good = good.without(bad.wrong)
    for entry in sorted(wrong, key=lambda one: one.start):
        if not quarantine:
            raise refusal(chunk, entry, before)
        found.bad.append(left_out(chunk, entry, before))
    if sites is None:
        return None
    return PvarSites(replace(sites, contig=contig_names(sites.contig)), good.numbers, is_of_males(sites.contig), is_of_one(sites.contig))


def _as_vcf(pvar: Pvar, lines: pa.StringArray, first_line: int) -> Chunk:
    """The same variants as lines of a VCF; what stands in no column is a dot, and a line of too few columns stays too short."""
    words = pc.ascii_split_whitespace(lines)
    whole = pc.greater_equal(pc.list_value_length(words), len(pvar.columns))
    padded = pc.if_else(whole, lines, "\t".join(["."] * len(pvar.columns)))
    words = pc.ascii_split_whitespace(padded)
    fields = [
        pc.list_element(words, pvar.columns.index(name)) if name in pvar.columns else pa.array(["."] * len(lines)) for name in SITE_COLUMNS
    ]
    # PLINK writes 0 for an allele that is not known.
    alternate = SITE_COLUMNS.index("ALT")
    fields[alternate] = pc.if_else(pc.equal(fields[alternate], "0"), ".", fields[alternate])
    rows = pc.if_else(whole, pc.binary_join_element_wise(*fields, "\t"), pc.binary_join_element_wise("too few columns:", lines, " "))
    text = "".join(f"{row}\n" for row in rows.to_pylist()).encode()
    split = Split(pvar.path, 0, 0, "plain", len(SITE_COLUMNS), 0, first_line=first_line)
    return Chunk(np.frombuffer(text + bytes(TAIL), np.uint8), split, [])
