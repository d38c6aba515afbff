"""Stage ``ingest-plink``: PLINK's binary files to the tables of ``ingest-vcf``."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from genospark.core.config import expand
from genospark.core.paths import place
from genospark.errors import InputError
from genospark.ingest.plink import BedHeader, read_bed_header
from genospark.ingest.plink.people import SampleIds
from genospark.ingest.plink.sites import ReferenceAllele
from genospark.ingest.variants import GenotypesConfig, ingest


class IngestPlinkConfig(GenotypesConfig):
    """Settings of ``ingest-plink``; inputs are ``.bed`` files with their ``.bim`` and ``.fam`` beside them.

    Attributes:
        reference_allele: Which allele of a ``.bim`` is the reference: the last (A2), as PLINK 2 has it, or the first (A1).
        sample_ids: What a person is called: the second column (``IID``), or family and person (``FID_IID``).
    """

    reference_allele: ReferenceAllele = "last"
    sample_ids: SampleIds = "IID"


def ingest_plink(config: IngestPlinkConfig, spark: SparkSession) -> str:
    """Reads PLINK's files into packed tables.

    Returns:
        The run's id.

    Raises:
        InputError: A file is missing or is none of PLINK's, or as ``ingest-vcf``.
    """
    headers = [_header(path, config) for path in expand(config.inputs)]
    files = [place(path) for header in headers for path in (header.bed, header.path, header.people.path)]
    return ingest("ingest-plink", config, spark, headers, files)


def _header(path: Path, config: IngestPlinkConfig) -> BedHeader:
    if path.suffix != ".bed":
        raise InputError(f"{path}: not called .bed", "name the .bed file; its companions are found by its name")
    return read_bed_header(path, config.reference_allele, config.sample_ids)
