"""Rows of ``variantExamples``: whole windows to judge callers by, and for training the sites with evidence, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genospark.core.pileup import WINDOW_BP, read
from genospark.core.profile import told
from genospark.core.sites import n_beside, side_by_side, surroundings
from genospark.features.genotype_labels import UNKNOWN, Labels, label

COLUMNS = (
    "sampleId string, contigName string, start bigint, split string, pileup binary, snv binary, indel binary, nMissedSnv int, "
    "nMissedIndel int, contextBp int"
)
_NAMES = [column.split()[0] for column in COLUMNS.split(", ")]

Row = tuple[str, str, int, str, bytes, bytes, bytes, int, int, int | None]


@dataclass
class _Held:
    """Sites of a person that do not fill a window yet: where they are, what lies around, and labels [sites, heads]."""

    contigs: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    pieces: list[NDArray[np.uint8]] = field(default_factory=list)
    labels: list[NDArray[np.int8]] = field(default_factory=list)
    missed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))


class Examples:
    """Makes rows of batches of labelled windows.

    Args:
        context_bp: Positions on either side of a site that training sees; None for whole windows.
    """

    def __init__(self, context_bp: int | None) -> None:
        self._context = context_bp
        self._held: dict[str, _Held] = defaultdict(_Held)

    def add(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that a batch makes; some of its sites wait for more of the person.

        Args:
            batch: Columns of ``readWindows``, errorProfile, split and truth, see ``label``.
        """
        pileup = told(read(batch.column("pileup").to_pylist()), batch.column("errorProfile").to_pylist())
        labels = label(batch, pileup)
        keys = list(zip(*(batch.column(name).to_pylist() for name in ("sampleId", "contigName", "start", "split")), strict=True))
        packed = np.array([key[3] == "train" and self._context is not None for key in keys], bool)
        rows: list[Row] = []
        for at in np.flatnonzero(~packed).tolist():
            missed = int(labels.missed_snv[at]), int(labels.missed_indel[at])
            rows.append((*keys[at], pileup[at].tobytes(), labels.snv[at].tobytes(), labels.indel[at].tobytes(), *missed, None))
        people = np.array([key[0] for key in keys], object)
        for person in dict.fromkeys(people[packed].tolist()):
            mine = np.flatnonzero(packed & (people == person))
            self._hold(self._held[person], keys, mine, pileup, labels)
            rows += self._full(person, whole=True)
        return _batch(rows)

    def rest(self) -> Iterator[pa.RecordBatch]:
        """What was held back."""
        yield _batch([row for person in self._held for row in self._full(person, whole=False)])

    def _hold(
        self, held: _Held, keys: list[tuple[str, str, int, str]], mine: NDArray[np.int64], pileup: NDArray[np.uint8], labels: Labels
    ) -> None:
        assert self._context is not None
        known = np.stack([labels.snv[mine], labels.indel[mine]], axis=-1)
        window, offset = np.nonzero(labels.evident[mine] & (known != UNKNOWN).any(axis=-1))
        held.contigs += [keys[mine[at]][1] for at in window.tolist()]
        held.positions += [keys[mine[at]][2] + place for at, place in zip(window.tolist(), offset.tolist(), strict=True)]
        held.pieces += list(surroundings(pileup, mine[window], offset, self._context))
        held.labels += list(known[window, offset])
        held.missed += [labels.missed_snv[mine].sum(), labels.missed_indel[mine].sum()]

    def _full(self, person: str, whole: bool) -> Iterator[Row]:
        """Rows of a person's sites, those of full windows alone if `whole`."""
        assert self._context is not None
        held, beside, length = self._held[person], n_beside(self._context), 2 * self._context + 1
        while len(held.pieces) >= (beside if whole else 1):
            packed = side_by_side(np.stack(held.pieces[:beside]))
            known = np.full((2, WINDOW_BP), UNKNOWN, np.int8)
            some = np.stack(held.labels[:beside])
            known[:, self._context : self._context + len(some) * length : length] = some.T
            missed, held.missed = held.missed.tolist(), np.zeros(2, np.int64)
            key = (person, held.contigs[0], held.positions[0], "train")
            yield (*key, packed[0].tobytes(), known[0].tobytes(), known[1].tobytes(), missed[0], missed[1], self._context)
            for waiting in (held.contigs, held.positions, held.pieces, held.labels):
                del waiting[:beside]


def _batch(rows: list[Row]) -> pa.RecordBatch:
    kinds = (pa.string(), pa.string(), pa.int64(), pa.string(), *(pa.binary(),) * 3, *(pa.int32(),) * 3)
    columns = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    return pa.RecordBatch.from_arrays([pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)], _NAMES)
