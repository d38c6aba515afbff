"""Writing genotypes as a sorted, indexed, block-gzipped VCF, and the reference as FASTA."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysam

from genospark.simulate.alleles import Contig
from genospark.simulate.arrays import Bools, Bytes

CHUNK_BYTES = 32 * 2**20
FASTA_LINE = 60


def _header(contigs: list[Contig], sample_ids: list[str]) -> bytes:
    lines = [
        "##fileformat=VCFv4.3",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        "##source=genospark simulate",
        "##reference=reference.fa",
        *(f"##contig=<ID={contig.name},length={len(contig.reference)}>" for contig in contigs),
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *sample_ids]),
    ]
    return ("\n".join(lines) + "\n").encode()


def _draw_missing(alleles: Bytes, share: float, rng: np.random.Generator) -> Bools:
    """Missing calls [records, people]; none in a record that would lose sight of an allele by them."""
    missing = rng.random(alleles.shape[:2], dtype=np.float32) < share
    for allele in range(3):
        carried = alleles == allele
        lost = carried.any(axis=(1, 2)) & ~(carried & ~missing[:, :, None]).any(axis=(1, 2))
        missing[lost] = False
    return missing


def _genotype_text(alleles: Bytes, missing: Bools) -> Bytes:
    """ASCII ``a|b`` or ``./.`` of each person with a tab after it, a newline after the last, [records, 4 * people]."""
    text = np.empty((*missing.shape, 4), dtype=np.uint8)
    text[:, :, 0] = np.where(missing, ord("."), alleles[:, :, 0] + ord("0"))
    text[:, :, 1] = np.where(missing, ord("/"), ord("|"))
    text[:, :, 2] = np.where(missing, ord("."), alleles[:, :, 1] + ord("0"))
    text[:, :, 3] = ord("\t")
    text[:, -1, 3] = ord("\n")
    return text.reshape(len(text), -1)


def write_vcf(
    path: Path,
    contigs: list[Contig],
    people: slice,
    sample_ids: list[str],
    missing_share: float,
    rng: np.random.Generator,
) -> None:
    """Write ``path`` (.vcf.gz) and its .tbi index.

    Args:
        path: File to write.
        contigs: Contigs with everyone's genotypes.
        people: People to write.
        sample_ids: Their identifiers.
        missing_share: Share of calls to write as missing.
        rng: Random generator.
    """
    rows = max(1, CHUNK_BYTES // (4 * len(sample_ids)))
    with pysam.BGZFile(str(path), "wb") as out:
        out.write(_header(contigs, sample_ids))
        for contig in contigs:
            for first in range(0, len(contig.refs), rows):
                alleles = contig.haplotypes[first : first + rows, people]
                text = _genotype_text(alleles, _draw_missing(alleles, missing_share, rng))
                for i, genotypes in enumerate(text, start=first):
                    locus = f"{contig.name}\t{contig.positions[i] + 1}\t.\t{contig.refs[i]}\t{contig.alts[i]}\t.\tPASS\t.\tGT\t"
                    out.write(locus.encode() + genotypes.tobytes())
    pysam.tabix_index(str(path), preset="vcf", force=True)


def write_fasta(path: Path, contigs: list[Contig]) -> None:
    """Write ``path`` (.fa) with lines of 60 bases, and its .fai index."""
    with path.open("wb") as out:
        for contig in contigs:
            bases = contig.reference.tobytes()
            out.write(b">" + contig.name.encode() + b"\n")
            out.writelines(bases[i : i + FASTA_LINE] + b"\n" for i in range(0, len(bases), FASTA_LINE))
    pysam.faidx(str(path))
