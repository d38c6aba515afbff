"""Expression tables in the formats that users have: people as rows (TSV, CSV), genes as rows (BED, GCT); read block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genospark.errors import InputError
from genospark.ingest.sample_sheet import KEYS, SampleSheet
from genospark.ingest.table_checks import numbers, refuse_again, require, unique
from genospark.ingest.tabular import Blocks, read_blocks

Block = tuple[pd.DataFrame, list[str], NDArray[np.float64]]
"""sampleId, cellType and state (columns of the first), genes, and values [people, genes], NaN where missing."""

# FastQTL and TensorQTL give genes in BED: the first four columns, then (in some tools) length and strand, then people.
BED_COLUMNS = ["chr", "start", "end", "gene", "length", "strand"]
GCT_VERSIONS = (b"#1.2", b"#1.3")


Seen = dict[tuple[str, ...], int]
"""Keys of rows, and the line that each stands on first."""


@dataclass(frozen=True)
class _Table:
    """A file that was begun.

    Attributes:
        blocks: Its rows.
        work: Makes a block of some of them.
        check: Is told how many records were made to blocks, and the lines that were left out, after the last.
    """

    blocks: Blocks
    work: Callable[[pd.DataFrame], Block]
    check: Callable[[int, frozenset[int]], None] = lambda count, without: None


def has_genes_as_rows(path: Path) -> bool:
    """Whether a record of the file is a gene and not a sample."""
    return bool({".gct", ".bed"} & set(path.suffixes))


def read_blocks_of(
    path: Path, cell_type: str, state: str, sheet: SampleSheet | None, without: frozenset[int] = frozenset()
) -> Iterator[Block]:
    """The values of one file.

    Args:
        path: The file; its name says the format.
        cell_type: Cell type where neither file nor sheet says it.
        state: State where neither says it.
        sheet: What columns (of BED and GCT) or rows are.
        without: Numbers of lines whose records are left out.

    Raises:
        InputError: The file is not an expression table.
        RecordError: Records of a block are bad.
    """
    table = _table(path, cell_type, state, sheet)
    counts = []
    for block in table.blocks.made(table.work, without):
        counts.append(len(block[1] if has_genes_as_rows(path) else block[0]))
        yield block
    table.check(sum(counts), without)


def check_blocks_of(path: Path, cell_type: str, state: str, sheet: SampleSheet | None) -> None:
    """Reads a file to its end for bad records.

    Args:
        path: As for ``read_blocks_of``.
        cell_type: As there.
        state: As there.
        sheet: As there.

    Raises:
        InputError: As there.
        RecordError: Records are bad: all of the file.
    """
    table = _table(path, cell_type, state, sheet)
    for _ in table.blocks.made(table.work, find_all=True):
        pass


def _table(path: Path, cell_type: str, state: str, sheet: SampleSheet | None) -> _Table:
    if ".gct" in path.suffixes:
        return _gct(path, cell_type, state, sheet)
    if ".bed" in path.suffixes:
        return _bed(path, cell_type, state, sheet)
    return _people_as_rows(path, cell_type, state, sheet)


def _people_as_rows(path: Path, cell_type: str, state: str, sheet: SampleSheet | None) -> _Table:
    blocks = read_blocks(path)
    names = [*blocks.names]
    if sheet and "sampleId" not in names and "sample" in names:
        names[names.index("sample")] = "sampleId"
    require(pd.DataFrame(columns=names), ["sampleId"], path)
    genes = [name for name in names if name not in KEYS]
    seen: Seen = {}

    def work(frame: pd.DataFrame) -> Block:
        frame = frame.set_axis(names, axis=1)
        keys = pd.DataFrame({"sampleId": frame["sampleId"]})
        keys["cellType"] = frame.get("cellType", cell_type)
        keys["state"] = frame.get("state", state)
        _new(keys, KEYS, path, seen)
        return sheet.people(keys, path, "line") if sheet else keys, genes, numbers(frame, genes, path)

    return _Table(blocks, work)


def _genes_as_rows(blocks: Blocks, gene: int, first: int, cell_type: str, state: str, sheet: SampleSheet | None) -> _Table:
    """A table whose column `gene` is the gene's, and columns from `first` on are samples'."""
    name, people = blocks.names[gene], blocks.names[first:]
    places = range(first + 1, len(blocks.names) + 1)
    keys = pd.DataFrame({"sampleId": people, "cellType": cell_type, "state": state}, index=places)
    if sheet:
        keys = sheet.people(keys, blocks.path, "column")
    seen: Seen = {}

    def work(frame: pd.DataFrame) -> Block:
        _new(frame, [name], blocks.path, seen)
        return keys, list(frame[name]), numbers(frame, people, blocks.path, people=True).T

    return _Table(blocks, work)


def _new(frame: pd.DataFrame, key: list[str], path: Path, seen: Seen) -> None:
    """Checks that keys are given, stand once in a block, and stand in none before it."""
    unique(frame, key, path)
    mine = list(frame[key].itertuples(index=False, name=None))
    lines = frame.index.tolist()
    again = np.array([seen.setdefault(found, line) < line for found, line in zip(mine, lines, strict=True)], bool)
    refuse_again(frame, again, key, path)


def _bed(path: Path, cell_type: str, state: str, sheet: SampleSheet | None) -> _Table:
    blocks = read_blocks(path)
    names = blocks.names
    if len(names) < 5:
        raise InputError(f"{path}: line 1: {len(names)} columns; a BED table has chr, start, end, gene and people", "check the header line")
    return _genes_as_rows(blocks, 3, 6 if names[4:6] == BED_COLUMNS[4:] else 4, cell_type, state, sheet)


def _gct(path: Path, cell_type: str, state: str, sheet: SampleSheet | None) -> _Table:
    """GCT of versions 1.2 and 1.3: version, dimensions, header, in 1.3 rows that describe samples, then genes."""
    blocks = read_blocks(path, before=2)
    version, dimensions = ([line.strip() for line in blocks.before] + [b"", b""])[:2]
    if version not in GCT_VERSIONS:
        raise InputError(f"{path}: line 1: {version[:40]!r} is not #1.2 or #1.3", "check that the file is in the GCT format")
    words = dimensions.split()
    if len(words) != 2 * (1 + (version == b"#1.3")) or not all(word.isdigit() for word in words):
        wanted = "genes, samples, columns about genes and rows about samples" if version == b"#1.3" else "genes and samples"
        raise InputError(
            f"{path}: line 2: {dimensions[:80]!r} is not the number of {wanted}", "write them as whole numbers, separated by tabs"
        )
    n_genes, n_samples, n_about, n_rows_about = (*map(int, words), 0, 0)[:4]
    columns = blocks.names
    gene = 0
    if version == b"#1.2":
        # Some of GTEx' files have an id before the name.
        gene, n_about = int(columns[0].lower() == "id"), 1
        if [name.lower() for name in columns[gene : gene + 2]] != ["name", "description"]:
            raise InputError(
                f"{path}: line 3: the columns begin with {', '.join(columns[:2])}, not Name and Description", "check the header line"
            )
    found = len(columns[gene + 1 + n_about :])
    if found != n_samples:
        raise InputError(f"{path}: line 2: says {n_samples} samples, but line 3 has {found}", "check that the file is whole")
    table = _genes_as_rows(blocks, gene, gene + 1 + n_about, cell_type, state, sheet)

    def work(frame: pd.DataFrame) -> Block:
        return table.work(frame[frame.index > 3 + n_rows_about])

    def check(count: int, without: frozenset[int]) -> None:
        count += sum(line > 3 + n_rows_about for line in without)
        if count != n_genes:
            raise InputError(f"{path}: line 2: says {n_genes} genes, but the file has {count}", "check that the file is whole")

    return _Table(blocks, work, check)
