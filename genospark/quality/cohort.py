"""The people of a warehouse and their packed calls, variant by variant, as stages of quality control read them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.batches import bounded_batches
from genospark.core.calls import SAMPLE_BLOCK, Bytes, packed_bytes
from genospark.core.config import Settings
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.quality.adjacent import stand_together, together
from genospark.quality.contigs import autosomes

KEY = ["contigName", "start", "referenceAllele", "alternateAlleles"]
KEY_DDL = "contigName string, start bigint, referenceAllele string, alternateAlleles array<string>"
LOCUS = ["contigName", "start", "end", "referenceAllele", "alternateAlleles"]
_BROADCAST_ROWS = 1_000_000
"""Keys that a process of Spark holds: some 150 bytes each."""
LOCUS_DDL = "contigName string, start bigint, end bigint, referenceAllele string, alternateAlleles array<string>"


class SitesConfig(Settings):
    """Which variants are looked at.

    Attributes:
        contigs: Contigs; all autosomes where empty.
        pruned: Only those that `qc prune` has kept.
        passing: Only those for which `qc variants` has no reason against.
        min_allele_frequency: Only those whose rarer allele is this frequent, over everyone.
    """

    contigs: list[str] = []
    pruned: bool = False
    passing: bool = False
    min_allele_frequency: float = 0.0

    def tables(self) -> list[str]:
        """What is read to choose them, beside ``genotypes``."""
        return [*(["prunedVariants"] if self.pruned else []), *(["variantQuality"] if self.passing else []), "variants"]

    def chosen(self, warehouse: Warehouse) -> DataFrame | None:
        """``KEY`` of the variants on any contig; None where all are."""
        found = []
        if self.pruned:
            found.append(warehouse.read("prunedVariants").where("reason is null"))
        if self.passing:
            found.append(warehouse.read("variantQuality").where("size(reasons) = 0"))
        if self.min_allele_frequency:
            rarer = f.least("alleleFrequency", 1 - f.col("alleleFrequency"))
            found.append(warehouse.read("variants").where(rarer >= self.min_allele_frequency))
        keys = [rows.select(*KEY) for rows in found]
        # Keys are joined first, so that calls are gone through once.
        return reduce(lambda one, other: one.join(other, KEY, "leftsemi"), keys) if keys else None


@dataclass(frozen=True)
class Layout:
    """Where people's calls stand once a variant's blocks are put side by side.

    Attributes:
        blocks: Number of each block.
        sizes: Bytes of each.
    """

    blocks: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, indices: NDArray[np.int64]) -> Layout:
        """That of people with some `sampleIndex`."""
        block, within = np.divmod(indices, SAMPLE_BLOCK)
        numbers = np.unique(block)
        return cls(tuple(numbers.tolist()), tuple(packed_bytes(int(within[block == one].max()) + 1) for one in numbers))

    @property
    def width(self) -> int:
        """Bytes of a variant's calls."""
        return sum(self.sizes)

    def places(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where people with some `sampleIndex` stand."""
        block, within = np.divmod(indices, SAMPLE_BLOCK)
        place: NDArray[np.int64] = 4 * self._begins[np.searchsorted(self.blocks, block)] + within
        return place

    def side_by_side(self, blocks: pa.ListArray) -> Bytes:
        """Calls of all blocks in one row a variant; missing where a variant has no block of theirs.

        Args:
            blocks: For each variant structs with `sampleBlock` and `calls`.
        """
        variant, entries = _entries(blocks)
        numbers, values = entries.field("sampleBlock").to_numpy(), entries.field("calls")
        if len(self.blocks) == 1 and len(values) == len(blocks) and (numbers == self.blocks[0]).all():
            return _rows(values, self.width)
        found = np.full((len(blocks), self.width), 0xFF, np.uint8)
        for number, begin, size in zip(self.blocks, self._begins, self.sizes, strict=True):
            here = np.flatnonzero(numbers == number)
            found[variant[here], begin : begin + size] = _rows(values.take(pa.array(here)), size)
        return found

    def haploid(self, blocks: pa.ListArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Variants with calls of one allele, and whose these are, (variants, 4 x bytes).

        Args:
            blocks: For each variant structs with `sampleBlock` and `haploid`.
        """
        variant, entries = _entries(blocks)
        there = np.flatnonzero(entries.field("haploid").is_valid().to_numpy(zero_copy_only=False))
        rows, row = np.unique(variant[there], return_inverse=True)
        found = np.zeros((len(rows), 4 * self.width), bool)
        numbers, values = entries.field("sampleBlock").to_numpy()[there], entries.field("haploid").take(pa.array(there))
        for number, begin, size in zip(self.blocks, self._begins, self.sizes, strict=True):
            here = np.flatnonzero(numbers == number)
            bits = np.unpackbits(_rows(values.take(pa.array(here)), -(-size // 2), 0), axis=1, bitorder="little")
            found[row[here], 4 * begin : 4 * (begin + size)] = bits[:, : 4 * size]
        return rows, found

    @property
    def _begins(self) -> NDArray[np.int64]:
        return np.cumsum(self.sizes) - self.sizes


def _entries(blocks: pa.ListArray) -> tuple[NDArray[np.int64], pa.StructArray]:
    """Blocks of all variants, one after the other, and whose each is."""
    return np.repeat(np.arange(len(blocks)), blocks.value_lengths().to_numpy()), blocks.flatten()


def _rows(values: pa.BinaryArray, size: int, empty: int = 0xFF) -> Bytes:
    """Binaries as rows of `size` bytes: longer ones, whose last people were withdrawn, are cut, shorter ones filled."""
    if not len(values):
        return np.zeros((0, size), np.uint8)
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    length = int(offsets[1] - offsets[0])
    rows = np.frombuffer(values.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(len(values), length)
    if length >= size:
        return rows[:, :size]
    return np.pad(rows, ((0, 0), (0, size - length)), constant_values=empty)


@dataclass(frozen=True)
class Cohort:
    """People with genotypes.

    Attributes:
        warehouse: Where they are.
        people: sampleId, sampleIndex, sex (1, 2, or missing), isFounder (neither parent is known), by sampleIndex.
        layout: How their calls stand side by side.
    """

    warehouse: Warehouse
    people: pd.DataFrame
    layout: Layout

    @classmethod
    def read(cls, warehouse: Warehouse) -> Cohort:
        """Everyone in ``samples``, with what ``pedigree`` says where it is there.

        Raises:
            TableError: Nobody has genotypes.
        """
        people = warehouse.small("samples", ["sampleId", "sampleIndex"])
        if people.empty:
            raise TableError(f"{warehouse.path}: nobody is in `samples`", "run ingest-vcf on a VCF with people")
        if warehouse.has("pedigree"):
            known = warehouse.small("pedigree", ["sampleId", "fatherId", "motherId", "sex"])
            people = people.merge(known, "left", "sampleId")
        else:
            people = people.assign(fatherId=None, motherId=None, sex=np.nan)
        people["isFounder"] = people.pop("fatherId").isna() & people.pop("motherId").isna()
        people = people.sort_values("sampleIndex", ignore_index=True)
        return cls(warehouse, people, Layout.of(people["sampleIndex"].to_numpy(np.int64)))

    @staticmethod
    def tables(warehouse: Warehouse) -> list[str]:
        """What is read."""
        return ["genotypes", "samples", *(["pedigree"] if warehouse.has("pedigree") else [])]

    @property
    def places(self) -> NDArray[np.int64]:
        """Where each person's calls stand."""
        return self.layout.places(self.people["sampleIndex"].to_numpy(np.int64))

    def at(self, chosen: pd.Series[bool]) -> NDArray[np.bool_]:
        """Some people by the places of their calls, (4 x bytes,)."""
        found = np.zeros(4 * self.layout.width, bool)
        found[self.places[chosen.to_numpy(bool)]] = True
        return found

    def rows(self, sites: SitesConfig | None = None, haploid: bool = False) -> DataFrame:
        """One row a variant: ``LOCUS`` and its blocks; of all variants, or of those that a configuration chooses.

        Raises:
            TableError: None of the contigs is an autosome, or one that is chosen is not there.
        """
        genotypes = self.warehouse.read("genotypes").where("size(alternateAlleles) = 1")
        if sites is not None:
            genotypes = genotypes.where(f.col("contigName").isin(contigs_of(self.warehouse, sites)))
        chosen = sites.chosen(self.warehouse) if sites else None
        if chosen is not None:
            # Else Spark sorts all calls by their keys, whose number it does not know.
            few = self.warehouse.n_rows("variants") <= _BROADCAST_ROWS
            genotypes = genotypes.join(f.broadcast(chosen) if few else chosen, KEY, "leftsemi")
        columns = ["sampleBlock", "calls", *(["haploid"] if haploid else [])]
        if len(self.layout.blocks) == 1:
            return genotypes.select(*LOCUS, f.array(f.struct(*columns)).alias("blocks"))
        if chosen is None and stand_together(genotypes, self.layout.blocks):
            return together(genotypes, len(self.layout.blocks), columns)
        grouped = genotypes.groupBy(*KEY).agg(f.min("end").alias("end"), f.collect_list(f.struct(*columns)).alias("blocks"))
        return grouped.select(*LOCUS, "blocks")

    def bounded(self) -> AbstractContextManager[None]:
        """Arrow batches of so few variants that what kernels make of them takes little memory; for the actions inside."""
        return bounded_batches(self.warehouse.spark, 16 * self.layout.width)


def contigs_of(warehouse: Warehouse, sites: SitesConfig) -> list[str]:
    """Contigs of the variants that are looked at.

    Raises:
        TableError: None of the contigs is an autosome, or one that is chosen is not there.
    """
    there = warehouse.values("variants", "contigName")
    if not sites.contigs:
        found = autosomes(there)
        if not found:
            raise TableError(f"{warehouse.path}: no contig is an autosome by its name ({', '.join(sorted(there)[:5])})", "name `contigs`")
        return found
    if missing := sorted(set(sites.contigs) - set(there)):
        raise TableError(f"{warehouse.path}: no variant is on {', '.join(missing)}", "check how `contigs` are named in `variants`")
    return sites.contigs
