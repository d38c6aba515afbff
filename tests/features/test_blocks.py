"""Calls out of blocks of people, whichever blocks a variant has."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from genospark.core.blocks import gather
from genospark.core.calls import MISSING, SAMPLE_BLOCK, pack

TYPE = pa.list_(pa.struct([("sampleBlock", pa.int32()), ("calls", pa.binary())]))


@given(st.data())
def test_people_get_their_calls_and_miss_what_no_block_has(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    n_variants = data.draw(st.integers(1, 4))
    seed = np.random.default_rng(data.draw(st.integers(0, 99)))
    truth = seed.integers(0, 4, (n_variants, len(sizes), max(sizes))).astype(np.uint8)
    there = seed.random((n_variants, len(sizes))) < 0.7
    rows = [
        [{"sampleBlock": b, "calls": pack(truth[v, b : b + 1, :size])[0].tobytes()} for b, size in enumerate(sizes) if there[v, b]][::-1]
        for v in range(n_variants)
    ]
    people = [(b, person) for b, size in enumerate(sizes) for person in range(size)]
    asked = data.draw(st.lists(st.sampled_from(people), min_size=1, max_size=12))
    found = gather(pa.array(rows, TYPE), np.array([b * SAMPLE_BLOCK + person for b, person in asked]))
    expected = [[truth[v, b, person] if there[v, b] else MISSING for b, person in asked] for v in range(n_variants)]
    assert found.tolist() == np.array(expected).tolist()
