"""Reading delimited text files, plain or gzipped, with errors that name file, line and column."""

from __future__ import annotations

import gzip
import io
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from genospark.errors import BadRecord, InputError, RecordError

MISSING = ["NA", "NaN", "nan", "", "."]
SHOWN = 200
"""Characters of a value in messages and in ``quarantine``."""


def read_text(path: Path) -> bytes:
    """The decompressed content of a plain or gzipped file.

    Raises:
        InputError: It cannot be read, is damaged, or is empty.
    """
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error})", "check the path and its permissions, or write the file again") from None
    if not text.strip():
        raise InputError(f"{path}: is empty", "check that the file was written completely")
    # The parser ends lines at a carriage return, too: counting them has to agree.
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def read_table(path: Path, text: bytes | None = None, header: bool = True, without: frozenset[int] = frozenset()) -> pd.DataFrame:
    """A tab-separated file, all values as text, missing ones as None; the index holds line numbers.

    Args:
        path: File, plain or gzipped.
        text: Its content, where it was read already.
        header: Whether the first line names the columns (a ``#`` before it is dropped); else they are named by position, from 1.
        without: Numbers of lines that are left out.

    Raises:
        InputError: The file cannot be read, is empty, or names a column twice.
        RecordError: Lines have another number of columns than the first, or are not UTF-8 text.
    """
    # Empty lines at the end are none of the table.
    text = (read_text(path) if text is None else text).rstrip(b"\n")
    try:
        first = text[: text.find(b"\n") + 1 or None].decode().rstrip("\r\n").split("\t")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line 1: is not UTF-8 text ({error})", "export the file as text again") from None
    names = [first[0].removeprefix("#"), *first[1:]] if header else [str(place) for place in range(1, len(first) + 1)]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        # In some files columns are people, whose ids are not shown.
        places = " and ".join(str(place) for place, name in enumerate(names, 1) if name == twice)
        raise InputError(f"{path}: line 1: columns {places} have the same name", "give every column a name of its own")
    if header and not text[text.find(b"\n") + 1 or len(text) :].strip():
        raise InputError(f"{path}: has a header and no rows", "check that the file was written completely")
    if without:
        lines = text.split(b"\n")
        kept = [number for number in range(1 + int(header), len(lines) + 1) if number not in without]
        text = b"\n".join([*lines[: int(header)], *(lines[number - 1] for number in kept)])
        if not kept:
            raise InputError(f"{path}: no record is left", "mend the file")
    table = _parse(path, text, names, int(header))
    frame: pd.DataFrame = table.to_pandas()
    frame.index = pd.Index(kept) if without else frame.index + 1 + int(header)
    return frame


def _parse(path: Path, text: bytes, names: list[str], skipped: int) -> pa.Table:
    def refuse(_: csv.InvalidRow) -> str:
        return "error"

    text += b"\n"
    lines = partial(_check_lines, path, text, len(names), skipped + 1)
    # The reader of numbers would take a zero byte for their end.
    if b"\0" in text or not _is_utf8(text):
        lines()
    try:
        return csv.read_csv(
            io.BytesIO(text),
            # One block, so that a long line always fits.
            csv.ReadOptions(use_threads=False, column_names=names, skip_rows=skipped, block_size=len(text) + 2),
            csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False, invalid_row_handler=refuse),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), null_values=MISSING, strings_can_be_null=True),
        )
    except pa.ArrowInvalid as error:
        lines()
        raise InputError(f"{path}: cannot be read ({str(error)[:100]})", "export the file as UTF-8 text again") from None


def _check_lines(path: Path, text: bytes, expected: int, first: int) -> None:
    """Finds the lines that made the parser fail.

    Raises:
        RecordError: There are some.
    """
    lines = text.split(b"\n")[first - 1 : -1]
    records, first_detail = [], ""
    for number, line in enumerate(lines, first):
        found = line.count(b"\t") + 1
        # An empty line is one without values.
        if found != expected and line:
            reason, detail = "another number of columns than the first line", f"{found} columns where {expected} are expected"
        elif b"\0" in line:
            reason = detail = "a zero byte in the text"
        elif not _is_utf8(line):
            reason = detail = "cannot be read as UTF-8 text"
        else:
            continue
        first_detail = first_detail or detail
        records.append(BadRecord(number, "", reason, ""))
    if records:
        step = "mend the line; columns are separated by tabs, and text is UTF-8"
        raise RecordError(f"{path}: line {records[0].line}: {first_detail}", step, records, len(lines))


def _is_utf8(text: bytes) -> bool:
    # Without a copy of the text.
    offsets = pa.py_buffer(np.array([0, len(text)], np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def refuse_rows(frame: pd.DataFrame, bad: NDArray[np.bool_], path: Path, reason: str, next_step: str) -> None:
    """Refuses the rows marked in `bad`, a mask [rows], for a reason without a column.

    Raises:
        RecordError: There are some.
    """
    if bad.any():
        lines = frame.index[bad]
        records = [BadRecord(int(line), "", reason, "") for line in lines]
        raise RecordError(f"{path}: line {lines[0]}: {reason}", next_step, records, len(frame))


def refuse_values(frame: pd.DataFrame, bad: NDArray[np.bool_], columns: list[str], path: Path, reason: str, next_step: str) -> None:
    """Refuses the values marked in `bad`, a mask [rows, columns], with the rows that they stand in.

    Raises:
        RecordError: There are some.
    """
    if bad.any():
        rows = np.flatnonzero(bad.any(axis=1))
        first = bad[rows].argmax(axis=1)
        texts = [str(frame[columns[column]].iat[row])[:SHOWN] for row, column in zip(rows, first, strict=True)]
        records = [
            BadRecord(int(frame.index[row]), columns[column], reason, text) for row, column, text in zip(rows, first, texts, strict=True)
        ]
        shown = texts[0] if texts[0].isdigit() else repr(texts[0])
        problem = f"{path}: line {records[0].line}, column {records[0].column}: {shown} is {reason}"
        raise RecordError(problem, next_step, records, len(frame))


def numbers(frame: pd.DataFrame, columns: list[str], path: Path, people: bool = False) -> NDArray[np.float64]:
    """Columns of text as float64, missing as NaN.

    Args:
        frame: The table.
        columns: The columns.
        path: File, for messages.
        people: Whether columns are people, whose ids messages do not show.

    Returns:
        Array [rows, columns].

    Raises:
        InputError: There are no columns.
        RecordError: A value is not a finite number.
    """
    if not columns:
        raise InputError(f"{path}: line 1: no column with values", "check the header line; columns are separated by tabs")
    text = frame[columns]
    values: NDArray[np.float64] = text.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    bad = ~np.isfinite(values) & text.notna().to_numpy()
    if bad.any():
        shown = [str(place) for place in frame.columns.get_indexer(columns) + 1] if people else columns
        step = "write numbers, or NA where a value is missing"
        refuse_values(text.set_axis(shown, axis=1), bad, shown, path, "not a finite number", step)
    return values


def require(frame: pd.DataFrame, columns: list[str], path: Path) -> None:
    """Checks that columns are there.

    Raises:
        InputError: One is not.
    """
    for name in columns:
        if name not in frame.columns:
            # All but the first may be people.
            found = f"found {frame.shape[1]}, of which the first is {str(frame.columns[0])[:40]}"
            raise InputError(f"{path}: line 1: no column {name}; {found}", "check the header line; columns are separated by tabs")


def unique(frame: pd.DataFrame, key: list[str], path: Path) -> None:
    """Checks that `key` is given in every row and in no two rows the same.

    Raises:
        RecordError: It is not; of the same rows the first is right.
    """
    empty = frame[key].isna().to_numpy()
    for place, name in enumerate(key):
        refuse_rows(frame, empty[:, place], path, f"no {name}", "fill it in, or drop the line")
    again = frame.duplicated(key).to_numpy()
    keys = " and ".join(key)
    refuse_rows(frame, again, path, f"the same {keys} as on an earlier line", f"keep one line for each {keys}, over all files")
