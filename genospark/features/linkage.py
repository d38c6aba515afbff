"""Which variants stand for those they are linked with, by what training people's calls say: clumping (C+T) and pruning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, pairwise
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import DataFrame

from genospark.core.batches import bounded_batches
from genospark.core.blocks import KEY, by_variant, gather
from genospark.core.calls import Bytes, count_codes, pack
from genospark.core.config import Settings
from genospark.quality.clump import Linker, clump
from genospark.quality.linkage import Pruner, Window

_KEY_DDL = "contigName string, start bigint, referenceAllele string, alternateAllele string"


class LinkageConfig(Settings):
    """What is done about linked variants before features are selected.

    Attributes:
        method: none; clump: of linked variants the one of the smallest p-value stays, for each disease (as ``plink --clump``); prune:
            variants that are linked with an earlier one go, whatever their p-values (as ``plink2 --indep-pairwise``).
        p_value: Of clumping, the largest p-value of a variant that stays.
        r2: Variants whose squared correlation among training people is larger are linked: of calls in pruning, of alleles on haplotypes in
            clumping, as with these programs.
        window_bases: How far apart they are at most.
    """

    method: Literal["none", "clump", "prune"] = "none"
    p_value: float = Field(1.0, gt=0, le=1)
    r2: float = Field(0.1, gt=0, lt=1)
    window_bases: int = Field(250_000, ge=1)


def clumped(genotypes: DataFrame, columns: NDArray[np.int64], tested: pd.DataFrame, config: LinkageConfig) -> pd.DataFrame:
    """Rows of tests whose variant stays for the phenotype, with `place` counted anew.

    Args:
        genotypes: Rows of ``genotypes``.
        columns: `sampleIndex` of each training person.
        tested: ``KEY``, phenotype, pvalue, place and others: every candidate of each phenotype.
        config: Settings.
    """
    key = list(KEY)
    phenotypes = sorted(tested["phenotype"].unique())
    wide = tested.pivot(index=key, columns="phenotype", values="pvalue").reindex(columns=phenotypes)
    schema = f"{_KEY_DDL}, pValues array<double>"
    rows = [
        (contig, int(start), *alleles, p) for (contig, start, *alleles), p in zip(wide.index, wide.to_numpy(float).tolist(), strict=True)
    ]
    candidates = genotypes.sparkSession.createDataFrame(rows, schema)

    def work(contig: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        linker = Linker(config.window_bases, config.r2)
        keys, p_values = [], []
        for batch in contig:
            linker.add(batch.column("start").to_numpy(), pack(gather(batch.column("blocks"), columns)))
            keys.append(batch.select(key))
            p_values.append(batch.column("pValues").flatten().to_numpy().reshape(len(batch), -1))
        linked = linker.linked
        stays = np.stack([clump(column, linked) for column in np.concatenate(p_values).T])
        table = pa.Table.from_batches(keys)
        for name, mask in zip(phenotypes, stays, strict=True):
            kept = table.filter(pa.array(mask))
            yield from kept.append_column("phenotype", pa.array([name] * len(kept), pa.string())).combine_chunks().to_batches()

    kept: pd.DataFrame = _by_contig(by_variant(genotypes).join(candidates, key), work, f"{_KEY_DDL}, phenotype string", len(columns))
    found = tested.merge(kept, "inner", [*key, "phenotype"]).sort_values(["phenotype", "place"], ignore_index=True)
    return found.assign(place=found.groupby("phenotype").cumcount() + 1)


def pruned(genotypes: DataFrame, columns: NDArray[np.int64], config: LinkageConfig, min_call_rate: float, min_count: int) -> pd.DataFrame:
    """Variants, by ``KEY``, that are linked with none that stays.

    Args:
        genotypes: Rows of ``genotypes``.
        columns: `sampleIndex` of each training person.
        config: Settings.
        min_call_rate: Variants called in a smaller share of the training people are not looked at.
        min_count: Neither are variants with fewer copies of the rarer allele among them.
    """
    window = Window(0, 1, config.window_bases, config.r2)

    def work(contig: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pruner, keys, reasons = Pruner(window), [], list[str]()
        for batch in contig:
            packed = pack(gather(batch.column("blocks"), columns))
            looked_at = _varied(packed, len(columns), min_call_rate, min_count)
            reasons += pruner.add(batch.column("start").to_numpy()[looked_at], packed[looked_at])
            keys.append(batch.select(list(KEY)).filter(pa.array(looked_at)))
        reasons += pruner.finish()
        yield from pa.Table.from_batches(keys).filter(pa.array([not reason for reason in reasons])).combine_chunks().to_batches()

    return _by_contig(by_variant(genotypes), work, _KEY_DDL, len(columns))


def _varied(packed: Bytes, n: int, min_call_rate: float, min_count: int) -> NDArray[np.bool_]:
    one, two, missing = count_codes(packed, n).T
    copies, called = one + 2 * two, n - missing
    kept: NDArray[np.bool_] = (called >= min_call_rate * n) & (np.minimum(copies, 2 * called - copies) >= min_count)
    return kept


def _by_contig(
    rows: DataFrame, work: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]], schema: str, n_people: int
) -> pd.DataFrame:
    """What is made of each contig's variants, which come in order, a batch at a time."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        parts = (part for batch in batches for part in _parts(batch))
        for _, contig in groupby(parts, key=lambda part: part.column("contigName")[0].as_py()):
            yield from work(contig)

    ordered = rows.repartition("contigName").sortWithinPartitions(*KEY)
    with bounded_batches(rows.sparkSession, n_people):
        found: pd.DataFrame = ordered.mapInArrow(run, schema).toPandas()
    return found


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    contigs = batch.column("contigName").to_numpy(zero_copy_only=False)
    for begin, end in pairwise([0, *(np.flatnonzero(contigs[1:] != contigs[:-1]) + 1).tolist(), len(batch)]):
        if end > begin:
            yield batch.slice(begin, end - begin)
