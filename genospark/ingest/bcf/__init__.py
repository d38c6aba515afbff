"""BCF 2 files (bgzipped) to record batches of biallelic variants with packed calls, the same as ``vcf`` makes of the same records.

A CSI index beside a file says where ranges of it begin; without one the file is read as a whole. Imports no Spark.
"""

from genospark.ingest.bcf.header import BcfHeader, is_bcf, read_bcf_header
from genospark.ingest.bcf.parse import parse_bcf
from genospark.ingest.bcf.splits import BcfSplit, plan_bcf

__all__ = ["BcfHeader", "BcfSplit", "is_bcf", "parse_bcf", "plan_bcf", "read_bcf_header"]
