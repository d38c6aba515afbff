"""Parsed variants as files of ``variants`` and ``genotypes``, written by the task that parsed them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from genospark.core.landing import Landing
from genospark.ingest.order import Order, Span, distinct


@dataclass(frozen=True)
class Target:
    """Where variants land; picklable.

    Attributes:
        genotypes: Folder of the batch's part of ``genotypes``.
        variants: Folder of ``variants``.
        first_blocks: Of each sample set, the number of its first block of people.
    """

    genotypes: Landing
    variants: Landing
    first_blocks: list[int]


@dataclass(frozen=True)
class Landed:
    """What a task has written.

    Attributes:
        number: Of the task.
        sample_set: Whose variants these are.
        genotypes: Paths of files of ``genotypes``.
        variants: Paths of files of ``variants``.
        distinct: No variant among them stands twice; False says that one may.
        spans: What they cover.
    """

    number: int
    sample_set: int
    genotypes: list[str]
    variants: list[str]
    distinct: bool
    spans: list[Span]

    def as_text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Landed:
        """Back from JSON."""
        found = json.loads(text)
        return cls(**found | {"spans": [Span(**span) for span in found["spans"]]})


def land(batches: Iterable[pa.RecordBatch], number: int, sample_set: int, target: Target) -> Landed:
    """Writes rows of ``PARSED_SCHEMA`` of one sample set; memory does not grow with them."""
    order = Order()
    first = target.first_blocks[sample_set]
    with target.genotypes.writer(number) as genotypes, target.variants.writer(number) as variants:
        for batch in batches:
            order.add(batch)
            variants.add(dict(zip(batch.schema.names, batch.columns, strict=True)))
            genotypes.add(_blocks(batch, first))
        return Landed(number, sample_set, genotypes.finish(), variants.finish(), order.distinct, order.spans)


def no_repeats(landed: list[Landed]) -> bool:
    """Whether no variant stands twice in a sample set; False says that one may."""
    sets = {entry.sample_set for entry in landed}
    own = [[span for entry in landed if entry.sample_set == number for span in entry.spans] for number in sets]
    return all(entry.distinct for entry in landed) and all(map(distinct, own))


def _blocks(batch: pa.RecordBatch, first: int) -> dict[str, pa.Array]:
    """One row per variant and block of people."""
    blocks = batch.column("blocks")
    entries = blocks.flatten()
    counts = np.diff(blocks.offsets.to_numpy())
    row = np.repeat(np.arange(len(batch)), counts)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    sites = batch if len(row) == len(batch) else batch.take(pa.array(row))
    found = dict(zip(sites.schema.names, sites.columns, strict=True))
    found |= {entry.name: entries.field(index) for index, entry in enumerate(entries.type)}
    return found | {"sampleBlock": pa.array((first + place).astype(np.int32))}
