"""The regulatory network: transcription factors and the genes they act on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genospark.simulate.arrays import Floats, Ints
from genospark.simulate.config import SimulateConfig
from genospark.simulate.genes import Gene

IN_DEGREES = (0.2, 0.25, 0.25, 0.2, 0.1)  # shares of targets with 0, 1, 2, 3 and 4 regulators
REGULATORS_IN_DEGREES = (0.6, 0.4)  # the same of the regulators themselves
OUT_DEGREE_DECAY = 0.7  # the k-th regulator is chosen with a weight of k to the power of minus this
REGULATION_SHARE = (0.4, 0.55)  # of the variance of log expression that cis variants leave, for genes with regulators


@dataclass(frozen=True)
class Regulation:
    """What acts on one gene.

    Attributes:
        target: Index of the gene.
        regulators: Indices of its regulators, [regulators].
        weights: Relative signed effects on the target's score, [regulators].
        share: What they add to the target's variance, which is 1 with it.
    """

    target: int
    regulators: Ints
    weights: Floats
    share: float


@dataclass(frozen=True)
class Network:
    """Regulators and what they act on; without cycles.

    Attributes:
        regulators: Indices of the transcription factors, ascending, [regulators].
        regulations: One per gene with regulators, in an order in which regulators come before their targets.
    """

    regulators: Ints
    regulations: list[Regulation]


def _choose_regulators(config: SimulateConfig, genes: list[Gene], rng: np.random.Generator) -> Ints:
    """Regulators in the order in which they may act on each other: spread over the contigs, of coding genes first."""
    contig = np.array([gene.contig for gene in genes])
    coding = np.array([gene.biotype == "protein_coding" for gene in genes])
    chosen = []
    for c, share in enumerate(np.array_split(np.arange(config.n_regulators), config.contigs)):
        candidates = rng.permutation(np.flatnonzero(contig == c))
        chosen.append(candidates[np.argsort(~coding[candidates], kind="stable")][: len(share)])
    return rng.permutation(np.concatenate(chosen))


def draw_network(config: SimulateConfig, genes: list[Gene], heritability: Floats, rng: np.random.Generator) -> Network:
    """Draw the regulators, which genes each acts on and how strongly.

    Args:
        config: What to simulate.
        genes: The genes.
        heritability: Share of each gene's variance that its cis variants explain, [genes].
        rng: Random generator.
    """
    regulators = _choose_regulators(config, genes, rng)
    popularity = rng.permutation((1 + np.arange(len(regulators))) ** -OUT_DEGREE_DECAY)
    others = np.setdiff1d(np.arange(len(genes)), regulators)
    regulations = []
    for place, target in enumerate([*regulators, *others]):
        degrees = REGULATORS_IN_DEGREES if place < len(regulators) else IN_DEGREES
        before = min(place, len(regulators))  # a regulator answers only to those before it
        degree = min(int(rng.choice(len(degrees), p=degrees)), before)
        if not degree:
            continue
        odds = popularity[:before] / popularity[:before].sum()
        chosen = regulators[np.sort(rng.choice(before, size=degree, replace=False, p=odds))]
        weights = rng.choice([-1.0, 1.0], size=degree) * rng.uniform(0.5, 1.5, size=degree)
        share = float(rng.uniform(*REGULATION_SHARE) * (1 - heritability[target]))
        regulations.append(Regulation(int(target), chosen, weights, share))
    return Network(np.sort(regulators), regulations)


def regulate(scores: Floats, network: Network, cohort: slice) -> list[Floats]:
    """Add to each target what its regulators do in the same person, cell type and state.

    The scale of the effects makes the target's variance grow by exactly the regulation's share, whether or not what its regulators do
    is correlated with its own part (by a variant near both, or a module of both).

    Args:
        scores: Log expression without regulation, [people, contexts, genes]; changed in place.
        network: Who acts on whom.
        cohort: People over whom variances are measured.

    Returns:
        Effects of each regulation, target's score per regulator's score, [regulators].
    """
    effects = []
    for regulation in network.regulations:
        part = scores[:, :, regulation.regulators] @ regulation.weights
        part -= part[cohort].mean(axis=0)
        variance = max((part[cohort] ** 2).mean(), 1e-12)
        covariance = (part[cohort] * scores[cohort, :, regulation.target]).mean()
        scale = (np.sqrt(covariance**2 + variance * regulation.share) - covariance) / variance
        scores[:, :, regulation.target] += scale * part
        effects.append(scale * regulation.weights)
    return effects


def network_truth(genes: list[Gene], network: Network, effects: list[Floats]) -> pd.DataFrame:
    """Every regulator and target, with the change of the target's natural-log expression per unit of the regulator's.

    Args:
        genes: The genes.
        network: Who acts on whom.
        effects: Effects on natural-log expression, one array per regulation.
    """
    edges = [
        (genes[regulator].id, genes[regulation.target].id, effect)
        for regulation, by_regulator in zip(network.regulations, effects, strict=True)
        for regulator, effect in zip(regulation.regulators, by_regulator, strict=True)
    ]
    return pd.DataFrame(edges, columns=["regulatorId", "targetId", "effect"]).sort_values(["regulatorId", "targetId"])
