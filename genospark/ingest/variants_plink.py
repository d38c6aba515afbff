"""Stage ``ingest-plink``: PLINK's binary files to the tables of ``ingest-vcf``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd
from pyspark.sql import SparkSession

from genospark.core.config import expand
from genospark.core.paths import place
from genospark.core.runlog import Run
from genospark.errors import ConfigError, InputError
from genospark.ingest.genotype_tables import GenotypesConfig, ingest
from genospark.ingest.people import People
from genospark.ingest.phenotypes import PED_SCHEMA, write_named
from genospark.ingest.plink import BedHeader, PgenHeader, read_bed_header, read_pgen_header
from genospark.ingest.plink.people import SampleIds
from genospark.ingest.plink.sites import ReferenceAllele


class IngestPlinkConfig(GenotypesConfig):
    """Settings of ``ingest-plink``.

    Inputs are ``.bed`` files with ``.bim`` and ``.fam`` beside them, and ``.pgen`` files with ``.pvar`` (or ``.pvar.zst``) and ``.psam``.

    Attributes:
        reference_allele: Which allele of a ``.bim`` is the reference: the last (A2), as PLINK 2 has it, or the first (A1).
        sample_ids: What a person is called: ``IID``, or family and person (``FID_IID``).
        pedigree: Write families, parents and sexes of ``.fam`` and ``.psam`` files to ``pedigree``, as ``ingest-phenotypes`` does with a
            pedigree of the same batch.
        keep: What is kept beside the calls of ``.pgen`` files: ``dosage``, ``phase`` (of calls of two different alleles).
    """

    reference_allele: ReferenceAllele = "last"
    sample_ids: SampleIds = "IID"
    pedigree: bool = False
    keep: list[Literal["dosage", "phase"]] = []


def ingest_plink(config: IngestPlinkConfig, spark: SparkSession) -> str:
    """Reads PLINK's files into packed tables.

    Returns:
        The run's id.

    Raises:
        ConfigError: A file does not hold what is to be kept.
        InputError: A file is missing or is none of PLINK's, two say of somebody different parents, or as ``ingest-vcf``.
    """
    headers = [_header(path, config) for path in expand(config.inputs)]
    genotypes = [header.bed if isinstance(header, BedHeader) else header.pgen for header in headers]
    files = [place(path) for own, header in zip(genotypes, headers, strict=True) for path in (own, header.path, header.people.path)]
    also = partial(_write_pedigree, config, _pedigree(headers)) if config.pedigree else None
    return ingest("ingest-plink", config, spark, headers, files, also=also)


def _pedigree(headers: list[BedHeader | PgenHeader]) -> pd.DataFrame:
    """Rows of ``pedigree``, of people called as in the files; somebody without a family is one."""
    rows = {
        (one, family or one, father, mother, int(sex) or None): header.people.path
        for header in headers
        for one, sex, (family, father, mother) in zip(header.sample_ids, header.people.sexes, header.people.relatives, strict=True)
    }
    first: dict[str, str] = {}
    for (one, *_), path in rows.items():
        if one in first:
            raise InputError(f"{path}: the family, a parent or the sex of somebody is another than in {first[one]}", "correct one of them")
        first[one] = path
    return pd.DataFrame(list(rows), columns=["sampleId", "familyId", "fatherId", "motherId", "sex"]).astype({"sex": "Int64"})


def _write_pedigree(config: IngestPlinkConfig, rows: pd.DataFrame, run: Run, people: People, chosen: frozenset[str] | None) -> None:
    if chosen is not None:
        rows = rows[[name in chosen for name in people.pseudonyms.of(list(rows["sampleId"]))]]
    write_named(run, config, "pedigree", rows.copy(), PED_SCHEMA, people)


def _header(path: Path, config: IngestPlinkConfig) -> BedHeader | PgenHeader:
    if path.suffix == ".pgen":
        return read_pgen_header(path, config.sample_ids, tuple(config.keep))
    if path.suffix != ".bed":
        raise InputError(f"{path}: not called .bed or .pgen", "name the file of genotypes; its companions are found by its name")
    if config.keep:
        raise ConfigError(f"{path}: a .bed file holds neither dosages nor phase", "leave out `keep`")
    return read_bed_header(path, config.reference_allele, config.sample_ids)
