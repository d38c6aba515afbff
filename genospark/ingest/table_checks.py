"""What tables of text have to hold: columns, numbers and keys; rows and values that are refused are named by line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genospark.errors import BadRecord, InputError, RecordError

SHOWN = 200
"""Characters of a value in messages and in ``quarantine``."""


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
        raise InputError(f"{path}: line 1: no column with values", "check the header line, and what separates the columns")
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
            raise InputError(f"{path}: line 1: no column {name}; {found}", "check the header line, and what separates the columns")


def unique(frame: pd.DataFrame, key: list[str], path: Path) -> None:
    """Checks that `key` is given in every row and in no two rows the same.

    Raises:
        RecordError: It is not; of the same rows the first is right.
    """
    empty = frame[key].isna().to_numpy()
    for place, name in enumerate(key):
        refuse_rows(frame, empty[:, place], path, f"no {name}", "fill it in, or drop the line")
    refuse_again(frame, frame.duplicated(key).to_numpy(), key, path)


def refuse_again(frame: pd.DataFrame, again: NDArray[np.bool_], key: list[str], path: Path) -> None:
    """Refuses the rows marked in `again`, whose `key` stands on an earlier line.

    Raises:
        RecordError: There are some.
    """
    keys = " and ".join(key)
    refuse_rows(frame, again, path, f"the same {keys} as on an earlier line", f"keep one line for each {keys}, over all files")
