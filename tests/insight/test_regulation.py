"""Who regulates whom, where the answer is known."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.insight.expression_gradients import directional, panel_weights
from genospark.insight.forests import ForestConfig, importances
from genospark.insight.gold import areas, read_gold
from genospark.insight.networks import OwnNetworksConfig, attributions
from genospark.insight.regulation import InferNetworkConfig, infer_network
from genospark.models.bundle import load
from genospark.tasks.bundles import last_version


def _system(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Three regulators; the target is twice the first less the third, and noise; each of variance 1."""
    random = np.random.default_rng(3)
    regulators = random.normal(size=(3, n))
    target = 2 * regulators[0] - regulators[2] + random.normal(size=n)
    z = lambda values: ((values.T - values.mean(axis=-1)) / values.std(axis=-1)).T  # noqa: E731
    return z(regulators).astype(np.float32), z(target).astype(np.float32)


@pytest.mark.parametrize("kind", ["extra-trees", "random-forest"])
def test_forests_find_the_regulators(kind: str) -> None:
    regulators, target = _system()
    found = importances(regulators, target, ForestConfig(kind=kind), 1)
    assert found.sum() == pytest.approx(1)
    assert found.argmax() == 0
    assert found.argmin() == 1
    assert found[0] > 0.5
    assert importances(regulators, target, ForestConfig(kind=kind), 1) == pytest.approx(found)


def test_networks_of_a_linear_system_say_its_weights() -> None:
    regulators, target = _system()
    solved = np.linalg.lstsq(regulators.T, target, rcond=None)[0]
    targets = np.stack([target, regulators[0]])
    allowed = np.array([[True, True, True], [False, True, True]])
    config = OwnNetworksConfig(penalty=0.0, steps=1500)
    size, mean = attributions(regulators, targets, allowed, config, [5, 6])
    assert mean[0] == pytest.approx(solved, abs=0.05)
    assert size[0] == pytest.approx(np.abs(solved), abs=0.08)
    # What a network must not see, it owes nothing to.
    assert size[1, 0] == mean[1, 0] == 0
    # A target's network hangs on nobody else's.
    alone, _ = attributions(regulators, targets[:1], allowed[:1], config, [5])
    assert alone[0] == pytest.approx(size[0], abs=1e-3)
    quiet, _ = attributions(regulators, targets[:1], allowed[:1], OwnNetworksConfig(penalty=30.0), [5])
    assert quiet.max() < 0.05


def test_directional_derivatives_of_a_linear_network_are_its_weights() -> None:
    import tensorflow as tf

    weights = np.random.default_rng(0).normal(size=(2 * 3, 4)).astype(np.float32)
    given = tf.keras.Input((2, 3), name="panel")
    dense = tf.keras.layers.Dense(4, use_bias=False)
    network = tf.keras.Model({"panel": given}, dense(tf.keras.layers.Flatten()(given)))
    dense.set_weights([weights])
    panel = np.random.default_rng(1).normal(size=(5, 2, 3)).astype(np.float32)
    for gene in range(3):
        # The gene rises in both states.
        expected = weights.reshape(2, 3, 4)[:, gene].sum(axis=0)
        assert directional(network, {}, panel, gene).numpy() == pytest.approx(np.tile(expected, (5, 1)), abs=1e-5)


def test_panel_weights_are_differences_of_predictions(cohort: Cohort) -> None:
    """The expression bundle's derivatives against small steps of the panel."""
    from genospark.tasks.expression import ExpressionModel, fields

    bundle = load(cohort.path / "bundles" / last_version(cohort.warehouse, "expression"), "expression")
    model = ExpressionModel.of(bundle)
    examples = cohort.warehouse.read("expressionExamples").where("split = 'test'")
    genes = list(model.spec.panel[:2])
    size, mean = panel_weights(examples, bundle, genes)
    rows = examples.toPandas()
    given = {field.name: field.read(list(rows[field.name])) for field in fields(model.spec)}
    panel, network = np.nan_to_num(given.pop("panel")), model.network()
    said = [
        [network(given | {"panel": panel + step * (np.arange(panel.shape[2]) == gene)}).numpy()[:, 0] for step in (-0.05, 0.05)]
        for gene in range(2)
    ]
    for gene, (lower, upper) in enumerate(said):
        change = (upper.astype(float) - lower) / 0.1
        assert mean[:, gene] == pytest.approx(change.mean(axis=(0, 1)), abs=2e-3)
        assert size[:, gene] == pytest.approx(np.abs(change).mean(axis=(0, 1)), abs=2e-3)


def test_areas_of_edges_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(4)
    weights, known = random.random((30, 6)), (random.random((30, 6)) < 0.2).astype(float)
    known[:6, :][np.eye(6, dtype=bool)] = np.nan
    values, ends = areas(weights, known)
    counted = ~np.isnan(known)
    assert values == pytest.approx(
        [roc_auc_score(known[counted], weights[counted]), average_precision_score(known[counted], weights[counted])]
    )
    assert ((ends[:, 0] < values) & (values < ends[:, 1])).all()


def test_a_file_that_is_no_gold_standard_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gold.tsv").write_text("from\tto\na\tb\n")
    with pytest.raises(InputError, match="regulatorId and targetId"):
        read_gold(tmp_path / "gold.tsv")


def test_edges_of_the_cohort(cohort: Cohort) -> None:
    warehouse = cohort.warehouse
    edges: pd.DataFrame = warehouse.read("regulatoryEdges").orderBy("rank").toPandas()
    genes = warehouse.read("genes").toPandas()
    regulators = set(genes.loc[genes["isRegulator"].astype(bool), "geneId"])
    assert set(edges["regulatorId"]) == regulators
    assert len(edges) == len(regulators) * (len(genes) - 1)
    assert (edges["regulatorId"] != edges["targetId"]).all()
    assert list(edges["rank"]) == list(range(1, len(edges) + 1))
    assert edges["weight"].is_monotonic_decreasing
    fused = sum(61 / (60 + rankdata(-edges[name])) for name in ("networkWeight", "baselineWeight")) / 2
    assert edges["weight"].to_numpy() == pytest.approx(fused)
    assert edges.groupby("targetId")["baselineWeight"].sum().round(6).isin([0, 1]).all()
    assert set(edges["sign"]) <= {-1, 1}


def test_the_expression_network_against_the_truth(cohort: Cohort, tmp_path: Path) -> None:
    """Attributions of the bundle; also the metrics of a gold standard against scikit-learn on the table."""
    copy, gold = tmp_path / "W", cohort.files / "truth" / "network.tsv"
    shutil.copytree(cohort.path, copy, ignore=shutil.ignore_patterns("input"))
    config = InferNetworkConfig(
        warehouse=str(copy), network="expression", forest=ForestConfig(trees=5), gold_standard=str(gold), observations=400
    )
    infer_network(config, cohort.warehouse.spark)
    warehouse = Warehouse(cohort.warehouse.spark, str(copy))
    edges: pd.DataFrame = warehouse.read("regulatoryEdges").toPandas()
    assert set(edges["modelVersion"]) == {last_version(warehouse, "expression")}
    truth = pd.read_csv(gold, sep="\t")
    known = set(zip(truth["regulatorId"], truth["targetId"], strict=True))
    labels = [float(pair in known) for pair in zip(edges["regulatorId"], edges["targetId"], strict=True)]
    metrics: pd.DataFrame = warehouse.read("metrics/regulation").toPandas()
    assert len(metrics) == 6
    columns = {"network": "networkWeight", "baseline": "baselineWeight", "default": "weight"}
    for row in metrics.itertuples():
        figure = {"AUROC": roc_auc_score, "AUPRC": average_precision_score}[row.metric]
        assert row.n == len(edges)
        assert row.value == pytest.approx(figure(labels, edges[columns[row.model]]), abs=1e-6)
