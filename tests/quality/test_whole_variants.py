"""Whole variants out of files of genotypes: blocks side by side, whatever their lengths, and refused where they do not stand together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genospark.core.calls import SAMPLE_BLOCK
from genospark.quality.cohort import Layout
from genospark.quality.whole_variants import ApartError, whole_variants

LAYOUT = Layout.of(np.array([0, SAMPLE_BLOCK - 1, SAMPLE_BLOCK + 6]))
VARIANTS = 50


def _file(folder: Path, last_bytes: int, order: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None) -> tuple[str, np.ndarray]:
    """A file of two blocks a variant, in groups of 20 rows; and the calls."""
    calls = np.random.default_rng(1).integers(0, 256, (VARIANTS, SAMPLE_BLOCK // 4 + last_bytes)).astype(np.uint8)
    edges = 0, SAMPLE_BLOCK // 4, calls.shape[1]
    numbers = np.arange(2 * VARIANTS)
    table = pa.table(
        {
            "start": numbers // 2 * 10,
            "referenceAllele": ["A"] * len(numbers),
            "alternateAlleles": [["G"]] * len(numbers),
            "sampleBlock": pa.array(numbers % 2, pa.int32()),
            "calls": [calls[n // 2, edges[n % 2] : edges[n % 2 + 1]].tobytes() for n in numbers],
            **{name: pa.array(numbers, pa.int32()) for name in ("nCalled", "nHet", "nHaploidAlt", "nHomAlt")},
        }
    )
    path = folder / "contigName=chr%3A1" / "a.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table if order is None else table.take(pa.array(order)), path, row_group_size=20)
    return str(path), calls


@pytest.mark.parametrize("last_bytes", [1, 2, 5])
def test_blocks_stand_side_by_side(tmp_path: Path, last_bytes: int) -> None:
    """The last block is shorter than the people of the layout need, as long, and longer, as after a withdrawal."""
    path, calls = _file(tmp_path, last_bytes)
    found = list(whole_variants(path, LAYOUT, lambda contig, first, last: contig == "chr:1" and first <= 250 <= last))
    assert np.concatenate([rows.start for rows in found]).tolist() == list(range(200, 300, 10))
    packed = np.concatenate([rows.packed for rows in found])
    expected = np.pad(calls[20:30], ((0, 0), (0, 5)), constant_values=0xFF)[:, : LAYOUT.width]
    assert packed.tolist() == expected.tolist()
    ones = np.concatenate([rows.counts for rows in found])[:, 1]
    assert ones.tolist() == [2 * (4 * variant + 1) for variant in range(20, 30)]


def test_blocks_apart_are_refused(tmp_path: Path) -> None:
    order = np.arange(2 * VARIANTS)
    order[[51, 53]] = order[[53, 51]]
    path, _ = _file(tmp_path, 2, order)
    with pytest.raises(ApartError):
        list(whole_variants(path, LAYOUT, lambda *_: True))
