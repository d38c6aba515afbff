"""PLINK's files to record batches of biallelic variants with packed calls.

These are ``.bed`` with ``.bim`` and ``.fam`` (PLINK 1), and ``.pgen`` with ``.pvar`` and ``.psam`` (PLINK 2). As in ``vcf``, a header says
who is in a file, a plan cuts it into ranges of variants, and any process reads one without the others. Imports no Spark.
"""

from genospark.ingest.plink.bed import BedHeader, BedSplit, parse_bed, plan_bed, read_bed_header
from genospark.ingest.plink.pgen import PgenHeader, PgenSplit, parse_pgen, plan_pgen, read_pgen_header

__all__ = [
    "BedHeader",
    "BedSplit",
    "PgenHeader",
    "PgenSplit",
    "parse_bed",
    "parse_pgen",
    "plan_bed",
    "plan_pgen",
    "read_bed_header",
    "read_pgen_header",
]
