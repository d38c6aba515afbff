"""Reading delimited text files, plain or gzipped, with errors that name file, line and column."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from genospark.errors import InputError

MISSING = ["NA", "NaN", "nan", "", "."]


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
    return text


def read_table(path: Path, text: bytes | None = None, header: bool = True) -> pd.DataFrame:
    """A tab-separated file, all values as text, missing ones as None; the index holds line numbers.

    Args:
        path: File, plain or gzipped.
        text: Its content, where it was read already.
        header: Whether the first line names the columns (a ``#`` before it is dropped); else they are named by position, from 1.

    Raises:
        InputError: The file cannot be read, is empty, has lines of different length, or names a column twice.
    """
    text = read_text(path) if text is None else text
    try:
        first = text[: text.find(b"\n") + 1 or None].decode().rstrip("\r\n").split("\t")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line 1: is not UTF-8 text ({error})", "export the file as text again") from None
    names = [first[0].removeprefix("#"), *first[1:]] if header else [str(place) for place in range(1, len(first) + 1)]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise InputError(f"{path}: line 1: column {twice} stands more than once", "give every column a name of its own")
    if header and not text[text.find(b"\n") + 1 or len(text) :].strip():
        raise InputError(f"{path}: has a header and no rows", "check that the file was written completely")
    table = _parse(path, text, names, int(header))
    frame: pd.DataFrame = table.to_pandas()
    frame.index += 1 + int(header)
    return frame


def _parse(path: Path, text: bytes, names: list[str], skipped: int) -> pa.Table:
    wrong: list[csv.InvalidRow] = []

    def note(row: csv.InvalidRow) -> str:
        wrong.append(row)
        return "error"

    try:
        return csv.read_csv(
            io.BytesIO(text.rstrip(b"\r\n") + b"\n"),
            # One thread, or rows lose their numbers; one block, so that a long line always fits.
            csv.ReadOptions(use_threads=False, column_names=names, skip_rows=skipped, block_size=len(text) + 2),
            csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False, invalid_row_handler=note),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), null_values=MISSING, strings_can_be_null=True),
        )
    except pa.ArrowInvalid as error:
        if wrong:
            row = wrong[0]
            reason = f"line {row.number}: {row.actual_columns} columns where {row.expected_columns} are expected: {row.text[:200]!r}"
            raise InputError(f"{path}: {reason}", "mend the line; columns are separated by tabs") from None
        raise InputError(f"{path}: cannot be read ({error})", "export the file as UTF-8 text again") from None


def numbers(frame: pd.DataFrame, columns: list[str], path: Path) -> NDArray[np.float64]:
    """Columns of text as float64, missing as NaN.

    Returns:
        Array [rows, columns].

    Raises:
        InputError: There are no columns, or a value is not a finite number.
    """
    if not columns:
        raise InputError(f"{path}: line 1: no column with values", "check the header line; columns are separated by tabs")
    text = frame[columns]
    values: NDArray[np.float64] = text.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    bad = ~np.isfinite(values) & text.notna().to_numpy()
    if bad.any():
        row, column = np.argwhere(bad)[0]
        name = columns[column]
        raise InputError(
            f"{path}: line {frame.index[row]}, column {name}: {str(text.iat[row, column])[:200]!r} is not a finite number",
            "write numbers, or NA where a value is missing",
        )
    return values


def require(frame: pd.DataFrame, columns: list[str], path: Path) -> None:
    """Checks that columns are there.

    Raises:
        InputError: One is not.
    """
    for name in columns:
        if name not in frame.columns:
            raise InputError(f"{path}: line 1: no column {name}; found {', '.join(frame.columns[:8])}", "check the header line")


def unique(frame: pd.DataFrame, key: list[str], path: Path) -> None:
    """Checks that `key` is given in every row and in no two rows the same.

    Raises:
        InputError: It is not.
    """
    empty = frame[key].isna().to_numpy()
    if empty.any():
        row, column = np.argwhere(empty)[0]
        raise InputError(f"{path}: line {frame.index[row]}: no {key[column]}", "fill it in, or drop the line")
    again = frame.duplicated(key)
    if again.any():
        row = int(np.argmax(again))
        raise InputError(
            f"{path}: line {frame.index[row]}: {', '.join(str(frame.iloc[row][name]) for name in key)} stands more than once",
            f"keep one line for each {' and '.join(key)}, over all files",
        )
