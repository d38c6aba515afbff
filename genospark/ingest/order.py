"""Whether a variant stands twice, told from rows as they come: sorted files need no comparison of all with all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Span:
    """Rows of a piece of a file on one contig.

    Attributes:
        contig: The contig.
        first: Least start (0-based).
        last: Greatest start.
        at_first: Alleles of the variants at the least start, as ``REF>ALT``.
        at_last: Alleles of those at the greatest.
    """

    contig: str
    first: int
    last: int
    at_first: list[str]
    at_last: list[str]


@dataclass
class Order:
    """What is known of the rows of a piece.

    Attributes:
        distinct: They are sorted in each contig and no variant stands twice; False says that it may.
    """

    distinct: bool = True
    _spans: dict[str, Span] = field(default_factory=dict)
    _contig: str = ""

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds the rows that come next, with the columns of a variant's key."""
        if not self.distinct or not len(batch):
            return
        contigs = batch.column("contigName").dictionary_encode()
        codes = contigs.indices.to_numpy()
        cuts = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
        for begin, end in pairwise(cuts):
            self._add_run(contigs.dictionary[codes[begin]].as_py(), batch.slice(begin, end - begin))

    def _add_run(self, contig: str, rows: pa.RecordBatch) -> None:
        """Rows on one contig."""
        starts = rows.column("start").to_numpy()
        before = self._spans.get(contig)
        if (np.diff(starts) < 0).any() or (before and (self._contig != contig or starts[0] < before.last)):
            self.distinct = False
            return
        same = starts[1:] == starts[:-1]
        shared = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        if len(shared):
            together = rows.take(pa.array(shared))
            keys = pa.table({"start": together.column("start"), "alleles": _alleles(together)})
            self.distinct &= len(keys.group_by(["start", "alleles"]).aggregate([])) == len(keys)
        first, last = int(starts[0]), int(starts[-1])
        at_first = _alleles(rows.slice(0, int(np.searchsorted(starts, first, "right")))).to_pylist()
        at_last = _alleles(rows.slice(int(np.searchsorted(starts, last)))).to_pylist()
        if before:
            if before.last == first:
                self.distinct &= set(before.at_last).isdisjoint(at_first)
                at_last = [*before.at_last, *at_last] if first == last else at_last
                at_first = [*before.at_first, *at_first] if before.first == first else before.at_first
            else:
                at_first = before.at_first
            first = before.first
        self._spans[contig] = Span(contig, first, last, at_first, at_last)
        self._contig = contig

    @property
    def spans(self) -> list[Span]:
        """What the rows cover; only where they are distinct."""
        return list(self._spans.values())


def distinct(spans: Iterable[Span]) -> bool:
    """Whether pieces of one sample set, each of distinct rows, have no variant in common; False says that they may."""
    ordered = sorted(spans, key=lambda span: (span.contig, span.first, span.last))
    for one, other in pairwise(ordered):
        if one.contig != other.contig or one.last < other.first:
            continue
        # A third piece may begin at the very place, too, where the second ends there.
        if one.last > other.first or other.first == other.last or not set(one.at_last).isdisjoint(other.at_first):
            return False
    return True


def _alleles(rows: pa.RecordBatch) -> pa.StringArray:
    alternate = pc.binary_join(rows.column("alternateAlleles"), ",")
    return pc.binary_join_element_wise(rows.column("referenceAllele"), alternate, ">")
