"""Our calls for ``variants.py``: through the stages that a user runs, and the caller's own speed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from callers import KEY, KINDS, normalised, shell
from pyspark.sql import SparkSession
from results_io import row

from genospark.core import crosswalk
from genospark.core.pileup import alternate_bases, base_counts
from genospark.core.profile import told
from genospark.ingest.reads import pile_up, plan_regions, read_alignment_header, windows
from genospark.models.bundle import load
from genospark.pipeline import PipelineConfig, run_stages
from genospark.tasks.bundles import shipped
from genospark.tasks.variants import Caller, VariantModel

NOISY = "hiseq-x-pcr"
"""The library of noisy test reads that the shipped caller was trained on."""


def own_calls(spark: SparkSession, warehouse: Path, bams: list[Path], fasta: Path) -> dict[str, pd.DataFrame]:
    """Calls of some BAM files by the shipped caller, by sample; see ``callers.normalised``."""
    stages = {
        "ingest-reads": {"inputs": [str(bam) for bam in bams], "reference": str(fasta)},
        "score variants": {"bundle": "shipped"},
    }
    run_stages(spark, PipelineConfig(warehouse=str(warehouse), stages=stages))
    found = {}
    for sample, original in crosswalk.read(f"{warehouse}-crosswalk").items():
        one = warehouse / f"{original}.vcf"
        shell(f"bcftools view -s {sample} -c 1 {warehouse / 'calls.vcf.gz'} > {one}")
        found[original] = normalised(one, fasta)
    return found


def candidate_recall(bam: Path, fasta: Path, truth: pd.DataFrame) -> dict[str, str]:
    """Share of the true variants that are among the alleles which the caller can choose, by kind."""
    proposed = set()
    for region in plan_regions(read_alignment_header(bam), 100_000):
        found = pile_up(region, fasta)
        tensor = found.tensor
        best, base = alternate_bases(tensor), base_counts(tensor)
        for rank in (0, 1):
            at = np.flatnonzero(np.take_along_axis(base, best[:, rank, None], axis=1)[:, 0] > 0)
            proposed |= {
                (region.contig_name, region.start + place, "ACGT"[code]) for place, code in zip(at.tolist(), best[at, rank], strict=True)
            }
        seen = found.candidates
        proposed |= set(zip([region.contig_name] * len(seen), seen.position.tolist(), seen.reference, seen.alternate, strict=True))
    keys = {kind: list(truth.loc[truth["kind"] == kind, KEY].itertuples(index=False, name=None)) for kind in KINDS}
    has = {"SNV": [(key[0], key[1], key[3]) in proposed for key in keys["SNV"]], "indel": [key in proposed for key in keys["indel"]]}
    return {kind: f"{np.mean(values):.4f} ({sum(values)} of {len(values)})" for kind, values in has.items()}


def speed(bam: Path, fasta: Path, freebayes_seconds: float, command: str) -> list[dict[str, Any]]:
    """Reference bases a second of pileup and network in this process, beside freebayes' on the same reads."""
    path = shipped("variants")
    caller = Caller(VariantModel.of(load(path, "variants")))
    header = read_alignment_header(bam)
    regions = plan_regions(header, 100_000)
    piled, named, bases = 0.0, 0.0, 0
    for index, region in enumerate(regions):
        began = time.process_time()
        found = pile_up(region, fasta)
        between = time.process_time()
        seen = windows(found)
        caller(told(seen, [None] * len(seen)))
        after = time.process_time()
        if index:  # the first pays for the graph
            piled, named, bases = piled + between - began, named + after - between, bases + len(found.tensor)
    own = bases / (piled + named)
    whole = sum(header.contigs.values())
    theirs = whole / freebayes_seconds
    text = f"{own:,.0f} ({bases / piled:,.0f} windows, {bases / named:,.0f} network); freebayes {theirs:,.0f}"
    return [
        row("reference bases a CPU second, clean 30x, pileup and network", text, "bases/s", ">= freebayes", bool(own >= theirs), command)
    ]
