"""Variants of a model among rows of ``variants`` and ``genotypes``: found by place and alleles, whole batches of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genospark.models.variant_columns import Variants

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Pairs:
    """Rows and the features that they are of: a row may be of two, which have each other's alleles.

    Attributes:
        row, feature: Places, of one length.
        turned: Where the row has REF and ALT of the feature exchanged.
    """

    row: Ints
    feature: Ints
    turned: Bools

    def some(self, which: Bools) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.row[which], self.feature[which], self.turned[which])


class Sites:
    """Features by their places; small when pickled, and no Python object each.

    Args:
        contig, start, reference, alternate: Of the features.
    """

    def __init__(self, contig: pa.StringArray, start: pa.Int64Array, reference: pa.StringArray, alternate: pa.StringArray) -> None:
        contigs, starts = contig.dictionary_encode(), start.to_numpy()
        codes = contigs.indices.to_numpy()
        self._order = np.lexsort((starts, codes)).astype(np.int32)
        ordered = pa.array(self._order)
        self._starts = starts[self._order]
        self._reference, self._alternate = reference.take(ordered), alternate.take(ordered)
        bounds = np.searchsorted(codes[self._order], np.arange(len(contigs.dictionary) + 1))
        names = contigs.dictionary.to_pylist()
        self._contigs = {name: (int(low), int(high)) for name, low, high in zip(names, bounds[:-1], bounds[1:], strict=True)}

    @classmethod
    def of(cls, variants: Variants) -> Sites:
        """Of a model's variants."""
        return cls(*variants.columns.columns[:4])

    def any_within(self, contig: str, first: int, last: int) -> bool:
        """Whether a feature starts at one of these places."""
        low, high = self._contigs.get(contig, (0, 0))
        own = self._starts[low:high]
        return bool(np.searchsorted(own, first) < np.searchsorted(own, last, side="right"))

    def find(self, contig: str, start: Ints, reference: pa.StringArray, alternates: pa.ListArray) -> Pairs:
        """Features of rows on one contig; of rows without an alternate allele there are none.

        Args:
            contig: The contig.
            start: Of the rows.
            reference: REF.
            alternates: ALT, the first of which counts.
        """
        low, high = self._contigs.get(contig, (0, 0))
        own = self._starts[low:high]
        first, last = np.searchsorted(own, start), np.searchsorted(own, start, side="right")
        count = np.where(alternates.value_lengths().to_numpy() > 0, last - first, 0)
        row = np.repeat(np.arange(len(start)), count)
        place = low + np.repeat(first - np.cumsum(count) + count, count) + np.arange(len(row))
        rows, places = pa.array(row), pa.array(place)
        alternate = pc.list_element(alternates.take(rows), 0) if len(row) else pa.array([], pa.string())
        theirs, ours = (reference.take(rows), alternate), (self._reference.take(places), self._alternate.take(places))
        same, turned = (
            np.asarray(pc.and_(pc.equal(theirs[0], one), pc.equal(theirs[1], other)).to_numpy(zero_copy_only=False), bool)
            for one, other in (ours, ours[::-1])
        )
        pairs = Pairs(row, self._order[place].astype(np.int64), turned)
        return pairs.some(same | turned)


def key_columns(batch: pa.RecordBatch) -> tuple[Ints, pa.StringArray, pa.ListArray]:
    """What ``Sites.find`` asks of rows of ``variants`` or ``genotypes``."""
    return batch.column("start").to_numpy(), batch.column("referenceAllele"), batch.column("alternateAlleles")
