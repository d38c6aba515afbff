"""BGEN files (1.2 and 1.3) to record batches of biallelic variants with packed calls and dosages.

As in ``vcf``, a header says who is in a file, a plan cuts it into ranges of variants, and any process reads one without the others. Imports
no Spark.
"""

from genospark.ingest.bgen.header import BgenHeader, BgenOptions, read_bgen_header
from genospark.ingest.bgen.parse import parse_bgen
from genospark.ingest.bgen.splits import BgenSplit, plan_bgen

__all__ = ["BgenHeader", "BgenOptions", "BgenSplit", "parse_bgen", "plan_bgen", "read_bgen_header"]
