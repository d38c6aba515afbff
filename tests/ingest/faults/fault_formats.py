"""The faults of genotypes in other formats than VCF."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pysam.bcftools
from fault_case import Fault
from fault_files import LINE, cut, good, vcf, write

BED = b"\x6c\x1b\x01\xfe\xfb"
BIM = "22\tv1\t0\t5\tC\tA\n22\tv2\t0\t9\tC\tA\n"
FAM = "0 Ann 0 0 2 -9\n0 Bob 0 0 1 -9\n"


def _plink(bed: bytes = BED, bim: str | None = BIM, fam: str | None = FAM) -> Callable[[Path], list[object]]:
    def words(folder: Path) -> list[object]:
        for suffix, text in (("bim", bim), ("fam", fam)):
            if text is not None:
                write(folder, f"a.{suffix}", text)
        return ["ingest-plink", "--input", write(folder, "a.bed", bed)]

    return words


def _genotypes(ploidy: Sequence[int], *shares: int) -> bytes:
    return struct.pack("<IHBB", len(ploidy), 2, min(ploidy), max(ploidy)) + bytes([*ploidy, 0, 8, *shares])


def _bgen(
    *genotypes: bytes, contig: str = "22", people: Sequence[str] = ("Ann", "Bob"), layout: int = 2, alleles: Sequence[str] = ("A", "C")
) -> bytes:
    """Variants one after another, with all sizes right; the last one has the alleles."""
    names = b"".join(struct.pack("<H", len(one)) + one.encode() for one in people)
    block = struct.pack("<II", 8 + len(names), len(people)) + names
    body = b""
    for number, data in enumerate(genotypes):
        body += b"".join(struct.pack("<H", len(text)) + text.encode() for text in ("", f"v{number}", contig))
        own = alleles if number == len(genotypes) - 1 else ("A", "C")
        body += struct.pack("<IH", 5 + number, len(own)) + b"".join(struct.pack("<I", len(allele)) + allele.encode() for allele in own)
        packed = zlib.compress(data)
        body += struct.pack("<II", len(packed) + 4, len(data)) + packed
    head = struct.pack("<4I", 20 + len(block), 20, len(genotypes), len(people)) + b"bgen" + struct.pack("<I", 1 | layout << 2 | 1 << 31)
    return head + block + body


def _bgen_file(data: bytes) -> Callable[[Path], list[object]]:
    return lambda folder: ["ingest-bgen", "--input", write(folder, "a.bgen", data)]


def _bcf(*lines: str, left_bytes: int = 0) -> Callable[[Path], list[object]]:
    def words(folder: Path) -> list[object]:
        path = folder / "a.bcf"
        text = vcf(*lines).replace("#CHROM", '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n#CHROM')
        pysam.bcftools.view("-Ob", "-o", str(path), str(write(folder, "a.vcf", text)), catch_stdout=False)
        return ["ingest-vcf", "--input", cut(path, left_bytes) if left_bytes else path]

    return words


GOOD = _genotypes([2, 2], 255, 0, 0, 255)
_ALLELE = "a genotype has an allele that ALT has not"
_PLACE = "the variant has no place (chromosome or position 0)"
_THREE = "not of two alleles, which cannot be packed yet"
_MANY = "genotypes of more than two alleles (ploidy above 2), which cannot be packed yet"

FORMATS = [
    Fault("BCF", "a file cut short", _bcf(*good(5), left_bytes=20), "the file is truncated"),
    Fault("BCF", "unknown allele number", _bcf(*good(5), LINE.format(7).replace("1|1", "1|2")), f"(22:7): {_ALLELE}", quarantine=_ALLELE),
    Fault("PLINK (.bed)", "another kind of file", _plink(b"22\t5\t9\n"), "not a PLINK 1 binary file"),
    Fault("PLINK (.bed)", "the people of a file one after another", _plink(b"\x6c\x1b\x00\xfe\xfb"), "sample-major"),
    Fault("PLINK (.bed)", "a file cut short", _plink(BED[:-1]), "a.bed: 4 bytes, but 2 variants of"),
    Fault("PLINK (.bed)", "a companion that is not there", _plink(bim=None), "a.bim: no such file"),
    Fault("PLINK (.bed)", "a companion of another file", _plink(bim=BIM + BIM), "5 bytes, but 4 variants of"),
    Fault("PLINK (.bed)", "a sample twice", _plink(fam=FAM.replace("Bob", "Ann")), "sample ids that occur more than once: lines 1 and 2"),
    Fault("PLINK (.bed)", "too few columns of people", _plink(fam="0 Ann 0 0 2\n0 Bob\n"), "a.fam, line 2: 2 columns, at least 5"),
    Fault(
        "PLINK (.bed)",
        "too few columns of a variant",
        _plink(bim=BIM.replace("\t9", "")),
        "a.bim, line 2: not the six columns of a .bim file",
        quarantine="not the six columns of a .bim file",
    ),
    Fault(
        "PLINK (.bed)",
        "a position that is no number",
        _plink(bim=BIM.replace("9", "nine")),
        "a.bim, line 2: the position is no positive integer",
        quarantine="the position is no positive integer",
    ),
    Fault("PLINK (.bed)", "a variant without a place", _plink(bim=BIM.replace("22\tv2", "0\tv2")), _PLACE, quarantine=_PLACE),
    Fault(
        "PLINK (.bed)",
        "a reference allele that is not known",
        _plink(bim=BIM[:-2] + "0\n"),
        "a.bim, line 2: the reference allele is not known",
        quarantine="the reference allele is not known",
    ),
    Fault(
        "PLINK (.bed)",
        "people with an allele that is not known",
        _plink(bim=BIM.replace("9\tC", "9\t0")),
        "carry an allele that is not known",
    ),
    Fault(
        "PLINK (.bed)",
        "a variant twice",
        _plink(bim=BIM.replace("\t9\t", "\t5\t")),
        "22:5 A>C: the variant stands 2 times in the input",
        quarantine="a variant that stands on an earlier line too",
    ),
    Fault("BGEN", "another kind of file", _bgen_file(b"##fileformat=VCFv4.2\n"), "not a BGEN file"),
    Fault("BGEN", "version 1.1", _bgen_file(_bgen(GOOD, layout=1)), "of layout 1 and compression 1"),
    Fault("BGEN", "a file cut short", _bgen_file(_bgen(GOOD, GOOD)[:-1]), "the file ends within variant 2"),
    Fault(
        "BGEN", "a sample twice", _bgen_file(_bgen(GOOD, people=("Ann", "Ann"))), "sample ids that occur more than once: samples 1 and 2"
    ),
    Fault("BGEN", "genotypes of another length", _bgen_file(_bgen(GOOD, GOOD[:-1])), "variant 2: damaged genotypes"),
    Fault(
        "BGEN", "more than two alleles in a genotype", _bgen_file(_bgen(GOOD, _genotypes([3, 2], 0, 0, 0, 0, 0))), _MANY, quarantine=_MANY
    ),
    Fault("BGEN", "a variant of three alleles", _bgen_file(_bgen(GOOD, GOOD, alleles="ACG")), f"variant 2: {_THREE}", quarantine=_THREE),
]
