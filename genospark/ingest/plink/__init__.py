"""PLINK's files to record batches of biallelic variants with packed calls: ``.bed`` with ``.bim`` and ``.fam`` (PLINK 1).

As in ``vcf``, a header says who is in a file, a plan cuts it into ranges of variants, and any process reads one without the others. Imports
no Spark.
"""

from genospark.ingest.plink.bed import BedHeader, BedSplit, parse_bed, plan_bed, read_bed_header

__all__ = ["BedHeader", "BedSplit", "parse_bed", "plan_bed", "read_bed_header"]
