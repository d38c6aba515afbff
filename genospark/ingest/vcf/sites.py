"""The columns of a VCF before the genotypes, as Arrow arrays: one pass a column, no loop over records."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from genospark.ingest.vcf.lines import Ints, Lines

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sites:
    """The site of each record of a chunk; arrays of length ``lines``.

    Attributes:
        contig: CHROM.
        start: First base of REF, 0-based; -1 for POS 0, which stands for a telomere.
        end: Exclusive end: INFO END where present, else start + length of REF.
        names: ID, split at semicolons; empty for a dot.
        reference: REF.
        alternates: ALT, split at commas; empty for a dot.
        qual: QUAL, Phred-scaled; null for a dot.
        filters: FILTER, split at semicolons; empty for a dot.
        has_genotypes: True where FORMAT begins with GT.
        n_unusable_ends: Records whose INFO END lies before POS and was not used.
    """

    contig: pa.StringArray
    start: Ints
    end: Ints
    names: pa.ListArray
    reference: pa.StringArray
    alternates: pa.ListArray
    qual: pa.DoubleArray
    filters: pa.ListArray
    has_genotypes: Bools
    n_unusable_ends: int

    @property
    def n_alternates(self) -> Ints:
        """(lines,) number of alternate alleles."""
        return np.diff(self.alternates.offsets.to_numpy()).astype(np.int64)

    def only(self, which: Bools) -> Sites:
        """Those of some records."""
        mask = pa.array(which)
        lists = {name: pa.concat_arrays([getattr(self, name).filter(mask)]) for name in ("names", "alternates", "filters")}
        flat = {name: getattr(self, name).filter(mask) for name in ("contig", "reference", "qual")}
        return replace(self, **lists, **flat, start=self.start[which], end=self.end[which], has_genotypes=self.has_genotypes[which])


def read_sites(lines: Lines) -> Sites:
    """Read and check CHROM to FORMAT.

    Raises:
        BadLinesError: Values are not what the VCF specification allows in that column.
    """
    contig, reference, alternates = _text(lines, 0, "CHROM"), _text(lines, 3, "REF"), _text(lines, 4, "ALT")
    start = _integer(lines, _text(lines, 1, "POS"), "POS", "positive integer (or 0 for a telomere)") - 1
    _check(lines, pc.match_substring_regex(reference, "^[ACGTNacgtn]+$"), "REF is not made of the letters A, C, G, T and N", "REF")
    _check(lines, pc.match_substring_regex(alternates, r"^[^,\s]+(,[^,\s]+)*$"), "ALT has an empty allele", "ALT")
    dot_among = pc.match_substring_regex(alternates, r"^\.,|,\.,|,\.$")
    _check(lines, pc.invert(dot_among), "ALT has a dot among other alleles", "ALT")
    end, n_unusable = _end(lines, start, reference)
    return Sites(
        contig=contig,
        start=start,
        end=end,
        names=_split(_text(lines, 2, "ID"), ";"),
        reference=reference,
        alternates=_split(alternates, ","),
        qual=_qual(lines),
        filters=_split(_text(lines, 6, "FILTER"), ";"),
        has_genotypes=_has_genotypes(lines),
        n_unusable_ends=n_unusable,
    )


def _check(lines: Lines, right: pa.BooleanArray, reason: str, column: str) -> None:
    lines.refuse(~right.to_numpy(zero_copy_only=False), column, reason, f"correct the {column} column, or leave the record out")


def _text(lines: Lines, index: int, name: str) -> pa.StringArray:
    column = lines.column(index)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        lines.refuse(np.array([not _is_utf8(v) for v in column.cast(pa.binary())]), name, f"{name} is not UTF-8", "convert to UTF-8")
    _check(lines, pc.not_equal(pc.binary_length(column), 0), f"{name} is empty", name)
    return column


def _is_utf8(value: pa.BinaryScalar) -> bool:
    try:
        value.as_py().decode()
    except UnicodeDecodeError:
        return False
    return True


def _integer(lines: Lines, column: pa.StringArray, name: str, what: str) -> Ints:
    # Eighteen digits fit 64 bits.
    _check(lines, pc.match_substring_regex(column, "^[0-9]{1,18}$"), f"{name} is not a {what}", name)
    values: Ints = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return values


def _split(column: pa.StringArray, separator: str) -> pa.ListArray:
    """Split into lists; a dot gives an empty list."""
    nulls = pc.if_else(pc.equal(column, "."), None, column)
    lists = pc.split_pattern(nulls, separator)
    # Null lists have no length: without the validity bits they are empty lists.
    return pa.ListArray.from_arrays(lists.offsets, lists.values)


def _qual(lines: Lines) -> pa.DoubleArray:
    column = _text(lines, 5, "QUAL")
    number = r"^(\.|[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|(?i:[-+]?(inf(inity)?|nan)))$"
    _check(lines, pc.match_substring_regex(column, number), "QUAL is not a number", "QUAL")
    # Arrow takes no plus sign.
    return pc.cast(pc.utf8_ltrim(pc.if_else(pc.equal(column, "."), None, column), "+"), pa.float64())


def _end(lines: Lines, start: Ints, reference: pa.StringArray) -> tuple[Ints, int]:
    """Exclusive ends, and the number of records whose INFO END cannot be used."""
    end: Ints = start + pc.binary_length(reference).to_numpy(zero_copy_only=False)
    info = lines.column(7).cast(pa.binary())
    stated = np.flatnonzero(pc.match_substring(info, "END=").to_numpy(zero_copy_only=False))
    if not len(stated):
        return end, 0
    found = pc.struct_field(pc.extract_regex(info.take(pa.array(stated)), r"(?:^|;)END=(?P<end>[^;]*)"), [0])
    known = pc.and_(pc.is_valid(found), pc.not_equal(found, b".")).to_numpy(zero_copy_only=False).astype(bool)
    stated, values = stated[known], found.filter(pa.array(known))
    wrong = np.zeros(len(lines), bool)
    wrong[stated] = ~pc.match_substring_regex(values, "^[0-9]{1,18}$").to_numpy(zero_copy_only=False)
    lines.refuse(wrong, "INFO", "INFO END is not a positive integer", "correct END, or leave it out")
    ends = values.cast(pa.string()).cast(pa.int64()).to_numpy(zero_copy_only=False)
    # As htslib: an END before POS (seen with breakends) says nothing about the length of the record.
    usable = ends > start[stated]
    end[stated[usable]] = ends[usable]
    return end, int((~usable).sum())


def _has_genotypes(lines: Lines) -> Bools:
    if lines.chunk.split.n_samples == 0:
        return np.zeros(len(lines), bool)
    format_column = _text(lines, 8, "FORMAT")
    first: Bools = pc.match_substring_regex(format_column, "^GT(:|$)").to_numpy(zero_copy_only=False)
    if not first.all():
        later = pc.match_substring_regex(format_column, ":GT(:|$)")
        _check(lines, pc.invert(later), "GT is not the first field of FORMAT", "FORMAT")
    return first
