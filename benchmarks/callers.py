"""Other callers of variants, and genotypes of all callers made comparable by ``bcftools norm``."""

from __future__ import annotations

import math
import resource
import subprocess
from pathlib import Path

import gatk
import numpy as np
import pandas as pd
import pysam

from genospark.core.progress import log

KEY = ["contig", "start", "ref", "alt"]
COMMANDS = {
    "bcftools": "bcftools mpileup -Ou -f {fasta} -a AD,DP {bam} | bcftools call -mv -Ov > {vcf}",
    "freebayes": "freebayes -f {fasta} {bam} > {vcf}",
    "gatk": "{gatk} -R {fasta} -I {bam} -O {vcf}",
}
KINDS = ("SNV", "indel")
_RANKS = ("RPBZ", "MQBZ", "BQBZ", "SCBZ", "ReadPosRankSum", "MQRankSum", "BaseQRankSum", "RPP", "EPP", "SAP", "SRP")
_RANKS += ("ODDS", "MQM", "MQ", "FS")


def shell(command: str) -> None:
    """Runs a pipeline of programs."""
    subprocess.run(["bash", "-c", f"set -eo pipefail; {command}"], check=True, stderr=subprocess.DEVNULL)


def call(name: str, bam: Path, fasta: Path) -> tuple[Path, float]:
    """A caller's VCF of one BAM file, beside it, and the CPU seconds that it took; what is there already stays."""
    vcf = bam.with_name(f"{bam.stem}.{name}.vcf")
    seconds = vcf.with_suffix(".seconds")
    if not seconds.is_file():
        log.info("%s: %s", name, bam.name)
        began = _cpu_seconds()
        shell(COMMANDS[name].format(fasta=fasta, bam=bam, vcf=vcf, gatk=gatk.command() if name == "gatk" else ""))
        seconds.write_text(str(_cpu_seconds() - began))
    return vcf, float(seconds.read_text())


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def normalised(vcf: Path, fasta: Path) -> pd.DataFrame:
    """Calls of a VCF of one sample, split, made single bases where they can be, and left-aligned.

    Returns:
        One row a call: ``KEY``, kind, copies of ALT, quality (GQ of our calls, QUAL of others), and what filters and boosting look at.
    """
    made = vcf.with_suffix(".norm.vcf")
    # Split and made single bases first: freebayes calls neighbouring variants as one.
    shell(f"bcftools norm -m-any --atomize {vcf} | bcftools norm -f {fasta} -d exact - > {made}")
    rows = []
    with pysam.VariantFile(str(made)) as records:
        for record in records:
            call = record.samples[0]
            if record.alts and record.alts[0] != "*" and None not in call["GT"]:
                copies = sum(allele == 1 for allele in call["GT"])
                rows.append((record.chrom, record.start, record.ref, record.alts[0], copies, *_looked_at(record, call)))
    columns = [*KEY, "copies", "quality", "gq", "depth", "balance", "strand", "per_depth", "alt_reads", *_RANKS]
    found = pd.DataFrame(rows, columns=columns).drop_duplicates(KEY)
    found["kind"] = np.where(found["ref"].str.len() == found["alt"].str.len(), *KINDS)
    return found


def _looked_at(record: pysam.VariantRecord, call: pysam.VariantRecordSample) -> tuple[float, ...]:
    info = record.info
    depths = call["AD"] if "AD" in call else (0, 0)  # noqa: SIM401 -- get() of a field that the header lacks raises
    depths = [depth or 0 for depth in depths] if isinstance(depths, tuple) else [0, depths]
    alternate = depths[-1]
    total = max(sum(depths), 1)
    if "DP4" in info:
        strands = info["DP4"][2:]
    elif "SAF" in info:
        strands = _first(info["SAF"]), _first(info["SAR"])
    else:
        strands = None
    # The share of the rarer strand; GATK says it as an odds ratio, the lower the better.
    strand = min(strands) / max(sum(strands), 1) if strands is not None else -float(info["SOR"] if "SOR" in info else 0)  # noqa: SIM401
    quality = record.qual or 0.0
    gq = float(call["GQ"]) if "GQ" in call and call["GQ"] is not None else math.nan
    ranks = (float(_first(info[name])) if name in info and _first(info[name]) is not None else math.nan for name in _RANKS)
    return quality, gq, float(total), alternate / total, strand, quality / total, float(alternate), *ranks


def _first(value: object) -> float:
    return value[0] if isinstance(value, tuple) else value  # type: ignore[return-value]


def compared(truth: pd.DataFrame, calls: pd.DataFrame) -> pd.DataFrame:
    """Calls and true variants, with `true` copies (0 for none) and `copies` called (0 for none)."""
    both = truth[[*KEY, "kind", "copies"]].rename(columns={"copies": "true"}).merge(calls.drop(columns="kind"), "outer", KEY)
    both[["true", "copies"]] = both[["true", "copies"]].fillna(0).astype(int)
    both["kind"] = np.where(both["ref"].str.len() == both["alt"].str.len(), *KINDS)
    return both


def counts(both: pd.DataFrame, kept: pd.Series | None = None, unit_bp: int = 10_000) -> np.ndarray:
    """True positives, false positives and false negatives of each stretch, genotypes exact, [stretches, 3]."""
    copies = both["copies"] if kept is None else both["copies"].where(kept, 0)
    right = (copies > 0) & (copies == both["true"])
    table = pd.DataFrame({"tp": right, "fp": (copies > 0) & ~right, "fn": (both["true"] > 0) & ~right}).astype(int)
    return table.groupby([both["contig"], both["start"] // unit_bp]).sum().to_numpy()
