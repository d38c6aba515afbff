"""Genotypes at every position of pileup windows as rows: calls that are not homozygous reference, and stretches without a call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genospark.core.pileup import BASES, INDEX, UNKNOWN_BASE, WINDOW_BP, alternate_bases, base_counts, depth, read
from genospark.core.profile import told
from genospark.models.bundle import Bundle
from genospark.tasks.predict import Predictor
from genospark.tasks.variants import Caller, Judged, VariantModel

CALLS = (
    "sampleId string, contigName string, start bigint, end bigint, referenceAllele string, alternateAlleles array<string>, "
    "calls array<int>, conditionalQuality int, depth int, alleleDepths array<int>, phredLikelihoods array<int>"
)
ANY_ALLELE = "<*>"
"""The alternate allele of a block of homozygous reference positions, as in VCF."""
# A block's qualities are of one of these bands, which begin so.
_BANDS = np.array([0, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80])
_MOST_LIKELIHOOD = 255
# For each genotype the alternate alleles (1 or 2) that get a row, and the copies written there.
_ROWS = {1: ((1, (0, 1)),), 2: ((1, (1, 1)),), 3: ((1, (0, 1)), (2, (0, 1)))}
_TWO = 3
"""The genotype of two alternate alleles."""
_BASES = np.array([*BASES, "N"], object)

Likelihoods = tuple[int, int, int] | None
Row = tuple[int, int, int, str, str, tuple[int, int], int, int, tuple[int, int] | None, Likelihoods]
"""Window, start, end, alleles, calls, quality, depth, allele depths and Phred-scaled likelihoods."""


def caller(settings: str) -> Callable[[Bundle], Predictor]:
    """Makes the function from windows to rows of ``CALLS``.

    Args:
        settings: JSON of the contigs' lengths, the least depth, the least quality of a homozygous reference, and whether positions that
            are homozygous reference are rows too, as blocks of alike quality.
    """

    def of_bundle(bundle: Bundle) -> Predictor:
        chosen = json.loads(settings)
        contigs: dict[str, int] = chosen["contigs"]
        model = Caller(VariantModel.of(bundle))

        def call(batch: pa.RecordBatch) -> list[pa.Array]:
            pileup = told(read(batch.column("pileup").to_pylist()), batch.column("errorProfile").to_pylist())
            start = batch.column("start").to_numpy()
            ends = np.array([contigs.get(name, 0) for name in batch.column("contigName").to_pylist()])
            inside = start[:, None] + np.arange(WINDOW_BP) < ends[:, None]
            judged = model.judge(pileup)
            genotype, quality = judged.genotype, judged.quality
            least = np.array([model.thresholds.snv, model.thresholds.indel])
            varies = genotype > 0
            called = varies & (quality >= least) & inside[..., None]
            covered = (depth(pileup) >= chosen["min_depth"]) & (pileup[..., INDEX["reference"]] != UNKNOWN_BASE)
            called &= covered[..., None]
            # No call: too few reads, or a genotype that is not sure enough; the bases of a called deletion are part of its call.
            doubtful = (varies & ~called) | (~varies & (quality < chosen["min_quality"]))
            uncalled = inside & (~covered | doubtful.any(axis=-1))
            snv, indel = (_Calls(called[..., head], genotype[..., head], quality[..., head]) for head in (0, 1))
            rows = _snvs(pileup, start, snv, phred(judged, 0, model.rates[0], snv.called))
            rows += _indels(batch, pileup, start, indel, phred(judged, 1, model.rates[1], indel.called))
            plain = inside & ~uncalled & ~called.any(axis=-1)
            for row in rows:
                first = row[1] - int(start[row[0]])
                uncalled[row[0], first : first + row[2] - row[1]] = False
                plain[row[0], first : first + row[2] - row[1]] = False
            if chosen["blocks"]:
                rows += _blocks(pileup, start, plain, quality.min(axis=-1))
            return _columns(batch, rows, _stretches(uncalled, start, pileup))

        return call

    of_bundle.__qualname__ = f"caller {settings}"
    return of_bundle


@dataclass(frozen=True)
class _Calls:
    """Of one head, [windows, 1000] each: where there is a call, its genotype and its quality."""

    called: NDArray[np.bool_]
    genotype: NDArray[np.int8]
    quality: NDArray[np.float32]


def phred(judged: Judged, head: int, rate: float, called: NDArray[np.bool_]) -> dict[tuple[int, int], tuple[int, int, int]]:
    """Phred-scaled likelihoods of 0, 1 and 2 copies of allele 1 by window and offset, the best one 0.

    Args:
        judged: What the caller says.
        head: 0 of SNVs, 1 of indels.
        rate: Share of heterozygous positions in the prior, which likelihoods are without.
        called: Where they are wanted, [windows, 1000].
    """
    wanted = called[judged.window, judged.offset]
    window, offset = judged.window[wanted], judged.offset[wanted]
    likelihood = judged.logits[wanted, head, :3] - np.log([1 - 1.5 * rate, rate, rate / 2])
    scaled = np.minimum(np.rint((likelihood.max(axis=1, keepdims=True) - likelihood) * 10 / np.log(10)), _MOST_LIKELIHOOD).astype(int)
    return {(w, at): (r, a, b) for w, at, (r, a, b) in zip(window.tolist(), offset.tolist(), scaled.tolist(), strict=True)}


def _snvs(
    pileup: NDArray[np.uint8], start: NDArray[np.int64], calls: _Calls, likelihoods: Mapping[tuple[int, int], Likelihoods]
) -> list[Row]:
    window, offset = np.nonzero(calls.called)
    here = pileup[window, offset]
    counts, best = base_counts(here), alternate_bases(here)
    total, reference = depth(here), here[:, INDEX["reference"]]
    rows: list[Row] = []
    for i, (w, at) in enumerate(zip(window.tolist(), offset.tolist(), strict=True)):
        begin = int(start[w]) + at
        genotype = int(calls.genotype[w, at])
        told = likelihoods[w, at] if genotype < _TWO else None
        for rank, copies in _ROWS[genotype]:
            base = int(best[i, rank - 1])
            depths = (int(counts[i, reference[i]]), int(counts[i, base]))
            alleles = (str(_BASES[reference[i]]), str(_BASES[base]))
            rows.append((w, begin, begin + 1, *alleles, copies, int(calls.quality[w, at]), int(total[i]), depths, told))
    return rows


def _indels(
    batch: pa.RecordBatch,
    pileup: NDArray[np.uint8],
    start: NDArray[np.int64],
    calls: _Calls,
    likelihoods: Mapping[tuple[int, int], Likelihoods],
) -> list[Row]:
    rows: list[Row] = []
    columns = [INDEX[f"{name}_{strand}"] for name in ("spanning", "indel1", "indel2") for strand in ("forward", "reverse")]
    for w in np.flatnonzero(calls.called.any(axis=1)).tolist():
        for indel in batch.column("indels")[w].as_py():
            at = indel["position"] - int(start[w])
            if not calls.called[w, at]:
                continue
            genotype = int(calls.genotype[w, at])
            told = likelihoods[w, at] if genotype < _TWO else None
            shown = pileup[w, at, columns].astype(int).reshape(3, 2).sum(axis=1)
            for rank, copies in _ROWS[genotype]:
                if rank == indel["rank"]:
                    end = indel["position"] + len(indel["referenceAllele"])
                    alleles = (indel["referenceAllele"], indel["alternateAllele"])
                    depths = (int(shown[0]), int(shown[rank]))
                    quality, total = int(calls.quality[w, at]), int(shown.sum())
                    rows.append((w, indel["position"], end, *alleles, copies, quality, total, depths, told))
    return rows


def _blocks(pileup: NDArray[np.uint8], start: NDArray[np.int64], plain: NDArray[np.bool_], quality: NDArray[np.float32]) -> list[Row]:
    """Stretches of homozygous reference positions of alike quality, each with the least quality and depth in it."""
    band = np.where(plain, np.searchsorted(_BANDS, quality, side="right"), 0)
    border = np.ones((len(band), band.shape[1] + 1), bool)
    border[:, 1:-1] = np.diff(band, axis=1) != 0
    first = np.flatnonzero(border[:, :-1])
    after = np.flatnonzero(border[:, 1:]) + 1
    kept = band.ravel()[first] > 0
    if not kept.any():
        return []
    qualities = np.minimum.reduceat(quality.ravel(), first)[kept].astype(int)
    depths = np.minimum.reduceat(depth(pileup).ravel(), first)[kept]
    window, offset = np.divmod(first[kept], WINDOW_BP)
    begin = start[window] + offset
    letter = _BASES[pileup[window, offset, INDEX["reference"]]]
    columns = (window, begin, begin + (after - first)[kept], letter, qualities, depths)
    return [
        (w, at, end, base, ANY_ALLELE, (0, 0), least, shallow, None, None)
        for w, at, end, base, least, shallow in zip(*(column.tolist() for column in columns), strict=True)
    ]


Stretches = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.object_]]
"""Window, start, end and first reference base of each run of positions without a call."""


def _stretches(uncalled: NDArray[np.bool_], start: NDArray[np.int64], pileup: NDArray[np.uint8]) -> Stretches:
    edges = np.diff(np.pad(uncalled, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    window, first = np.nonzero(edges == 1)
    _, after = np.nonzero(edges == -1)
    return window, start[window] + first, start[window] + after, _BASES[pileup[window, first, INDEX["reference"]]]


def _columns(batch: pa.RecordBatch, rows: list[Row], stretches: Stretches) -> list[pa.Array]:
    """Calls, then stretches without a call, as the columns of ``CALLS``."""
    window, first, after, letter = stretches
    n = len(window)
    parts: list[list[object]] = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(10)]
    of_window = pa.array([*parts[0], *window.tolist()], pa.int64())
    integers = pa.list_(pa.int32())
    return [
        batch.column("sampleId").take(of_window),
        batch.column("contigName").take(of_window),
        pa.array([*parts[1], *first.tolist()], pa.int64()),
        pa.array([*parts[2], *after.tolist()], pa.int64()),
        pa.array([*parts[3], *letter.tolist()], pa.string()),
        pa.array([*([allele] for allele in parts[4]), *[[]] * n], pa.list_(pa.string())),
        pa.array([*parts[5], *[(-1, -1)] * n], integers),
        pa.array([*parts[6], *[None] * n], pa.int32()),
        pa.array([*parts[7], *[None] * n], pa.int32()),
        pa.array([*parts[8], *[None] * n], integers),
        pa.array([*parts[9], *[None] * n], integers),
    ]
