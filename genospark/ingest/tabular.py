"""Reading delimited text files (tabs, or commas in ``.csv``), plain or gzipped, with errors that name file, line and column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from genospark.errors import BadRecord, InputError, RecordError
from genospark.ingest.quoting import fields, record_lines
from genospark.ingest.text_files import decompressed, is_csv, records

MISSING = ["NA", "NaN", "nan", "", "."]
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Blocks:
    """A delimited file that is read in blocks of rows, so that memory does not grow with it.

    Attributes:
        path: The file.
        before: Lines before the header.
        names: Names of the columns.
        parts: Line at which each block of rows begins, and its text; can be gone through once.
    """

    path: Path
    before: list[bytes]
    names: list[str]
    parts: Iterator[tuple[int, bytes]]

    def made(self, work: Callable[[pd.DataFrame], _Made], without: frozenset[int] = frozenset(), find_all: bool = False) -> Iterator[_Made]:
        """What is made of each block's rows: all values as text, missing ones as None; the index holds line numbers.

        Args:
            work: Makes it, or raises ``RecordError`` for all rows of the block that a check finds bad, and is called again without them.
            without: Numbers of lines whose records are left out.
            find_all: Go on after bad records, and raise all of the file at the end.

        Raises:
            InputError: The file cannot be read, or no record is left.
            RecordError: Records are bad: of the first block that has such, or of all.
        """
        errors: list[RecordError] = []
        total = left = 0
        for line, text in self.parts:
            bad = without
            while True:
                try:
                    frame = _parse(self.path, text, self.names, line, bad)
                    block = [work(frame)] if len(frame) else []
                except RecordError as error:
                    found = {record.line for record in error.records} - bad
                    if not find_all or not found:
                        raise
                    errors.append(error)
                    bad |= found
                else:
                    break
            total += len(frame) + len(bad) - len(without)
            left += len(frame)
            yield from block
        if errors:
            first = errors[0]
            raise RecordError(first.problem, first.next_step, [record for error in errors for record in error.records], total)
        if not left:
            raise InputError(f"{self.path}: no record is left", "mend the file")


def read_table(path: Path, text: bytes | None = None, header: bool = True, without: frozenset[int] = frozenset()) -> pd.DataFrame:
    """A delimited file, all values as text, missing ones as None; the index holds line numbers.

    Args:
        path: File, plain or gzipped.
        text: Its content, where it was read already.
        header: Whether the first line names the columns (a ``#`` before it is dropped); else they are named by position, from 1.
        without: Numbers of lines whose records are left out.

    Raises:
        InputError: The file cannot be read, is empty, names a column twice, or quotes in it are wrong.
        RecordError: Lines have another number of columns than the first, or are not UTF-8 text.
    """
    blocks = read_blocks(path, None if text is None else iter([text]), header=header)
    return pd.concat(list(blocks.made(lambda frame: frame, without, find_all=True)))


def read_blocks(path: Path, pieces: Iterator[bytes] | None = None, before: int = 0, header: bool = True) -> Blocks:
    """A delimited file as for ``read_table``, in blocks of rows.

    Args:
        path: File, plain or gzipped.
        pieces: Its text, where it was read already.
        before: Lines before the header.
        header: Whether a header follows these.

    Raises:
        InputError: See ``read_table``; of rows, when they are asked for.
    """
    blocks = records(path, decompressed(path) if pieces is None else pieces)
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
    return Blocks(path, lines, names, _some(path, [(first, rest)] if rest else [], blocks))


def _some(path: Path, first: list[tuple[int, bytes]], others: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Blocks of rows, of which there has to be more than blank lines."""
    blank = []
    for line, text in chain(first, others):
        blank.append((line, text))
        if text.strip():
            yield from blank
            yield from others
            return
    raise InputError(f"{path}: has a header and no rows", "check that the file was written completely")


def _names(path: Path, text: bytes, line: int, header: bool) -> list[str]:
    """Names of the columns."""
    try:
        first = text.decode().rstrip("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line {line}: is not UTF-8 text ({error})", "export the file as text again") from None
    parts = fields(first) if is_csv(path) else first.split("\t")
    if not header:
        return [str(place) for place in range(1, len(parts) + 1)]
    names = [parts[0].removeprefix("#"), *parts[1:]]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        # In some files columns are people, whose ids are not shown.
        places = " and ".join(str(place) for place, name in enumerate(names, 1) if name == twice)
        raise InputError(f"{path}: line {line}: columns {places} have the same name", "give every column a name of its own")
    return names


def _parse(path: Path, text: bytes, names: list[str], first: int, without: frozenset[int]) -> pd.DataFrame:
    comma = is_csv(path)
    lines = record_lines(path, text, first) if comma else first + np.arange(text.count(b"\n"))
    kept = ~np.isin(lines, sorted(without)) if without else np.ones(len(lines), bool)
    if not kept.all():
        text, lines = b"".join(record + b"\n" for record in _split(path, text)[kept]), lines[kept]
    if not len(lines):
        return pd.DataFrame(columns=names, index=pd.Index(lines), dtype=object)

    def check() -> None:
        _check_records(path, _split(path, text), lines, len(names))

    # The reader of numbers would take a zero byte for their end.
    if b"\0" in text or not _is_utf8(text):
        check()
    try:
        table = csv.read_csv(
            pa.BufferReader(text),
            # One block, so that a long line always fits.
            csv.ReadOptions(use_threads=False, column_names=names, block_size=len(text) + 2),
            csv.ParseOptions(
                delimiter="," if comma else "\t",
                quote_char='"' if comma else False,
                newlines_in_values=comma,
                ignore_empty_lines=False,
                invalid_row_handler=lambda _: "error",
            ),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), null_values=MISSING, strings_can_be_null=True),
        )
    except pa.ArrowInvalid as error:
        check()
        raise InputError(f"{path}: cannot be read ({str(error)[:100]})", "export the file as UTF-8 text again") from None
    frame: pd.DataFrame = table.to_pandas()
    frame.index = pd.Index(lines)
    return frame


def _split(path: Path, text: bytes) -> NDArray[np.object_]:
    """The records of a text, without their line ends."""
    parts = text.split(b"\n")[:-1]
    starts = record_lines(path, text, 0).tolist() if is_csv(path) else range(len(parts))
    found = [b"\n".join(parts[start:end]) for start, end in pairwise([*starts, len(parts)])]
    return np.array([*found, None], object)[:-1]


def _check_records(path: Path, found: NDArray[np.object_], lines: NDArray[np.int64], expected: int) -> None:
    """Finds the records that made the parser fail.

    Raises:
        RecordError: There are some.
    """
    comma = is_csv(path)
    bad, first_detail = [], ""
    for line, record in zip(lines.tolist(), found, strict=True):
        columns = len(fields(record.decode(errors="replace"))) if comma else record.count(b"\t") + 1
        # An empty line is one without values.
        if columns != expected and record:
            reason, detail = "another number of columns than the first line", f"{columns} columns where {expected} are expected"
        elif b"\0" in record:
            reason = detail = "a zero byte in the text"
        elif not _is_utf8(record):
            reason = detail = "cannot be read as UTF-8 text"
        else:
            continue
        first_detail = first_detail or detail
        bad.append(BadRecord(line, "", reason, ""))
    if bad:
        step = f"mend the line; columns are separated by {'commas' if comma else 'tabs'}, and text is UTF-8"
        raise RecordError(f"{path}: line {bad[0].line}: {first_detail}", step, bad, len(found))


def _is_utf8(text: bytes) -> bool:
    # Without a copy of the text.
    offsets = pa.py_buffer(np.array([0, len(text)], np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
