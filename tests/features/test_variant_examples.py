"""Training examples: sites with evidence side by side, and that a network learns the same of them as of whole windows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from genospark.core.pileup import CHANNELS, INDEX, MODEL_CHANNELS, WINDOW_BP, read
from genospark.features.variant_examples import Examples

CONTEXT, BESIDE = 15, 32
KINDS = pa.list_(pa.struct([("position", pa.int64()), ("rank", pa.int32()), ("r", pa.string()), ("a", pa.string())]))
TRUTH = pa.list_(pa.struct([("start", pa.int64()), ("r", pa.string()), ("a", pa.string()), ("copies", pa.int32())]))

Sites = dict[tuple[str, int, int], tuple[int, str]]


def _batch(windows: dict[tuple[str, int], dict[int, int]], splits: dict[str, str]) -> pa.RecordBatch:
    """Windows of reference A, and at some places so many reads of 20 that show C, of which the truth is a heterozygote."""
    pileups, truths = [], []
    for (_, start), sites in windows.items():
        pileup = np.zeros((WINDOW_BP, len(CHANNELS)), np.uint8)
        pileup[:, INDEX["forward_A"]] = 20
        # Each position is told from all others.
        pileup[:, INDEX["soft_clips"]] = np.arange(WINDOW_BP) % 251
        for offset, count in sites.items():
            pileup[offset, INDEX["reverse_C"]] = count
        pileups.append(pileup.tobytes())
        truths.append([{"start": start + offset, "r": "A", "a": "C", "copies": 1} for offset, count in sites.items() if count > 5])
    columns = {
        "sampleId": pa.array([person for person, _ in windows]),
        "contigName": pa.array(["c"] * len(windows)),
        "start": pa.array([start for _, start in windows], pa.int64()),
        "split": pa.array([splits[person] for person, _ in windows]),
        "pileup": pa.array(pileups, pa.binary()),
        "indels": pa.array([[]] * len(windows), KINDS),
        "errorProfile": pa.nulls(len(windows), pa.binary()),
        "truth": pa.array(truths, TRUTH),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


@settings(max_examples=25, deadline=None)
@given(
    sites=st.dictionaries(
        st.tuples(st.sampled_from(["ann", "bob"]), st.integers(0, 3).map(lambda n: 1000 * n)),
        st.dictionaries(st.integers(0, WINDOW_BP - 1), st.integers(2, 20), max_size=60),
        min_size=1,
        max_size=8,
    ),
    size=st.integers(1, 3),
)
def test_every_site_of_training_people_is_there_once_with_its_surroundings(sites: dict[tuple[str, int], dict[int, int]], size: int) -> None:
    examples = Examples(CONTEXT)
    batch = _batch(sites, {"ann": "train", "bob": "train"})
    parts = [examples.add(batch.slice(at, size)) for at in range(0, batch.num_rows, size)]
    rows = pa.Table.from_batches([*parts, *examples.rest()]).to_pylist()
    found: dict[str, list[tuple[int, int, int]]] = {"ann": [], "bob": []}
    for row in rows:
        pileup, snv = read([row["pileup"]], MODEL_CHANNELS)[0], np.frombuffer(row["snv"], np.int8)
        assert (row["split"], row["contextBp"]) == ("train", CONTEXT)
        centres = np.flatnonzero(snv != -1)
        assert (centres % (2 * CONTEXT + 1) == CONTEXT).all()
        for centre in centres.tolist():
            place = int(pileup[centre, INDEX["soft_clips"]])
            found[row["sampleId"]].append((place, int(pileup[centre, INDEX["reverse_C"]]), int(snv[centre])))
            around = pileup[centre - CONTEXT : centre + CONTEXT + 1]
            inside = around[:, INDEX["forward_A"]] > 0
            steps = (around[inside, INDEX["soft_clips"]].astype(int) - place) % 251
            assert (steps == np.arange(-CONTEXT, CONTEXT + 1)[inside] % 251).all()
    for person, seen in found.items():
        mine = [
            (offset % 251, count, int(count > 5)) for (name, _), some in sites.items() if name == person for offset, count in some.items()
        ]
        assert sorted(seen) == sorted(mine)
        assert sum(row["sampleId"] == person for row in rows) == -(-len(mine) // BESIDE)


def test_other_people_keep_whole_windows() -> None:
    sites = {("ann", 0): {5: 10}, ("bob", 0): {7: 10}}
    examples = Examples(CONTEXT)
    rows = examples.add(_batch(sites, {"ann": "validation", "bob": "test"})).to_pylist()
    assert [(row["sampleId"], row["start"], row["contextBp"]) for row in rows] == [("ann", 0, None), ("bob", 0, None)]
    assert np.frombuffer(rows[0]["snv"], np.int8)[5] == 1
    assert next(examples.rest()).num_rows == 0
    whole = Examples(None).add(_batch(sites, {"ann": "train", "bob": "train"}))
    assert whole.column("contextBp").null_count == 2
