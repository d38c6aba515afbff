"""The strongest simple model: L1 logistic regression, one a disease, on the very features that the network gets."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from genospark.tasks.risk import sigmoid

Vectors = NDArray[np.float32]
Labels = NDArray[np.float32]


def fit(
    training: tuple[Vectors, Labels], validation: tuple[Vectors, Labels], penalties: list[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[float]]:
    """Fits each disease with the penalty whose cross-entropy on validation people is least.

    Args:
        training: Standardised vectors [people, features] and labels [people, diseases], NaN for not known.
        validation: Likewise.
        penalties: Inverse strengths (scikit-learn's C) to choose from.

    Returns:
        Coefficients [features, diseases], intercepts [diseases], and the chosen penalties.
    """
    n_tasks = training[1].shape[1]
    fits = [_one(training, validation, task, penalties) for task in range(n_tasks)]
    return np.stack([fit[0] for fit in fits], axis=1), np.array([fit[1] for fit in fits]), [fit[2] for fit in fits]


def _one(
    training: tuple[Vectors, Labels], validation: tuple[Vectors, Labels], task: int, penalties: list[float]
) -> tuple[NDArray[np.float64], float, float]:
    vectors, labels = known(*training, task)
    others, truths = known(*validation, task)
    best: tuple[float, NDArray[np.float64], float, float] | None = None
    for penalty in sorted(penalties):
        model = LogisticRegression(C=penalty, l1_ratio=1.0, solver="liblinear", max_iter=200, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(vectors, labels)
        weights, intercept = model.coef_[0].astype(float), float(model.intercept_[0])
        loss = float(log_loss(truths, sigmoid(others @ weights + intercept), labels=[0, 1])) if len(truths) else 0.0
        if best is None or loss < best[0]:
            best = (loss, weights, intercept, penalty)
    assert best is not None
    return best[1:]


def known(vectors: Vectors, labels: Labels, task: int) -> tuple[Vectors, Labels]:
    """The people whose label of one disease is known."""
    mask = ~np.isnan(labels[:, task])
    return vectors[mask], labels[mask, task]
