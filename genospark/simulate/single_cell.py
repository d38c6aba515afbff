"""Counts of single cells, as an h5ad file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from genospark.simulate.arrays import Floats
from genospark.simulate.config import SimulateConfig

LIBRARY_SPREAD = 0.4  # standard deviation of the natural log of a cell's counts
DISPERSION = 0.5  # variance beyond Poisson: of a gamma with mean 1 between the cells of a person, cell type and state


def write_single_cell(
    path: Path, config: SimulateConfig, tpm: Floats, gene_ids: list[str], sample_ids: list[str], rng: np.random.Generator
) -> None:
    """Write ``path`` (.h5ad): X, counts as CSR [cells, genes]; obs with sampleId, cellType and state.

    A cell's counts are negative binomial around its person's expression in its cell type and state.

    Args:
        path: File to write.
        config: What is simulated; ``single_cell`` says of how many people and cells.
        tpm: Expression, TPM, [people, contexts, genes]; of it the first people are taken.
        gene_ids: Identifiers, [genes].
        sample_ids: Identifiers, [people].
        rng: Random generator.
    """
    from anndata import AnnData  # slow to import, and rarely asked for

    blocks, cells = [], []
    for sample_id, by_context in zip(sample_ids[: config.single_cell.people], tpm, strict=False):
        for (cell_type, state), values in zip(config.contexts, by_context, strict=True):
            n = int(rng.poisson(config.single_cell.cells))
            library = config.single_cell.counts * np.exp(rng.normal(-(LIBRARY_SPREAD**2) / 2, LIBRARY_SPREAD, size=(n, 1)))
            noise = rng.gamma(1 / DISPERSION, DISPERSION, size=(n, len(gene_ids)))
            counts = rng.poisson(library * noise * values / values.sum())
            blocks.append(sparse.csr_matrix(counts, dtype=np.float32))
            cells += [(sample_id, cell_type, state)] * n
    obs = pd.DataFrame(cells, columns=["sampleId", "cellType", "state"], dtype="category")
    obs.index = pd.Index([f"cell{k}" for k in range(1, len(obs) + 1)])
    AnnData(X=sparse.vstack(blocks, format="csr"), obs=obs, var=pd.DataFrame(index=gene_ids)).write_h5ad(path)
