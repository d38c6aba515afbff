"""All of a VCF: every INFO and FORMAT field that the header declares, in the columns of Glow's schema, as record batches.

``declared_fields`` says what the headers declare, ``full_schema`` which columns that makes, and ``read_full`` reads one split,
multi-allelic records divided or not. Lines, columns and sites are checked as for packed calls. Imports no Spark.
"""

from genospark.ingest.vcf.full.declared import Declared, declared_fields, full_schema
from genospark.ingest.vcf.full.rows import check_columns, read_full

__all__ = ["Declared", "check_columns", "declared_fields", "full_schema", "read_full"]
