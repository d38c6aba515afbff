"""How the result of a query is printed."""

from __future__ import annotations

import sys

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN_ROWS = 100


def print_csv(rows: pd.DataFrame) -> None:
    """Prints all rows as CSV."""
    rows.to_csv(sys.stdout, index=False)


def show_first(columns: list[str], rows: list[list[object]]) -> None:
    """Prints the first rows as a table, and whether there are more.

    Args:
        columns: Names.
        rows: At most ``SHOWN_ROWS + 1``.
    """
    show(columns, rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"... the first {SHOWN_ROWS} rows; --csv prints all")


def show(columns: list[str], rows: list[list[object]], title: str | None = None) -> None:
    """Prints rows as a table on stdout."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        # Text, not str: rich would take brackets in a value for markup.
        table.add_row(*(Text("" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)) for value in row))
    width = None if sys.stdout.isatty() else 160
    Console(width=width, highlight=False).print(table)
