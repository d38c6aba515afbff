"""``export``: a plain copy of the tables, or of the genotypes, for programs that do not read Delta."""

from __future__ import annotations

from typing import Literal

from pyspark.sql import SparkSession

from genospark.core import paths, stores
from genospark.core.config import StageConfig
from genospark.core.progress import log, step
from genospark.core.session import prepare
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TableError
from genospark.schema import TABLES
from genospark.upkeep.export_genotypes import export_plink, export_vcf
from genospark.upkeep.export_pgs import export_pgs


class ExportConfig(StageConfig):
    """Settings of ``export``.

    Attributes:
        out: Folder to write, of parquet a folder a table.
        format: parquet, partitioned as the tables are; vcf or plink: the genotypes as one bgzipped VCF, or as .bed, .bim and .fam; pgs: the
            linear part of a risk model as scoring files of the PGS Catalog's format, one a disease.
        tables: Which tables; all where empty.
        crosswalk: Folder of the crosswalk, by which VCF and PLINK files call people as the input files did; else by their pseudonyms.
        bundle: Of pgs, the folder of the risk model; the one that this warehouse trained last where not given.
    """

    out: str | None = None
    format: Literal["parquet", "vcf", "plink", "pgs"] = "parquet"
    tables: list[str] = []
    crosswalk: str | None = None
    bundle: str | None = None


def export(config: ExportConfig, spark: SparkSession) -> str:
    """Writes the committed rows of tables as plain files.

    Returns:
        The folder.

    Raises:
        ConfigError: No folder is given, or a table is not known.
        TableError: The folder holds something, or a table is not there.
    """
    if config.out is None:
        raise ConfigError("no folder is given", "name it with --set out=DIR")
    if unknown := [name for name in config.tables if name not in TABLES]:
        raise ConfigError(f"no table {unknown[0]}", f"the tables are {', '.join(TABLES)}")
    out = paths.absolute(config.out)
    if out.exists() and any(out.iterdir()):
        raise TableError(f"{out}: holds files already", "name a new folder")
    warehouse = Warehouse(spark, config.warehouse)
    prepare(spark, str(out))
    if config.format != "parquet":
        if config.tables:
            raise ConfigError(f"format {config.format} takes no tables", "leave out `tables`: it is no table that is written")
        if config.format == "pgs":
            export_pgs(warehouse, out, config.bundle)
            return str(out)
        (export_vcf if config.format == "vcf" else export_plink)(warehouse, out, config.crosswalk)
        return str(out)
    names = config.tables or [name for name in TABLES if warehouse.has(name) or (name == "runs" and warehouse.committed())]
    for name in names:
        with step(f"export: {name}"):
            writer = warehouse.read(name).write
            writer.partitionBy(*TABLES[name].partitions).parquet(stores.for_hadoop(str(out / name)))
    log.info("export: %d tables in %s", len(names), out)
    return str(out)
