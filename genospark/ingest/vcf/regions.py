"""Regions that records have to overlap, as of ``bcftools view -r``: 1-based and inclusive as text, 0-based and half-open inside."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genospark.errors import InputError

Ints = npt.NDArray[np.int64]

Interval = tuple[str, int, int]
"""Contig, start (0-based), end (exclusive)."""
TO_THE_END = 1 << 40
_REGION = re.compile(r"^(.+):([0-9][0-9,]*)(-([0-9][0-9,]*)?)?$")


@dataclass(frozen=True)
class Regions:
    """Regions; picklable.

    Attributes:
        spans: By contig, starts and ends in order; those that meet are one.
        by_index: Whether an index beside a file says where to read; else all of it is read, so that lines can be counted.
    """

    spans: dict[str, tuple[tuple[int, int], ...]]
    by_index: bool = True

    @classmethod
    def of(cls, intervals: Iterable[Interval], by_index: bool = True) -> Regions:
        """Of intervals in any order."""
        spans: dict[str, list[tuple[int, int]]] = {}
        for contig, start, end in sorted(intervals):
            own = spans.setdefault(contig, [])
            if own and start <= own[-1][1]:
                own[-1] = (own[-1][0], max(end, own[-1][1]))
            else:
                own.append((start, end))
        return cls({contig: tuple(own) for contig, own in spans.items()}, by_index)

    def overlap(self, contig: pa.StringArray, start: Ints, end: Ints) -> npt.NDArray[np.bool_]:
        """Which records have a base in a region, from the first of REF to that of END, or else to the last of REF."""
        found = np.zeros(len(start), bool)
        names = contig.dictionary_encode()
        numbers = names.indices.to_numpy()
        for number, name in enumerate(names.dictionary.to_pylist()):
            if name in self.spans:
                begins, ends = np.array(self.spans[name]).T
                mine = np.flatnonzero(numbers == number)
                # The first region that ends behind a record's start is the only one to look at.
                at = np.searchsorted(ends, start[mine], side="right")
                found[mine] = np.append(begins, np.iinfo(np.int64).max)[at] < end[mine]
        return found


def parse_region(text: str, contigs: Collection[str]) -> Interval:
    """One region: ``22``, ``22:100`` (one position), ``22:100-200`` or ``22:100-``.

    Args:
        text: Region.
        contigs: Those of the files: a name may have a colon.

    Raises:
        InputError: It is no region.
    """
    found = None if text in contigs else _REGION.match(text)
    if found is None:
        return text, 0, TO_THE_END
    first = int(found[2].replace(",", ""))
    last = first if not found[3] else int(found[4].replace(",", "")) if found[4] else TO_THE_END
    if not 1 <= first <= last:
        raise InputError(f"region {text}: not a region", "write contig, contig:first-last or contig:position; positions count from 1")
    return found[1], first - 1, last
