"""Readers give the same of a file behind a URL as of one on the disk."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pysam
import pytest

from genospark.core.paths import open_bytes, place
from genospark.errors import InputError
from genospark.ingest.annotation import read_annotation
from genospark.ingest.pseudobulk import PseudobulkSettings, read_pseudobulk
from genospark.ingest.reads import check_reference, pile_up, plan_regions, read_alignment_header
from genospark.ingest.reads.fasta_index import check_fasta_index
from genospark.ingest.reads.reference import open_reference
from genospark.ingest.tabular import read_table
from genospark.ingest.vcf import parse_split, plan_splits, read_header
from genospark.simulate import SimulateConfig, simulate_cohort

URL = "memory://anywhere"
SMALL = {
    "people": 20,
    "variants": 100,
    "genes": 12,
    "contig_bases": 100_000,
    "reads": {"people": 1, "bases_per_contig": 20_000},
    "single_cell": {"people": 4, "cells": 11},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort's files on the disk and, under the same names, behind the URL."""
    path = tmp_path_factory.mktemp("files")
    simulate_cohort(SimulateConfig.model_validate(SMALL), path)
    files = fsspec.filesystem("memory")
    files.put(f"{path}/", URL, recursive=True)
    return path


def _calls(path: Path) -> Any:
    splits = plan_splits(read_header(path), 1000)
    assert len(splits) > 1
    return pa.Table.from_batches(list(chain.from_iterable(map(parse_split, splits)))).to_pylist()


def _pileup(bam: Path) -> Any:
    header = read_alignment_header(bam)
    fasta = bam.parent.parent / "reference.fa"
    check_fasta_index(fasta)
    check_reference(header, fasta)
    return [
        pile_up(region, fasta).tensor.tobytes() for region in plan_regions(header, 1000, intervals=[(next(iter(header.contigs)), 0, 5000)])
    ]


def _cells(path: Path) -> Any:
    keys, genes, values = read_pseudobulk(path, PseudobulkSettings(min_cells=1), "", "")
    return keys.to_csv(), genes, values.tolist()


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "vcf": ("genotypes.vcf.gz", _calls),
    "bam": ("reads/*.bam", _pileup),
    "h5ad": ("*.h5ad", _cells),
    "tsv": ("phenotypes.tsv", lambda path: read_table(path).to_csv()),
    "gtf": ("genes.gtf.gz", lambda path: read_annotation(path).to_csv()),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_reader_needs_no_disk(folder: Path, kind: str) -> None:
    pattern, reader = READERS[kind]
    local = next(folder.glob(pattern))
    assert reader(place(f"{URL}/{local.relative_to(folder)}")) == reader(local)


def test_bases_are_fetched_by_range(folder: Path) -> None:
    random = np.random.default_rng(3)
    with open_reference(f"{URL}/reference.fa") as remote, pysam.FastaFile(str(folder / "reference.fa")) as local:
        assert (list(remote.references), list(remote.lengths)) == (list(local.references), list(local.lengths))
        for name, length in zip(local.references, local.lengths, strict=True):
            ends = np.sort(random.integers(0, length + 1, (50, 2)), axis=1)
            for start, end in [(0, 1), (0, length), (length - 1, length), *((int(a), int(b)) for a, b in ends if a < b)]:
                assert remote.fetch(name, start, end) == local.fetch(name, start, end)


def test_a_compressed_reference_has_to_be_on_the_disk(folder: Path) -> None:
    files = fsspec.filesystem("memory")
    files.pipe_file(f"{URL}/packed.fa.gz", b"\x1f\x8b\x08\x04")
    files.pipe_file(f"{URL}/packed.fa.gz.fai", b"")
    with pytest.raises(InputError, match="a compressed FASTA file is read from a local disk alone"):
        open_reference(f"{URL}/packed.fa.gz")


def test_only_what_is_asked_for_is_read(folder: Path) -> None:
    with open_bytes(f"{URL}/reference.fa") as file:
        file.seek(-10, 2)
        assert file.read() == (folder / "reference.fa").read_bytes()[-10:]
