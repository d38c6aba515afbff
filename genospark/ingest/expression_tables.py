"""Expression tables in the formats that users have: people as rows (TSV, CSV), genes as rows (BED, GCT); read block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genospark.errors import InputError
from genospark.ingest.sample_sheet import KEYS, SampleSheet
from genospark.ingest.tabular import numbers, read_blocks, require, unique

Block = tuple[pd.DataFrame, list[str], NDArray[np.float64]]
"""sampleId, cellType and state (columns of the first), genes, and values [people, genes], NaN where missing."""

# FastQTL and TensorQTL give genes in BED: the first four columns, then (in some tools) length and strand, then people.
BED_COLUMNS = ["chr", "start", "end", "gene", "length", "strand"]
GCT_VERSIONS = (b"#1.2", b"#1.3")


def read_blocks_of(path: Path, cell_type: str, state: str, sheet: SampleSheet | None) -> Iterator[Block]:
    """The values of one file.

    Args:
        path: The file; its name says the format.
        cell_type: Cell type where neither file nor sheet says it.
        state: State where neither says it.
        sheet: What columns (of BED and GCT) or rows are.

    Raises:
        InputError: The file is not an expression table.
    """
    if ".gct" in path.suffixes:
        return _genes_as_rows(path, _gct(path), cell_type, state, sheet, 3)
    if ".bed" in path.suffixes:
        return _genes_as_rows(path, _bed(path), cell_type, state, sheet, 1)
    return _people_as_rows(path, cell_type, state, sheet)


def _people_as_rows(path: Path, cell_type: str, state: str, sheet: SampleSheet | None) -> Iterator[Block]:
    _, frames = read_blocks(path)
    seen: set[tuple[str, ...]] = set()
    for frame in frames:
        if sheet and "sampleId" not in frame.columns and "sample" in frame.columns:
            frame = frame.rename(columns={"sample": "sampleId"})
        require(frame, ["sampleId"], path)
        genes = [name for name in frame.columns if name not in KEYS]
        keys = pd.DataFrame({"sampleId": frame["sampleId"]})
        keys["cellType"] = frame.get("cellType", cell_type)
        keys["state"] = frame.get("state", state)
        _new(keys, KEYS, path, seen)
        yield sheet.people(keys, path, "row") if sheet else keys, genes, numbers(frame, genes, path)


def _genes_as_rows(
    path: Path, described: Iterator[tuple[str, list[str], pd.DataFrame]], cell_type: str, state: str, sheet: SampleSheet | None, header: int
) -> Iterator[Block]:
    """Blocks of tables that come as the gene's column, those of people, and the rows; `header` is the line of the columns' names."""
    seen: set[tuple[str, ...]] = set()
    for gene, people, frame in described:
        _new(frame, [gene], path, seen)
        keys = pd.DataFrame({"sampleId": people, "cellType": cell_type, "state": state}, index=[header] * len(people))
        yield sheet.people(keys, path, "column") if sheet else keys, list(frame[gene]), numbers(frame, people, path).T


def _new(frame: pd.DataFrame, key: list[str], path: Path, seen: set[tuple[str, ...]]) -> None:
    """Checks that keys stand once in a block and in none before it."""
    unique(frame, key, path)
    mine = set(frame[key].itertuples(index=False, name=None))
    again = seen & mine
    if again:
        twice = min(again)
        line = frame.index[(frame[key] == list(twice)).all(axis=1)][0]
        raise InputError(
            f"{path}: line {line}: {', '.join(twice)} stands more than once", f"keep one line for each {' and '.join(key)}, over all files"
        )
    seen |= mine


def _bed(path: Path) -> Iterator[tuple[str, list[str], pd.DataFrame]]:
    _, frames = read_blocks(path)
    for frame in frames:
        if frame.shape[1] < 5:
            raise InputError(
                f"{path}: line 1: {frame.shape[1]} columns; a BED table has chr, start, end, gene and people", "check the header line"
            )
        n_described = 6 if list(frame.columns[4:6]) == BED_COLUMNS[4:] else 4
        yield frame.columns[3], list(frame.columns[n_described:]), frame


def _gct(path: Path) -> Iterator[tuple[str, list[str], pd.DataFrame]]:
    """GCT of versions 1.2 and 1.3: version, dimensions, header, in 1.3 rows that describe samples, then genes."""
    lines, frames = read_blocks(path, before=2)
    version = lines[0].strip() if lines else b""
    if version not in GCT_VERSIONS:
        raise InputError(f"{path}: line 1: {version[:40]!r} is not #1.2 or #1.3", "check that the file is in the GCT format")
    words = lines[1].split()
    if len(words) != 2 * (1 + (version == b"#1.3")) or not all(word.isdigit() for word in words):
        wanted = "genes, samples, columns about genes and rows about samples" if version == b"#1.3" else "genes and samples"
        raise InputError(
            f"{path}: line 2: {lines[1][:80]!r} is not the number of {wanted}", "write them as whole numbers, separated by tabs"
        )
    n_genes, n_samples, n_about, n_left = (*map(int, words), 0, 0)[:4]
    found = 0
    for frame in frames:
        columns = list(frame.columns)
        gene = 0
        if version == b"#1.2":
            # Some of GTEx' files have an id before the name.
            gene, n_about = int(columns[0].lower() == "id"), 1
            if [name.lower() for name in columns[gene : gene + 2]] != ["name", "description"]:
                raise InputError(
                    f"{path}: line 3: the columns begin with {', '.join(columns[:2])}, not Name and Description", "check the header line"
                )
        people = columns[gene + 1 + n_about :]
        if len(people) != n_samples:
            raise InputError(f"{path}: line 2: says {n_samples} samples, but line 3 has {len(people)}", "check that the file is whole")
        rows = frame.iloc[n_left:]
        n_left = max(n_left - len(frame), 0)
        found += len(rows)
        if len(rows):
            yield columns[gene], people, rows
    if found != n_genes:
        raise InputError(f"{path}: line 2: says {n_genes} genes, but the file has {found}", "check that the file is whole")
