"""Calls of genomes that no model saw, beside bcftools, freebayes and GATK, their best filters and boosting; and of NA12878's reads.

``make bench-variants`` runs it; ``make peers`` installs the other programs. The caller is the one that ships with the package. Three test
genomes are sequenced by three libraries at two depths; the peers' filters and the boosting are fitted on other genomes, of a clean library
and of the noisy one that the shipped caller was trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pysam
from callers import COMMANDS, KINDS, call, compared, counts, normalised, shell
from filters import Boosting, kept, tuned
from oracle import genotypes
from results_io import row, write
from shipped_variants import LibraryConfig, ShippedConfig
from simulated_genomes import Library, check_programs, sequence, write_reference
from variants_own import NOISY, candidate_recall, own_calls, speed

from genospark.core.config import load
from genospark.core.progress import configure_logging, log
from genospark.core.session import session
from genospark.simulate.arrays import stream
from genospark.simulate.genome import GenomeConfig, draw_genome
from genospark.simulate.noise import NoiseConfig
from genospark.simulate.vcf import write_vcf
from genospark.training.metrics import f1_interval, f1_score

COMMAND = "make bench-variants"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reads-na12878-chr22"
DEPTHS = (10, 30)
CLEAN = LibraryConfig(system="HS25", read_bp=150, insert_bp=(350, 60))
# Trained by nobody: another sequencer, other motifs, other slippage, shorter fragments.
UNSEEN = LibraryConfig(
    system="HS25",
    read_bp=125,
    insert_bp=(280, 50),
    gc_slope=1.5,
    noise=NoiseConfig(
        stutter=0.015, stutter_growth=1.45, stutter_units=0.04, stutter_deletions=0.55, motifs=0.0015, motif_bp=8,
        motif_errors=(0.05, 0.6), phasing=0.05, excess=0.0015, salt=77,
    ),
)  # fmt: skip
Rows = list[dict[str, Any]]


def simulated(folder: Path, seed: int, genomes: int, bases: int, libraries: dict[str, Library], true: bool) -> None:
    """Reference, truth.vcf.gz, and <library><depth>.bam of each library and depth; what is there already stays."""
    config = GenomeConfig(bases=bases)
    contigs = [draw_genome(f"genome{number}", config, 1, stream(seed, "genome", number)) for number in range(1, genomes + 1)]
    if not (folder / "truth.vcf.gz.tbi").is_file():
        write_reference(contigs, folder)
        shell(f"samtools dict {folder}/reference.fa -o {folder}/reference.dict")
        write_vcf(folder / "truth.vcf.gz", contigs, slice(0, 1), ["truth"], 0, stream(seed, "missing"))
    most = max(DEPTHS)
    for name, library in libraries.items():
        if not (folder / f"{name}{most}.bam.bai").is_file():
            log.info("reads: %s, %s", folder.name, name)
            sequence(contigs, 0, f"{name}{most}", most, library, seed, folder, true=true)
        for depth, kind in ((depth, kind) for depth in DEPTHS if depth < most for kind in ("", ".true")):
            made, whole = folder / f"{name}{depth}{kind}.bam", folder / f"{name}{most}{kind}.bam"
            if whole.is_file() and not Path(f"{made}.bai").is_file():
                # The read group names the person; each depth is a person of its own.
                renamed = f"samtools addreplacerg -m overwrite_all -w -r '@RG\\tID:{name}{depth}\\tSM:{name}{depth}\\tPL:ILLUMINA'"
                shell(f"samtools view -u -s {seed + depth / most:.4f} {whole} | {renamed} -o {made} -; samtools index {made}")


def main() -> None:
    """Measures, and writes what there is after each set of reads."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--work", type=Path, default=Path("build/bench-variants"), help="reads, calls and tables are kept here")
    options.add_argument("--bases", type=int, default=300_000, help="of each genome")
    options.add_argument("--only-peers", action="store_true", help="stop before our own calls")
    chosen = options.parse_args()
    configure_logging()
    check_programs()
    trained = load(ShippedConfig, Path("conf/shipped-variants.yaml"), [], {}).libraries
    work = chosen.work.resolve()
    tests = {"clean": CLEAN.library(), "noisy": trained[NOISY].library(), "unseen": UNSEEN.library()}
    fitted = {"clean": trained["hiseq-x"].library(), "noisy": trained[NOISY].library()}
    simulated(work / "training", 501, 2, chosen.bases, fitted, False)
    simulated(work / "test", 502, 3, chosen.bases, tests, True)
    peers = Peers(work / "training", list(fitted))
    for name in tests:
        for depth in DEPTHS:
            peers.calls(work / "test" / f"{name}{depth}.bam")
    if chosen.only_peers:
        return
    spark = session("genospark bench")
    test = work / "test"
    ours = own_calls(spark, work / "warehouse", [test / f"{name}{depth}.bam" for name in tests for depth in DEPTHS], test / "reference.fa")
    truth = normalised(test / "truth.vcf.gz", test / "reference.fa")
    rows: Rows = []
    for name in tests:
        for depth in DEPTHS:
            rows += measured(name, depth, truth, ours[f"{name}{depth}"], peers, test / f"{name}{depth}.bam")
            write("variants", rows)
    rows += calibration({name: compared(truth, calls) for name, calls in ours.items()})
    if DATA.is_dir():
        rows += na12878(spark, work / "na12878")
    rows += speed(test / "clean30.bam", test / "reference.fa", call("freebayes", test / "clean30.bam", test / "reference.fa")[1], COMMAND)
    print(pd.DataFrame(rows)[["figure", "value", "goal", "holds"]].to_string())
    write("variants", rows)


class Peers:
    """The other callers, with what training genomes say of them."""

    def __init__(self, folder: Path, libraries: list[str]) -> None:
        fasta = folder / "reference.fa"
        truth = normalised(folder / "truth.vcf.gz", fasta)
        seen: dict[str, list[pd.DataFrame]] = {name: [] for name in COMMANDS}
        self._filters = {}
        for depth in DEPTHS:
            for library in libraries:
                for name in COMMANDS:
                    both = compared(truth, normalised(call(name, folder / f"{library}{depth}.bam", fasta)[0], fasta))
                    self._filters[name, library == "clean", depth] = tuned(both)
                    seen[name].append(both)
        self._boosting = Boosting(pd.concat(seen["freebayes"], ignore_index=True))

    def calls(self, bam: Path) -> dict[str, pd.DataFrame]:
        """Calls of one BAM file by each peer."""
        fasta = bam.parent / "reference.fa"
        library, depth = bam.stem.rstrip("0123456789"), int("".join(filter(str.isdigit, bam.stem)))
        found = {}
        for name in COMMANDS:
            calls = normalised(call(name, bam, fasta)[0], fasta)
            found[name] = calls
            found[f"{name}, filtered"] = calls[kept(calls, self._filters[name, library == "clean", depth])]
        found["boosting on freebayes"] = self._boosting(found["freebayes"])
        return found


def measured(name: str, depth: int, truth: pd.DataFrame, ours: pd.DataFrame, peers: Peers, bam: Path) -> Rows:
    """F1 of every caller's SNVs and indels on one library and depth."""
    peer_calls = peers.calls(bam)
    true, config = bam.with_suffix(".true.bam"), GenomeConfig()
    natural = dict(zip(KINDS, (config.snv_rate, config.indel_rate), strict=True))
    oracles = {"oracle": genotypes(true, truth), "oracle that does not know where variants are": genotypes(true, truth, natural)}
    rows = []
    for kind in KINDS:
        scores, texts = {}, {}
        for caller, calls in {"genospark": ours, **peer_calls, **oracles}.items():
            both = compared(truth, calls)
            found = counts(both[both["kind"] == kind])
            scores[caller] = f1_score(*found.sum(axis=0))
            low, high = f1_interval(found)
            tp, fp, fn = found.sum(axis=0).tolist()
            texts[caller] = f"{scores[caller]:.4f} ({low:.4f} to {high:.4f}); TP {tp}, FP {fp}, FN {fn}"
        own, best = scores["genospark"], max(scores[caller] for caller in peer_calls)
        filtered = max(score for caller, score in scores.items() if caller.endswith("filtered"))
        goal, holds = _goal(name, depth, kind, own, best, filtered, scores["oracle"])
        title = f"{kind} F1, genotype-exact, 3 genomes, {name} {depth}x"
        rows.append(row(f"{title}: genospark", texts["genospark"], "F1 (95%)", goal, holds, COMMAND))
        rows += [row(f"{title}: {caller}", texts[caller], "F1 (95%)", "", None, COMMAND) for caller in (*peer_calls, *oracles)]
    recall = candidate_recall(bam, bam.parent / "reference.fa", truth)
    return [*rows, *(row(f"candidate recall, {name} {depth}x: {kind}", text, "share", "", None, COMMAND) for kind, text in recall.items())]


def _goal(name: str, depth: int, kind: str, own: float, best: float, filtered: float, oracle: float) -> tuple[str, bool]:
    if name != "clean":
        if kind == "SNV":
            return f">= {filtered:.4f}, the best tuned filter", own >= filtered
        return f"1 - F1 <= {(1 - best) / 2:.4f}, half of the best peer's", 1 - own <= (1 - best) / 2
    if kind == "SNV":
        least = best + 0.25 * (oracle - best) if oracle - best > 0.004 else best - 0.001
        return f">= {least:.4f} (best peer {best:.4f}, oracle {oracle:.4f})", own >= least
    least = min(best + 0.01, 1.0) if depth == min(DEPTHS) else best
    return f">= {least:.4f} (best peer {best:.4f})", own >= least


def calibration(found: dict[str, pd.DataFrame]) -> Rows:
    """Stated and counted errors of our calls, in tenths of the calls by GQ."""
    rows = []
    for title, names in (("clean and noisy", ("clean", "noisy")), ("never-seen noise", ("unseen",))):
        calls = pd.concat([both for name, both in found.items() if name.startswith(names)])
        calls = calls[calls["copies"] > 0].sort_values("gq", kind="stable")
        for number, part in enumerate(np.array_split(np.arange(len(calls)), 10), 1):
            tenth = calls.iloc[part]
            stated, wrong = float((10 ** (-tenth["gq"] / 10)).mean()), int((tenth["copies"] != tenth["true"]).sum())
            text = f"stated {stated:.2g}, {wrong} of {len(tenth)} wrong ({wrong / max(len(tenth), 1):.2g})"
            # Where less than one error is to be expected, none or one is what can be counted.
            expected = stated * len(tenth)
            holds = expected / 2 <= wrong <= 2 * expected or (expected < 1 and wrong <= 1)
            figure = f"errors of calls, {title}, tenth {number} by GQ ({tenth['gq'].min():.0f} to {tenth['gq'].max():.0f})"
            rows.append(row(figure, text, "share", "within a factor 2", bool(holds), COMMAND))
    return rows


def na12878(spark: Any, work: Path) -> Rows:
    """GIAB's SNVs in 12 kb of chr22: found, and calls beside them."""
    work.mkdir(parents=True, exist_ok=True)
    fasta, bam = work / "reference.fa", work / "na12878.bam"
    for source, made in ((DATA / "E.ref.fa", fasta), (DATA / "E.bam", bam)):
        made.write_bytes(source.read_bytes())
    pysam.faidx(str(fasta))
    pysam.index(str(bam))
    shell(f"samtools dict {fasta} -o {work}/reference.dict; bcftools view {DATA / 'E.truth.vcf.gz'} > {work}/truth.vcf")
    with pysam.VariantFile(str(work / "truth.vcf")) as records:
        sites = {(record.start, record.ref, record.alts[0]) for record in records if record.alts}
    found = {"genospark": next(iter(own_calls(spark, work / "warehouse", [bam], fasta).values()))}
    found["genospark"] = found["genospark"].assign(quality=np.inf)
    for name in COMMANDS:
        found[name] = normalised(call(name, bam, fasta)[0], fasta)
    others, rows = {}, []
    for name, calls in found.items():
        calls = calls[(calls["copies"] > 0) & (calls["quality"] >= 20)]
        snvs = set(calls.loc[calls["kind"] == "SNV", ["start", "ref", "alt"]].itertuples(index=False, name=None))
        others[name] = (len(sites & snvs), len(snvs - sites))
        text = f"{len(sites & snvs)} of {len(sites)} GIAB SNVs; {len(snvs - sites)} other SNVs, {len(calls) - len(snvs)} indels"
        rows.append([f"NA12878, 12 kb of chr22, 39x: {name}", text, "calls", "", None, COMMAND])
    holds = others["genospark"][0] == len(sites) and others["genospark"][1] <= others["bcftools"][1]
    rows[0][3:5] = [f"all {len(sites)}, at most {others['bcftools'][1]} others (bcftools at QUAL 20)", holds]
    return [row(*entry) for entry in rows]


if __name__ == "__main__":
    main()
