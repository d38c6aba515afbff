"""Genes: where they lie, what they are called, and their annotation as GTF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from genospark.simulate.ancestry import MARGIN_BP
from genospark.simulate.config import SimulateConfig
from genospark.simulate.genotypes import CommonVariants

PLACEMENT_BP = 50_000  # a gene starts at most so far from a common variant
LENGTH_BP = (500, 20_000)
MAX_EXONS = 6
BIOTYPES = {"protein_coding": 0.8, "lncRNA": 0.2}


@dataclass(frozen=True)
class Gene:
    """A gene with one transcript.

    Attributes:
        id: Identifier.
        name: Symbol.
        biotype: A key of ``BIOTYPES``.
        contig: Index of the contig.
        start: First base, 0-based.
        end: End, exclusive.
        strand: ``+`` or ``-``.
        exons: Start (0-based) and end (exclusive) of each exon, ascending; the first begins and the last ends with the gene.
    """

    id: str
    name: str
    biotype: str
    contig: int
    start: int
    end: int
    strand: str
    exons: list[tuple[int, int]]


def draw_genes(config: SimulateConfig, common: CommonVariants, rng: np.random.Generator) -> list[Gene]:
    """Genes by contig and start, split evenly over the contigs, each near a common variant, so that every gene has cis candidates."""
    genes: list[Gene] = []
    for c, share in enumerate(np.array_split(np.arange(config.genes), config.contigs)):
        length = len(common.contigs[c].reference)
        near = rng.choice(common.position[common.contig == c], size=len(share))
        start = np.clip(near + rng.integers(-PLACEMENT_BP, PLACEMENT_BP, size=len(share)), MARGIN_BP, length - MARGIN_BP)
        for first in np.sort(start).tolist():
            end = min(first + int(rng.integers(*LENGTH_BP)), length)
            number = len(genes) + 1
            biotype, strand = str(rng.choice(list(BIOTYPES), p=list(BIOTYPES.values()))), str(rng.choice(["+", "-"]))
            genes.append(Gene(f"GENE{number:05d}", f"SIM{number}", biotype, c, first, end, strand, _exons(first, end, rng)))
    return genes


def _exons(start: int, end: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Between cuts, exons and introns take turns."""
    n = int(rng.integers(1, MAX_EXONS + 1))
    cuts = np.sort(rng.choice(np.arange(start + 1, end), size=2 * (n - 1), replace=False)).tolist()
    edges = [start, *cuts, end]
    return list(zip(edges[::2], edges[1::2], strict=True))


def write_gtf(path: Path, genes: list[Gene], contig_names: list[str]) -> None:
    """Write ``path`` (.gtf.gz, block gzip): GTF 2.2 with gene, transcript and exon lines, by contig and start; 1-based, inclusive."""
    lines: list[tuple[int, int, int, str]] = []
    for gene in genes:
        transcript = f'transcript_id "{gene.id}.t1"; '
        about = f'gene_name "{gene.name}"; gene_biotype "{gene.biotype}";'
        exons = gene.exons if gene.strand == "+" else gene.exons[::-1]  # numbered from the 5' end
        parts = [("gene", gene.start, gene.end, about), ("transcript", gene.start, gene.end, transcript + about)]
        parts += [("exon", *exon, f'{transcript}exon_number "{k}"; {about}') for k, exon in enumerate(exons, start=1)]
        for feature, start, end, text in parts:
            place = f"{contig_names[gene.contig]}\tgenospark\t{feature}\t{start + 1}\t{end}\t.\t{gene.strand}\t."
            lines.append((gene.contig, start, -end, f'{place}\tgene_id "{gene.id}"; {text}\n'))
    # Sorting is stable: a gene stays before its transcript, and a transcript before its first exon.
    lines.sort(key=lambda line: line[:3])
    with pysam.BGZFile(str(path), "wb") as out:
        out.write("".join(line[3] for line in lines).encode())
