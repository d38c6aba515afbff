from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Cohort

from genospark.errors import InputError
from genospark.models.bundle import load


def test_a_bundle_is_read_back_as_it_was_written(cohort: Cohort, tmp_path: Path) -> None:
    bundle = load(cohort.bundle, "risk")
    again = load(bundle.save(tmp_path), "risk")
    assert again.version == bundle.version == cohort.bundle.name
    assert again.definition == bundle.definition
    assert all((a == b).all() for a, b in zip(again.weights, bundle.weights, strict=True))
    assert {path.suffix for path in cohort.bundle.iterdir()} == {".json", ".npz"}


def test_a_bundle_says_what_it_was_made_from(cohort: Cohort) -> None:
    lineage = load(cohort.bundle, "risk").lineage
    examples = cohort.warehouse.producer("riskExamples")
    assert examples is not None
    assert f"riskExamples:{examples['runId']}" in lineage["inputs"].values()
    assert lineage["configuration"]["epochs"] == 3


@pytest.mark.parametrize("damage", ["arrays.npz", "model.json", "both", "format", "renamed"])
def test_damaged_bundles_are_refused(cohort: Cohort, tmp_path: Path, damage: str) -> None:
    path = tmp_path / cohort.bundle.name
    shutil.copytree(cohort.bundle, path)
    if damage == "both":
        shutil.rmtree(path)
    elif damage == "format":
        described = json.loads((path / "model.json").read_text())
        (path / "model.json").write_text(json.dumps(described | {"format": 99}))
    elif damage == "renamed":
        path = path.rename(tmp_path / "risk-000000000000")
    else:
        content = (path / damage).read_bytes()
        (path / damage).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"no bundle|damaged|format 99|content is that of"):
        load(path, "risk")


def test_a_bundle_of_another_task_is_refused(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="a bundle for risk, not for expression"):
        load(cohort.bundle, "expression")


@given(
    st.lists(st.integers(0, 3), min_size=100, max_size=100), st.lists(st.sampled_from([float("nan"), 0.5, -2.0]), min_size=32, max_size=32)
)
def test_graph_and_numpy_unpack_the_same_vector(calls: list[int], measurements: list[float]) -> None:
    """The network's own unpacking against NumPy arithmetic on the calls themselves."""
    import tensorflow as tf

    from genospark.core.calls import pack
    from genospark.models.layers import FillMissing, UnpackCalls

    means, deviations = np.linspace(0.1, 1.9, 100), np.linspace(0.2, 0.8, 100)
    row = np.array([calls], np.uint8)
    made = UnpackCalls(means, deviations)(tf.constant(pack(row))).numpy()
    expected = [0.0 if call == 3 else (call - mean) / deviation for call, mean, deviation in zip(calls, means, deviations, strict=True)]
    assert made[0] == pytest.approx(expected, abs=1e-5)
    filled = FillMissing()(tf.constant([measurements])).numpy()[0]
    assert filled.tolist() == [0.0 if np.isnan(value) else value for value in measurements]


def test_dense_vectors_equal_the_networks(cohort: Cohort) -> None:
    import tensorflow as tf

    from genospark.tasks.risk import built, dense, fields
    from genospark.tasks.risk_model import RiskModel

    model = RiskModel.of(load(cohort.bundle, "risk"))
    found = cohort.warehouse.read("riskExamples").limit(20).toPandas()
    calls, measurements = (field.read(list(found[field.name])) for field in fields(model.spec))
    network = built(model.spec, model.shape, model.pairs)
    fused = tf.keras.Model(network.inputs, network.get_layer("fused").output)({"calls": calls, "measurements": measurements}).numpy()
    assert np.allclose(fused, dense(model.spec, calls, measurements), atol=1e-5)
