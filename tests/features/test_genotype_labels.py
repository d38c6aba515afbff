"""Labels of pileup windows, derived by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from genospark.core.pileup import CHANNELS, INDEX, WINDOW_BP
from genospark.features.genotype_labels import label

START = 5000


def _window(shown: dict[int, dict[str, int]]) -> bytes:
    """A window of reference A with some counts set."""
    pileup = np.zeros((WINDOW_BP, len(CHANNELS)), np.uint8)
    pileup[:, INDEX["forward_A"]] = 20
    for offset, counts in shown.items():
        for name, count in counts.items():
            pileup[offset, INDEX[name]] = count
    return pileup.tobytes()


def _labels(shown: dict[int, dict[str, int]], indels: list[tuple[int, int, str, str]], truth: list[tuple[int, str, str, int]]) -> dict:
    indel = [dict(zip(("position", "rank", "referenceAllele", "alternateAllele"), entry, strict=True)) for entry in indels]
    known = [dict(zip(("start", "referenceAllele", "alternateAllele", "copies"), entry, strict=True)) for entry in truth]
    kinds = {"position": pa.int64(), "rank": pa.int32(), "referenceAllele": pa.string(), "alternateAllele": pa.string()}
    truths = {"start": pa.int64(), "referenceAllele": pa.string(), "alternateAllele": pa.string(), "copies": pa.int32()}
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([START], pa.int64()),
            pa.array([_window(shown)], pa.binary()),
            pa.array([indel], pa.list_(pa.struct(list(kinds.items())))),
            pa.array([known or None], pa.list_(pa.struct(list(truths.items())))),
        ],
        ["start", "pileup", "indels", "truth"],
    )
    found = label(batch, 1.0)
    return {
        name: np.frombuffer(column[0].as_py(), np.int8) if name in ("snv", "indel") else column[0].as_py() for name, column in found.items()
    }


@pytest.mark.parametrize(
    ("truth", "expected", "missed"),
    [
        ([(START + 7, "A", "G", 1)], 1, 0),
        ([(START + 7, "A", "G", 2)], 2, 0),
        # Two alternate alleles, of which reads show G more than T.
        ([(START + 7, "A", "G", 1), (START + 7, "A", "T", 1)], 3, 0),
        # The second-best base alone is none of the genotypes that can be chosen.
        ([(START + 7, "A", "T", 1)], -1, 0),
        ([(START + 7, "A", "G", 3)], -1, 0),
        # C is shown less than G and T: the reads cannot tell.
        ([(START + 7, "A", "C", 1)], -1, 1),
    ],
)
def test_snv_labels(truth: list[tuple[int, str, str, int]], expected: int, missed: int) -> None:
    found = _labels({7: {"forward_G": 5, "reverse_G": 5, "forward_T": 4, "forward_C": 1}}, [], truth)
    assert found["snv"][7] == expected
    assert found["nMissedSnv"] == missed
    assert (np.delete(found["snv"], 7) == 0).all()
    assert (found["indel"] == 0).all()


@pytest.mark.parametrize(
    ("truth", "expected", "missed"),
    [
        ([(START + 9, "AC", "A", 1)], 1, 0),
        ([(START + 9, "AC", "A", 2)], 2, 0),
        ([(START + 9, "AC", "A", 1), (START + 9, "A", "AT", 1)], 3, 0),
        ([(START + 9, "AC", "A", 3)], -1, 0),
        ([(START + 9, "A", "ATT", 1)], -1, 1),
    ],
)
def test_indel_labels(truth: list[tuple[int, str, str, int]], expected: int, missed: int) -> None:
    found = _labels({9: {"indels": 12}}, [(START + 9, 1, "AC", "A"), (START + 9, 2, "A", "AT")], truth)
    assert found["indel"][9] == expected
    assert found["nMissedIndel"] == missed
    assert (np.delete(found["indel"], 9) == 0).all()


def test_of_positions_without_evidence_a_share_is_kept() -> None:
    kinds = pa.list_(pa.struct([("position", pa.int64()), ("rank", pa.int32()), ("r", pa.string()), ("a", pa.string())]))
    truth = pa.list_(pa.struct([("start", pa.int64()), ("r", pa.string()), ("a", pa.string()), ("copies", pa.int32())]))
    n = 50
    columns = [
        pa.array(np.arange(n) * WINDOW_BP),
        pa.array([_window({3: {"reverse_C": 1}})] * n),
        pa.array([[]] * n, kinds),
        pa.array([None] * n, truth),
    ]
    found = label(pa.RecordBatch.from_arrays(columns, ["start", "pileup", "indels", "truth"]), 0.1)
    labels = np.stack([np.frombuffer(row, np.int8) for row in found["snv"].to_pylist()])
    assert (labels[:, 3] == 0).all()
    assert abs((np.delete(labels, 3, axis=1) == 0).mean() - 0.1) < 0.01
