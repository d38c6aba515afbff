"""SQL over a warehouse's tables, by Spark or by DuckDB, and how a result is printed. Reads what runs have committed, and nothing else."""

from genospark.sql.printed import show
from genospark.sql.spark import query

__all__ = ["query", "show"]
