"""Stage ``evaluate risk``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from genospark.core.storage import Warehouse
from genospark.features.risk import BuildRiskFeaturesConfig, build_features
from genospark.features.targets import asked
from genospark.models.bundle import Bundle
from genospark.models.targets import Target, heads, response
from genospark.tasks.risk_model import RiskModel
from genospark.training.evaluation import EvaluateConfig, Study
from genospark.training.evaluation import evaluate as evaluate_study
from genospark.training.risk import METHODS, RiskRecipe, TrainRiskConfig, outputs_of, predicted


class EvaluateRiskConfig(EvaluateConfig):
    """Settings of ``evaluate risk``: those of ``EvaluateConfig``."""


def evaluate(config: EvaluateRiskConfig, spark: SparkSession) -> str:
    """Measures risk models by nested cross-validation; see ``evaluation.evaluate``."""
    study = Study(RiskRecipe, TrainRiskConfig, build_features, BuildRiskFeaturesConfig, _outcomes, _labels)
    return evaluate_study(study, config, spark)


def _labels(warehouse: Warehouse, config: BuildRiskFeaturesConfig) -> pd.DataFrame:
    return asked(warehouse, config.targets).values


def _outcomes(warehouse: Warehouse, bundle: Bundle) -> pd.DataFrame:
    model, people = RiskModel.of(bundle), predicted(warehouse, bundle)
    people = people[people["split"] == "test"]
    said = outputs_of(people, model.spec)
    default = model.default(said)
    labels, weights = (np.stack(list(people[name])).astype(float) for name in ("labels", "weights"))
    rows = []
    for index, (target, mine) in enumerate(zip(model.spec.targets, heads(model.spec.targets), strict=True)):
        responses = {"network": response(target, said.network[:, mine]), "baseline": response(target, said.linear[:, mine])}
        for name, values in (responses | {"default": default[:, mine]}).items():
            about = people[["sampleId", "familyId"]].assign(model=name, method=METHODS[name], weight=weights[:, index])
            rows += [about.assign(**told) for told in _told(target, values, labels[:, index])]
    return pd.concat(rows)


def _told(target: Target, values: NDArray[np.float64], labels: NDArray[np.float64]) -> Iterator[dict[str, object]]:
    """Target, metric, score and label: of a multi-class target the class that is told, and each class against all others."""
    if target.kind == "multiclass":
        yield {"target": target.name, "metric": "accuracy", "score": values.argmax(axis=1), "label": labels}
        for place, name in enumerate(target.classes):
            of_class = np.where(np.isnan(labels), np.nan, labels == place)
            yield {"target": f"{target.name}: {name}", "metric": "AUC", "score": values[:, place], "label": of_class}
    else:
        metric = "AUC" if target.kind == "binary" else "R2"
        yield {"target": target.name, "metric": metric, "score": values[:, 0], "label": labels}
