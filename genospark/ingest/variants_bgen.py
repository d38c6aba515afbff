"""Stage ``ingest-bgen``: BGEN files to the tables of ``ingest-vcf``, dosages kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pyspark.sql import SparkSession

from genospark.core.config import expand
from genospark.core.paths import place
from genospark.ingest.bgen import BgenOptions, read_bgen_header
from genospark.ingest.genotype_tables import GenotypesConfig, ingest
from genospark.ingest.plink.sites import ReferenceAllele


class IngestBgenConfig(GenotypesConfig):
    """Settings of ``ingest-bgen``; inputs are BGEN files, with a ``.sample`` file beside those that do not name their people.

    Attributes:
        reference_allele: Which of the two alleles is the reference.
        hard_call_threshold: A call is missing where the expected copies of the alternate allele are farther from a whole number (PLINK 2).
        keep: What is kept beside the calls: ``dosage``, ``phase``.
    """

    reference_allele: ReferenceAllele = "first"
    hard_call_threshold: float = Field(0.1, ge=0, lt=0.5)
    keep: list[Literal["dosage", "phase"]] = ["dosage"]


def ingest_bgen(config: IngestBgenConfig, spark: SparkSession) -> str:
    """Reads BGEN files into packed tables.

    Returns:
        The run's id.

    Raises:
        InputError: A file is missing or is no BGEN file of version 1.2 or 1.3, or as ``ingest-vcf``.
    """
    options = BgenOptions(config.reference_allele, config.hard_call_threshold, tuple(config.keep))
    headers = [read_bgen_header(path, options) for path in expand(config.inputs)]
    files = dict.fromkeys(name for header in headers for name in (header.path, header.named_in))
    return ingest("ingest-bgen", config, spark, headers, [place(name) for name in files])
