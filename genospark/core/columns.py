"""Columns of the dictionary as Spark has them."""

from __future__ import annotations

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as f
from pyspark.sql.types import StructType, _parse_datatype_string

from genospark.errors import TableError
from genospark.schema import Column, Table


def spark_schema(entry: Table) -> StructType:
    """A table's columns as Spark types; needs a running session."""
    schema = _parse_datatype_string(entry.ddl)
    assert isinstance(schema, StructType)
    return schema


def _types(schema: StructType) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in schema}


def conform(rows: DataFrame, entry: Table) -> DataFrame:
    """A table's columns as they are stored.

    Raises:
        TableError: They are others than the dictionary's.
    """
    wanted, found = _types(spark_schema(entry)), _types(rows.schema)
    if set(wanted) != set(found):
        raise TableError(
            f"`{entry.name}`: columns {sorted(set(wanted) ^ set(found))} differ from the dictionary",
            "this is a mistake in genospark: please report it",
        )
    return rows.select(*(_given(column, entry).alias(column.name) for column in entry.columns))


def _given(column: Column, entry: Table) -> SparkColumn:
    """A column as it is stored; where it may not be null, a null fails the write."""
    value = f.col(column.name).cast(column.type)
    if column.nullable:
        return value
    return f.coalesce(value, f.raise_error(f"`{entry.name}`: {column.name} is null: this is a mistake in genospark").cast(column.type))
