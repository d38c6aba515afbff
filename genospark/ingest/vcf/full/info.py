"""The INFO column as one array for each field that the header declares."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from genospark.ingest.vcf.faults import BadLinesError
from genospark.ingest.vcf.full.declared import Declared
from genospark.ingest.vcf.full.spans import Ints, Spans, cut, spans_of
from genospark.ingest.vcf.full.values import parse
from genospark.ingest.vcf.lines import Lines


def read_info(lines: Lines, fields: Iterable[Declared]) -> dict[str, pa.Array]:
    """Read the INFO fields of all records; what the header does not declare is left out.

    A flag is true where it stands and else false. Of a field that stands twice the last counts, as in Glow.

    Args:
        lines: Records.
        fields: Declared fields.

    Returns:
        By column, (lines,) arrays.

    Raises:
        BadLinesError: A value is not of the declared type.
    """
    offsets, entries = cut(spans_of(lines.column(7)), b";")
    record = np.repeat(np.arange(len(lines)), np.diff(offsets))
    key_ends = _key_ends(entries)
    keys = Spans(entries.text, entries.begin, key_ends).strings().cast(pa.binary()).dictionary_encode()
    codes = {name: code for code, name in enumerate(keys.dictionary.to_pylist())}
    code_of = keys.indices.to_numpy()
    columns = {}
    for field in fields:
        if field.kind != "INFO":
            continue
        at = np.flatnonzero(code_of == codes.get(field.name.encode(), -1))
        place = np.full(len(lines), -1, np.int64)
        place[record[at]] = at
        there = np.flatnonzero(place >= 0)
        if field.type == "Flag":
            columns[field.column] = pa.array(place >= 0)
            continue
        entry = place[there]
        # After the equals sign; where there is none, nothing.
        begin = np.minimum(key_ends[entry] + 1, entries.end[entry])
        values, wrong = parse(Spans(entries.text, begin, entries.end[entry]), field)
        if wrong.any():
            reason = f"INFO {field.name} is not {described(field)}"
            step = "correct the record or the header, or take the field out (`bcftools annotate -x`)"
            raise BadLinesError([lines.wrong(index, "INFO", reason, step) for index in there[wrong].tolist()])
        columns[field.column] = values if len(there) == len(lines) else _spread(values, there, len(lines))
    return columns


def described(field: Declared) -> str:
    """What a field's values should be, for messages."""
    what = {"Integer": "an integer of 32 bits", "Float": "a number"}.get(field.type, "UTF-8 text")
    return f"{what}, or several," if field.is_list else what


def _spread(values: pa.Array, there: Ints, n: int) -> pa.Array:
    index = np.full(n, -1, np.int64)
    index[there] = np.arange(len(there))
    return values.take(pa.array(index, mask=index < 0))


def _key_ends(entries: Spans) -> Ints:
    """Where the key of each entry ends: at its first equals sign, or with it."""
    if not len(entries):
        return entries.end
    at = np.append(np.flatnonzero(entries.text == ord("=")), len(entries.text))
    ends: Ints = np.minimum(at[np.searchsorted(at, entries.begin)], entries.end)
    return ends
