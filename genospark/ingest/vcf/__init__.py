"""The native VCF engine: VCF 4.x text, bgzipped or not, to record batches of biallelic variants with packed calls.

``read_header`` says who is in a file, ``plan_splits`` cuts it into byte ranges, and ``parse_split`` reads one range; any process can
do so without the others. Imports no Spark.
"""

from genospark.ingest.vcf.faults import BadLine, Findings
from genospark.ingest.vcf.header import VcfHeader, read_header
from genospark.ingest.vcf.parse import PARSED_SCHEMA, parse_split
from genospark.ingest.vcf.splits import Split, plan_splits

__all__ = ["PARSED_SCHEMA", "BadLine", "Findings", "Split", "VcfHeader", "parse_split", "plan_splits", "read_header"]
