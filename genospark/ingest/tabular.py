"""Reading delimited text files (tabs, or commas in ``.csv``), plain or gzipped, with errors that name file, line and column."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow

from genospark.errors import InputError
from genospark.ingest.quoting import last_record_end, record_lines

MISSING = ["NA", "NaN", "nan", "", "."]
_MARK = b"\xef\xbb\xbf"
# Text that is parsed at once: its values take some fifty times as much on the way.
_BLOCK_BYTES = 8 << 20


def is_csv(path: Path) -> bool:
    """Whether commas separate the columns."""
    return ".csv" in path.suffixes


def read_text(path: Path) -> bytes:
    """The decompressed content of a plain or gzipped file.

    Raises:
        InputError: It cannot be read, is damaged, or is empty.
    """
    return b"".join(_decompressed(path))


def _decompressed(path: Path) -> Iterator[bytes]:
    """The content of a plain or gzipped file in pieces, without a byte order mark."""
    empty = True
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            first = True
            while piece := stream.read(_BLOCK_BYTES):
                piece = piece.removeprefix(_MARK) if first else piece
                empty, first = empty and not piece.strip(), False
                yield piece
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error})", "check the path and its permissions, or write the file again") from None
    if empty:
        raise InputError(f"{path}: is empty", "check that the file was written completely")


def records(path: Path, pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Whole records in blocks, with the line that each block begins at; empty lines at the end of the file are left out.

    Args:
        path: Decides what a record is.
        pieces: The file's text.
    """
    line, text = 1, b""
    for piece in pieces:
        text += piece
        whole = text[: last_record_end(text) if is_csv(path) else text.rfind(b"\n") + 1].rstrip(b"\r\n")
        if whole:
            # Empty lines wait for what follows them.
            end = len(whole) + (2 if text[len(whole) : len(whole) + 2] == b"\r\n" else 1)
            yield line, text[:end]
            line, text = line + text.count(b"\n", 0, end), text[end:]
    text = text.rstrip(b"\r\n")
    if text:
        yield line, text + b"\n"


def read_table(path: Path, text: bytes | None = None, header: bool = True) -> pd.DataFrame:
    """A delimited file, all values as text, missing ones as None; the index holds line numbers.

    Args:
        path: File, plain or gzipped.
        text: Its content, where it was read already.
        header: Whether the first line names the columns (a ``#`` before it is dropped); else they are named by position, from 1.

    Raises:
        InputError: The file cannot be read, is empty, has lines of different length, or names a column twice.
    """
    _, frames = read_blocks(path, iter([text]) if text is not None else None, header=header)
    return pd.concat(frames)


def read_blocks(
    path: Path, pieces: Iterator[bytes] | None = None, before: int = 0, header: bool = True
) -> tuple[list[bytes], Iterator[pd.DataFrame]]:
    """A delimited file as for ``read_table``, in blocks of rows, so that memory does not grow with the file.

    Args:
        path: File, plain or gzipped.
        pieces: Its text, where it was read already.
        before: Lines before the header.
        header: Whether a header follows these.

    Returns:
        The lines before the header, and tables with the same columns.

    Raises:
        InputError: See ``read_table``; of rows, when their table is asked for.
    """
    blocks = records(path, _decompressed(path) if pieces is None else pieces)
    line, text = next(blocks, (1, b""))
    for _, more in blocks if text.count(b"\n") <= before else ():
        text += more
        if text.count(b"\n") > before:
            break
    lines = text.split(b"\n", before)
    text = lines.pop()
    end = text.find(b"\n") + 1
    if is_csv(path):
        # The header, too, may have line ends in quotes.
        starts = record_lines(path, text, line + before)
        end = len(text) if len(starts) < 2 else len(text) - len(text.split(b"\n", int(starts[1] - starts[0]))[-1])
    names = _names(path, text[:end], line + before, header)
    rest = text[end if header else 0 :]
    first = line + before + (text.count(b"\n", 0, end) if header else 0)

    def frames() -> Iterator[pd.DataFrame]:
        some = False
        for line, part in chain([(first, rest)] if rest else [], blocks):
            some = True
            yield _parse(path, part, names, line)
        if not some:
            raise InputError(f"{path}: has a header and no rows", "check that the file was written completely")

    return lines, frames()


def _names(path: Path, text: bytes, line: int, header: bool) -> list[str]:
    """Names of the columns."""
    try:
        first = text.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line {line}: is not UTF-8 text ({error})", "export the file as text again") from None
    parts = next(csv.reader(io.StringIO(first)), [""]) if is_csv(path) else first.split("\t")
    if not header:
        return [str(place) for place in range(1, len(parts) + 1)]
    names = [parts[0].removeprefix("#"), *parts[1:]]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise InputError(f"{path}: line {line}: column {twice} stands more than once", "give every column a name of its own")
    return names


def _parse(path: Path, text: bytes, names: list[str], first: int) -> pd.DataFrame:
    comma = is_csv(path)
    lines = record_lines(path, text, first) if comma else first + np.arange(text.count(b"\n"))
    wrong: list[arrow.InvalidRow] = []

    def note(row: arrow.InvalidRow) -> str:
        wrong.append(row)
        return "error"

    try:
        table = arrow.read_csv(
            pa.BufferReader(text),
            # One thread, or rows lose their numbers; one block, so that a long line always fits.
            arrow.ReadOptions(use_threads=False, column_names=names, block_size=len(text) + 2),
            arrow.ParseOptions(
                delimiter="," if comma else "\t",
                quote_char='"' if comma else False,
                newlines_in_values=comma,
                ignore_empty_lines=False,
                invalid_row_handler=note,
            ),
            arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), null_values=MISSING, strings_can_be_null=True),
        )
    except pa.ArrowInvalid as error:
        if wrong:
            row = wrong[0]
            line = lines[row.number - 1]
            reason = f"line {line}: {row.actual_columns} columns where {row.expected_columns} are expected: {row.text[:200]!r}"
            separated = "commas" if comma else "tabs"
            raise InputError(f"{path}: {reason}", f"mend the line; columns are separated by {separated}") from None
        raise InputError(f"{path}: cannot be read ({error})", "export the file as UTF-8 text again") from None
    frame: pd.DataFrame = table.to_pandas()
    frame.index = pd.Index(lines)
    return frame


def numbers(frame: pd.DataFrame, columns: list[str], path: Path) -> NDArray[np.float64]:
    """Columns of text as float64, missing as NaN.

    Returns:
        Array [rows, columns].

    Raises:
        InputError: There are no columns, or a value is not a finite number.
    """
    if not columns:
        raise InputError(f"{path}: line 1: no column with values", "check the header line, and what separates the columns")
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
