"""How expression is normalised, as fitted on training people: each sample alone, so one person and a batch come out the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.models.distributions import inverse_normal, quantile_normalised
from genospark.models.tmm import log_cpm

Doubles = NDArray[np.float64]
SCALES = ("none", "log1p", "log", "cpm")
STEPS = (*SCALES, "quantile", "inverse-normal")
LEAST_SHARE = 0.5
"""Share of the fitted genes that a sample needs to have measured: ranks and libraries of few genes say little of all."""
_ARRAYS = ("kept", "counts", "quantiles", "knot_values", "knot_probabilities", "means", "deviations", "loadings")


def steps_of(transform: str) -> list[str]:
    """The steps of a transform, such as ``cpm+inverse-normal``, in their order.

    Raises:
        ValueError: A step is not known, stands twice, or comes too early or too late.
    """
    steps = transform.split("+")
    unknown = [step for step in steps if step not in STEPS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(STEPS)}")
    # The first step makes the scale, then samples are made alike, then genes normal: another order undoes what was done before.
    places = [max(STEPS.index(step), len(SCALES) - 1) for step in steps]
    if sorted(set(places)) != places or ("none" in steps and len(steps) > 1):
        raise ValueError(f"{transform}: write at most one of {', '.join(SCALES)}, then quantile, then inverse-normal, joined by +")
    return steps


def scaled(values: Doubles, step: str) -> Doubles:
    """Values after a step that needs nothing fitted: log1p, log (of base 2, of the value plus 1), or as they are."""
    if step == "log1p":
        return np.log1p(values)
    return np.log2(values + 1) if step == "log" else values


@dataclass(frozen=True)
class Context:
    """What was fitted in one cell type and state.

    Attributes:
        cell_type: Cell type.
        state: State.
        genes: Genes, in order.
        whole: Whether a sample's value of one gene depends on its others, so that it needs to have enough of them.
        log_scale: Mean of the training samples' log TMM factors.
        mean_library: Mean effective library of the training samples.
        kept: Places of the genes that come out; what follows gene by gene is of these, [kept].
        counts: The reference sample's counts, [genes]; empty without cpm.
        quantiles: Mean sorted profile, [genes]; empty without quantile.
        knot_values: Training values of each gene, [kept, knots]; empty without inverse-normal.
        knot_probabilities: Their probabilities, [kept, knots].
        means: Training means after all steps, [kept]; empty without hidden factors.
        deviations: Training standard deviations after all steps, [kept]; 0 for genes that did not vary.
        loadings: Orthonormal directions of the hidden factors, [kept, factors]; with any, all genes are kept.
    """

    cell_type: str
    state: str
    genes: tuple[str, ...]
    whole: bool
    log_scale: float
    mean_library: float
    kept: NDArray[np.int64]
    counts: Doubles
    quantiles: Doubles
    knot_values: Doubles
    knot_probabilities: Doubles
    means: Doubles
    deviations: Doubles
    loadings: Doubles

    @classmethod
    def bare(cls, cell_type: str, state: str, genes: tuple[str, ...], whole: bool) -> Context:
        """One in which nothing is fitted yet."""
        flat, wide = np.zeros(0), np.zeros((len(genes), 0))
        return cls(cell_type, state, genes, whole, 0.0, 1.0, np.arange(len(genes)), flat, flat, wide, wide, flat, flat, wide)

    def enough(self, raw: Doubles) -> NDArray[np.bool_]:
        """Whether each sample has as many of the genes as its normalisation needs."""
        shares: Doubles = (~np.isnan(raw)).mean(axis=1)
        return shares >= (LEAST_SHARE if self.whole else 0.0)

    def normalised(self, raw: Doubles, steps: list[str]) -> Doubles:
        """Values after the steps, hidden factors removed.

        Args:
            raw: Raw values [samples, genes], NaN where not measured.
            steps: Of ``steps_of``; as many of them as are fitted.

        Returns:
            [samples, kept]; NaN in samples that have not ``enough`` of the genes.
        """
        enough = self.enough(raw)
        made = np.full((len(raw), len(self.kept)), np.nan)
        if not enough.any():
            return made
        values = raw[enough]
        for step in steps:
            if step == "inverse-normal":
                values = inverse_normal(values[:, self.kept], self.knot_values, self.knot_probabilities)
            elif step == "cpm":
                values = log_cpm(values, self.counts, self.log_scale, self.mean_library)
            elif step == "quantile":
                values = quantile_normalised(values, self.quantiles)
            else:
                values = scaled(values, step)
        values = values if "inverse-normal" in steps else values[:, self.kept]
        made[enough] = values - self.scores(values) @ self.loadings.T * self.deviations if self.loadings.shape[1] else values
        return made

    def restricted(self, genes: set[str]) -> Context:
        """The same for some genes alone, where hidden factors need no others."""
        if self.loadings.shape[1]:
            return self
        mine = np.array([place for place, gene in enumerate(self.kept) if self.genes[gene] in genes], np.int64)
        narrow = self if self.whole else replace(self, genes=tuple(self.genes[gene] for gene in self.kept[mine]))
        kept = self.kept[mine] if self.whole else np.arange(len(mine))
        return replace(narrow, kept=kept, knot_values=self.knot_values[mine], knot_probabilities=self.knot_probabilities[mine],
                       loadings=self.loadings[mine])  # fmt: skip

    def scores(self, values: Doubles) -> Doubles:
        """Each sample's hidden factors: least squares of its standardised values on the loadings, over the genes it has.

        Args:
            values: After all steps, [samples, kept], NaN where not measured.

        Returns:
            [samples, factors].
        """
        z = (values - self.means) / np.where(self.deviations > 0, self.deviations, 1.0)
        known = ~np.isnan(z)
        scores: Doubles = np.nan_to_num(z) @ self.loadings
        parts = (~known).any(axis=1) & known.any(axis=1)
        if parts.any():
            # Loadings are orthonormal over all genes only: [samples, factors, factors] of those that each sample has.
            mine = known[parts].astype(float)
            grams = np.stack([mine @ (self.loadings * column[:, None]) for column in self.loadings.T], axis=1)
            ridge = 1e-6 * np.eye(self.loadings.shape[1])
            scores[parts] = np.linalg.solve(grams + ridge, scores[parts][..., None])[..., 0]
        return scores


@dataclass(frozen=True)
class Normaliser:
    """What was fitted in all cell types and states.

    Attributes:
        transform: The steps, joined by +.
        contexts: One for each cell type and state of training people.
    """

    transform: str
    contexts: tuple[Context, ...]

    @property
    def steps(self) -> list[str]:
        return steps_of(self.transform)

    def restricted(self, wanted: set[tuple[str, str, str]]) -> Normaliser:
        """The same for some genes in cell types and states (geneId, cellType, state), where others are not needed."""
        rest = (found.restricted({g for g, c, s in wanted if (c, s) == (found.cell_type, found.state)}) for found in self.contexts)
        return Normaliser(self.transform, tuple(found for found in rest if len(found.kept)))

    def to_json(self) -> dict[str, Any]:
        """All but the arrays."""
        kept = ("cell_type", "state", "whole", "log_scale", "mean_library")
        contexts = [{name: getattr(found, name) for name in kept} | {"genes": list(found.genes)} for found in self.contexts]
        return {"transform": self.transform, "contexts": contexts}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays, by name."""
        return {f"normaliser.{i}.{name}": getattr(found, name) for i, found in enumerate(self.contexts) for name in _ARRAYS}

    @classmethod
    def of(cls, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Normaliser:
        """The inverse of ``to_json`` and ``arrays``."""
        contexts = []
        for i, entry in enumerate(values["contexts"]):
            held: dict[str, Any] = {name: arrays[f"normaliser.{i}.{name}"] for name in _ARRAYS}
            contexts.append(Context(**held | entry | {"genes": tuple(entry["genes"])}))
        return cls(values["transform"], tuple(contexts))
