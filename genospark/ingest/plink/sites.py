"""Variants of PLINK's files: lines of ``.bim`` as the sites that all formats share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from genospark.core.paths import open_bytes, reason
from genospark.errors import InputError
from genospark.ingest.vcf.faults import SHOWN, BadLine, Findings
from genospark.ingest.vcf.lines import Ints
from genospark.ingest.vcf.sites import Sites

ReferenceAllele = Literal["first", "last"]
CONTIGS = {"23": "X", "24": "Y", "25": "X", "26": "MT", "XY": "X", "M": "MT"}
"""PLINK's codes of chromosomes, as VCFs name these; 25, the pseudo-autosomal part of X, is X, with calls of two alleles."""
NOT_BASES = "an allele is not of the letters A, C, G, T and N"
_COLUMNS = 6
_PIECE = 1 << 22
_X, _OTHERS = ("23", "X", "chrX"), ("24", "Y", "chrY", "26", "M", "MT", "chrM", "chrMT")
_NONE = ("0", ".")
_MEND = "correct the line, or leave the variant out (`plink2 --exclude`)"


@dataclass(frozen=True)
class BimSites:
    """Lines of a ``.bim`` file.

    Attributes:
        sites: Their sites.
        good: (lines,) places of these among all lines.
        of_males: (sites,) whether only women have two alleles there: X.
        of_one: (sites,) whether nobody has two alleles there: Y and MT.
    """

    sites: Sites
    good: Ints
    of_males: npt.NDArray[np.bool_]
    of_one: npt.NDArray[np.bool_]


def line_starts(path: str, every: int) -> tuple[list[int], int]:
    """Bytes at which every so many-th line begins, and how many lines there are; reads the file once, in pieces.

    Raises:
        InputError: The file cannot be read.
    """
    starts, lines, at, last = [0], 0, 0, b"\n"
    try:
        with open_bytes(path) as file:
            while piece := file.read(_PIECE):
                ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == ord("\n"))
                wanted = ends[(-lines - 1) % every :: every]
                starts += (wanted + at + 1).tolist()
                lines, at, last = lines + len(ends), at + len(piece), piece[-1:]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason(error)})", "put it beside the file of genotypes, under the same name") from None
    return [start for start in starts if start < at], lines + (last != b"\n")


def read_lines(path: str, start: int, n: int, each: int, opened: Callable[[str], Any] = open_bytes) -> Iterator[pa.StringArray]:
    """`n` lines of a file from a byte of its text on, or all there are, `each` at a time, without their ends.

    Args:
        path: File.
        start: First byte.
        n: Lines.
        each: Lines at a time.
        opened: Opens the file.
    """
    with opened(path) as file:
        if opened is open_bytes:
            file.seek(start)
        else:
            while start and (skipped := file.read(min(start, _PIECE))):
                start -= len(skipped)
        rest, more = b"", True
        while n > 0:
            while more and rest.count(b"\n") < min(each, n):
                piece = file.read(_PIECE)
                rest, more = rest + piece, bool(piece)
            lines = rest.split(b"\n", min(each, n))
            rest = lines.pop() if more or len(lines) > min(each, n) or not lines[-1] else b""
            if not lines:
                return
            yield pa.array(lines, pa.binary()).cast(pa.string(), safe=False)
            n -= len(lines)


def bim_sites(
    path: str, lines: pa.StringArray, first_line: int, before: int, ref: ReferenceAllele, found: Findings, quarantine: bool
) -> BimSites:
    """Reads lines of a ``.bim`` file.

    Args:
        path: File.
        lines: Lines.
        first_line: Number of the first in the file, from 1.
        before: Number of the first in its split, from 0.
        ref: Which of the two alleles, A1 or A2, is the reference.
        found: Takes up bad lines and warnings.
        quarantine: Whether bad lines are left out.

    Raises:
        InputError: A line is bad, and not to be left out.
    """

    def place(at: int) -> tuple[str, str]:
        return f"{path}, line {first_line + at}", lines[at].as_py()[:SHOWN]

    words = pc.ascii_split_whitespace(pc.ascii_trim_whitespace(lines))
    whole = pc.list_value_length(words).to_numpy(zero_copy_only=False) == _COLUMNS
    good = sift([(~whole, "", "not the six columns of a .bim file")], np.arange(len(lines)), before, place, found, quarantine)
    flat = words.filter(pa.array(whole)).flatten()
    table = [flat.take(pa.array(np.arange(len(good)) * _COLUMNS + column)) for column in range(_COLUMNS)]
    stays = sift(
        site_checks(table[0], table[3], table[_reference(ref)], table[9 - _reference(ref)]), good, before, place, found, quarantine
    )
    kept = pa.array(np.isin(good, stays))
    table = [column.filter(kept) for column in table]
    return BimSites(_sites(table, ref, found), stays, is_of_males(table[0]), is_of_one(table[0]))


Checks = list[tuple[npt.NDArray[np.bool_], str, str]]


def site_checks(contig: pa.StringArray, position: pa.StringArray, reference: pa.StringArray, alternate: pa.StringArray) -> Checks:
    """What may be wrong with sites: masks, each with the column and the reason."""
    return [
        (~_matches(position, "^[0-9]{1,18}$"), "position", "the position is no positive integer"),
        (_matches(contig, "^0$") | _matches(position, "^0+$"), "position", "the variant has no place (chromosome or position 0)"),
        (_is_in(reference, _NONE), "alleles", "the reference allele is not known"),
        (_matches(reference, ",") | _matches(alternate, ","), "alleles", "an allele has a comma"),
        (pc.equal(reference, alternate).to_numpy(zero_copy_only=False), "alleles", "both alleles are the same"),
    ]


def sift(checks: Checks, rows: Ints, before: int, place: Callable[[int], tuple[str, str]], found: Findings, quarantine: bool) -> Ints:
    """Leaves out what is wrong.

    Args:
        checks: Masks over the rows.
        rows: Numbers of the rows in their chunk.
        before: Number of the chunk's first in its split.
        place: Of a row's number, where it is, and what may be shown of it.
        found: Takes up what is left out.
        quarantine: Whether anything may be.

    Returns:
        Numbers of the rows that are right.

    Raises:
        InputError: Something is wrong, and nothing may be left out.
    """
    masks = np.array([mask for mask, _, _ in checks])
    wrong = masks.any(axis=0)
    for index in np.flatnonzero(wrong).tolist():
        _, column, what = checks[int(masks[:, index].argmax())]
        at = int(rows[index])
        where, shown = place(at)
        if not quarantine:
            raise InputError(f"{where}: {what}; it reads: {shown}", _MEND)
        found.bad.append(BadLine(before + at, column, what, shown))
    stays: Ints = rows[~wrong]
    return stays


def _reference(ref: ReferenceAllele) -> int:
    return 4 if ref == "first" else 5


def _matches(column: pa.StringArray, pattern: str) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.match_substring_regex(column, pattern).to_numpy(zero_copy_only=False)
    return found


def _is_in(column: pa.StringArray, values: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.is_in(column, pa.array(values)).to_numpy(zero_copy_only=False)
    return found


def is_of_males(codes: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Where only women have two alleles: X, but for its pseudo-autosomal part, which has a code of its own."""
    return _is_in(codes, _X)


def is_of_one(codes: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Where nobody has two alleles: Y and MT."""
    return _is_in(codes, _OTHERS)


def contig_names(codes: pa.StringArray) -> pa.StringArray:
    """Names of chromosomes as VCFs have them."""
    encoded = codes.dictionary_encode()
    names = pa.array(
        [CONTIGS.get(code, code.lstrip("0") if code.isdigit() else code) for code in encoded.dictionary.to_pylist()], pa.string()
    )
    return names.take(encoded.indices)


def simple_sites(
    contig: pa.StringArray, position: Ints, names: pa.StringArray, reference: pa.StringArray, alternate: pa.StringArray, found: Findings
) -> Sites:
    """Sites with one alternate allele, or none where it is 0 or a dot; without quality and filters."""
    n = len(contig)
    start = position - 1
    known = ~_is_in(alternate, _NONE)
    odd = ~(_matches(reference, "^[ACGTNacgtn]+$") & (_matches(alternate, r"^([ACGTNacgtn]+|\*|<.*>)$") | ~known))
    if odd.any():
        found.warnings[NOT_BASES] += int(odd.sum())
    offsets = np.concatenate([[0], np.cumsum(known)]).astype(np.int32)
    named = ~_is_in(names, (".",))
    return Sites(
        contig=contig_names(contig),
        start=start,
        end=start + pc.binary_length(reference).to_numpy(zero_copy_only=False),
        names=pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(named)]).astype(np.int32)), names.filter(pa.array(named))),
        reference=reference,
        alternates=pa.ListArray.from_arrays(pa.array(offsets), alternate.filter(pa.array(known))),
        qual=pa.nulls(n, pa.float64()),
        filters=pa.ListArray.from_arrays(pa.array(np.zeros(n + 1, np.int32)), pa.array([], pa.string())),
        has_genotypes=np.ones(n, bool),
        n_unusable_ends=0,
    )


def _sites(table: list[pa.StringArray], ref: ReferenceAllele, found: Findings) -> Sites:
    reference = _reference(ref)
    position = table[3].cast(pa.int64()).to_numpy(zero_copy_only=False)
    return simple_sites(table[0], position, table[1], table[reference], table[9 - reference], found)
