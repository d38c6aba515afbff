"""Reading gene annotation: GTF and GFF3, plain or gzipped, as GENCODE, Ensembl, RefSeq and others write them."""

from __future__ import annotations

import codecs
import io
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from isal import igzip
from pyarrow import csv

from genospark.errors import BadRecord, InputError, RecordError
from genospark.ingest.attributes import BIOTYPE_KEYS, ID_KEYS, NAME_KEYS, first_of
from genospark.ingest.quarantine import IngestConfig, Rejects
from genospark.ingest.vcf.bgzf import InflateError

COLUMNS = ["contigName", "source", "feature", "start", "end", "score", "strand", "frame", "attributes"]
GENE_FEATURES = ["gene", "ncRNA_gene", "pseudogene", "protein_coding_gene"]
# From these a gene's place follows where the file has no line of it.
TRANSCRIPT_FEATURES = ["transcript", "mRNA"]
PART_FEATURES = ["exon", "CDS"]
BLOCK_BYTES = 1 << 24


def read_annotation(path: Path, rejects: Rejects | None = None) -> pd.DataFrame:
    """The genes of one file, from its lines of genes; a GTF's genes without such a line from transcripts, or without these from exons.

    Args:
        path: The file.
        rejects: Takes up bad lines; without it the first is an error.

    Returns:
        Columns geneId, geneName, biotype, contigName, start (0-based), end (exclusive), strand (+, - or None) and line, the line of data
        on which the gene begins (see ``line_of``); in file order.

    Raises:
        InputError: The file cannot be read or holds no gene; a line of a gene is not as the format asks, and bad lines end the stage.
    """
    rejects = Rejects(IngestConfig(warehouse="")) if rejects is None else rejects
    genes, parts = [], []
    for rows in _rows(path, GENE_FEATURES + TRANSCRIPT_FEATURES, rejects):
        is_gene = rows["feature"].isin(GENE_FEATURES)
        if is_gene.any():
            genes.append(_described(rows[is_gene], path, rejects))
        # The transcripts of GFF3 name a gene that stands in the file.
        if not (is_gene.all() or _is_gff3(rows)):
            parts.append(_described(rows[~is_gene], path, rejects, merge=True))
    if not genes and not parts:
        parts = [_described(rows, path, rejects, merge=True) for rows in _rows(path, PART_FEATURES, rejects)]
        # Lines of no format were put aside when the file was read first, too.
        rejects.found[:] = dict.fromkeys(rejects.found)
    if not genes and not parts:
        raise InputError(f"{path}: no line of a gene, transcript or exon", "check that the file is GTF or GFF3")
    if parts:
        named = set().union(*(found["geneId"] for found in genes))
        derived = _merged(pd.concat(parts))
        genes.append(derived[~derived["geneId"].isin(named)])
    return pd.concat(genes).sort_values("line", ignore_index=True)


def lines_of(path: Path, numbers: Collection[int]) -> dict[int, int]:
    """The line, from 1, of each line of data: those with nine columns and empty ones, counted from 0."""
    wanted, found, count = set(numbers), {}, 0
    with _opened(path) as file:
        # As the parser ends lines.
        for place, line in enumerate(io.TextIOWrapper(file, encoding="latin-1"), 1):
            if line == "\n" or line.count("\t") == len(COLUMNS) - 1:
                if count in wanted:
                    found[count] = place
                count += 1
    return found


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The content of a plain or gzipped file."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if packed:
            with igzip.open(raw) as file:
                yield cast(BinaryIO, file)
        else:
            yield cast(BinaryIO, raw)


def _rows(path: Path, features: list[str], rejects: Rejects) -> Iterator[pd.DataFrame]:
    """Lines of some features, in batches: columns as text, and `line`, the number of the line of data."""
    wrong: list[csv.InvalidRow] = []
    in_fasta = False

    def judge(row: csv.InvalidRow) -> str:
        nonlocal in_fasta
        in_fasta = in_fasta or row.text.startswith("##FASTA")
        if in_fasta or row.text.startswith("#") or not row.text.strip():
            return "skip"
        wrong.append(row)
        return "skip" if rejects.config.quarantines else "error"

    try:
        with _opened(path) as file:
            batches = csv.open_csv(
                pa.PythonFile(_Text(file), "r"),
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
                kept, numbers = batch.filter(wanted), pc.indices_nonzero(wanted).to_numpy().astype("int64") + first
                text = _text(kept)
                _put_aside(path, numbers[~text], rejects, "cannot be read as UTF-8 text", "export the file as UTF-8 text again")
                rows: pd.DataFrame = kept.filter(pa.array(text)).to_pandas()
                if len(rows):
                    yield rows.assign(line=numbers[text])
                first += batch.num_rows
    except pa.ArrowInvalid as error:
        if not wrong:
            raise InputError(f"{path}: cannot be read ({error})", "check that the file is GTF or GFF3, in UTF-8") from None
        raise _columns_error(path, wrong) from None
    except (OSError, EOFError, zlib.error, InflateError) as error:
        raise InputError(f"{path}: cannot be read ({error})", "check the path and its permissions, or get the file again") from None
    if wrong:
        rejects.refuse(path, _columns_error(path, wrong))


def _columns_error(path: Path, wrong: list[csv.InvalidRow]) -> RecordError:
    row = wrong[0]
    return RecordError(
        f"{path}: line {row.number}: {row.actual_columns} columns where {row.expected_columns} are expected: {row.text[:200]!r}",
        "mend the line; columns of GTF and GFF3 are separated by tabs",
        [BadRecord(row.number, "", "another number of columns than nine", row.text[:200]) for row in wrong],
    )


class _Text:
    """A stream in which bytes that are not UTF-8 are replaced: the parser hands over bad lines as text."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._left = b""

    def read(self, size: int) -> bytes:
        if not self._left:
            data = self._file.read(size)
            if data.isascii() and data and not self._decoder.getstate()[0]:
                return data
            # What a character lacks may be the next bytes.
            self._left = self._decoder.decode(data, final=not data).encode()
            while not self._left and data:
                data = self._file.read(size)
                self._left = self._decoder.decode(data, final=not data).encode()
        given, self._left = self._left[:size], self._left[size:]
        return given

    def close(self) -> None:
        self._file.close()


def _text(rows: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Which rows were UTF-8 text, [rows]."""
    good = np.ones(rows.num_rows, bool)
    for column in rows.columns:
        good &= ~pc.match_substring(column, "\ufffd").to_numpy(zero_copy_only=False)
    return good


def _put_aside(
    path: Path,
    numbers: npt.NDArray[np.int64],
    rejects: Rejects,
    reason: str,
    next_step: str,
    column: str = "",
    contents: Sequence[str] | None = None,
    detail: str = "",
) -> None:
    """Refuses lines of data."""
    if len(numbers):
        places = lines_of(path, numbers.tolist())
        texts = contents or [""] * len(numbers)
        records = [BadRecord(places[number], column, reason, text[:200]) for number, text in zip(numbers.tolist(), texts, strict=True)]
        rejects.refuse(path, RecordError(f"{path}: line {records[0].line}: {detail or reason}", next_step, records))


def _is_gff3(rows: pd.DataFrame) -> bool:
    return re.match(r'\s*[^\s=;"]+\s*=', rows["attributes"].iloc[0]) is not None


def _described(rows: pd.DataFrame, path: Path, rejects: Rejects, merge: bool = False) -> pd.DataFrame:
    """Lines with their attributes taken apart and their coordinates 0-based and half-open; with `merge`, one line a gene."""
    gff3 = _is_gff3(rows)
    places = rows[["start", "end"]].apply(pd.to_numeric, errors="coerce")
    bad = ~((places["start"] >= 1) & (places["end"] >= places["start"]) & (places % 1 == 0).all(axis=1))
    intervals = [f"{row.start} to {row.end}" for row in rows[bad].itertuples()]
    step, detail = "start and end are whole numbers, counted from 1, both included", f"{intervals[0]} is no interval" if intervals else ""
    _put_aside(path, rows["line"][bad].to_numpy(), rejects, "start to end is no interval", step, "start", intervals, detail)
    rows, places = rows[~bad], places[~bad]
    # The ID of a part is not that of its gene.
    gene_id = first_of(rows["attributes"], ID_KEYS if gff3 and not merge else ID_KEYS[:1], gff3)
    no_id, reason = gene_id.isna(), "no gene_id among the attributes"
    contents = list(rows["attributes"][no_id].fillna(""))
    detail = f"{reason}: {contents[0][:200]!r}" if contents else ""
    step = "give every gene a gene_id (GFF3: or an ID)"
    _put_aside(path, rows["line"][no_id].to_numpy(), rejects, reason, step, "attributes", contents, detail)
    rows, places, gene_id = rows[~no_id], places[~no_id], gene_id[~no_id]
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
    genes["geneName"] = first_of(genes["attributes"], NAME_KEYS, gff3)
    genes["biotype"] = first_of(genes["attributes"], BIOTYPE_KEYS, gff3)
    return genes.drop(columns="attributes")


def _merged(parts: pd.DataFrame) -> pd.DataFrame:
    """One row per gene, contig and strand: from the first to the last base of its parts."""
    groups = parts.groupby(["geneId", "contigName", "strand"], sort=False, dropna=False, as_index=False)
    how = {name: {"start": "min", "end": "max"}.get(name, "first") for name in parts.columns if name not in groups.keys}
    merged: pd.DataFrame = groups.agg(how)
    merged["strand"] = merged["strand"].astype(object).where(merged["strand"].notna(), None)
    return merged
