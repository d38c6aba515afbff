"""Reads of simulated people by another simulator: ART's pairs with the HiSeq 2500 profile, aligned by bwa mem.

The people are of the cohort that ``--config`` draws, but not among those with reads of its own, nor related to them. Writes, into
``--out``: reference.fa, regions.bed, and of each person <sampleId>.bam, .bai and <sampleId>.truth.vcf.gz, every record of the cohort.
``make peers`` installs the programs.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from genospark.core.config import load
from genospark.core.progress import configure_logging, log
from genospark.simulate.alleles import Contig
from genospark.simulate.arrays import stream
from genospark.simulate.cohort import draw_cohort
from genospark.simulate.haplotypes import Region, write_haplotype
from genospark.simulate.reads import covered_regions, spread, unrelated_founders
from genospark.simulate.sequencer import INSERT_BP, INSERT_SPREAD_BP, MAX_INSERT_BP, READ_BP
from genospark.simulate.stage import SimulateStageConfig
from genospark.simulate.vcf import write_fasta, write_vcf

PROGRAMS = ("art_illumina", "bwa", "samtools")


def shell(command: str, folder: Path) -> None:
    """Runs a pipeline of programs; what they say lands in ``folder``/log.txt."""
    with (folder / "log.txt").open("a") as said:
        subprocess.run(["bash", "-c", f"set -eo pipefail; {command}"], cwd=folder, stdout=said, stderr=said, check=True)


def sequence(contigs: list[Contig], regions: list[Region], person: int, sample_id: str, depth: float, out: Path) -> None:
    """Writes a person's BAM and its index, from ART's pairs of both haplotypes; ``out`` holds reference.fa and bwa's index of it.

    Args:
        contigs: Contigs with everyone's genotypes.
        regions: Where; fragments may begin a little outside.
        person: Index of the person.
        sample_id: Name of the person.
        depth: Mean depth of both haplotypes together.
        out: Folder to write.
    """
    scratch = out / f"{sample_id}.art"
    scratch.mkdir(parents=True, exist_ok=True)
    wide = [region.widened(MAX_INSERT_BP, contigs) for region in regions]
    for strand in (0, 1):
        write_haplotype(scratch / f"h{strand}.fa", contigs, wide, person, strand)
        shell(
            f"art_illumina -ss HS25 -p -na -q -l {READ_BP} -f {depth / 2} -m {INSERT_BP} -s {INSERT_SPREAD_BP} "
            f"-rs {2 * person + strand + 1} -d h{strand}_ -i h{strand}.fa -o h{strand}_",
            scratch,
        )
    group = shlex.quote(f"@RG\\tID:{sample_id}\\tSM:{sample_id}\\tLB:{sample_id}\\tPL:ILLUMINA")
    bam = f"../{sample_id}.bam"
    shell(
        "cat h0_1.fq h1_1.fq > 1.fq; cat h0_2.fq h1_2.fq > 2.fq; "
        f"bwa mem -t {os.cpu_count()} -K 10000000 -R {group} ../reference.fa 1.fq 2.fq | samtools fixmate -m - - | samtools sort - "
        f"| samtools markdup - {bam}; samtools index {bam}",
        scratch,
    )
    shutil.rmtree(scratch)


def main() -> None:
    """Sequences the people."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--config", type=Path, default=Path("conf/simulate.yaml"), help="of the cohort")
    options.add_argument("--out", type=Path, required=True, help="folder to write")
    options.add_argument("--people", type=int, default=4)
    options.add_argument("--depth", type=float, default=30)
    chosen = options.parse_args()
    lacking = [program for program in PROGRAMS if not shutil.which(program)]
    if lacking:
        sys.exit(f"{', '.join(lacking)} not found; next: make peers")
    configure_logging()

    config = load(SimulateStageConfig, chosen.config, [], {"warehouse": str(chosen.out)}).cohort
    drawn = draw_cohort(config, log.info)
    unrelated = unrelated_founders(drawn.people)
    others = np.setdiff1d(unrelated, spread(unrelated, config.reads.people))
    regions = covered_regions(config, drawn.contigs)
    chosen.out.mkdir(parents=True, exist_ok=True)
    write_fasta(chosen.out / "reference.fa", drawn.contigs)
    names = [(drawn.contigs[region.contig].name, region.start, region.stop) for region in regions]
    (chosen.out / "regions.bed").write_text("".join(f"{name}\t{start}\t{stop}\n" for name, start, stop in names))
    shell("bwa index reference.fa", chosen.out)
    for person in spread(others, chosen.people).tolist():
        sample_id = drawn.people.sample_ids[person]
        log.info("ART and bwa mem: %s", sample_id)
        sequence(drawn.contigs, regions, person, sample_id, chosen.depth, chosen.out)
        truth = chosen.out / f"{sample_id}.truth.vcf.gz"
        write_vcf(truth, drawn.contigs, slice(person, person + 1), [sample_id], 0, stream(config.seed, "truth", sample_id))


if __name__ == "__main__":
    main()
