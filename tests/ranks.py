"""What test ranks run: functions that Horovod's processes import."""

from __future__ import annotations

from typing import Any

import numpy as np

from genospark.models.spec import Covariate, FeatureSpec, Variant, Variants
from genospark.models.targets import Target
from genospark.tasks.risk import Pairs, RiskProblem, Start


def spec() -> FeatureSpec:
    variants = Variants.of(Variant("1", place, "A", "C", 0.4 + place / 10, 0.5, 0.1) for place in range(6))
    return FeatureSpec(variants, (), (Covariate("x", 0.0, 1.0), Covariate("y", 0.0, 1.0)), "none", tuple(map(Target, "abc")))


SHAPE = {"hidden": (5,), "factors": 2, "members": 2, "dropout": 0.0, "modality_dropout": 0.0, "trunk_l2": 0.01}
PAIRS = Pairs(np.array([[0, 6], [2, 3]]), np.zeros(2, np.float32), np.ones(2, np.float32))
START = Start(*(np.zeros(shape, np.float32) for shape in ((8, 2, 3), (2, 3), (2, 2, 3))), (0.1, 0.2, 0.3), (0.1, 0.1, 0.1))
PROBLEM = RiskProblem(spec(), SHAPE, PAIRS, START, (1.0, 1.0, 1.0))


def batch(people: slice) -> tuple[Any, Any, Any, Any]:
    """Some of 24 people: 10 on rank 0, 14 on rank 1; disease b is known on one side only, c of nobody. Families are drawn 0, 1, 2, ..."""
    random = np.random.default_rng(5)
    calls = random.integers(0, 256, (24, 2)).astype(np.uint8)
    measurements = random.normal(size=(24, 2)).astype(np.float32)
    measurements[::5, 0] = np.nan
    labels = random.integers(0, 2, (24, 3)).astype(np.float32)
    labels[3:8, 0] = np.nan
    labels[:10, 1] = np.nan
    labels[:, 2] = np.nan
    draw = np.arange(24, dtype=np.uint8)[:, None]
    return calls[people], measurements[people], labels[people], draw[people]


def gradients_of_rank() -> list[Any]:
    """This rank's gradients of the joint loss over both ranks' people; the weights are the same on all ranks."""
    import horovod.tensorflow as hvd
    import tensorflow as tf

    from genospark.training.worker import joint_gradients

    hvd.init()
    network = untrained()
    mine = batch(slice(0, 10) if hvd.rank() == 0 else slice(10, 24)) if hvd.size() == 2 else batch(slice(0, 24))
    calls, measurements, labels, draw = (tf.constant(part) for part in mine)
    known = {"labels": labels, "weights": tf.fill(labels.shape, 0.5), "draw": draw}
    batch_of_rank = ({"calls": calls, "measurements": measurements}, known)
    counts = hvd.allreduce(PROBLEM.known(batch_of_rank[1]), op=hvd.Sum)
    return [gradient.numpy() for gradient in joint_gradients(PROBLEM, network, batch_of_rank, counts)]


def untrained() -> Any:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(9)
    network = PROBLEM.network()
    random = np.random.default_rng(6)
    network.set_weights([random.normal(size=weight.shape).astype(np.float32) for weight in network.get_weights()])
    return network
