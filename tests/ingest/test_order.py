"""A variant that stands twice is never passed over, however a file is cut; sorted files without one need no second look."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from genospark.ingest.order import Order, distinct

Key = tuple[str, int, str, str]
_KEYS = st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.sampled_from(["A", "AC"]), st.sampled_from(["", "G", "T"]))


def _batch(keys: list[Key]) -> pa.RecordBatch:
    contigs, starts, references, alternates = map(list, zip(*keys, strict=True)) if keys else ([], [], [], [])
    return pa.RecordBatch.from_pydict(
        {
            "contigName": pa.array(contigs, pa.string()),
            "start": pa.array(starts, pa.int64()),
            "referenceAllele": pa.array(references, pa.string()),
            "alternateAlleles": pa.array([[name] if name else [] for name in alternates], pa.list_(pa.string())),
        }
    )


def _told(keys: list[Key], pieces: list[int], batches: list[int]) -> bool:
    """What is told of rows that are cut into pieces and batches."""
    cuts = sorted({0, len(keys), *(cut for cut in pieces if cut < len(keys))})
    spans, sure = [], True
    for begin, end in pairwise(cuts):
        order = Order()
        inner = sorted({begin, end, *(cut for cut in batches if begin < cut < end)})
        for first, last in pairwise(inner):
            order.add(_batch(keys[first:last]))
        sure &= order.distinct
        spans += order.spans
    return sure and distinct(spans)


_CUTS = st.lists(st.integers(0, 30), max_size=4)


@settings(deadline=None)
@given(st.lists(_KEYS, max_size=30), _CUTS, _CUTS)
def test_a_repeat_is_never_passed_over(keys: list[Key], pieces: list[int], batches: list[int]) -> None:
    if len(set(keys)) < len(keys):
        assert not _told(keys, pieces, batches)
        assert not _told(sorted(keys), pieces, batches)


@settings(deadline=None)
@given(st.sets(_KEYS, max_size=30), _CUTS)
def test_sorted_files_need_no_second_look(keys: set[Key], batches: list[int]) -> None:
    assert _told(sorted(keys), [], batches)


def test_pieces_that_meet_at_a_position() -> None:
    keys = [("a", 1, "A", "G"), ("a", 2, "A", "C"), ("a", 2, "A", "G"), ("a", 3, "A", "G")]
    assert _told(keys, [2], [])
    assert not _told([*keys[:2], keys[1], keys[3]], [2], [])


def test_files_of_one_contig_that_overlap_are_looked_at_again() -> None:
    assert not _told([("a", 1, "A", "G"), ("a", 5, "A", "C"), ("a", 2, "A", "G")], [2], [])
