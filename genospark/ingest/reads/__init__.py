"""The native pileup engine: sorted and indexed BAM files to per-position tensors for variant calling.

``read_alignment_header`` says whose reads a file holds, ``plan_regions`` cuts the genome into regions, and ``pile_up`` reads one
region; any process can do so without the others. Imports no Spark.
"""

from genospark.ingest.reads.candidates import Candidates
from genospark.ingest.reads.filters import DROP_REASONS, ReadFilters
from genospark.ingest.reads.header import AlignmentHeader, check_reference, read_alignment_header
from genospark.ingest.reads.pileup import Pileup, pile_up, windows
from genospark.ingest.reads.regions import Region, plan_regions

__all__ = [
    "DROP_REASONS",
    "AlignmentHeader",
    "Candidates",
    "Pileup",
    "ReadFilters",
    "Region",
    "check_reference",
    "pile_up",
    "plan_regions",
    "read_alignment_header",
    "windows",
]
