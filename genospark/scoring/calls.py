"""Genotypes at every position of pileup windows as rows: calls that are not homozygous reference, and stretches without a call."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genospark.core.pileup import BASES, INDEX, UNKNOWN_BASE, WINDOW_BP, alternate_bases, base_counts, depth, read
from genospark.models.bundle import Bundle
from genospark.tasks.predict import Predictor
from genospark.tasks.variants import Caller, VariantModel

CALLS = (
    "sampleId string, contigName string, start bigint, end bigint, referenceAllele string, alternateAlleles array<string>, "
    "calls array<int>, conditionalQuality int, depth int, alleleDepths array<int>"
)
# For each genotype the alternate alleles (1 or 2) that get a row, and the copies written there.
_ROWS = {1: ((1, (0, 1)),), 2: ((1, (1, 1)),), 3: ((1, (0, 1)), (2, (0, 1)))}
_BASES = np.array([*BASES, "N"], object)

Row = tuple[int, int, int, str, str, tuple[int, int], int, int, tuple[int, int]]
"""Window, start, end, alleles, calls, quality, depth and allele depths."""


def caller(settings: str) -> Callable[[Bundle], Predictor]:
    """Makes the function from windows to rows of ``CALLS``.

    Args:
        settings: JSON of the contigs' lengths, the least depth, and the least quality of a homozygous reference.
    """

    def of_bundle(bundle: Bundle) -> Predictor:
        chosen = json.loads(settings)
        contigs: dict[str, int] = chosen["contigs"]
        model = Caller(VariantModel.of(bundle))

        def call(batch: pa.RecordBatch) -> list[pa.Array]:
            pileup = read(batch.column("pileup").to_pylist())
            start = batch.column("start").to_numpy()
            ends = np.array([contigs.get(name, 0) for name in batch.column("contigName").to_pylist()])
            inside = start[:, None] + np.arange(WINDOW_BP) < ends[:, None]
            genotype, quality = model(pileup)
            least = np.array([model.thresholds.snv, model.thresholds.indel])
            varies = genotype > 0
            called = varies & (quality >= least) & inside[..., None]
            covered = (depth(pileup) >= chosen["min_depth"]) & (pileup[..., INDEX["reference"]] != UNKNOWN_BASE)
            called &= covered[..., None]
            # No call: too few reads, or a genotype that is not sure enough; the bases of a called deletion are part of its call.
            doubtful = (varies & ~called) | (~varies & (quality < chosen["min_quality"]))
            uncalled = inside & (~covered | doubtful.any(axis=-1))
            rows = _snvs(pileup, start, called[..., 0], genotype[..., 0], quality[..., 0])
            rows += _indels(batch, pileup, start, called[..., 1], genotype[..., 1], quality[..., 1])
            for row in rows:
                first = row[1] - int(start[row[0]])
                uncalled[row[0], first : first + row[2] - row[1]] = False
            return _columns(batch, rows, *_stretches(uncalled, start))

        return call

    of_bundle.__qualname__ = f"caller {settings}"
    return of_bundle


def _snvs(
    pileup: NDArray[np.uint8],
    start: NDArray[np.int64],
    called: NDArray[np.bool_],
    genotype: NDArray[np.int8],
    quality: NDArray[np.float32],
) -> list[Row]:
    window, offset = np.nonzero(called)
    here = pileup[window, offset]
    counts, best = base_counts(here), alternate_bases(here)
    total, reference = depth(here), here[:, INDEX["reference"]]
    rows: list[Row] = []
    for i, (w, at) in enumerate(zip(window.tolist(), offset.tolist(), strict=True)):
        begin = int(start[w]) + at
        for rank, copies in _ROWS[int(genotype[w, at])]:
            base = int(best[i, rank - 1])
            depths = (int(counts[i, reference[i]]), int(counts[i, base]))
            alleles = (str(_BASES[reference[i]]), str(_BASES[base]))
            rows.append((w, begin, begin + 1, *alleles, copies, int(quality[w, at]), int(total[i]), depths))
    return rows


def _indels(
    batch: pa.RecordBatch,
    pileup: NDArray[np.uint8],
    start: NDArray[np.int64],
    called: NDArray[np.bool_],
    genotype: NDArray[np.int8],
    quality: NDArray[np.float32],
) -> list[Row]:
    rows: list[Row] = []
    columns = [INDEX[f"{name}_{strand}"] for name in ("spanning", "indel1", "indel2") for strand in ("forward", "reverse")]
    for w in np.flatnonzero(called.any(axis=1)).tolist():
        for indel in batch.column("indels")[w].as_py():
            at = indel["position"] - int(start[w])
            if not called[w, at]:
                continue
            shown = pileup[w, at, columns].astype(int).reshape(3, 2).sum(axis=1)
            for rank, copies in _ROWS[int(genotype[w, at])]:
                if rank == indel["rank"]:
                    end = indel["position"] + len(indel["referenceAllele"])
                    alleles = (indel["referenceAllele"], indel["alternateAllele"])
                    depths = (int(shown[0]), int(shown[rank]))
                    rows.append((w, indel["position"], end, *alleles, copies, int(quality[w, at]), int(shown.sum()), depths))
    return rows


def _stretches(uncalled: NDArray[np.bool_], start: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Window, start and end of each run of positions without a call."""
    edges = np.diff(np.pad(uncalled, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    window, first = np.nonzero(edges == 1)
    _, after = np.nonzero(edges == -1)
    return window, start[window] + first, start[window] + after


def _columns(
    batch: pa.RecordBatch, rows: list[Row], window: NDArray[np.int64], first: NDArray[np.int64], after: NDArray[np.int64]
) -> list[pa.Array]:
    """Calls, then stretches without a call, as the columns of ``CALLS``."""
    n = len(window)
    parts: list[list[object]] = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(9)]
    of_window = pa.array([*parts[0], *window.tolist()], pa.int64())
    integers = pa.list_(pa.int32())
    return [
        batch.column("sampleId").take(of_window),
        batch.column("contigName").take(of_window),
        pa.array([*parts[1], *first.tolist()], pa.int64()),
        pa.array([*parts[2], *after.tolist()], pa.int64()),
        pa.array([*parts[3], *[""] * n], pa.string()),
        pa.array([*([allele] for allele in parts[4]), *[[]] * n], pa.list_(pa.string())),
        pa.array([*parts[5], *[(-1, -1)] * n], integers),
        pa.array([*parts[6], *[None] * n], pa.int32()),
        pa.array([*parts[7], *[None] * n], pa.int32()),
        pa.array([*parts[8], *[None] * n], integers),
    ]
