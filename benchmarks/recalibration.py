"""What recalibrated base qualities do to SNV calls of the Bayesian caller alone, at 10x, of a clean library and of noisy ones.

Genomes that nobody trained on, reads by ART with a library's noise, aligned by bwa mem. The caller's least error of a base and the least
quality of a call are chosen on one contig, as ``train variants`` chooses them, and count on the other. ``make peers`` installs the
programs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from shipped_variants import ShippedConfig
from simulated_genomes import Library, check_programs, sequence, write_reference
from variants import CLEAN
from variants_own import NOISY

from genospark.core.config import load
from genospark.core.pileup import INDEX, WINDOW_BP, alternate_bases
from genospark.core.progress import configure_logging, log
from genospark.ingest.reads import ReadFilters, pile_up, plan_regions, read_alignment_header, windows
from genospark.ingest.reads.mismatches import count_mismatches
from genospark.ingest.reads.recalibration import Recalibration, fit, mean_qualities
from genospark.models.likelihoods import LikelihoodConfig
from genospark.simulate.arrays import stream
from genospark.simulate.genome import GenomeConfig, draw_genome
from genospark.simulate.vcf import write_vcf
from genospark.tasks.variants import Caller, Thresholds, VariantModel
from genospark.training.metrics import f1_score
from genospark.training.variants import TrainVariantsConfig

DEPTH, CONTIGS, SEED = 10, 2, 611
OLDER = "hiseq-2000-pcr"
# Genotypes whose row names allele 1 or 2, and the copies.
COPIES = {1: (1, 0), 2: (2, 0), 3: (1, 1)}
LEAST = np.arange(0, 60.5, 1.0).tolist()
Calls = dict[tuple[str, int, str], tuple[int, float]]


def simulated(folder: Path, bases: int, libraries: dict[str, Library]) -> None:
    """Reference, truth.vcf.gz and a BAM of each library; what is there already stays."""
    contigs = [draw_genome(f"genome{number}", GenomeConfig(bases=bases), 1, stream(SEED, "genome", number)) for number in range(CONTIGS)]
    if not (folder / "truth.vcf.gz.tbi").is_file():
        write_reference(contigs, folder)
        write_vcf(folder / "truth.vcf.gz", contigs, slice(0, 1), ["truth"], 0, stream(SEED, "missing"))
    for name, library in libraries.items():
        if not (folder / f"{name}.bam.bai").is_file():
            log.info("reads: %s", name)
            sequence(contigs, 0, name, DEPTH, library, SEED, folder)


def true_snvs(path: Path) -> dict[tuple[str, int, str], int]:
    """Copies of each alternate base."""
    found: dict[tuple[str, int, str], int] = {}
    with pysam.VariantFile(str(path)) as records:
        for record in records:
            for number in record.samples[0].allele_indices:
                if number and len(record.ref) == len(record.alleles[number]) == 1:
                    key = record.chrom, record.start, record.alleles[number]
                    found[key] = found.get(key, 0) + 1
    return found


def fitted(bam: Path, fasta: Path) -> Recalibration:
    """Qualities by all reads of a file; says what they state and what they are worth."""
    counts = [count_mismatches(region, fasta, ReadFilters()) for region in plan_regions(read_alignment_header(bam), 10 * WINDOW_BP)]
    bases, errors = (sum(part) for part in zip(*counts, strict=True))
    log.info("%s: %d bases, mean quality reported and empirical %s", bam.name, bases.sum(), mean_qualities(bases, errors))
    return fit(bases, errors)


def kinds(whole: Recalibration) -> dict[str, Recalibration | None]:
    """What there is to compare: qualities by ever more of what is known of a base."""
    nothing = {"cycle": np.zeros_like(whole.cycle), "context": np.zeros_like(whole.context)}
    by_cycle = replace(whole, context=nothing["context"])
    return {"reported": None, "by quality": replace(whole, **nothing), "and cycle": by_cycle, "and context": whole}


def called(callers: dict[float, Caller], bam: Path, fasta: Path, recalibration: Recalibration | None) -> dict[float, Calls]:
    """Copies and quality of each alternate base that each caller calls."""
    found: dict[float, Calls] = {name: {} for name in callers}
    for region in plan_regions(read_alignment_header(bam), 100_000):
        piled = pile_up(region, fasta, ReadFilters(), recalibration)
        for name, caller in callers.items():
            genotype, quality = (values[..., 0].reshape(-1) for values in caller(windows(piled)))
            at = np.flatnonzero((genotype > 0) & (piled.tensor[:, INDEX["reference"]] < 4))
            best = alternate_bases(piled.tensor[at])
            for place, alternates in zip(at.tolist(), best.tolist(), strict=True):
                for copies, code in zip(COPIES[int(genotype[place])], alternates, strict=True):
                    if copies:
                        found[name][region.contig_name, region.start + place, "ACGT"[code]] = copies, float(quality[place])
    return found


def judged(truth: dict[tuple[str, int, str], int], calls: Calls, contigs: set[str], least: float) -> np.ndarray:
    """Calls that are right, all calls, and all variants of some contigs."""
    kept = {key: copies for key, (copies, quality) in calls.items() if quality >= least and key[0] in contigs}
    return np.array([sum(truth.get(key) == copies for key, copies in kept.items()), len(kept), sum(key[0] in contigs for key in truth)])


def f1(counts: np.ndarray) -> float:
    right, made, true = counts
    return f1_score(int(right), int(made - right), int(true - right))


def main() -> None:
    """Simulates and measures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--work", type=Path, default=Path("build/bench-recalibration"))
    options.add_argument("--bases", type=int, default=1_000_000, help="of each of the two contigs")
    options.add_argument("--only-reads", action="store_true", help="stop before the calls")
    chosen = options.parse_args()
    configure_logging()
    check_programs()
    work = chosen.work.resolve()
    trained = load(ShippedConfig, Path("conf/shipped-variants.yaml"), [], {}).libraries
    libraries = {"noisy": trained[NOISY].library(), "older": trained[OLDER].library(), "clean": CLEAN.library()}
    simulated(work, chosen.bases, libraries)
    if chosen.only_reads:
        return
    fasta, truth = work / "reference.fa", true_snvs(work / "truth.vcf.gz")
    plain, any_quality = {"baseline": [[0.0, 1.0], [0.0, 1.0]]}, {"baseline": Thresholds(0, 0)}
    callers = {}
    for error in TrainVariantsConfig.model_fields["base_errors"].default:
        likelihood = LikelihoodConfig(base_error=error).model_dump()
        callers[error] = Caller(VariantModel(likelihood, {}, [], "baseline", any_quality, plain))
    rows = []
    for name in libraries:
        bam = work / f"{name}.bam"
        for what, recalibration in kinds(fitted(bam, fasta)).items():
            calls = called(callers, bam, fasta, recalibration)
            contigs = [{f"genome{number}"} for number in range(CONTIGS)]
            total, chosen_errors = np.zeros(3, int), []
            for number in range(CONTIGS):
                grid = {(error, least): judged(truth, calls[error], contigs[1 - number], least) for error in callers for least in LEAST}
                error, least = max(grid, key=lambda key: f1(grid[key]))
                total += judged(truth, calls[error], contigs[number], least)
                chosen_errors.append(error)
            right, made, true = total.tolist()
            entry = {"library": name, "qualities": what, "F1": f1(total), "right": right, "false": made - right, "missed": true - right}
            usual = max(f1(judged(truth, calls[2e-3], set.union(*contigs), least)) for least in LEAST)
            rows.append(entry | {"least errors": chosen_errors, "best F1 at 0.002": usual})
        print(pd.DataFrame(rows).to_string(), flush=True)


if __name__ == "__main__":
    main()
