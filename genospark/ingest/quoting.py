"""Where the records of comma-separated text begin (RFC 4180).

A field in quotes may hold commas, line ends, and quotes that are written twice.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genospark.errors import InputError

_QUOTE, _COMMA, _LINE_FEED, _RETURN = 34, 44, 10, 13


def last_record_end(text: bytes) -> int:
    """Position after the last line end that ends a record; 0 where none does. The text begins with a record."""
    if b'"' not in text:
        return text.rfind(b"\n") + 1
    ends = _record_ends(np.frombuffer(text, np.uint8))
    return int(ends[-1]) + 1 if len(ends) else 0


def record_lines(path: Path, text: bytes, first: int) -> NDArray[np.int64]:
    """The line at which each record begins.

    Args:
        path: The file, for errors.
        text: Whole records; the last ends with a line feed.
        first: Line of the first one.

    Raises:
        InputError: A quote stands inside a field that is not quoted, or is not closed.
    """
    found = np.frombuffer(text, np.uint8)
    feeds = np.flatnonzero(found == _LINE_FEED)
    if b'"' not in text:
        return first + np.arange(len(feeds))
    _check(path, found, feeds, first)
    starts = np.concatenate([[0], _record_ends(found)[:-1] + 1])
    return first + np.searchsorted(feeds, starts)


def fields(record: str) -> list[str]:
    """The fields of a record, without its line end, whose quotes are known to be right."""
    found: list[str] = []
    inside = False
    for part in record.split(","):
        if inside:
            found[-1] += f",{part}"
        else:
            found.append(part)
        inside ^= part.count('"') % 2 == 1
    return [field[1:-1].replace('""', '"') if field.startswith('"') else field for field in found]


def _record_ends(text: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Positions of the line feeds outside quotes."""
    # A quote written twice closes and opens again, which leaves everything after it where it was.
    quotes = np.flatnonzero(text == _QUOTE)
    feeds = np.flatnonzero(text == _LINE_FEED)
    ends: NDArray[np.int64] = feeds[np.searchsorted(quotes, feeds) % 2 == 0]
    return ends


def _check(path: Path, text: NDArray[np.uint8], feeds: NDArray[np.int64], first: int) -> None:
    quotes = np.flatnonzero(text == _QUOTE)
    opening, closing = quotes[::2], quotes[1::2]
    before = np.where(opening > 0, text[np.maximum(opening - 1, 0)], _LINE_FEED)
    after = text[np.minimum(closing + 1, len(text) - 1)]
    # What opens right after a closing quote is the second of a quote written twice.
    stray = opening[~np.isin(before, (_COMMA, _LINE_FEED, _QUOTE)) | ((before == _QUOTE) & ~np.isin(opening - 1, closing))]
    loose = closing[~np.isin(after, (_COMMA, _LINE_FEED, _RETURN, _QUOTE))]
    wrong = np.sort(np.concatenate([stray, loose]))
    if len(wrong):
        line = first + int(np.searchsorted(feeds, wrong[0]))
        raise InputError(
            f"{path}: line {line}: a quote inside a field", 'put the whole field in quotes, and write quotes inside it twice: "a ""b"" c"'
        )
    if len(quotes) % 2:
        line = first + int(np.searchsorted(feeds, opening[-1]))
        raise InputError(f"{path}: line {line}: a quote is not closed", "close it, or check that the file was written completely")
