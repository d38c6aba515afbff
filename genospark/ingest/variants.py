"""Stage ``ingest-vcf``: VCF and BCF files to ``variants``, ``genotypes`` and ``samples``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from pyspark.sql import SparkSession

from genospark.core.config import expand
from genospark.errors import ConfigError
from genospark.ingest.bcf import BcfHeader, is_bcf, read_bcf_header
from genospark.ingest.genotype_files import Piece
from genospark.ingest.genotype_tables import GenotypesConfig, ingest
from genospark.ingest.selection import within
from genospark.ingest.vcf import Split, VcfHeader, read_header
from genospark.ingest.vcf.measured import check_keep
from genospark.ingest.vcf_rows import Columns, Source
from genospark.ingest.vcf_rows_glow import by_glow
from genospark.ingest.vcf_table import choose_engine


class IngestVcfConfig(GenotypesConfig):
    """Settings of ``ingest-vcf``; inputs are VCF files (plain, gzip or bgzip) and BCF files.

    Attributes:
        engine: What reads genotypes: ``native``, ``glow``, or ``auto`` (Glow where the session has its jars, but for quarantine). The
            tables are the same.
        regions: Records that overlap one of these are read, as of ``bcftools view -r``: ``22``, ``22:100`` or ``22:100-200``, or the path
            of a BED file; all where empty. An index (``.tbi``, ``.csi``) says where they are, but not in quarantine: lines are counted.
        keep: What is kept of genotypes beside the calls: ``phase``, and the fields ``GQ``, ``DP`` and ``AD``. Natively read only.
    """

    engine: Literal["auto", "native", "glow"] = "native"
    regions: list[str] | str = []
    keep: list[Literal["phase", "GQ", "DP", "AD"]] = []

    def identity(self) -> dict[str, Any]:
        """A BED file counts by its content."""
        return super().identity() | ({"regions": []} if isinstance(self.regions, str) else {})


def ingest_vcf(config: IngestVcfConfig, spark: SparkSession) -> str:
    """Reads VCF files into packed tables.

    Returns:
        The run's id.

    Raises:
        InputError: A file is missing, is no valid VCF, holds people whom another batch or sample set has, or files are of different
            genome builds.
    """
    files = expand(config.inputs)
    engine = _engine(config, spark)

    def glow(splits: list[Piece], people: list[Columns]) -> Source:
        return by_glow(spark, cast(list[Split], splits), people, config.piece_bytes(files, spark))

    headers = [_header(path, config, engine) for path in files]
    bed = expand([config.regions]) if isinstance(config.regions, str) else []
    if config.regions:
        headers = within(headers, bed[0] if bed else list(config.regions), by_index=not config.quarantines)
    more = {"regions": bed} if bed else {}
    return ingest("ingest-vcf", config, spark, headers, files, glow if engine == "glow" else None, more, engine=engine)


def _header(path: Path, config: IngestVcfConfig, engine: str) -> VcfHeader | BcfHeader:
    if (binary := is_bcf(path)) and engine == "glow":
        raise ConfigError(f"{path}: Glow reads no BCF", "take engine native")
    header = read_bcf_header(path) if binary else read_header(path)
    check_keep(header.path, header.declarations, tuple(config.keep))
    return replace(header, keep=tuple(config.keep))


def _engine(config: IngestVcfConfig, spark: SparkSession) -> str:
    """The engine that the configuration means.

    Raises:
        ConfigError: Glow is to quarantine, or to read more than calls.
        SetupError: Glow is asked for and its jars are not in the session.
    """
    if config.quarantines:
        if config.engine == "glow":
            raise ConfigError("engine glow with mode quarantine: Glow does not say which line a record is", "take engine native or auto")
        return "native"
    if config.keep or config.reference or config.regions:
        if config.engine == "glow":
            raise ConfigError("engine glow with keep, reference or regions: Glow reads all calls alone", "take engine native or auto")
        return "native"
    return choose_engine(spark, config.engine, expand(config.inputs))
