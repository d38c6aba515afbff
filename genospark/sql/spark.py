"""Spark SQL over a warehouse's tables."""

from __future__ import annotations

import re

import pandas as pd
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from genospark.core import crosswalk, delta
from genospark.core.session import prepare
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TableError
from genospark.sql.printed import SHOWN_ROWS, print_csv, show_first


def query(spark: SparkSession, warehouse: str, text: str, csv: bool = False, names: str | None = None) -> None:
    """Runs a query over the committed tables and prints its result.

    Args:
        spark: Session.
        warehouse: Folder of the tables.
        text: Spark SQL; tables go by their names.
        csv: Print every row as CSV instead of a table of the first ones.
        names: Folder of the crosswalk; it is a table `crosswalk` then.

    Raises:
        TableError: The warehouse has no tables, or the folder no crosswalk.
        ConfigError: The query is wrong.
    """
    views = Warehouse(spark, warehouse).create_views()
    if not views:
        raise TableError(f"{warehouse}: no tables there", "ingest something first, or name another folder with --warehouse")
    if names:
        prepare(spark, names)
        spark.read.parquet(*map(delta.for_reader, crosswalk.files(names))).distinct().createOrReplaceTempView("crosswalk")
    try:
        rows = spark.sql(text)
        if csv:
            found: pd.DataFrame = rows.toPandas()
            print_csv(found)
            return
        first = rows.limit(SHOWN_ROWS + 1).collect()
    except (PySparkException, Py4JJavaError) as error:
        causes = re.findall(r"^Caused by: [\w.$]+: (.*)$", str(error), re.MULTILINE)
        reason = causes[-1] if causes else str(error).strip().splitlines()[0]
        raise ConfigError(f"the query is wrong: {reason}", f"the tables are {', '.join(views)}; `DESCRIBE <table>` lists columns") from None
    show_first(rows.columns, [list(row) for row in first])
