"""Makes the variant caller that ships with the package, ``genospark/shipped/variants``, as ``conf/shipped-variants.yaml`` says.

Genomes, ART's reads with the noise of libraries, bwa mem, then the stages that any user runs. ``make peers`` installs the programs.
"""

from __future__ import annotations

import argparse
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

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
from genospark.simulate.vcf import write_vcf
from genospark.tasks.bundles import SHIPPED, last_version

# Simulated people need no secret; the same names make the same tables.
os.environ.setdefault("GENOSPARK_KEY", "a key for simulated people, which is no secret")
TARGET = SHIPPED / "variants"


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
        contigs: Contigs of the reference.
        genome: Of each of them.
        libraries: How reads are made.
        people: Depth and library of each.
        stages: Settings of the stages.
    """

    seed: int
    contigs: int = Field(1, ge=1)
    genome: GenomeConfig
    libraries: dict[str, LibraryConfig]
    people: list[tuple[float, str]]
    stages: dict[str, dict[str, Any]]


def simulate(config: ShippedConfig, folder: Path) -> list[str]:
    """Writes reference, genotypes and reads; what is there already stays. Returns the people."""
    names = [f"T{number:02d}" for number in range(1, len(config.people) + 1)]
    contigs = genomes(config)
    if not (folder / "genotypes.vcf.gz.tbi").is_file():
        write_reference(contigs, folder)
        write_vcf(folder / "genotypes.vcf.gz", contigs, slice(0, len(names)), names, 0, stream(config.seed, "missing"))
    waiting = [person for person, name in enumerate(names) if not (folder / f"{name}.bam.bai").is_file()]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        made = (
            pool.map(sequenced, *zip(*((config, contigs, folder, names[person], person) for person in waiting), strict=True))
            if waiting
            else ()
        )
        for name in made:
            log.info("reads of %s", name)
    return names


def sequenced(config: ShippedConfig, contigs: list[Contig], folder: Path, name: str, person: int) -> str:
    """Writes the reads of one person, and returns the name."""
    depth, library = config.people[person]
    sequence(contigs, person, name, depth, config.libraries[library].library(), config.seed, folder)
    return name


def genomes(config: ShippedConfig) -> list[Contig]:
    """The contigs with everyone's genotypes."""
    drawn = (
        draw_genome(f"chr{c}", config.genome, len(config.people), stream(config.seed, "genome", c)) for c in range(1, config.contigs + 1)
    )
    return list(drawn)


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
    names = simulate(config, reads)
    if chosen.only_reads:
        return
    warehouse = (chosen.work / "warehouse").resolve()
    stages: dict[str, dict[str, Any]] = {
        "ingest-vcf": {"inputs": [str(reads / "genotypes.vcf.gz")]},
        "ingest-reads": {"inputs": [str(reads / f"{name}.bam") for name in names], "reference": str(reads / "reference.fa")},
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
