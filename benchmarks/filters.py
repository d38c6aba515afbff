"""What a user adds to other callers: the hard filter that suits a caller best on training genomes, and boosting over its candidates."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from callers import KINDS
from sklearn.ensemble import HistGradientBoostingClassifier

from genospark.training.metrics import f1_score

QUALITIES = (0, 1, 3, 5, 10, 15, 20, 30, 40, 60, 80, 120, 200, 300)
PER_DEPTH = (0, 0.5, 1, 2, 3, 5, 8)
BALANCES = (0, 0.1, 0.15, 0.2, 0.25, 0.3)
STRANDS = (-np.inf, -4, -3, -2, -1.5, 0.001, 0.05, 0.1, 0.15, 0.2)
LOOKED_AT = ("quality", "per_depth", "balance", "strand")

Filter = dict[str, tuple[float, ...]]
"""For SNVs and for indels the least values of ``LOOKED_AT``."""


def tuned(both: pd.DataFrame) -> Filter:
    """The filter with the best F1 on compared calls."""
    chosen = {}
    for kind in KINDS:
        part = both[both["kind"] == kind]
        called = part[part["copies"] > 0]
        right = (called["copies"] == called["true"]).to_numpy()
        n_true = int((part["true"] > 0).sum())
        passes = [
            [called[name].to_numpy() >= least for least in values]
            for name, values in zip(LOOKED_AT, (QUALITIES, PER_DEPTH, BALANCES, STRANDS), strict=True)
        ]
        best, found = (0.0,) * len(LOOKED_AT), -1.0
        for places in itertools.product(*(range(len(one)) for one in passes)):
            kept = np.logical_and.reduce([one[at] for one, at in zip(passes, places, strict=True)])
            tp, n = int((kept & right).sum()), int(kept.sum())
            score = f1_score(tp, n - tp, n_true - tp)
            if score > found:
                values = (QUALITIES, PER_DEPTH, BALANCES, STRANDS)
                best, found = tuple(float(one[at]) for one, at in zip(values, places, strict=True)), score
        chosen[kind] = best
    return chosen


def kept(both: pd.DataFrame, chosen: Filter) -> pd.Series:
    """Which calls a filter leaves."""
    passes = pd.Series(False, index=both.index)
    for kind, leasts in chosen.items():
        mask = both["kind"] == kind
        for name, least in zip(LOOKED_AT, leasts, strict=True):
            mask &= both[name] >= least
        passes |= mask
    return passes


class Boosting:
    """Gradient boosting that says of each candidate whether 0, 1 or 2 copies are there."""

    def __init__(self, both: pd.DataFrame) -> None:
        candidates = both[both["quality"].notna()]
        self._columns = [
            name for name in candidates.select_dtypes("number") if name not in ("start", "true") and candidates[name].notna().any()
        ]
        self._models = {
            kind: HistGradientBoostingClassifier(random_state=1, early_stopping=True, max_iter=300, learning_rate=0.06).fit(
                self._features(part), part["true"]
            )
            for kind, part in candidates.groupby("kind")
        }

    def _features(self, part: pd.DataFrame) -> np.ndarray:
        growth = (part["alt"].str.len() - part["ref"].str.len()).to_numpy(float)
        return np.column_stack([part[self._columns].to_numpy(float), growth])

    def __call__(self, both: pd.DataFrame) -> pd.DataFrame:
        """The calls with the copies that it says."""
        made = both.assign(copies=0)
        for kind, model in self._models.items():
            which = (both["kind"] == kind) & both["quality"].notna()
            if which.any():
                made.loc[which, "copies"] = model.predict(self._features(both[which]))
        return made
