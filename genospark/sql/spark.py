"""SQL over a warehouse's tables, and how a result is printed."""

from __future__ import annotations

import re
import sys

import pandas as pd
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TableError

SHOWN_ROWS = 100


def query(spark: SparkSession, warehouse: str, text: str, csv: bool = False) -> None:
    """Runs a query over the committed tables and prints its result.

    Args:
        spark: Session.
        warehouse: Folder of the tables.
        text: Spark SQL; tables go by their names.
        csv: Print every row as CSV instead of a table of the first ones.

    Raises:
        TableError: The warehouse has no tables.
        ConfigError: The query is wrong.
    """
    names = Warehouse(spark, warehouse).create_views()
    if not names:
        raise TableError(f"{warehouse}: no tables there", "ingest something first, or name another folder with --warehouse")
    try:
        rows = spark.sql(text)
        if csv:
            found: pd.DataFrame = rows.toPandas()
            found.to_csv(sys.stdout, index=False)
            return
        first = rows.limit(SHOWN_ROWS + 1).collect()
    except (PySparkException, Py4JJavaError) as error:
        causes = re.findall(r"^Caused by: [\w.$]+: (.*)$", str(error), re.MULTILINE)
        reason = causes[-1] if causes else str(error).strip().splitlines()[0]
        raise ConfigError(f"the query is wrong: {reason}", f"the tables are {', '.join(names)}; `DESCRIBE <table>` lists columns") from None
    show(rows.columns, [list(row) for row in first[:SHOWN_ROWS]])
    if len(first) > SHOWN_ROWS:
        print(f"... the first {SHOWN_ROWS} rows; --csv prints all")


def show(columns: list[str], rows: list[list[object]], title: str | None = None) -> None:
    """Prints rows as a table on stdout."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        # Text, not str: rich would take brackets in a value for markup.
        table.add_row(*(Text("" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)) for value in row))
    width = None if sys.stdout.isatty() else 160
    Console(width=width, highlight=False).print(table)
