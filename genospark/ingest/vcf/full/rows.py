"""From a split to record batches with every column of Glow's schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from genospark.ingest.vcf.chunks import Chunk, read_chunks
from genospark.ingest.vcf.faults import BadLinesError, refusal
from genospark.ingest.vcf.full.declared import OLD_MULTIALLELIC, Declared, full_schema, genotype_type
from genospark.ingest.vcf.full.divide import PER, REASON, Division, divide_calls, divide_lists
from genospark.ingest.vcf.full.info import read_info
from genospark.ingest.vcf.full.people import read_people
from genospark.ingest.vcf.full.spans import Bools, Ints
from genospark.ingest.vcf.lines import Lines, find_lines
from genospark.ingest.vcf.sites import read_sites
from genospark.ingest.vcf.splits import Split

VALUES = 1 << 17
"""Fields of genotypes in a batch: their arrays fit caches, and the batch a JVM's buffers."""
_MOST_ROWS = 4096


@dataclass(frozen=True)
class _Sites:
    """Columns before the genotypes of some records, and what dividing them needs."""

    lines: Lines
    columns: dict[str, pa.Array]
    formats: list[str]
    n_alternates: Ints


def read_full(split: Split, fields: Sequence[Declared], sample_ids: Sequence[str], divide: bool) -> Iterator[pa.RecordBatch]:
    """Read the records of a split with all their fields, in the order of the file.

    Args:
        split: The split.
        fields: Declared fields, which may be more than the file's.
        sample_ids: Ids of the file's people, in the order of its columns.
        divide: Make one row of each alternate allele of a multi-allelic record, as ``bcftools norm -m-``.

    Yields:
        Batches of ``full_schema(fields, divide)``; `genotypes` is null where the file has no people.

    Raises:
        InputError: The file is damaged or a line cannot be read; the message names file, line and reason.
    """
    schema = full_schema(fields, divide)
    of_person = 1 + sum(field.kind == "FORMAT" for field in fields)
    size = max(1, min(_MOST_ROWS, VALUES // max(split.n_samples * of_person, 1)))
    # Written once and cut to the records of each batch.
    names = pa.array(list(sample_ids), pa.string()).take(pa.array(np.tile(np.arange(len(sample_ids)), size)))
    for chunk, lines, before in _checked(split):
        try:
            sites = _read_sites(lines, fields)
            for first in range(0, len(lines), size):
                yield _batch(sites, slice(first, first + size), fields, names, divide, schema)
        except BadLinesError as bad:
            raise refusal(chunk, bad.wrong[0], before) from None


def check_columns(split: Split) -> int:
    """Check that every line of a split has the columns that the header states.

    Returns:
        Number of records.

    Raises:
        InputError: The file is damaged, or a line has columns too many or too few.
    """
    return sum(len(lines) for _, lines, _ in _checked(split))


def _checked(split: Split) -> Iterator[tuple[Chunk, Lines, int]]:
    """Chunks, their records, and the number of lines before them in the split."""
    before = 0
    for chunk in read_chunks(split):
        lines, wrong, n_lines = find_lines(chunk)
        if wrong:
            raise refusal(chunk, wrong[0], before)
        if len(lines):
            yield chunk, lines, before
        before += n_lines


def _read_sites(lines: Lines, fields: Sequence[Declared]) -> _Sites:
    sites = read_sites(lines)
    n = len(lines)
    columns = {
        "contigName": sites.contig,
        "start": pa.array(sites.start),
        "end": pa.array(sites.end),
        "names": _null_where_empty(sites.names),
        "referenceAllele": sites.reference,
        "alternateAlleles": _null_where_empty(sites.alternates),
        "qual": sites.qual,
        "filters": _null_where_empty(sites.filters),
        "splitFromMultiAllelic": pa.array(np.zeros(n, bool)),
        **read_info(lines, fields),
    }
    formats = lines.column(8).to_pylist() if lines.chunk.split.n_samples else []
    return _Sites(lines, columns, formats, sites.n_alternates)


def _null_where_empty(lists: pa.ListArray) -> pa.ListArray:
    empty = np.diff(lists.offsets.to_numpy()) == 0
    return pa.ListArray.from_arrays(lists.offsets, lists.values, mask=pa.array(empty)) if empty.any() else lists


def _batch(
    sites: _Sites, which: slice, fields: Sequence[Declared], names: pa.StringArray, divide: bool, schema: pa.Schema
) -> pa.RecordBatch:
    lines = sites.lines.only(which)
    n, people = len(lines), lines.chunk.split.n_samples
    n_alternates = sites.n_alternates[which]
    columns = {name: column.slice(which.start, n) for name, column in sites.columns.items()}
    cells = read_people(lines, sites.formats[which], n_alternates, fields, names) if people else None
    rows = n
    if divide:
        columns[OLD_MULTIALLELIC] = pa.nulls(n, pa.string())
        if (n_alternates > 1).any():
            columns, cells, rows = _divided(lines, columns, cells, n_alternates, fields)
    columns["genotypes"] = pa.nulls(rows, schema.field("genotypes").type)
    if cells is not None:
        columns["genotypes"] = pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32) * people), cells)
    return pa.record_batch([_as(columns[field.name], field.type) for field in schema], schema=schema)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type.equals(kind) else column.cast(kind)


def _divided(
    lines: Lines, columns: dict[str, pa.Array], cells: pa.StructArray | None, n_alternates: Ints, fields: Sequence[Declared]
) -> tuple[dict[str, pa.Array], pa.StructArray | None, int]:
    """The columns with several rows of each multi-allelic record, its genotypes, and the number of rows."""
    n = len(n_alternates)
    of_row = np.repeat(np.arange(n), np.maximum(n_alternates, 1))
    row_starts = np.cumsum(np.maximum(n_alternates, 1)) - np.maximum(n_alternates, 1)
    several = np.flatnonzero(n_alternates[of_row] > 1)
    record = of_row[several]
    how = Division(record, several - row_starts[record] + 1, n_alternates[record])
    # Rows that are divided are put behind all others, from where each takes its place.
    place = of_row.copy()
    place[several] = n + np.arange(len(several))
    made = _divided_info(lines, columns, how, fields)
    take = pa.array(place)
    columns = {name: pa.concat_arrays([column, made[name]]).take(take) for name, column in columns.items()}
    if cells is None:
        return columns, None, len(of_row)
    return columns, _divided_cells(lines, cells, how, n_alternates, fields), len(of_row)


def _divided_info(lines: Lines, columns: dict[str, pa.Array], how: Division, fields: Sequence[Declared]) -> dict[str, pa.Array]:
    numbers = {field.column: field for field in fields if field.kind == "INFO" and field.is_list and field.number in PER}
    made = {}
    for name, column in columns.items():
        if name in numbers:
            made[name], wrong = divide_lists(column, numbers[name].number, how)
            _refuse(lines, wrong, how, numbers[name], "INFO")
        else:
            made[name] = column.take(pa.array(how.source))
    alternates = columns["alternateAlleles"]
    own = alternates.values.take(pa.array(alternates.offsets.to_numpy()[how.source] + how.allele - 1))
    made["alternateAlleles"] = pa.ListArray.from_arrays(pa.array(np.arange(len(own) + 1, dtype=np.int32)), own)
    made["splitFromMultiAllelic"] = pa.array(np.ones(len(own), bool))
    sites = zip(*(made[name].to_pylist() for name in ("contigName", "start", "referenceAllele")), strict=True)
    all_of = alternates.take(pa.array(how.source)).to_pylist()
    old = [f"{contig}:{start + 1}:{'/'.join([reference, *every])}" for (contig, start, reference), every in zip(sites, all_of, strict=True)]
    made[OLD_MULTIALLELIC] = pa.array(old, pa.string())
    return made


def _divided_cells(lines: Lines, cells: pa.StructArray, how: Division, n_alternates: Ints, fields: Sequence[Declared]) -> pa.StructArray:
    """Genotypes of all rows: those of other records as they are, between them the divided ones."""
    people = lines.chunk.split.n_samples
    source = (how.source[:, None] * people + np.arange(people)).ravel()
    cell_how = Division(source, np.repeat(how.allele, people), np.repeat(how.n_alternates, people))
    divided = {field.column: field for field in fields if field.kind == "FORMAT" and field.is_list and field.number in PER}
    made = []
    kind = genotype_type(fields)
    for field in kind:
        values = cells.field(kind.get_field_index(field.name))
        if field.name == "calls":
            made.append(divide_calls(values, cell_how))
        elif field.name in divided:
            lists, wrong = divide_lists(values, divided[field.name].number, cell_how)
            _refuse(lines, wrong.reshape(-1, people).any(axis=1), how, divided[field.name], "FORMAT")
            made.append(lists)
        else:
            made.append(values.take(pa.array(source)))
    rows = pa.StructArray.from_arrays(made, fields=list(kind))
    parts, done, at = [], 0, 0
    for record in np.flatnonzero(n_alternates > 1).tolist():
        size = int(n_alternates[record]) * people
        parts += [cells.slice(done, record * people - done), rows.slice(at, size)]
        done, at = (record + 1) * people, at + size
    return pa.concat_arrays([*parts, cells.slice(done)])


def _refuse(lines: Lines, wrong: Bools, how: Division, field: Declared, column: str) -> None:
    """Refuse the records of rows that cannot be divided."""
    if wrong.any():
        reason = REASON.format(column, field.name, PER[field.number])
        step = "correct the record or the header, or read it with split_multiallelics=False"
        raise BadLinesError([lines.wrong(index, column, reason, step) for index in np.unique(how.source[wrong]).tolist()])
