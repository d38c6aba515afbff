"""plink2 as the independent truth, and calls of its files."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genospark.core.calls import Bytes, pack

# Of a byte of a .bed file: copies of the first allele of the .bim file are 2, missing, 1, 0.
_BED_CODES = np.array([2, 3, 1, 0], np.uint8)


def plink2(out: Path, *words: str | Path) -> Path:
    """Runs plink2 and returns the prefix of what it wrote; the test is skipped where there is none."""
    return _run("plink2", out, *words)


def plink1(out: Path, *words: str | Path) -> Path:
    """The same of plink 1.9."""
    return _run("plink1.9", out, *words)


def _run(program: str, out: Path, *words: str | Path) -> Path:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (Debian package {program})")
    command = [program, *map(str, words), "--out", str(out), "--threads", "1"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout[-1500:] + ran.stderr[-1500:]
    return out


def table(path: Path) -> pd.DataFrame:
    """A table of plink's."""
    return pd.read_csv(path, sep=r"\s+", dtype={"#CHROM": str, "CHROM": str}, na_values="nan").rename(columns=lambda name: name.lstrip("#"))


@dataclass(frozen=True)
class Calls:
    """Packed calls of a PLINK 1 file set: copies of the .bim file's first allele, as plink2 calls the alternate one."""

    prefix: Path
    people: pd.DataFrame
    variants: pd.DataFrame
    packed: Bytes

    @classmethod
    def read(cls, prefix: Path) -> Calls:
        people = pd.read_csv(
            f"{prefix}.fam", sep=r"\s+", header=None, dtype=str, names=["family", "id", "father", "mother", "sex", "label"]
        )
        names = ["contig", "id", "cm", "position", "alternate", "reference"]
        variants = pd.read_csv(
            f"{prefix}.bim", sep=r"\s+", header=None, names=names, dtype={"contig": str, "alternate": str, "reference": str}
        )
        raw = np.fromfile(f"{prefix}.bed", np.uint8)[3:].reshape(len(variants), -1)
        codes = _BED_CODES[raw[:, :, None] >> np.arange(0, 8, 2) & 3].reshape(len(variants), -1)[:, : len(people)]
        return cls(prefix, people, variants, pack(codes))


def of_public_data(name: str, shared_data: Path, folder: Path) -> Calls:
    """Autosomal biallelic variants of the public data of that name, under ids of their own."""
    source: list[str | Path] = ["--bfile", shared_data / "hapmap3-plink" / "data"]
    if name == "1000 Genomes":
        source = ["--vcf", shared_data / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"]
    ids = ["--set-all-var-ids", "@:#:$r:$a", "--new-id-max-allele-len", "600", "--rm-dup", "force-first"]
    made = plink2(folder / "data", *source, "--autosome", "--max-alleles", "2", *ids, "--make-bed")
    return Calls.read(made)
