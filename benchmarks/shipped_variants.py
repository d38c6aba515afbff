"""Makes the variant caller that ships with the package, ``genospark/shipped/variants``, as ``conf/shipped-variants.yaml`` says.

Genomes, ART's reads with the noise of libraries, bwa mem, then the stages that any user runs. ``make peers`` installs the programs.
"""

from __future__ import annotations

import argparse
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from simulated_genomes import Library, check_programs, sequence, write_reference

from genospark.core.config import Settings, load
from genospark.core.progress import configure_logging, log
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, run_stages
from genospark.simulate.alleles import Contig
from genospark.simulate.arrays import stream
from genospark.simulate.genome import GenomeConfig, draw_genome
from genospark.simulate.noise import NoiseConfig
from genospark.simulate.vcf import write_fasta, write_vcf
from genospark.tasks.bundles import SHIPPED, last_version

# Simulated people need no secret; the same names make the same tables.
os.environ.setdefault("GENOSPARK_KEY", "a key for simulated people, which is no secret")
TARGET = SHIPPED / "variants"
RATES = ("stutter", "stutter_units", "motifs", "phasing", "excess")
"""Those of ``NoiseConfig`` that differ from person to person."""


class LibraryConfig(Settings):
    """See ``simulated_genomes.Library``."""

    system: str
    read_bp: int
    insert_bp: tuple[int, int]
    gc_slope: float = 1.0
    noise: NoiseConfig | None = None

    def library(self) -> Library:
        return Library(self.system, self.read_bp, self.insert_bp, self.noise, self.gc_slope)


class ShippedConfig(Settings):
    """What the shipped caller is trained on.

    Attributes:
        seed: Of all draws.
        people: Everyone has a contig of their own, so that no place and no variant is seen in two libraries.
        genome: Of each contig.
        depth: Range of depths; people's are spread evenly over its logarithm.
        libraries: How reads are made; people take turns.
        spread: Of a person's rates of noise around their library's, as standard deviation of the logarithm.
        stages: Settings of the stages.
    """

    seed: int
    people: int = Field(ge=3)
    genome: GenomeConfig
    depth: tuple[float, float]
    libraries: dict[str, LibraryConfig]
    spread: float = Field(0.0, ge=0)
    stages: dict[str, dict[str, Any]]

    def depth_of(self, person: int) -> float:
        """Mean depth of a person's reads."""
        low, high = self.depth
        # Steps of the golden ratio fill an interval evenly, whatever their number, and in no step with the libraries.
        return round(low * (high / low) ** (person * 0.618034 % 1), 1)

    def library_of(self, person: int) -> Library:
        """A person's library: one of ``libraries`` with rates of noise of its own."""
        library = list(self.libraries.values())[person % len(self.libraries)].library()
        if library.noise is None or not self.spread:
            return library
        rng = stream(self.seed, "noise", person)
        factors = np.exp(rng.normal(0, self.spread, len(RATES)))
        rates = {name: getattr(library.noise, name) * factor for name, factor in zip(RATES, factors.tolist(), strict=True)}
        return replace(library, noise=library.noise.model_copy(update={**rates, "salt": int(rng.integers(1000, 2**31))}))


def simulate(config: ShippedConfig, folder: Path) -> list[Path]:
    """Writes reference, genotypes and reads; what is there already stays. Returns the files of reads."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"T{number:02d}" for number in range(1, config.people + 1)]
    jobs = [(config, folder, person, name) for person, name in enumerate(names)]
    contigs = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name, contig in zip(names, pool.map(sequenced, *zip(*jobs, strict=True)), strict=True):
            log.info("reads of %s", name)
            contigs.append(contig)
    if not (folder / "genotypes.vcf.gz.tbi").is_file():
        write_fasta(folder / "reference.fa", contigs)
        write_vcf(folder / "genotypes.vcf.gz", contigs, slice(0, len(names)), names, 0, stream(config.seed, "missing"))
    return [folder / name / f"{name}.bam" for name in names]


def sequenced(config: ShippedConfig, folder: Path, person: int, name: str) -> Contig:
    """Writes the reads of one person, and returns the person's contig, on which all others carry nothing."""
    own = folder / name
    contig = draw_genome(f"chr{name}", config.genome, 1, stream(config.seed, "genome", person))
    if not (own / f"{name}.bam.bai").is_file():
        write_reference([contig], own)
        sequence([contig], 0, name, config.depth_of(person), config.library_of(person), config.seed, own)
    haplotypes = np.zeros((len(contig.positions), config.people, 2), np.uint8)
    haplotypes[:, person] = contig.haplotypes[:, 0]
    return replace(contig, haplotypes=haplotypes)


def main() -> None:
    """Simulates, trains and puts the bundle in its place."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--config", type=Path, default=Path("conf/shipped-variants.yaml"))
    options.add_argument("--work", type=Path, default=Path("build/shipped-variants"), help="reads and tables are kept here")
    options.add_argument("--only-reads", action="store_true", help="stop before the stages")
    chosen = options.parse_args()
    configure_logging()
    check_programs()
    config = load(ShippedConfig, chosen.config, [], {})
    reads = (chosen.work / "reads").resolve()
    files = simulate(config, reads)
    if chosen.only_reads:
        return
    warehouse = (chosen.work / "warehouse").resolve()
    stages: dict[str, dict[str, Any]] = {
        "ingest-vcf": {"inputs": [str(reads / "genotypes.vcf.gz")]},
        "ingest-reads": {"inputs": [str(path) for path in files], "reference": str(reads / "reference.fa")},
        "build-features variants": {},
        "train variants": {},
    }
    for name, settings in config.stages.items():
        stages[name] = stages[name] | settings
    spark = session("genospark shipped")
    run_stages(spark, PipelineConfig(warehouse=str(warehouse), stages=stages))
    made = Warehouse(spark, str(warehouse))
    bundle = made.bundles / last_version(made, "variants")
    shutil.rmtree(TARGET, ignore_errors=True)
    shutil.copytree(str(bundle), TARGET / bundle.name)
    log.info("shipped: %s", TARGET / bundle.name)


if __name__ == "__main__":
    main()
