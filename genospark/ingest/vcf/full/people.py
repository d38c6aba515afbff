"""The columns of people: calls, phase, and every FORMAT field, as arrays over all cells of some records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genospark.ingest.vcf.faults import BadLinesError
from genospark.ingest.vcf.full.alike import cut_alike, list_offsets
from genospark.ingest.vcf.full.declared import Declared, genotype_type
from genospark.ingest.vcf.full.info import described
from genospark.ingest.vcf.full.spans import Bools, Ints, Spans, cut
from genospark.ingest.vcf.full.values import integers, parse
from genospark.ingest.vcf.lines import SITE_TABS, Lines

_FIX = "correct the genotype"


def read_people(
    lines: Lines, formats: Sequence[str], n_alternates: Ints, fields: Sequence[Declared], names: pa.StringArray
) -> pa.StructArray:
    """Read the genotypes of some records, which follow each other in the text.

    Args:
        lines: Records.
        formats: (lines,) their FORMAT.
        n_alternates: (lines,) alternate alleles.
        fields: Declared fields.
        names: (people,) ids, or these several times: at least (lines * people,).

    Returns:
        (lines * people,) genotypes, record by record.

    Raises:
        BadLinesError: A value is not of the declared type, a genotype has more fields than FORMAT, or an allele that ALT has not.
    """
    kind = genotype_type(fields)
    n = lines.chunk.split.n_samples
    own = [field for field in fields if field.kind == "FORMAT"]
    groups: dict[str, list[int]] = {}
    for index, text in enumerate(formats):
        groups.setdefault(text, []).append(index)
    parts = []
    for text, which in groups.items():
        rows = np.array(which)
        some = lines if len(groups) == 1 else lines.only(rows)
        parts.append(_read_alike(some, text.split(":"), n_alternates[rows], own))
    columns = [pa.concat_arrays([part[place] for part in parts]) for place in range(len(own) + 2)] if len(parts) > 1 else parts[0]
    if len(parts) > 1:
        record = np.argsort(np.concatenate([np.array(which) for which in groups.values()]))
        cells = pa.array((record[:, None] * n + np.arange(n)).ravel())
        columns = [column.take(cells) for column in columns]
    return pa.StructArray.from_arrays([names[: len(lines) * n], *columns], fields=list(kind))


def _read_alike(lines: Lines, names: list[str], n_alternates: Ints, fields: list[Declared]) -> list[pa.Array]:
    """Phase, calls and fields of records with the same FORMAT."""
    alike = cut_alike(lines, names) if len(names) > 1 else None
    spans_of = alike.spans if alike else _columns_of(lines, names).__getitem__
    nothing = len(lines) * lines.chunk.split.n_samples
    if "GT" in names:
        phased, calls = _calls(lines, spans_of("GT"), n_alternates)
    else:
        phased, calls = pa.nulls(nothing, pa.bool_()), pa.nulls(nothing, pa.list_(pa.int32()))
    columns = [phased, calls]
    for field in fields:
        values = None
        if field.name not in names:
            values = pa.nulls(nothing, field.arrow_type)
        elif alike:
            values = alike.integers(field)
        if values is None:
            values, wrong = parse(spans_of(field.name), field)
            _refuse(lines, wrong, f"FORMAT {field.name} is not {described(field)}", "correct it or the header, or take the field out")
        columns.append(values)
    return columns


def _columns_of(lines: Lines, names: list[str]) -> dict[str, Spans]:
    """By field, where its text stands in each cell; empty where the cell ends before."""
    begin = (lines.tabs[:, SITE_TABS - 1 :] + 1).ravel()
    end = np.column_stack([lines.tabs[:, SITE_TABS:], lines.ends]).ravel()
    cells = Spans(lines.chunk.buffer, begin, end)
    if len(names) == 1 and not _has(cells, b":"):
        return {names[0]: cells}
    offsets, parts = cut(cells, b":")
    found = np.diff(offsets)
    _refuse(lines, found > len(names), "a genotype has more fields than FORMAT", _FIX)
    columns = {}
    for place, name in enumerate(names):
        there = found > place
        if there.all():
            columns[name] = parts.take(offsets[:-1] + place)
        else:
            begin, end = cells.end.copy(), cells.end.copy()
            at = offsets[:-1][there] + place
            begin[there], end[there] = parts.begin[at], parts.end[at]
            columns[name] = Spans(cells.text, begin, end)
    return columns


def _has(cells: Spans, byte: bytes) -> bool:
    return len(cells) > 0 and byte in cells.text[cells.begin[0] : cells.end[-1]].tobytes()


def _calls(lines: Lines, spans: Spans, n_alternates: Ints) -> tuple[pa.BooleanArray, pa.ListArray]:
    """Whether the first separator is a bar, and the alleles, -1 for a dot."""
    begin, size = spans.begin, spans.end - spans.begin
    n = len(spans)
    # The buffer has four more bytes than text.
    words: npt.NDArray[np.uint32] = np.ndarray((len(spans.text) - 3,), "<u4", spans.text, strides=(1,))[begin]
    letters = words.view(np.uint8).reshape(n, 4)
    separator, sides = letters[:, 1], np.ascontiguousarray(letters[:, :3:2])
    phased = (separator == ord("|")) & (size > 1)
    regular = (size == 3) & (phased | (separator == ord("/")))
    digits = sides - np.uint8(ord("0"))
    dots = sides == ord(".")
    fits = (digits < 10) | dots
    regular &= fits[:, 0] & fits[:, 1]
    pairs = digits.astype(np.int32)
    pairs[dots] = -1
    if regular.all():
        _check_alleles(lines, np.maximum(pairs[:, 0], pairs[:, 1]), n_alternates)
        return pa.array(phased), pa.ListArray.from_arrays(list_offsets(n, 2), pa.array(pairs.ravel()))
    other = np.flatnonzero(~regular)
    counts, bars, alleles = _irregular(lines, spans, other)
    phased[other] = bars
    lengths = np.full(n, 2)
    lengths[other] = counts
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    values = np.empty(int(offsets[-1]), np.int32)
    is_regular = np.repeat(regular, lengths)
    values[is_regular], values[~is_regular] = pairs[regular].ravel(), alleles
    _check_alleles(lines, np.maximum.reduceat(values, offsets[:-1]), n_alternates)
    return pa.array(phased), pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))


def _irregular(lines: Lines, spans: Spans, which: Ints) -> tuple[Ints, Bools, npt.NDArray[np.int32]]:
    """Genotypes of any ploidy: how many alleles each has, whether its first separator is a bar, and all alleles."""
    some = spans.take(which)
    # VCF 4.4 allows a separator before the first allele, which says nothing that is kept.
    leading = np.isin(some.text[some.begin], (ord("/"), ord("|"))) & (some.end > some.begin)
    some = Spans(some.text, some.begin + leading, some.end)
    offsets, alleles = cut(some, b"/|")
    dots = alleles.missing
    values, wrong = integers(alleles, dots)
    signs = np.isin(alleles.text[alleles.begin], (ord("-"), ord("+")))
    bad = wrong | signs | (alleles.begin == alleles.end)
    marks = np.zeros(len(spans), bool)
    marks[which[np.searchsorted(offsets, np.flatnonzero(bad), side="right") - 1]] = True
    _refuse(lines, marks, "a genotype cannot be read", _FIX)
    values[dots] = -1
    counts = np.diff(offsets)
    bars = (counts > 1) & (some.text[alleles.end[offsets[:-1]]] == ord("|"))
    return counts, bars, values


def _check_alleles(lines: Lines, highest: npt.NDArray[np.int32], n_alternates: Ints) -> None:
    wrong = highest.reshape(len(lines), -1) > n_alternates[:, None]
    step = "correct the genotype or ALT, or leave the record out"
    _refuse(lines, wrong.ravel(), "a genotype has an allele that ALT has not", step)


def _refuse(lines: Lines, wrong: Bools, reason: str, step: str) -> None:
    """Refuse the lines of some (lines * people,) cells."""
    if not wrong.any():
        return
    of_line = wrong.reshape(len(lines), -1)
    found = []
    for index in np.flatnonzero(of_line.any(axis=1)).tolist():
        person = int(of_line[index].argmax())
        detail = f"{reason}: sample {person + 1} (column {person + 10})"
        found.append(lines.wrong(index, str(person + 10), reason, step, detail))
    raise BadLinesError(found)
