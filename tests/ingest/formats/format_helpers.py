"""Files of other formats made by independent programs, and rows of their engines beside those of a VCF of the same data."""

from __future__ import annotations

import shutil
import subprocess
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pytest

from genospark.ingest import genotype_files
from genospark.ingest.vcf import PARSED_SCHEMA, Findings, read_header

HEAD = '##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n'
SEXES = {"m1": 1, "f1": 2, "u1": 0, "m2": 1, "f2": 2}


def program(name: str) -> str:
    """Path of a program that others wrote; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*words: str | Path) -> str:
    ran = subprocess.run([program(str(words[0])), *map(str, words[1:])], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def rows(header: genotype_files.Header, target_bytes: int, quarantine: bool = False) -> pa.Table:
    """All rows of a file, as its engine reads them piece by piece."""
    pieces = genotype_files.plan(header, target_bytes)
    found = chain.from_iterable(genotype_files.parse(piece, Findings(), quarantine) for piece in pieces)
    return pa.Table.from_batches(found, PARSED_SCHEMA)


def of_vcf(path: Path) -> pa.Table:
    return rows(read_header(path), 1 << 30)


def assert_same(ours: pa.Table, theirs: pa.Table, but: tuple[str, ...] = ()) -> None:
    """All columns but `line`, which counts within pieces, and some others."""
    for name in ours.column_names:
        if name not in ("line", *but):
            assert ours[name].combine_chunks().equals(theirs[name].combine_chunks()), name


def small_vcf(folder: Path) -> Path:
    """Every call on an autosome, X, Y and MT, of men, women and somebody of unknown sex."""
    people = list(SEXES)
    lines = [HEAD + "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people])]
    for contig in ("1", "X", "Y", "MT"):
        for number, call in enumerate(("0/0", "0/1", "1/1", "./.", "1/1", "0/0")):
            calls = [call if number < 4 else ("0/0", "0/1", "./.", "1/1", "0/1")[(place + number) % 5] for place in range(len(people))]
            lines.append(
                "\t".join([contig, str(5_000_000 + number), f"v{number}", "A", "CT"[: 1 + number % 2], ".", ".", ".", "GT", *calls])
            )
    path = folder / "small.vcf"
    path.write_text("\n".join(lines) + "\n")
    (folder / "small.psam").write_text("#IID\tSEX\n" + "".join(f"{one}\t{sex or 'NA'}\n" for one, sex in SEXES.items()))
    return path


def small_plink(folder: Path, *words: str) -> Path:
    """The same by plink2; the path without an ending."""
    vcf = small_vcf(folder)
    run("plink2", "--vcf", vcf, "--psam", folder / "small.psam", *(words or ("--make-bed",)), "--out", folder / "small")
    return folder / "small"


def vcf_by_plink(prefix: Path, kind: str = "--bfile", *words: str) -> Path:
    """What plink2 writes of its own files as a VCF."""
    out = prefix.parent / f"{prefix.name}-as-vcf"
    run("plink2", kind, prefix, "--export", "vcf", "id-paste=iid", *words, "--out", out)
    return Path(f"{out}.vcf")
