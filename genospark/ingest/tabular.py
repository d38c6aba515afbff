"""Reading delimited text files, plain or gzipped, with errors that name file, line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genospark.errors import InputError

MISSING = ["NA", "NaN", "nan", "", "."]


def read_table(path: Path, separator: str = "\t", header: bool = True) -> pd.DataFrame:
    """A delimited file, all values as text, missing ones as NaN; the index holds line numbers.

    Args:
        path: File, plain or compressed.
        separator: What stands between columns.
        header: Whether the first line names the columns (a ``#`` before it is dropped); else they are named by position, from 1.

    Raises:
        InputError: The file cannot be read, is empty, has lines of different length, or names a column twice.
    """
    try:
        frame = pd.read_csv(path, sep=separator, dtype=str, na_values=MISSING, keep_default_na=False, header=None, quoting=3)
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: is empty", "check that the file was written completely") from None
    except (pd.errors.ParserError, UnicodeDecodeError, EOFError, OSError) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{path}: cannot be read ({reason})", "mend the line, or write the file again") from None
    frame.index += 1
    if not header:
        return frame.set_axis([str(position) for position in range(1, frame.shape[1] + 1)], axis=1)
    names = [str(name) for name in frame.iloc[0]]
    names[0] = names[0].removeprefix("#")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: line 1: column {twice} stands more than once", "give every column a name of its own")
    if len(frame) == 1:
        raise InputError(f"{path}: has a header and no rows", "check that the file was written completely")
    return frame.iloc[1:].set_axis(names, axis=1)


def numbers(frame: pd.DataFrame, columns: list[str], path: Path) -> NDArray[np.float64]:
    """Columns of text as float64, missing as NaN.

    Returns:
        Array [rows, columns].

    Raises:
        InputError: A value is not a finite number.
    """
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
    empty = frame[key].isna().any(axis=1)
    if empty.any():
        raise InputError(f"{path}: line {frame.index[np.argmax(empty)]}: no {' or '.join(key)}", "fill it in, or drop the line")
    again = frame.duplicated(key)
    if again.any():
        row = int(np.argmax(again))
        raise InputError(
            f"{path}: line {frame.index[row]}: {', '.join(str(frame.iloc[row][name]) for name in key)} stands more than once",
            f"keep one line for each {' and '.join(key)}",
        )
