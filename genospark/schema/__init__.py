"""The dictionary: every table and column with its type, unit, nullability and meaning.

Pure data: this room imports nothing but ``errors``. ``core.storage`` checks what is written against it and ``docs/tables.md`` is
generated from it.
"""

from genospark.schema.dictionary import Column, Table
from genospark.schema.tables import TABLES, table

__all__ = ["TABLES", "Column", "Table", "table"]
