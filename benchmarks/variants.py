"""Calls of people and loci that no model saw, beside bcftools and freebayes; and the reads of NA12878 in ``../shared/data``.

``make bench-variants`` runs it; ``make peers`` installs the other programs. The caller is trained on the demo's reads, which the simulation
aligns itself; the test reads come from ART and bwa mem, of other people at other loci.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pysam
from pyspark.sql import SparkSession
from results_io import row, write

from genospark.core import crosswalk
from genospark.core.progress import configure_logging, log
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, demo_config, run_stages
from genospark.tasks.bundles import last_version
from genospark.training.metrics import f1_interval, f1_score

COMMAND = "make bench-variants"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reads-na12878-chr22"
GOALS = {"SNV": 0.95, "indel": 0.80}
PEERS = {
    "bcftools": "bcftools mpileup -Ou -f {fasta} -R {bed} -a AD,DP {bams} | bcftools call -mv -Ov",
    "freebayes": "freebayes -f {fasta} -t {bed} {bams}",
}
# The other callers' least QUAL is the one that suits them best on the very test: they are shown at their best.
QUALITIES = (0, 1, 5, 10, 20, 30, 50)
TRAINED = ("simulate", "ingest-vcf", "ingest-phenotypes", "ingest-reads", "build-features variants", "train variants")
LOCUS_BP = 10_000

Genotypes = dict[tuple[str, str, int, str, str], tuple[int, float]]
"""Sample, contig, start, REF, ALT -> copies of ALT, QUAL of the record."""


def shell(command: str) -> None:
    subprocess.run(["bash", "-c", f"set -eo pipefail; {command}"], check=True, stderr=subprocess.DEVNULL)


def normalised(vcf: Path, fasta: Path, bed: Path) -> Genotypes:
    """Genotypes with the alternate allele, after splitting and left alignment by ``bcftools norm``."""
    made = vcf.with_suffix(".norm.vcf")
    # Split and made single bases first: freebayes calls neighbouring variants as one.
    shell(f"bcftools norm -m-any --atomize {vcf} | bcftools norm -f {fasta} -d exact - | bcftools view -T {bed} - > {made}")
    found: Genotypes = {}
    with pysam.VariantFile(str(made)) as records:
        for record in records:
            for sample, call in record.samples.items():
                copies = sum(allele == 1 for allele in call["GT"] if allele is not None)
                if copies and record.alts and record.alts[0] != "*":
                    found[sample, record.chrom, record.start, record.ref, record.alts[0]] = (copies, record.qual or 0.0)
    return found


def compared(truth: Genotypes, calls: Genotypes, least: float = 0.0) -> dict[str, np.ndarray]:
    """True positives, false positives and false negatives of each sample and locus, for SNVs and indels: [units, 3]."""
    counts: dict[str, dict[Any, np.ndarray]] = {
        "SNV": defaultdict(lambda: np.zeros(3, int)),
        "indel": defaultdict(lambda: np.zeros(3, int)),
    }
    kept = {key: copies for key, (copies, quality) in calls.items() if quality >= least}
    for key in truth.keys() | kept.keys():
        kind = "SNV" if len(key[3]) == len(key[4]) else "indel"
        unit = counts[kind][key[0], key[1], key[2] // LOCUS_BP]
        true, called = truth.get(key, (0, 0))[0], kept.get(key, 0)
        if true == called:
            unit[0] += 1
        else:
            unit[1] += called > 0
            unit[2] += true > 0
    return {kind: np.array(list(units.values())).reshape(-1, 3) for kind, units in counts.items()}


def train(spark: SparkSession, work: Path) -> Path:
    """Trains on the demo's reads; returns the bundle."""
    config = demo_config(str(work))
    run_stages(spark, config.model_copy(update={"stages": {name: config.stages[name] for name in TRAINED}}))
    return work / "bundles" / last_version(Warehouse(spark, str(work)), "variants")


def call(spark: SparkSession, warehouse: Path, bams: list[Path], fasta: Path, bed: Path, bundle: Path) -> Path:
    """Our calls of some BAM files, as a VCF."""
    reads = {"inputs": [str(bam) for bam in bams], "reference": str(fasta), "regions": str(bed)}
    run_stages(spark, PipelineConfig(warehouse=str(warehouse), stages={"ingest-reads": reads, "score variants": {"bundle": str(bundle)}}))
    return warehouse / "calls.vcf.gz"


def all_callers(spark: SparkSession, work: Path, bams: list[Path], fasta: Path, bed: Path, bundle: Path) -> dict[str, Genotypes]:
    """Genotypes by us and by the other callers."""
    work.mkdir(parents=True, exist_ok=True)
    ours = normalised(call(spark, work, bams, fasta, bed, bundle), fasta, bed)
    originals = crosswalk.read(f"{work}-crosswalk")
    found = {"genospark": {(originals[sample], *rest): called for (sample, *rest), called in ours.items()}}
    for name, command in PEERS.items():
        log.info("%s", name)
        made = work / f"{name}.vcf"
        shell(f"{command.format(fasta=fasta, bed=bed, bams=' '.join(map(str, bams)))} > {made}")
        found[name] = normalised(made, fasta, bed)
    return found


def simulated(spark: SparkSession, work: Path, bundle: Path, depths: list[float]) -> list[dict[str, Any]]:
    """ART reads of unseen people at unseen loci, at several depths."""
    art = work / "art"
    config = work / "art.yaml"
    config.write_text("cohort: {reads: {bases_per_contig: 500000}}\n")
    subprocess.run(
        [sys.executable, str(Path(__file__).with_name("art_reads.py")), "--config", config, "--out", art, "--depth", str(max(depths))],
        check=True,
    )
    seen = pd.read_csv(work / "cohort" / "input" / "reads" / "regions.bed", sep="\t", header=None)
    whole = pd.read_csv(art / "regions.bed", sep="\t", header=None)
    bed = art / "unseen.bed"
    pd.DataFrame({0: whole[0], 1: seen[2], 2: whole[2]}).to_csv(bed, sep="\t", header=False, index=False)
    fasta = art / "reference.fa"
    truth: Genotypes = {}
    for path in sorted(art.glob("*.truth.vcf.gz")):
        truth |= normalised(path, fasta, bed)
    rows = []
    for depth in depths:
        bams = sorted(art.glob("S*.bam"))
        folder = work / f"depth{depth:g}"
        if depth < max(depths):
            folder.mkdir(exist_ok=True)
            for bam in bams:
                shell(f"samtools view -b -s {1 + depth / max(depths):.4f} {bam} > {folder / bam.name}; samtools index {folder / bam.name}")
            bams = [folder / bam.name for bam in bams]
        for name, calls in all_callers(spark, folder / "calls", bams, fasta, bed, bundle).items():
            rows += measured(name, truth, calls, depth)
    return rows


def measured(name: str, truth: Genotypes, calls: Genotypes, depth: float) -> list[dict[str, Any]]:
    """F1 of a caller's SNVs and indels as rows of results."""
    rows = []
    for kind, goal in GOALS.items():
        leasts = [0.0] if name == "genospark" else QUALITIES
        by_quality = {least: compared(truth, calls, least)[kind] for least in leasts}
        least, counts = max(by_quality.items(), key=lambda entry: f1_score(*entry[1].sum(axis=0)))
        value, (low, high) = f1_score(*counts.sum(axis=0)), f1_interval(counts)
        tp, fp, fn = counts.sum(axis=0).tolist()
        text = f"{value:.4f} ({low:.4f} to {high:.4f}); TP {tp}, FP {fp}, FN {fn}" + (f"; QUAL >= {least}" if least else "")
        has_goal = name == "genospark" and depth == 30
        figure = f"{kind} F1 of {name}, genotype-exact, 4 unseen people, unseen loci, ART {depth:g}x"
        rows.append(row(figure, text, "F1 (95%)", f">= {goal}" if has_goal else "", bool(value >= goal) if has_goal else None, COMMAND))
    return rows


def na12878(spark: SparkSession, work: Path, bundle: Path) -> list[dict[str, Any]]:
    """GIAB's SNVs in 12 kb of chr22: found, and calls beside them."""
    bed, fasta = work / "span.bed", DATA / "E.ref.fa"
    length = pysam.FastaFile(str(fasta)).lengths[0]
    bed.parent.mkdir(parents=True, exist_ok=True)
    bed.write_text(f"q\t0\t{length}\n")
    truth_vcf = work / "truth.vcf"
    shell(f"bcftools view {DATA / 'E.truth.vcf.gz'} > {truth_vcf}")
    with pysam.VariantFile(str(truth_vcf)) as records:
        sites = {(record.start, record.ref, record.alts[0]) for record in records}
    rows = []
    for name, calls in all_callers(spark, work / "calls", [DATA / "E.bam"], fasta, bed, bundle).items():
        called = {key[2:] for key, (_, quality) in calls.items() if name == "genospark" or quality >= 20}
        snvs = {key for key in called if len(key[1]) == len(key[2])}
        text = f"{len(sites & snvs)} of {len(sites)} GIAB SNVs; {len(snvs - sites)} other SNVs, {len(called) - len(snvs)} indels"
        rows.append(row(f"NA12878, 12 kb of chr22, 39x: {name}", text, "calls", "", None, COMMAND))
    return rows


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path, help="keep files and tables here")
    options.add_argument("--depths", type=json.loads, default=[30, 8], help="of the test reads, JSON")
    chosen = options.parse_args()
    configure_logging()
    spark = session("genospark bench")
    with tempfile.TemporaryDirectory() as scratch:
        work = (chosen.work or Path(scratch)).resolve()
        bundle = train(spark, work / "cohort")
        rows = simulated(spark, work, bundle, chosen.depths)
        if DATA.is_dir():
            rows += na12878(spark, work / "na12878", bundle)
    print(pd.DataFrame(rows)[["figure", "value", "goal", "holds"]].to_string())
    write("variants", rows)


if __name__ == "__main__":
    main()
