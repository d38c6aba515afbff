"""What genes do: co-expression modules, the terms that name them, and an incomplete annotation with those terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genospark.simulate.arrays import Bools, Floats, Ints
from genospark.simulate.config import SimulateConfig

FAMILY_SIZE = 4  # a term and the narrower terms under it
MEMBER_SHARE = 0.7  # of genes that have a term
SECOND_TERM_SHARE = 0.15  # of these, genes with a second narrow term
N_UNNAMED_MODULES = 2  # modules of the genes without a term
NOT_LOOKED_AT = 0.3  # share of genes that the annotation says nothing about
NOT_ANNOTATED, WRONG = 0.05, 0.02  # memberships the annotation misses; genes it gives a wrong term


@dataclass(frozen=True)
class Terms:
    """Terms, their genes and the factors that make these vary together.

    Attributes:
        names: ``TERM1``, its narrower terms ``TERM1.1``, ..., ``TERM2``, ...
        parent: Index of each term's wider term, its own where it has none, [terms].
        members: Genes of each term; those of a narrower term belong to its wider one too, [terms, genes].
        annotated: The same as an annotation has it, with errors, [terms, genes].
        looked_at: Genes that the annotation covers, [genes].
        loadings: Weight of each module on each gene, of length 1 per gene; 0 outside of the module, [modules, genes].
    """

    names: list[str]
    parent: Ints
    members: Bools
    annotated: Bools
    looked_at: Bools
    loadings: Floats


def _hierarchy(n_terms: int) -> tuple[list[str], Ints]:
    place = np.arange(n_terms)
    parent = place - place % FAMILY_SIZE
    names = [f"TERM{k // FAMILY_SIZE + 1}" + (f".{k % FAMILY_SIZE}" if k % FAMILY_SIZE else "") for k in place]
    return names, parent


def _with_wider(narrow: Bools, parent: Ints) -> Bools:
    wide = narrow.copy()
    np.logical_or.at(wide, parent, narrow)
    return wide


def draw_terms(config: SimulateConfig, rng: np.random.Generator) -> Terms:
    """Draw terms and modules: a module per term, on its members, and a few without a name, on genes that have no term.

    Args:
        config: What to simulate.
        rng: Random generator.
    """
    names, parent = _hierarchy(config.terms)
    has_narrower = np.bincount(parent, minlength=config.terms) > 1
    leaves = np.flatnonzero(~has_narrower)
    genes = np.arange(config.genes)
    narrow = np.zeros((config.terms, config.genes), dtype=np.bool_)
    member = rng.random(config.genes) < MEMBER_SHARE
    second = member & (rng.random(config.genes) < SECOND_TERM_SHARE)
    wrong = rng.random(config.genes) < WRONG
    annotated = narrow.copy()
    if len(leaves):
        for chosen in (member, second):
            narrow[rng.choice(leaves, size=config.genes)[chosen], genes[chosen]] = True
        annotated = narrow & (rng.random(narrow.shape) >= NOT_ANNOTATED)
        annotated[rng.choice(leaves, size=config.genes)[wrong], genes[wrong]] = True
    members = _with_wider(narrow, parent)

    unnamed = np.zeros((N_UNNAMED_MODULES, config.genes), dtype=np.bool_)
    unnamed[rng.integers(N_UNNAMED_MODULES, size=config.genes), genes] = ~members.any(axis=0)
    modules = np.concatenate([members, unnamed])
    loadings = modules * rng.uniform(0.5, 1.5, size=modules.shape)
    loadings /= np.linalg.norm(loadings, axis=0)

    looked_at = np.ones(config.genes, dtype=np.bool_)
    looked_at[rng.permutation(config.genes)[: round(NOT_LOOKED_AT * config.genes)]] = False
    return Terms(names, parent, members, _with_wider(annotated, parent) & looked_at, looked_at, loadings)


def term_table(gene_ids: list[str], names: list[str], members: Bools, genes: Bools) -> pd.DataFrame:
    """One row per gene and term, and one without a term (NA) for a gene that has none.

    Args:
        gene_ids: Identifiers, [genes].
        names: Terms.
        members: Genes of each term, [terms, genes].
        genes: Genes to write; the others have no row, [genes].
    """
    rows = [
        (gene_ids[g], names[t] if t is not None else None)
        for g in np.flatnonzero(genes)
        for t in (np.flatnonzero(members[:, g]).tolist() or [None])
    ]
    return pd.DataFrame(rows, columns=["geneId", "termId"])
