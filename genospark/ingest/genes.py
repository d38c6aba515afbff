"""Stage ``ingest-genes``: gene annotation, regulators and terms to ``genes`` and ``geneTerms``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
from pyspark.sql import SparkSession

from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import BadRecord, ConfigError, InputError, RecordError
from genospark.ingest.annotation import lines_of, read_annotation
from genospark.ingest.quarantine import IngestConfig, Rejects
from genospark.ingest.roles import by_role
from genospark.ingest.table_checks import refuse_rows, require
from genospark.ingest.tabular import read_table
from genospark.ingest.text_files import read_text

ROLES = ("genes", "terms", "regulators")
GENE_ROWS = (
    "geneId string, geneName string, biotype string, contigName string, start bigint, end bigint, strand string, isRegulator boolean"
)


class IngestGenesConfig(IngestConfig):
    """Settings of ``ingest-genes``.

    Attributes:
        inputs: ``role=path`` entries; the role is genes (GTF or GFF3), terms or regulators, and genes where none is given.
        contig_names: New names of contigs, such as ``chrM: MT``; they come before the prefixes.
        strip_contig_prefix: Taken off contig names that begin with it, such as ``chr``.
        add_contig_prefix: Put before contig names that do not begin with it.
        gene_column: Column of the gene in files of terms and regulators.
        term_column: Column of the term.
    """

    contig_names: dict[str, str] = {}
    strip_contig_prefix: str = ""
    add_contig_prefix: str = ""
    gene_column: str = "geneId"
    term_column: str = "termId"


def ingest_genes(config: IngestGenesConfig, spark: SparkSession) -> str:
    """Reads where genes lie and which are regulators, and what they do; tables of roles that are not given stay as they are.

    Returns:
        The run's id.

    Raises:
        InputError: A file is not what its role says.
        ConfigError: An input's role is not known, or there is neither an annotation nor a file of terms.
    """
    roles = by_role(config.inputs, ROLES, needed=("genes", "terms"))
    if "regulators" in roles and "genes" not in roles:
        raise ConfigError("regulators without an annotation", "name it with --input genes=PATH: regulators are marked in its table")
    warehouse = Warehouse(spark, config.warehouse)
    return run_stage("ingest-genes", config, warehouse, lambda run: _ingest(run, config, roles), files=roles)


def _ingest(run: Run, config: IngestGenesConfig, roles: dict[str, list[Path]]) -> None:
    spark, known, rejects = run.warehouse.spark, None, Rejects(config)
    if paths := roles.get("genes"):
        with step(f"ingest-genes: reading {len(paths)} annotation file(s)"):
            genes = read_genes(paths, config, rejects)
        run.note(genes=len(genes), contigs=genes["contigName"].nunique())
        genes["isRegulator"] = None
        if lists := roles.get("regulators"):
            listed = set().union(*(rejects.read(path, partial(read_regulators, path, config.gene_column)) for path in lists))
            genes["isRegulator"] = _is_regulator(genes, listed, lists)
            absent = len(listed - set(genes["geneId"]) - set(genes["geneName"]))
            run.note(regulators=int(genes["isRegulator"].sum()), **{"regulators that the annotation lacks": absent})
        known = set(genes["geneId"])
    if paths := roles.get("terms"):
        terms = read_terms(paths, config, rejects)
        found = terms["geneId"].drop_duplicates()
        run.note(**{"genes looked at for terms": len(found), "of them without a term": int(terms["termId"].isna().sum())})
        if known is not None:
            run.note(**{"of them that the annotation lacks": int((~found.isin(known)).sum())})
            _check_any(set(found) & known, paths[0], "genes with terms")
    if "genes" in roles:
        run.write("genes", spark.createDataFrame(genes, GENE_ROWS))
    if "terms" in roles:
        run.write("geneTerms", spark.createDataFrame(terms, "geneId string, termId string"))
    rejects.publish(run)


def read_genes(paths: list[Path], config: IngestGenesConfig, rejects: Rejects | None = None) -> pd.DataFrame:
    """Genes of annotation files, by contig and start.

    Genes of the pseudoautosomal regions that an annotation gives on X and on Y under names of their own (``..._PAR_Y``, ``ENSGR...``)
    are two genes; under one name they are refused as any other gene that stands twice.

    Args:
        paths: Annotation files.
        config: Settings.
        rejects: Takes up bad lines; without it the first is an error.

    Returns:
        Columns geneId, geneName, biotype, contigName, start (0-based), end (exclusive), strand.

    Raises:
        InputError: A file is no annotation, or a gene stands twice.
    """
    rejects = Rejects(config) if rejects is None else rejects
    genes = pd.concat([read_annotation(path, rejects).assign(path=path) for path in paths], ignore_index=True)
    again = genes.duplicated("geneId")
    for path, rows in genes[again].groupby("path", sort=False):
        lines = lines_of(path, rows["line"].tolist())
        reason = "a gene that stands on an earlier line too"
        records = [BadRecord(lines[row.line], "attributes", reason, row.geneId[:200]) for row in rows.itertuples()]
        row = rows.iloc[0]
        first = genes[genes["geneId"] == row["geneId"]].iloc[0]
        rejects.refuse(
            path,
            RecordError(
                f"{path}: line {records[0].line}: gene {row['geneId']} stands more than once, "
                f"on {first['contigName']} from {first['start'] + 1} and on {row['contigName']} from {row['start'] + 1}",
                "keep one of them, or give each an identifier of its own",
                records,
            ),
        )
    genes = genes[~again]
    for path in paths:
        rejects.check(path, int((genes["path"] == path).sum()) + rejects.count(path))
    genes["contigName"] = genes["contigName"].map(lambda name: _renamed(name, config))
    columns = [name.split()[0] for name in GENE_ROWS.split(", ")[:-1]]
    return genes.sort_values(["contigName", "start", "geneId"], ignore_index=True)[columns]


def _renamed(contig: str, config: IngestGenesConfig) -> str:
    name = config.contig_names.get(contig, contig).removeprefix(config.strip_contig_prefix)
    return name if name.startswith(config.add_contig_prefix) else config.add_contig_prefix + name


def read_regulators(path: Path, column: str, without: frozenset[int] = frozenset()) -> set[str]:
    """Genes of a list: a table with that column, or one gene a line without a header; identifiers or symbols.

    Args:
        path: The file.
        column: The column.
        without: Numbers of lines that are left out.

    Raises:
        InputError: The file is neither.
        RecordError: Lines have another number of columns than the first.
    """
    text = read_text(path)
    names = text[: text.find(b"\n") + 1 or None].decode(errors="replace").rstrip("\r\n").removeprefix("#").split("\t")
    header = column in names or len(names) > 1
    frame = read_table(path, text, header=header, without=without)
    if header:
        require(frame, [column], path)
    return set(frame[column if header else "1"].dropna())


def _is_regulator(genes: pd.DataFrame, listed: set[str], paths: list[Path]) -> pd.Series:
    found = genes["geneId"].isin(listed) | genes["geneName"].isin(listed)
    _check_any(found.any(), paths[0], "regulators")
    return found.astype(object)


def _check_any(found: object, path: Path, what: str) -> None:
    if not found:
        raise InputError(
            f"{path}: the annotation has none of its {what}", "name genes as the annotation does, with or without version in both files"
        )


def read_terms(paths: list[Path], config: IngestGenesConfig, rejects: Rejects | None = None) -> pd.DataFrame:
    """Genes and their terms, each pair once.

    A gene that was looked at and has no term has one line with NA; a gene without any line was not looked at.

    Args:
        paths: Files of terms.
        config: Settings.
        rejects: Takes up bad lines; without it the first is an error.

    Returns:
        Columns geneId and termId (None for a gene without a term).

    Raises:
        InputError: A column is missing, a line has no gene, or a gene has both a term and NA.
    """
    rejects = Rejects(config) if rejects is None else rejects
    frames = [rejects.read(path, partial(_terms, path, config)) for path in paths]
    rows = {path: len(frame) for path, frame in zip(paths, frames, strict=True)}
    terms = pd.concat(frames, ignore_index=True)
    none = terms["termId"].isna()
    both = none & terms["geneId"].isin(terms.loc[~none, "geneId"])
    for path, found in terms[both].groupby("path", sort=False):
        reason = "a gene without a term here that has one on another line"
        records = [BadRecord(row.line, config.term_column, reason, row.geneId[:200]) for row in found.itertuples()]
        problem = f"{path}: line {records[0].line}: {found['geneId'].iloc[0]} has no term here and has one on another line"
        before = rejects.count(path)
        rejects.refuse(path, RecordError(problem, "write NA only for genes that were looked at and have no term", records))
        rejects.check(path, rows[path] + before)
    return terms.loc[~both, ["geneId", "termId"]].drop_duplicates().sort_values(["geneId", "termId"], ignore_index=True)


def _terms(path: Path, config: IngestGenesConfig, without: frozenset[int]) -> pd.DataFrame:
    frame = read_table(path, without=without)
    require(frame, [config.gene_column, config.term_column], path)
    frame = frame[[config.gene_column, config.term_column]].set_axis(["geneId", "termId"], axis=1)
    refuse_rows(frame, frame["geneId"].isna().to_numpy(), path, f"no {config.gene_column}", "fill it in, or drop the line")
    return frame.assign(path=path, line=frame.index)
