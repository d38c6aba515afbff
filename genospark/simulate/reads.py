"""Who is sequenced and where, and writing their reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from genospark.errors import ConfigError
from genospark.simulate.alleles import Contig
from genospark.simulate.ancestry import MARGIN_BP
from genospark.simulate.arrays import Ints, stream
from genospark.simulate.bam import Alignments, write_bam
from genospark.simulate.config import SimulateConfig
from genospark.simulate.files import SimulatedFiles, write_table
from genospark.simulate.haplotypes import Region, haplotype
from genospark.simulate.people import People
from genospark.simulate.sequencer import MAX_INSERT_BP, draw_reads

WINDOW_BP = 1000


def covered_regions(config: SimulateConfig, contigs: list[Contig]) -> list[Region]:
    """The part of each contig that is sequenced: whole windows of 1,000 positions after the margin without variants."""
    start = MARGIN_BP
    room = [(len(contig.reference) - MARGIN_BP - start) // WINDOW_BP * WINDOW_BP for contig in contigs]
    return [Region(c, start, start + min(config.reads.bases_per_contig, bases)) for c, bases in enumerate(room)]


def unrelated_founders(people: People) -> Ints:
    """Indices of the first founder of each family of the cohort."""
    founders = np.flatnonzero(people.founders[people.cohort])
    _, first = np.unique(people.family[founders], return_index=True)
    unrelated: Ints = founders[first]
    return unrelated


def spread(people: Ints, n: int) -> Ints:
    """``n`` of the people, evenly spread.

    Raises:
        ConfigError: There are fewer.
    """
    if n > len(people):
        raise ConfigError(f"reads of {n} unrelated people asked for, but the cohort has {len(people)}", "lower `people` of `reads`")
    return people[np.linspace(0, len(people) - 1, n).round().astype(np.int64)]


def reads_of(config: SimulateConfig, contigs: list[Contig], person: int, sample_id: str) -> Iterator[tuple[int, Alignments]]:
    """Index of a contig and the person's reads on it, sorted by start, contig by contig."""
    for region in covered_regions(config, contigs):
        # Fragments that begin outside keep the depth up to the region's edges.
        wide = region.widened(MAX_INSERT_BP, contigs)
        pair = (haplotype(contigs, wide, person, 0), haplotype(contigs, wide, person, 1))
        rng = stream(config.seed, "reads", sample_id, region.contig)
        yield region.contig, draw_reads(pair, depth_of(config, sample_id), config.reads.systematic_errors, rng)


def depth_of(config: SimulateConfig, sample_id: str) -> float:
    """Mean depth of a person's reads."""
    if config.reads.depths is None:
        return config.reads.depth
    low, high = np.log(config.reads.depths)
    return float(np.exp(stream(config.seed, "depth", sample_id).uniform(low, high)))


def write_reads(
    config: SimulateConfig, contigs: list[Contig], people: People, files: SimulatedFiles, progress: Callable[[str], None]
) -> None:
    """Write a BAM of each person with reads, unrelated founders of the cohort, the regions as BED, and in the truth who has reads.

    Reads of an earlier simulation are removed first.

    Raises:
        ConfigError: The cohort has too few unrelated people.
    """
    table = files.truth / "reads.tsv"
    for stale in [*files.reads.glob("*.bam"), *files.reads.glob("*.bam.bai"), files.reads / "regions.bed", table]:
        stale.unlink(missing_ok=True)
    chosen = spread(unrelated_founders(people), config.reads.people)
    if not len(chosen):
        return
    files.reads.mkdir(parents=True, exist_ok=True)
    regions = [(contigs[region.contig].name, region.start, region.stop) for region in covered_regions(config, contigs)]
    (files.reads / "regions.bed").write_text("".join(f"{name}\t{start}\t{stop}\n" for name, start, stop in regions))
    rows = []
    for number, person in enumerate(chosen.tolist(), 1):
        sample_id = people.sample_ids[person]
        progress(f"reads of person {number} of {len(chosen)}")
        path = files.reads / f"{sample_id}.bam"
        write_bam(path, contigs, sample_id, reads_of(config, contigs, person, sample_id))
        rows.append((sample_id, path.relative_to(files.reference.parent)))
    write_table(table, pd.DataFrame(rows, columns=["sampleId", "bam"]))
