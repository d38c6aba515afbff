"""Single cells of an h5ad file as pseudobulk: one profile per person, cell type and state.

Cells are read in blocks, so memory grows with people and genes, not with cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from genospark.core import paths
from genospark.core.config import Settings
from genospark.errors import ConfigError, InputError

UNIT = "CPM"
BLOCK_VALUES = 1 << 23  # cells x genes of one block
KEYS = ["sampleId", "cellType", "state"]
Floats = NDArray[np.float64]


class PseudobulkSettings(Settings):
    """How single cells are put together.

    Attributes:
        sample_column: Column of `obs` with the person.
        cell_type_column: Column of `obs` with the cell type; null: all cells are of the stage's `cell_type`.
        state_column: Column of `obs` with the state; null: all cells are in the stage's `state`.
        gene_column: Column of `var` with the gene; its index where null.
        layer: Layer with the counts, or ``raw`` for the counts that `raw` keeps; `X` where null.
        aggregate: ``sum``: counts are summed, then brought to a million, so cells weigh by their counts; ``mean``: each cell is brought to
            a million, then cells are averaged and weigh the same.
        min_cells: Cells that a person, cell type and state needs; smaller groups are left out.
    """

    sample_column: str = "sampleId"
    cell_type_column: str | None = "cellType"
    state_column: str | None = "state"
    gene_column: str | None = None
    layer: str | None = None
    aggregate: Literal["sum", "mean"] = "sum"
    min_cells: int = 10


@dataclass(frozen=True)
class Groups:
    """Cells by person, cell type and state.

    Attributes:
        keys: Columns sampleId, cellType, state; groups with enough cells, sorted, [groups].
        cells: Cells of each group, [groups].
        group: Group of each cell, -1 where it is in none, [cells].
        small: Groups with too few cells.
        unnamed: Cells whose person, cell type or state is not known.
    """

    keys: pd.DataFrame
    cells: NDArray[np.int64]
    group: NDArray[np.int64]
    small: int
    unnamed: int


def count_cells(path: Path, settings: PseudobulkSettings, cell_type: str, state: str) -> dict[str, int]:
    """Cells and groups of a file that are used and left out, by what they are called in a run's notes."""
    with _open(path) as file:
        groups = _groups(file, path, settings, cell_type, state)
    return {
        "cells": int(groups.cells.sum()),
        "profiles of cells": len(groups.keys),
        f"profiles left out for fewer than {settings.min_cells} cells": groups.small,
        "cells left out for want of a person, cell type or state": groups.unnamed,
    }


def read_pseudobulk(path: Path, settings: PseudobulkSettings, cell_type: str, state: str) -> tuple[pd.DataFrame, list[str], Floats]:
    """Profiles of one file.

    Args:
        path: The file.
        settings: How to put cells together.
        cell_type: Cell type where no column names it.
        state: State where no column names it.

    Returns:
        Person, cell type and state of each profile (columns sampleId, cellType, state), gene names, and counts per million
        [profiles, genes].

    Raises:
        InputError: The file is no h5ad, lacks a column, names a gene twice, or its values are no counts.
    """
    with _open(path) as file:
        groups = _groups(file, path, settings, cell_type, state)
        matrix, var = _matrix(file, path, settings.layer)
        genes = _genes(file, path, var, settings.gene_column)
        if not len(groups.keys):
            raise InputError(
                f"{path}: no person, cell type and state has {settings.min_cells} cells", "lower `pseudobulk.min_cells`, or check `obs`"
            )
        sums = np.zeros((len(groups.keys), len(genes)))
        for first, block in _blocks(matrix, path, (len(groups.group), len(genes))):
            _check_counts(block, path, first, genes)
            if settings.aggregate == "mean":
                totals = np.asarray(block.sum(axis=1)).ravel()
                block = sparse.diags(np.divide(1.0, totals, out=np.zeros(len(totals)), where=totals > 0)) @ block
            group = groups.group[first : first + block.shape[0]]
            used = np.flatnonzero(group >= 0)
            rows, place = np.unique(group[used], return_inverse=True)
            picks = sparse.csr_matrix((np.ones(len(used)), (place, used)), shape=(len(rows), len(group)))
            sums[rows] += (picks @ block).toarray()
    totals = sums.sum(axis=1)
    if not totals.all():
        key = " ".join(groups.keys.iloc[int(np.argmin(totals))][KEYS[1:]])
        raise InputError(f"{path}: somebody's cells ({key}) have no counts at all", "leave empty droplets out, or check `pseudobulk.layer`")
    return groups.keys, genes, sums / totals[:, None] * 1e6


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    try:
        with paths.open_jumping(path) if paths.is_url(path) else nullcontext(path) as source, h5py.File(source, "r") as file:
            if not isinstance(file["obs"], h5py.Group) or not isinstance(file["var"], h5py.Group) or "__categories" in file["obs"]:
                raise InputError(f"{path}: was written by anndata before 0.8", "read it with anndata and write it again")
            yield file
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: cannot be read as h5ad ({error})", "check the path, or write the file again with anndata") from None


def _column(file: h5py.File, path: Path, table: str, name: str) -> pd.Series:
    """A column of `obs` or `var` as text, None where it is missing."""
    from anndata.io import read_elem  # slow to import, and rarely needed

    if name not in file[table]:
        found = ", ".join(key for key in file[table] if not key.startswith("_"))
        step = "name the column under `pseudobulk` in the configuration"
        raise InputError(f"{path}: `{table}` has no column {name}; found {found}", step)
    values = pd.Series(read_elem(file[table][name]))
    values = values.astype(object)
    return values.where(values.notna() & (values != ""), None).map(str, na_action="ignore")


def _groups(file: h5py.File, path: Path, settings: PseudobulkSettings, cell_type: str, state: str) -> Groups:
    columns = (settings.sample_column, settings.cell_type_column, settings.state_column)
    read = [None if name is None else _column(file, path, "obs", name) for name in columns]
    people = read[0]
    assert people is not None
    cells = pd.DataFrame(dict(zip(KEYS, read, strict=True)), index=people.index)
    for name, column, default in (("cellType", read[1], cell_type), ("state", read[2], state)):
        if column is None:
            cells[name] = default
    known = cells.notna().all(axis=1).to_numpy()
    numbers = np.full(len(cells), -1, dtype=np.int64)
    found = cells[known].groupby(KEYS, sort=True)
    numbers[known] = found.ngroup()
    keys = found.size().reset_index(name="cells")
    enough = (keys["cells"] >= settings.min_cells).to_numpy()
    # The last entry is that of -1.
    renumbered = np.append(np.where(enough, np.cumsum(enough) - 1, -1), -1)
    kept = keys[enough].reset_index(drop=True)
    return Groups(kept[KEYS], kept["cells"].to_numpy(np.int64), renumbered[numbers], int((~enough).sum()), int((~known).sum()))


def _matrix(file: h5py.File, path: Path, layer: str | None) -> tuple[Any, str]:
    """The dataset or group with the counts, and the name of its table of genes."""
    if layer is None:
        return file["X"], "var"
    if layer in file.get("layers", {}):
        return file["layers"][layer], "var"
    if layer == "raw" and "raw" in file:
        return file["raw/X"], "raw/var"
    found = ", ".join([*file.get("layers", {}), *(["raw"] if "raw" in file else [])]) or "none"
    raise ConfigError(f"{path}: no layer {layer}; found {found}", "name one of them as `pseudobulk.layer`, or null for X")


def _genes(file: h5py.File, path: Path, var: str, column: str | None) -> list[str]:
    genes = _column(file, path, var, column or str(file[var].attrs["_index"]))
    again = genes.duplicated()
    if again.any():
        raise InputError(
            f"{path}: gene {genes[again].iloc[0]} stands more than once in `{var}`",
            "name another column of `var` as `pseudobulk.gene_column`, or make names unique",
        )
    return list(genes)


def _blocks(matrix: Any, path: Path, shape: tuple[int, int]) -> Iterator[tuple[int, sparse.csr_matrix]]:
    """Blocks of cells, each with the number of its first cell."""
    rows = max(1, BLOCK_VALUES // max(shape[1], 1))
    if isinstance(matrix, h5py.Dataset):
        for first in range(0, shape[0], rows):
            yield first, sparse.csr_matrix(matrix[first : first + rows].astype(np.float64))
        return
    kind = matrix.attrs.get("encoding-type", matrix.attrs.get("h5sparse_format", ""))
    if kind not in ("csr_matrix", "csr"):
        raise InputError(f"{path}: the matrix is stored as {kind}, by genes", "store it by cells: adata.X = adata.X.tocsr()")
    starts = matrix["indptr"][:].astype(np.int64)
    for first in range(0, shape[0], rows):
        bounds = starts[first : first + rows + 1]
        part = slice(int(bounds[0]), int(bounds[-1]))
        data, genes = matrix["data"][part].astype(np.float64), matrix["indices"][part]
        yield first, sparse.csr_matrix((data, genes, bounds - bounds[0]), shape=(len(bounds) - 1, shape[1]))


def _check_counts(block: sparse.csr_matrix, path: Path, first: int, genes: list[str]) -> None:
    bad = ~((block.data >= 0) & (np.floor(block.data) == block.data) & np.isfinite(block.data))
    if bad.any():
        place = int(np.argmax(bad))
        cell = first + int(np.searchsorted(block.indptr, place, side="right"))
        raise InputError(
            f"{path}: cell {cell}, gene {genes[block.indices[place]]}: {block.data[place]:g} is not a count",
            "name the layer that holds raw counts as `pseudobulk.layer` (raw: those that adata.raw keeps)",
        )
