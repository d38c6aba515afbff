"""Genotype likelihoods of pileup windows as a Keras layer: the Bayesian caller, and what the network sees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import Field

from genospark.core.config import Settings
from genospark.core.pileup import BASES, INDEX

GENOTYPES = ("0/0", "0/1", "1/1", "1/2")
HEADS = ("SNV", "indel")
# A quality of 40 and a depth of about 30 are what sequencers give: signals come near 1.
_QUALITY, _DEPTH = 40.0, 30.0
# Reads that slip oftener say nothing.
_MOST_SLIPS = 0.5
# Where a strand errs alike: as a beta distribution the share of its reads that are wrong; and of positions, the most that may be such.
_ALIKE, _MOST_ALIKE = (1.0, 6.0), 0.2


class LikelihoodConfig(Settings):
    """The Bayesian caller.

    Attributes:
        base_error: Least chance that a base is wrong, whatever its quality.
        indel_weight: Share of the log likelihoods of indels that counts: in repeats, reads err alike.
        indel_counts: Share of these that is by counts of reads and the sample's own rates of slips, instead of the reads' own likelihoods.
        snv_rate: Share of positions with a SNV.
        indel_rate: Share of positions with an indel.
        strand_errors: Positions at which one strand's reads err alike, for each one that shows the same wrong base twice on one strand, of
            good quality and beyond chance.
    """

    base_error: float = Field(2e-3, gt=0, lt=0.5)
    indel_weight: float = Field(1.0, gt=0, le=1)
    indel_counts: float = Field(0.5, ge=0, le=1)
    snv_rate: float = Field(1e-3, gt=0, lt=0.5)
    indel_rate: float = Field(1e-4, gt=0, lt=0.5)
    strand_errors: float = Field(0.0, ge=0)


class Likelihoods(tf.keras.layers.Layer):  # type: ignore[misc]
    """Pileup -> log posteriors of the genotypes, and signals for a network.

    Input: uint8 [windows, positions, channels]. Output: float32 [windows, positions, heads, genotypes] (not normalised),
    float32 [windows, positions, signals], and [windows, positions, rates], which are the sample's and not the position's.

    Allele 1 and 2 are the two best-supported bases beside the reference (ties: in the order A, C, G, T), or the two ranked indels. The
    likelihood of a genotype of bases is multinomial over the reads that show allele 0, 1 or 2 (Li 2011, Bioinformatics 27:2987), with one
    exception: reads of 0/0 may err alike on one strand, as after some motifs, the oftener the more of that the sample shows. Those of
    indels come from the realigned reads, and likewise from their numbers with the sample's own rate of such indels as the chance of error.
    """

    def __init__(self, config: LikelihoodConfig, **keywords: Any) -> None:
        super().__init__(trainable=False, **keywords)
        self._config = config

    def call(self, pileup: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        config = self._config
        raw = tf.cast(pileup, tf.float32)

        def channel(*names: str) -> tf.Tensor:
            return tf.gather(raw, [INDEX[name] for name in names], axis=-1)

        reference = tf.one_hot(pileup[..., INDEX["reference"]], len(BASES))
        known = tf.reduce_sum(reference, axis=-1, keepdims=True)
        strands = tf.stack([channel(*(f"{strand}_{base}" for base in BASES)) for strand in ("forward", "reverse")], axis=-1)
        quality = channel(*(f"quality_{base}" for base in BASES))
        # By base -> by allele: reference, best, second best.
        others = tf.reduce_sum(strands, axis=-1) - 1e6 * reference
        ranked = tf.one_hot(tf.math.top_k(others, 2).indices, len(BASES))
        alleles = tf.concat([reference[..., None, :], ranked], axis=-2)
        by_allele = tf.einsum("wpab,wpbs->wpas", alleles, strands)
        allele_quality = tf.einsum("wpab,wpb->wpa", alleles, quality)
        counts = tf.reduce_sum(by_allele, axis=-1)
        # A base that nobody shows has no quality, and no error.
        error = tf.clip_by_value(tf.pow(10.0, -allele_quality / 10.0), config.base_error, 0.5)
        snv = _log_posteriors(counts, error, config.snv_rate)
        if config.strand_errors:
            often = tf.minimum(config.strand_errors * tf.pow(10.0, -raw[..., INDEX["strand_error"]] / 10.0), _MOST_ALIKE)
            snv = tf.concat([snv[..., :1] + _or_alike(by_allele, error, often)[..., None], snv[..., 1:]], axis=-1)
        snv *= known

        shown = ("spanning", "indel1", "indel2")
        indel_strands = tf.stack([channel(*(f"{name}_{strand}" for name in shown)) for strand in ("forward", "reverse")], axis=-1)
        indel_counts = tf.reduce_sum(indel_strands, axis=-1)
        phred = channel(*(f"indel_likelihood_{genotype.replace('/', '')}" for genotype in GENOTYPES))
        by_reads = phred * (-np.log(10) / 10)
        sizes = channel("indel1_length", "indel2_length")
        unit = channel("repeat_unit")
        slips = tf.logical_and(unit > 0, sizes == unit)
        wrong = tf.minimum(tf.pow(10.0, -tf.where(slips, channel("slip_error"), channel("indel_error")) / 10.0), _MOST_SLIPS)
        # A read that loses an allele's slip is as rare as one that gains it.
        by_counts = _log_likelihoods(indel_counts, tf.concat([tf.reduce_max(wrong, axis=-1, keepdims=True), wrong], axis=-1), 1.0)
        by_counts -= tf.reduce_max(by_counts, axis=-1, keepdims=True)
        mixed = (1 - config.indel_counts) * by_reads + config.indel_counts * by_counts
        indel = _priors(config.indel_rate) + config.indel_weight * mixed
        # Where reads show no indel there is nothing to choose.
        proposed = tf.reduce_max(channel("indel1_length", "indel2_length"), axis=-1, keepdims=True) > 0
        logits = tf.stack([snv, tf.where(proposed, indel, tf.constant([0.0, -30.0, -30.0, -30.0]))], axis=-2)

        # Whether the best other base is that of the position before, or after: sequencers lag behind and run ahead in runs of a base.
        padded = tf.pad(reference, ((0, 0), (1, 1), (0, 0)))
        beside = [tf.reduce_sum(alleles[..., 1, :] * side, axis=-1) for side in (padded[:, :-2], padded[:, 2:])]
        depth = tf.reduce_sum(counts, axis=-1, keepdims=True)
        across = tf.reduce_sum(indel_counts, axis=-1, keepdims=True)
        # What each strand alone says: real alleles are on both, many artefacts on one.
        of_strands = [_log_posteriors(by_allele[..., strand], error, config.snv_rate) for strand in (0, 1)]
        others = tf.stack([*of_strands, *(_priors(config.indel_rate) + part for part in (by_reads, by_counts))], axis=-2)
        best = tf.nn.log_softmax(tf.concat([logits, others], axis=-2))
        # Not the reference's letters: by them a network knows places again, and people who share them carry the same variants.
        signals = [
            tf.reshape(by_allele, [*_leading(by_allele), 6]) / tf.maximum(depth[..., 0:1], 1.0),
            tf.reshape(indel_strands, [*_leading(indel_strands), 6]) / tf.maximum(across, 1.0),
            allele_quality / _QUALITY,
            tf.math.log1p(tf.concat([depth, across, channel("indel1_length", "indel2_length")], axis=-1) / _DEPTH),
            channel("indel1_insertion", "indel2_insertion"),
            channel("mapping_quality", "alternate_mapping_quality", "alternate_end_distance", "alternate_mismatches") / _QUALITY,
            tf.math.log1p(channel("homopolymer", "repeat_length")) / 2,
            tf.cast(slips, tf.float32),
            tf.stack(beside, axis=-1) * tf.cast(counts[..., 1:2] > 0, tf.float32),
            tf.one_hot(pileup[..., INDEX["repeat_unit"]], 5),
            channel("deletion_forward", "deletion_reverse", "soft_clips", "low_mapping_quality", "indels") / tf.maximum(depth, _DEPTH / 2),
            tf.reshape(tf.maximum(best, -20.0) / 20.0, [*_leading(best), (len(HEADS) + 4) * len(GENOTYPES)]),
        ]
        return logits, tf.concat(signals, axis=-1), channel("slip_error", "indel_error", "base_error", "strand_error") / _QUALITY


def _leading(tensor: tf.Tensor) -> list[Any]:
    shape = tf.shape(tensor)
    return [shape[0], tensor.shape[1] or shape[1]]


def _log_posteriors(counts: tf.Tensor, error: tf.Tensor, rate: float) -> tf.Tensor:
    """Log prior + log likelihood of each genotype.

    Args:
        counts: Reads that show allele 0, 1, 2: [..., 3].
        error: Chance that a read that shows the allele is wrong: [..., 3].
        rate: Share of positions that are not 0/0.
    """
    return _log_likelihoods(counts, error, 3.0) + _priors(rate)


def _log_likelihoods(counts: tf.Tensor, error: tf.Tensor, ways: float) -> tf.Tensor:
    """The multinomial part; a wrong read shows one of `ways` other alleles."""
    # copies[g, a] of allele a in genotype g, of 2.
    copies = tf.constant([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 1.0]]) / 2
    chance = copies * (1 - error[..., None, :]) + (1 - copies) * error[..., None, :] / ways
    return tf.reduce_sum(counts[..., None, :] * tf.math.log(chance), axis=-1)


def _or_alike(by_allele: tf.Tensor, error: tf.Tensor, often: tf.Tensor) -> tf.Tensor:
    """What the log likelihood of 0/0 gains where one strand's reads of allele 1 may be wrong alike.

    Args:
        by_allele: Reads that show allele 0, 1, 2 on each strand: [..., 3, 2].
        error: Chance that a read that shows the allele is wrong: [..., 3].
        often: Share of positions where that is so: [...].
    """
    right, wrong = by_allele[..., 0, :], by_allele[..., 1, :]
    alone = right * tf.math.log(1 - error[..., 0:1]) + wrong * tf.math.log(error[..., 1:2] / 3)
    a, b = _ALIKE
    together = tf.math.lgamma(wrong + a) + tf.math.lgamma(right + b) - tf.math.lgamma(wrong + right + a + b)
    together += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    of_strand = tf.math.log(often / 2)[..., None] + together - alone
    return tf.reduce_logsumexp(tf.concat([tf.math.log(1 - often)[..., None], of_strand], axis=-1), axis=-1)


def _priors(rate: float) -> NDArray[np.float32]:
    """Log of the share of positions with each genotype where ``rate`` of them are heterozygous."""
    return np.log([1 - 1.5 * rate, rate, rate / 2, rate**2]).astype(np.float32)
