"""Labels of pileup windows, derived by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from genospark.core.pileup import CHANNELS, INDEX, WINDOW_BP, read
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
    found = label(batch, read(batch.column("pileup").to_pylist()))
    return {"snv": found.snv[0], "indel": found.indel[0], "nMissedSnv": found.missed_snv[0], "nMissedIndel": found.missed_indel[0]}


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
    # Elsewhere no read leaves a choice.
    assert (np.delete(found["snv"], 7) == -1).all()
    assert (np.delete(found["indel"], 7) == -1).all()
    assert found["indel"][7] == 0


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
    found = _labels({9: {"indels": 12, "indel1_length": 1}}, [(START + 9, 1, "AC", "A"), (START + 9, 2, "A", "AT")], truth)
    assert found["indel"][9] == expected
    assert found["nMissedIndel"] == missed
    assert (np.delete(found["indel"], 9) == -1).all()


def test_where_no_read_leaves_a_choice_nothing_is_learnt_but_missed_variants_stay() -> None:
    found = _labels({3: {"reverse_C": 1}, 5: {"reverse_C": 2}}, [], [(START + 3, "A", "C", 1)])
    assert found["snv"][3] == 1
    assert found["snv"][5] == 0
    assert (np.delete(found["snv"], [3, 5]) == -1).all()
