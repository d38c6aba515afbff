"""DuckDB over the Parquet files of a warehouse's tables: no JVM, an answer within a second."""

from __future__ import annotations

import json

import duckdb

from genospark.core import crosswalk, ledger, paths
from genospark.core.versions import check_version
from genospark.errors import ConfigError, TableError
from genospark.schema import TABLES, Table
from genospark.sql.printed import SHOWN_ROWS, print_csv, show_first

_TYPES = {
    "string": "VARCHAR",
    "binary": "BLOB",
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "timestamp": "TIMESTAMPTZ",
}


def query(warehouse: str, text: str, csv: bool = False, names: str | None = None) -> None:
    """Runs a query over the committed tables and prints its result.

    Args:
        warehouse: Folder of the tables.
        text: DuckDB's SQL; tables go by their names.
        csv: Print every row as CSV instead of a table of the first ones.
        names: Folder of the crosswalk; it is a table `crosswalk` then.

    Raises:
        TableError: The warehouse has no tables, or the folder no crosswalk.
        ConfigError: The query is wrong.
    """
    with connect(warehouse) as connection:
        if names:
            _register(connection, names)
            connection.execute(f"CREATE VIEW crosswalk AS SELECT DISTINCT * FROM read_parquet({_listed(crosswalk.files(names))})")
        try:
            found = connection.sql(text)
            if found is None:
                raise ConfigError("the query has no result", "write a SELECT")
            if csv:
                print_csv(found.df())
            else:
                show_first(found.columns, [list(row) for row in found.fetchmany(SHOWN_ROWS + 1)])
        except duckdb.Error as error:
            names = ", ".join(row[0] for row in connection.sql("SHOW TABLES").fetchall())
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"the query is wrong: {reason}", f"the tables are {names}; `DESCRIBE <table>` lists columns") from None


def connect(warehouse: str) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory with a view of each committed table, at the version that its run committed.

    Raises:
        TableError: The warehouse has no tables.
    """
    book = ledger.Ledger(str(paths.absolute(warehouse)))
    if paths.is_url(book.path):
        paths.check_reachable(book.path)
    committed = book.committed()
    if not committed:
        raise TableError(f"{warehouse}: no tables there", "ingest something first, or name another folder with --warehouse")
    connection = duckdb.connect()
    _register(connection, book.path)
    places = [("runs", None), *((part, run["version"]) for part, run in committed.items())]
    parts: dict[str, list[str]] = {}
    for part, version in places:
        # A part of a table, such as one task's metrics, is a table of its own on disk.
        name = part.partition("/")[0]
        check_version(TABLES[name], book.location(part), ledger.schema_version(book.location(part), version), book.path)
        parts.setdefault(name, []).append(_select(TABLES[name], book.location(part), version))
    for name, selects in parts.items():
        connection.execute(f'CREATE VIEW "{name}" AS {" UNION ALL ".join(selects)}')
    return connection


def _register(connection: duckdb.DuckDBPyConnection, folder: str) -> None:
    """Lets DuckDB read files behind URLs; its own extension for them would have to be downloaded."""
    if paths.is_url(folder) and not connection.filesystem_is_registered(paths.place(folder).protocol):  # type: ignore[attr-defined]
        connection.register_filesystem(paths.file_system(folder))


def _select(table: Table, location: str, version: int | None) -> str:
    """The rows of one version, with the columns of the dictionary; those that an older version did not have are null."""
    paths = ledger.live_files(location, version)
    present = {field["name"] for field in json.loads(ledger.schema(location, version))["fields"]} if paths else set()
    columns = ", ".join(
        (f'"{column.name}"' if column.name in present else "NULL") + f'::{_type(column.type)} AS "{column.name}"'
        for column in table.columns
    )
    if not paths:
        return f"SELECT {columns} WHERE false"
    kinds = {column.name: _type(column.type) for column in table.columns if column.name in table.partitions}
    hive = f", hive_types = {{{', '.join(f'{name}: {kind}' for name, kind in kinds.items())}}}" if kinds else ""
    return (
        f"SELECT {columns} FROM read_parquet({_listed(paths)}, union_by_name = true, hive_partitioning = {str(bool(kinds)).lower()}{hive})"
    )


def _listed(paths: list[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"


def _type(spark: str) -> str:
    """DuckDB's name of a Spark SQL type."""
    kind, _, inner = spark.partition("<")
    inner = inner.removesuffix(">")
    if kind == "array":
        return f"{_type(inner)}[]"
    if kind == "struct":
        fields = (field.split(":", 1) for field in inner.split(", "))
        return "STRUCT(" + ", ".join(f'"{name.strip()}" {_type(of.strip())}' for name, of in fields) + ")"
    if kind == "map":
        key, value = inner.split(", ")
        return f"MAP({_type(key)}, {_type(value)})"
    return _TYPES[spark]
