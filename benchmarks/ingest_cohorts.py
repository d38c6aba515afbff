"""The two cohorts that ingest is timed on: A has many people and nothing but genotypes, B has fewer and all that a caller writes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msprime
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
SEED = 20
CONTIG_SITES = 90_000
"""Sites that are simulated once; each further contig has them again, with people in another order."""
_HEADER = {
    "GT": '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
    "AD": '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads of each allele">',
    "DP": '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Reads">',
    "GQ": '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Genotype quality">',
    "PL": '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Phred-scaled likelihoods">',
}
_POOL = 20_000
_BASES = np.array([b"A\tC", b"A\tG", b"C\tT", b"G\tA", b"T\tC", b"C\tA"])


def alleles(people: int, sites: int) -> tuple[NDArray[np.int64], Bytes]:
    """Positions (0-based, distinct) and alleles (sites, people, 2) of a coalescent with recombination (msprime)."""
    length = 60 * sites * 5
    trees = msprime.sim_ancestry(people, population_size=1e4, recombination_rate=1e-8, sequence_length=length, random_seed=SEED)
    mutated = msprime.sim_mutations(trees, rate=1.25e-8, random_seed=SEED, model=msprime.BinaryMutationModel())
    drawn = (
        mutated.genotype_matrix()
        if mutated.num_sites < 2 * sites
        else mutated.delete_sites(range(sites, mutated.num_sites)).genotype_matrix()
    )
    positions = mutated.sites_position[: len(drawn)].astype(np.int64)
    distinct = np.flatnonzero(np.diff(positions, prepend=-1) > 0)[:sites]
    if len(distinct) < sites:
        raise SystemExit(f"{len(distinct)} sites were simulated, {sites} are needed: make the sequence longer")
    return positions[distinct], drawn[distinct].astype(np.uint8).reshape(sites, people, 2)


@contextmanager
def bgzipped(path: Path) -> Iterator[BinaryIO]:
    """A file that bgzip writes; it has its name once it is whole."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as out, subprocess.Popen(["bgzip", "-@2", "-c"], stdin=subprocess.PIPE, stdout=out) as process:
        assert process.stdin is not None
        yield process.stdin
        process.stdin.close()
    if process.returncode:
        raise SystemExit(f"bgzip ended with {process.returncode}")
    partial.rename(path)
    subprocess.run(["tabix", "-p", "vcf", "-f", str(path)], check=True)


def header(people: int, contigs: dict[str, int], fields: list[str]) -> bytes:
    names = "\t".join(f"P{number:05d}" for number in range(people))
    lines = [
        "##fileformat=VCFv4.3",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *(f"##contig=<ID={name},length={length}>" for name, length in contigs.items()),
        *(_HEADER[name] for name in fields),
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}",
    ]
    return ("\n".join(lines) + "\n").encode()


def write_a(path: Path, people: int, sites: int) -> None:
    """Genotypes only: ``a|b``, one in a thousand missing."""
    rng = np.random.default_rng(SEED)
    positions, drawn = alleles(people, min(sites, CONTIG_SITES))
    contigs = {f"chr{number + 1}": int(positions[-1]) + 2 for number in range(-(-sites // CONTIG_SITES))}
    with bgzipped(path) as out:
        out.write(header(people, contigs, ["GT"]))
        left = sites
        for contig in contigs:
            order = rng.permutation(people)
            for first in range(0, min(left, len(drawn)), 2000):
                block = drawn[first : min(first + 2000, left)][:, order]
                bases = _BASES[rng.integers(0, len(_BASES), len(block))].tolist()
                for text, position, base in zip(genotype_text(block, rng), positions[first:].tolist(), bases, strict=False):
                    out.write(b"%s\t%d\t.\t%s\t.\tPASS\t.\tGT\t%s" % (contig.encode(), position + 1, base, text.tobytes()))
            left -= len(drawn)


def genotype_text(block: Bytes, rng: np.random.Generator) -> Bytes:
    """(sites, 4 * people) text."""
    text = np.full((*block.shape[:2], 4), ord("|"), np.uint8)
    text[..., 0], text[..., 2], text[..., 3] = block[..., 0] + ord("0"), block[..., 1] + ord("0"), ord("\t")
    missing = rng.random(block.shape[:2], np.float32) < 0.001
    text[missing, :3] = np.frombuffer(b"./.", np.uint8)
    text[:, -1, 3] = ord("\n")
    return text.reshape(len(text), -1)


def write_b(path: Path, people: int, sites: int) -> None:
    """What a caller writes: GT:AD:DP:GQ:PL at about 30x."""
    rng = np.random.default_rng(SEED)
    positions, drawn = alleles(people, sites)
    pools = [_pool(copies, rng) for copies in range(3)]
    cells = [cell for pool in pools for cell in pool]
    with bgzipped(path) as out:
        out.write(header(people, {"chr1": int(positions[-1]) + 2}, list(_HEADER)))
        for position, site in zip(positions.tolist(), drawn, strict=True):
            which = site.sum(axis=1, dtype=np.int64) * _POOL + rng.integers(0, _POOL, people)
            base = _BASES[rng.integers(0, len(_BASES))]
            row = b"\t".join(map(cells.__getitem__, which.tolist()))
            out.write(b"chr1\t%d\t.\t%s\t%d\tPASS\t.\tGT:AD:DP:GQ:PL\t%s\n" % (position + 1, base, rng.integers(50, 2000), row))


def _pool(copies: int, rng: np.random.Generator) -> list[bytes]:
    """Cells of people with so many copies of the alternate allele."""
    depth = rng.poisson(30, _POOL)
    alternate = rng.binomial(depth, (0.002, 0.5, 0.998)[copies])
    shares = np.array([0.002, 0.5, 0.998])
    phred = -10 * (alternate[:, None] * np.log10(shares) + (depth - alternate)[:, None] * np.log10(1 - shares))
    phred = np.round(phred - phred.min(axis=1, keepdims=True)).astype(int)
    quality = np.minimum(np.sort(phred, axis=1)[:, 1], 99)
    called = phred.argmin(axis=1)
    texts = [b"0/0", b"0/1", b"1/1"]
    rows = zip(called, depth - alternate, alternate, depth, quality, phred, strict=True)
    return [b"%s:%d,%d:%d:%d:%d,%d,%d" % (texts[call], ref, alt, dp, gq, *pl) for call, ref, alt, dp, gq, pl in rows]
