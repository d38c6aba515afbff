"""GENIE3 (Huynh-Thu et al. 2010): each gene is predicted from the regulators by a forest, whose importances rank them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from genospark.core.config import Settings
from genospark.features.profiles import Floats, Profiles

Doubles = NDArray[np.float64]


class ForestConfig(Settings):
    """How forests are grown.

    Attributes:
        kind: extra-trees, or random-forest as in the first GENIE3, which takes about twice as long.
        trees: Trees a target.
        observations: Observations that a tree draws, with replacement, at most.
        min_leaf: Least observations of a leaf.
    """

    kind: Literal["extra-trees", "random-forest"] = "extra-trees"
    trees: int = Field(50, ge=1)
    observations: int = Field(1000, ge=2)
    min_leaf: int = Field(1, ge=1)


def importances(regulators: Floats, target: Floats, config: ForestConfig, seed: int) -> Doubles:
    """Shares of the target's explained variance that a forest owes to each regulator.

    Args:
        regulators: Profiles, [regulators, observations]; without the target.
        target: Its profile, [observations].
        config: How the forest is grown.
        seed: Of the forest.

    Returns:
        [regulators], adding to 1, or all 0 where the target does not vary.
    """
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

    kind = {"extra-trees": ExtraTreesRegressor, "random-forest": RandomForestRegressor}[config.kind]
    drawn = min(config.observations, len(target))
    forest = kind(config.trees, max_features="sqrt", bootstrap=True, max_samples=drawn, min_samples_leaf=config.min_leaf, random_state=seed)
    return np.asarray(forest.fit(regulators.T, target).feature_importances_)


def forest_weights(found: Profiles, regulators: NDArray[np.int64], targets: NDArray[np.int64], config: ForestConfig, seed: int) -> Doubles:
    """Every regulator's weight on every target, one Spark task a block of targets.

    Args:
        found: Profiles.
        regulators: Indices of genes.
        targets: Indices of genes.
        config: How forests are grown.
        seed: Of the forests.

    Returns:
        [targets, regulators]; 0 of a gene on itself, which its forest does not see.
    """
    shared = found.blocks.sparkSession.sparkContext.broadcast(found.of(regulators))

    def work(genes: NDArray[np.int32], values: Floats) -> pa.RecordBatch:
        mine = np.isin(genes, targets)
        rows = []
        for gene, profile in zip(genes[mine], values[mine], strict=True):
            others = regulators != gene
            weights = np.zeros(len(regulators))
            if others.any():
                weights[others] = importances(shared.value[others], profile, config, seed + int(gene))
            rows.append(weights.tobytes())
        return pa.RecordBatch.from_arrays([pa.array(genes[mine]), pa.array(rows, pa.binary())], ["gene", "weights"])

    rows = {row["gene"]: row["weights"] for row in found.map(work, "gene int, weights binary").collect()}
    return np.frombuffer(b"".join(rows[int(target)] for target in targets)).reshape(len(targets), len(regulators))
