"""Reading gene annotation: GTF and GFF3, plain or gzipped, as GENCODE, Ensembl, RefSeq and others write them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from isal import igzip
from pyarrow import csv

from genospark.errors import InputError

COLUMNS = ["contigName", "source", "feature", "start", "end", "score", "strand", "frame", "attributes"]
GENE_FEATURES = ["gene", "ncRNA_gene", "pseudogene", "protein_coding_gene"]
# From these a gene's place follows where the file has no line of it.
TRANSCRIPT_FEATURES = ["transcript", "mRNA"]
PART_FEATURES = ["exon", "CDS"]
# Attributes by preference: GENCODE's and Ensembl's name, then those of RefSeq and of plain GFF3.
ID_KEYS = ["gene_id", "ID"]
NAME_KEYS = ["gene_name", "Name", "gene"]
BIOTYPE_KEYS = ["gene_type", "gene_biotype", "biotype"]
BLOCK_BYTES = 1 << 24
# GTF: key "value"; values may be bare, and a semicolon between quotes ends nothing. GFF3: key=value, with no meaning of quotes.
_GTF_ITEM = r'(?:[^;"]|"(?:[^"\\]|\\.)*")*;'
_GTF = rf'^(?:{_GTF_ITEM})*?\s*KEY\s+(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^";\s][^;]*?))\s*(?:;|$)'
_GFF3 = r"(?:^|;)\s*KEY\s*=\s*(?P<value>[^;]*?)\s*(?:;|$)"


def read_annotation(path: Path) -> pd.DataFrame:
    """The genes of one file, from its lines of genes; a GTF's genes without such a line from transcripts, or without these from exons.

    Returns:
        Columns geneId, geneName, biotype, contigName, start (0-based), end (exclusive), strand (+, - or None) and line, the line of data
        on which the gene begins (see ``line_of``); in file order.

    Raises:
        InputError: The file cannot be read, holds no gene, or a line of a gene is not as the format asks.
    """
    genes, parts = [], []
    for rows in _rows(path, GENE_FEATURES + TRANSCRIPT_FEATURES):
        is_gene = rows["feature"].isin(GENE_FEATURES)
        if is_gene.any():
            genes.append(_described(rows[is_gene], path))
        # The transcripts of GFF3 name a gene that stands in the file.
        if not (is_gene.all() or _is_gff3(rows)):
            parts.append(_described(rows[~is_gene], path, merge=True))
    if not genes and not parts:
        parts = [_described(rows, path, merge=True) for rows in _rows(path, PART_FEATURES)]
    if not genes and not parts:
        raise InputError(f"{path}: no line of a gene, transcript or exon", "check that the file is GTF or GFF3")
    if parts:
        named = set().union(*(found["geneId"] for found in genes))
        derived = _merged(pd.concat(parts))
        genes.append(derived[~derived["geneId"].isin(named)])
    return pd.concat(genes).sort_values("line", ignore_index=True)


def line_of(path: Path, number: int) -> int:
    """The line, from 1, of a line of data: those with nine columns and empty ones, counted from 0."""
    with igzip.open(path) if _is_gzipped(path) else path.open("rb") as lines:
        data = (place for place, line in enumerate(lines, start=1) if not line.strip(b"\r\n") or line.count(b"\t") == len(COLUMNS) - 1)
        return next(place for k, place in enumerate(data) if k == number)


def _is_gzipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _rows(path: Path, features: list[str]) -> Iterator[pd.DataFrame]:
    """Lines of some features, in batches: columns as text, and `line`, the number of the line of data."""
    wrong: list[csv.InvalidRow] = []
    in_fasta = False

    def judge(row: csv.InvalidRow) -> str:
        nonlocal in_fasta
        in_fasta = in_fasta or row.text.startswith("##FASTA")
        if in_fasta or row.text.startswith("#") or not row.text.strip():
            return "skip"
        wrong.append(row)
        return "error"

    try:
        with igzip.open(path) if _is_gzipped(path) else path.open("rb") as file:
            batches = csv.open_csv(
                pa.PythonFile(file, "r"),
                # One thread, or rows lose their numbers.
                csv.ReadOptions(use_threads=False, column_names=COLUMNS, block_size=BLOCK_BYTES),
                csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False, invalid_row_handler=judge),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(COLUMNS, pa.string()),
                    include_columns=[name for name in COLUMNS if name not in ("source", "score", "frame")],
                ),
            )
            first = 0
            for batch in batches:
                wanted = pc.is_in(batch.column("feature"), pa.array(features))
                wanted = pc.and_(wanted, pc.invert(pc.starts_with(batch.column("contigName"), "#")))
                rows: pd.DataFrame = batch.filter(wanted).to_pandas()
                if len(rows):
                    yield rows.assign(line=pc.indices_nonzero(wanted).to_numpy().astype("int64") + first)
                first += batch.num_rows
    except pa.ArrowInvalid as error:
        if not wrong:
            raise InputError(f"{path}: cannot be read ({error})", "check that the file is GTF or GFF3, in UTF-8") from None
        row = wrong[0]
        raise InputError(
            f"{path}: line {row.number}: {row.actual_columns} columns where {row.expected_columns} are expected: {row.text[:200]!r}",
            "mend the line; columns of GTF and GFF3 are separated by tabs",
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error})", "check the path and its permissions, or get the file again") from None


def _is_gff3(rows: pd.DataFrame) -> bool:
    return re.match(r'\s*[^\s=;"]+\s*=', rows["attributes"].iloc[0]) is not None


def _described(rows: pd.DataFrame, path: Path, merge: bool = False) -> pd.DataFrame:
    """Lines with their attributes taken apart and their coordinates 0-based and half-open; with `merge`, one line a gene."""
    gff3 = _is_gff3(rows)
    places = rows[["start", "end"]].apply(pd.to_numeric, errors="coerce")
    bad = ~((places["start"] >= 1) & (places["end"] >= places["start"]) & (places % 1 == 0).all(axis=1))
    if bad.any():
        row = rows[bad].iloc[0]
        raise InputError(
            f"{path}: line {line_of(path, row['line'])}: {row['start']} to {row['end']} is no interval",
            "start and end are whole numbers, counted from 1, both included",
        )
    # The ID of a part is not that of its gene.
    gene_id = _first(rows["attributes"], ID_KEYS if gff3 and not merge else ID_KEYS[:1], gff3)
    if gene_id.isna().any():
        row = rows[gene_id.isna()].iloc[0]
        raise InputError(
            f"{path}: line {line_of(path, row['line'])}: no gene_id among the attributes: {row['attributes'][:200]!r}",
            "give every gene a gene_id (GFF3: or an ID)",
        )
    genes = pd.DataFrame(
        {
            "geneId": gene_id.str.replace(r"^gene[:-]", "", regex=True) if gff3 else gene_id,
            "contigName": rows["contigName"].map(unquote) if gff3 else rows["contigName"],
            "start": places["start"].astype("int64") - 1,
            "end": places["end"].astype("int64"),
            "strand": rows["strand"].where(rows["strand"].isin(["+", "-"]), None),
            "line": rows["line"],
            "attributes": rows["attributes"],
        }
    )
    genes = _merged(genes) if merge else genes
    genes["geneName"] = _first(genes["attributes"], NAME_KEYS, gff3)
    genes["biotype"] = _first(genes["attributes"], BIOTYPE_KEYS, gff3)
    return genes.drop(columns="attributes")


def _merged(parts: pd.DataFrame) -> pd.DataFrame:
    """One row per gene, contig and strand: from the first to the last base of its parts."""
    groups = parts.groupby(["geneId", "contigName", "strand"], sort=False, dropna=False, as_index=False)
    how = {name: {"start": "min", "end": "max"}.get(name, "first") for name in parts.columns if name not in groups.keys}
    merged: pd.DataFrame = groups.agg(how)
    merged["strand"] = merged["strand"].astype(object).where(merged["strand"].notna(), None)
    return merged


def _first(attributes: pd.Series, keys: list[str], gff3: bool) -> pd.Series:
    """Value of the first of the keys that is there, or None."""
    values = pd.Series(None, index=attributes.index, dtype=object)
    for key in keys:
        left = values.isna()
        if left.any():
            values[left] = attribute(attributes[left], key, gff3)
    return values


def attribute(attributes: pd.Series, key: str, gff3: bool) -> pd.Series:
    """Value of a key in each line's attributes, or None where it is not there or empty.

    Args:
        attributes: Ninth column of GTF or GFF3.
        key: The key.
        gff3: Whether it is GFF3.
    """
    pattern = (_GFF3 if gff3 else _GTF).replace("KEY", re.escape(key))
    found = pc.extract_regex(pa.array(attributes, pa.string()), pattern)
    values = pc.struct_field(found, "value").to_pandas().astype(object) if gff3 else _gtf_value(found)
    values = values.where(values.notna() & (values != ""), None)
    values.index = attributes.index
    if gff3:
        values = values.str.replace(r'^"(.*)"$', r"\1", regex=True)
        coded = values.str.contains("%", regex=False, na=False)
        values[coded] = values[coded].map(unquote)
    return values


def _gtf_value(found: pa.StructArray) -> pd.Series:
    quoted, bare = (pc.struct_field(found, name) for name in ("quoted", "bare"))
    values: pd.Series = pc.if_else(pc.equal(quoted, ""), bare, quoted).to_pandas().astype(object)
    return values.str.replace(r'\\(["\\])', r"\1", regex=True)
