"""What comes before the network of the task risk: penalised regressions, what one target says of another, and pairs of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genospark.core.config import Settings
from genospark.models.spec import FeatureSpec
from genospark.models.targets import Target, heads, losses, null_outputs, response, wanted
from genospark.tasks.risk import Pairs, Start
from genospark.training.design import Dense, cross, design, times
from genospark.training.pairs import Products, screen, unlike
from genospark.training.penalised import Linear, Sample, fit, without

Floats = NDArray[np.float64]


# Of two products that are as correlated as this the network is given one.
_PAIR_R2 = 0.7


class RegressionConfig(Settings):
    """Settings of the regressions and of the screen for pairs.

    Attributes:
        l1_ratios: Shares of the penalty that are L1 to choose from: 1 is the L1 regression, near 0 is ridge.
        shares: Penalties to choose from, as shares of the least that leaves no weight, falling.
        across_targets: Try regressions of each target on the others' too.
        pairs: Products of two features that the network is given, at most; 0 for none.
        pair_features: Features of which all pairs are screened: those that say most alone.
        pair_neighbours: Every feature's pairs with so many that follow it are screened too.
        false_pairs: Expected share of pairs that pass by chance.
    """

    l1_ratios: list[float] = Field([1.0, 0.2], min_length=1)
    shares: list[float] = Field([0.7, 0.5, 0.35, 0.25, 0.18, 0.13, 0.09, 0.06, 0.04, 0.025], min_length=1)
    across_targets: bool = True
    pairs: int = Field(300, ge=0)
    pair_features: int = Field(1500, ge=2)
    pair_neighbours: int = Field(16, ge=0)
    false_pairs: float = Field(0.2, gt=0, le=1)


@dataclass(frozen=True)
class Examples:
    """People in memory, packed.

    Attributes:
        calls: [people, call bytes].
        measurements: Standardised, NaN for missing, [people, measurements].
        labels, weights: [people, targets].
        draw: Of each person's family, [people].
    """

    calls: NDArray[np.uint8]
    measurements: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    draw: NDArray[np.uint8]

    def sample(self, spec: FeatureSpec) -> Sample:
        """The people as regressions want them."""
        return Sample.of(design(spec, self.calls, self.measurements), self.labels, self.weights, spec.targets)


@dataclass(frozen=True)
class Fitted:
    """Regressions, and what the network starts from.

    Attributes:
        coefficients: Of everyone, then without each share of the families, [1 + members, features, heads].
        intercepts: [1 + members, heads].
        each: Regressions of each target alone, of each of `l1_ratios`.
        across: Whether targets are regressed on each other.
        pairs: Products of features.
        start: The network's start.
        balance: Weight of each target's loss, [targets].
    """

    coefficients: NDArray[np.float32]
    intercepts: Floats
    each: list[Linear]
    across: bool
    pairs: Pairs
    start: Start
    balance: list[float]


def fitted(spec: FeatureSpec, training: Examples, validation: Examples, config: RegressionConfig, members: int) -> Fitted:
    """Fits all of it.

    Args:
        spec: Features and targets.
        training: People to fit on.
        validation: People to choose on.
        config: Settings.
        members: Members of the network.
    """
    targets = spec.targets
    mine, judges = training.sample(spec), validation.sample(spec)
    linear, each = fit(mine, judges, targets, config.l1_ratios, config.shares)
    parts = [linear]
    lots = (training.draw % members).astype(np.int64)
    if members > 1:
        parts += [without(mine, targets, linear, lots == member) for member in range(members)]
    unseen = left_out(parts, mine, lots)
    coefficients, intercepts = np.stack([part.coefficients for part in parts]), np.stack([part.intercepts for part in parts])
    across = _across(unseen, linear, mine, judges, targets) if config.across_targets and len(targets) > 1 else None
    if across is not None:
        matrix, shift = across
        coefficients, intercepts = coefficients @ matrix, intercepts @ matrix + shift
        unseen = unseen @ matrix + shift
    pairs, products, moved = Pairs.none(), np.zeros((0, members, intercepts.shape[1])), np.zeros((members, intercepts.shape[1]))
    products_l1 = np.zeros(intercepts.shape[1])
    if config.pairs:
        final = replace(linear, coefficients=coefficients[0], intercepts=intercepts[0])
        pairs, products, moved, products_l1 = _pairs(mine, judges, unseen, final.outputs(judges), targets, config, lots, members)
    balances = balance(mine, targets)
    # The network's losses are balanced, so are its penalties.
    by_head = np.repeat(balances, [target.n_heads for target in targets])
    skip_l1 = np.repeat(linear.strengths * linear.l1_ratios, [target.n_heads for target in targets])
    of_members = slice(1, None) if members > 1 else slice(0, 1)
    start = Start(
        np.moveaxis(coefficients[of_members], 0, 1).astype(np.float32),
        (intercepts[of_members] + moved).astype(np.float32),
        products.astype(np.float32),
        [float(x) for x in skip_l1 * by_head],
        [float(x) for x in products_l1 * by_head],
    )
    return Fitted(coefficients.astype(np.float32), intercepts, each, across is not None, pairs, start, balances)


def left_out(parts: Sequence[Linear], sample: Sample, lots: NDArray[np.int64]) -> Floats:
    """Outputs for each person by the regression that was fitted without the family, or by the only one, [people, heads]."""
    if len(parts) == 1:
        return parts[0].outputs(sample)
    found = np.zeros(sample.offset.shape)
    each = np.concatenate([part.coefficients for part in parts[1:]], axis=1)
    outputs = times(sample.design, each).reshape(len(found), len(parts) - 1, -1)
    for member, part in enumerate(parts[1:]):
        mine = lots == member
        found[mine] = outputs[mine, member] + part.intercepts
    return found


def balance(sample: Sample, targets: Sequence[Target]) -> list[float]:
    """Weights by which targets' losses are alike where nothing is learned; their mean is 1."""
    least = np.ones(len(targets))
    for index, target in enumerate(targets):
        used = sample.weights[:, index] > 0
        if used.any():
            labels, weights = sample.labels[used, index], sample.weights[used, index]
            nothing = np.broadcast_to(null_outputs(target, labels, weights), (len(labels), target.n_heads))
            least[index] = max(float(np.average(losses(target, nothing, labels), weights=weights)), 1e-3)
    return [float(x) for x in (1 / least) / (1 / least).mean()]


def _across(unseen: Floats, linear: Linear, mine: Sample, judges: Sample, targets: Sequence[Target]) -> tuple[Floats, Floats] | None:
    """Each target regressed on the outputs for all of them, where that gains on validation people: weights [heads, heads] and intercepts.

    The outputs are those of regressions that had not seen the person, as in stacking (Wolpert 1992).
    """
    scale = np.maximum(unseen.std(axis=0), 1e-9)
    alone = linear.outputs(judges)
    own = Sample(Dense((unseen / scale).astype(np.float32)), mine.labels, mine.weights, np.zeros_like(unseen))
    theirs = replace(judges, design=Dense((alone / scale).astype(np.float32)))
    stacked, _ = fit(own, theirs, targets, [0.2], [0.3, 0.1, 0.03, 0.01])
    gain = 1 - judges.loss(targets, stacked.outputs(theirs)) / np.maximum(judges.loss(targets, alone), 1e-12)
    if not np.nansum(gain) > 0:
        return None
    return stacked.coefficients / scale[:, None], stacked.intercepts


def _pairs(
    mine: Sample,
    judges: Sample,
    unseen: Floats,
    said: Floats,
    targets: Sequence[Target],
    config: RegressionConfig,
    lots: NDArray[np.int64],
    members: int,
) -> tuple[Pairs, Floats, Floats, Floats]:
    """Screened pairs, the products' weights [pairs, members, heads], what intercepts gain [members, heads], and L1 penalties [heads]."""
    n_heads = unseen.shape[1]
    none = Pairs.none(), np.zeros((0, members, n_heads)), np.zeros((members, n_heads)), np.zeros(n_heads)
    residuals, curvature = np.zeros(unseen.shape), np.zeros(unseen.shape)
    for index, (target, owned) in enumerate(zip(targets, heads(targets), strict=True)):
        means, weights = response(target, unseen[:, owned]), mine.weights[:, index, None]
        residuals[:, owned] = weights * (wanted(target, mine.labels[:, index]) - means)
        curvature[:, owned] = weights * (1.0 if target.kind == "continuous" else means * (1 - means))
    alone = np.abs(cross(mine.design, residuals)).max(axis=1)
    strongest = np.sort(np.argsort(-alone, kind="stable")[: config.pair_features])
    found = screen(mine.design, residuals, curvature, strongest, config.pair_neighbours, config.false_pairs, 5 * config.pairs)
    if not len(found.pairs):
        return none
    several = Products.of(mine.design, found.pairs)
    products = several.some(unlike(several.values(mine.design), _PAIR_R2)[: config.pairs])
    own = replace(mine, design=Dense(products.values(mine.design)), offset=unseen)
    theirs = replace(judges, design=Dense(products.values(judges.design)), offset=said)
    linear, _ = fit(own, theirs, targets, config.l1_ratios, config.shares)
    parts = [without(own, targets, linear, lots == member) for member in range(members)] if members > 1 else [linear]
    pairs = Pairs(products.pairs, products.means, products.deviations)
    l1 = np.repeat(linear.strengths * linear.l1_ratios, [target.n_heads for target in targets])
    return pairs, np.stack([part.coefficients for part in parts], axis=1), np.stack([part.intercepts for part in parts]), l1
