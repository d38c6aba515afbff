"""BGEN files, by hand and by plink2: calls and dosages are those that plink2 gives as a VCF."""

from __future__ import annotations

import random
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from format_helpers import assert_same, of_vcf, rows, run
from pyspark.sql import SparkSession

from genospark.core.blocks import numbers
from genospark.core.calls import NO_DOSAGE, unpack
from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest.bgen import BgenOptions, read_bgen_header
from genospark.ingest.blocks import phases
from genospark.ingest.variants_bgen import IngestBgenConfig, ingest_bgen

HALF_A_DIGIT = 0.51e-4


def _dosages(table: pa.Table, n: int) -> np.ndarray:
    units = numbers(table["blocks"].combine_chunks().flatten().field("dosage"), n, "dosage")
    return np.where(units == NO_DOSAGE, np.nan, units / 16384)


def _of_vcf(path: Path) -> np.ndarray:
    """The field DS, which plink2 writes with four digits."""
    found = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            words = line.split("\t")
            at = words[8].split(":").index("DS")
            found.append([word.split(":")[at] for word in words[9:]])
    return np.array([[float("nan" if word == "." else word) for word in own] for own in found])


def _plink2_set(folder: Path) -> tuple[Path, int]:
    """Dosages on an autosome, and X with men's calls of one allele."""
    drawn, n = random.Random(3), 37
    format_line = '##FORMAT=<ID={},Number=1,Type={},Description="x">\n'
    head = "##fileformat=VCFv4.2\n" + format_line.format("GT", "String") + format_line.format("DS", "Float")
    lines = ["\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *(f"p{i}" for i in range(n))])]
    for number in range(60):
        values = [drawn.choice([0, 1, 2, 0.05, 1.95, 0.9, 1.1, 1.11, 2 * drawn.random()]) for _ in range(n)]
        words = ["./.:." if drawn.random() < 0.05 else f"./.:{value:.4f}" for value in values]
        lines.append("\t".join(["1", str(100 + number), f"v{number}", "A", "G", ".", ".", ".", "GT:DS", *words]))
    for number in range(20):
        words = [drawn.choice("01") if i % 2 else drawn.choice(["0/0", "0/1", "1/1"]) for i in range(n)]
        lines.append("\t".join(["X", str(5_000_100 + number), f"x{number}", "A", "G", ".", ".", ".", "GT", *words]))
    (folder / "a.vcf").write_text(head + "\n".join(lines) + "\n")
    (folder / "a.psam").write_text("#IID\tSEX\n" + "".join(f"p{i}\t{1 if i % 2 else 2}\n" for i in range(n)))
    run("plink2", "--vcf", folder / "a.vcf", "dosage=DS", "--psam", folder / "a.psam", "--make-pgen", "--out", folder / "a")
    return folder / "a", n


@pytest.mark.parametrize(
    ("kind", "bits", "ref"), [("bgen-1.2", 8, "last"), ("bgen-1.3", 16, "last"), ("bgen-1.2", 11, "last"), ("bgen-1.3", 8, "first")]
)
def test_calls_and_dosages_are_those_of_plink2(tmp_path: Path, kind: str, bits: int, ref: str) -> None:
    prefix, n = _plink2_set(tmp_path)
    own = tmp_path / "b"
    run("plink2", "--pfile", prefix, "--export", kind, f"bits={bits}", *(["ref-first"] if ref == "first" else []), "--out", own)
    words = ["--bgen", f"{own}.bgen", f"ref-{ref}", "--sample", f"{own}.sample"]
    run("plink2", *words, "--export", "vcf", "vcf-dosage=DS-force", "id-paste=iid", "--out", own)
    header = read_bgen_header(f"{own}.bgen", BgenOptions(ref))
    ours, theirs = rows(header, 700), of_vcf(Path(f"{own}.vcf"))
    entries = [table["blocks"].combine_chunks().flatten() for table in (ours, theirs)]
    for name in ("calls", "haploid"):
        assert entries[0].field(name).equals(entries[1].field(name))
    assert_same(ours, theirs, but=("blocks",))
    expected = _of_vcf(Path(f"{own}.vcf"))
    assert np.array_equal(np.isnan(expected), np.isnan(_dosages(ours, n)))
    assert np.nanmax(np.abs(expected - _dosages(ours, n))) < HALF_A_DIGIT + 0.5 / 16384


def test_a_real_file_and_its_index(shared_data: Path, tmp_path: Path) -> None:
    for suffix in ("bgen", "bgen.bgi"):
        shutil.copy(shared_data / "regenie-example" / f"example.{suffix}", tmp_path / f"a.{suffix}")
    path = tmp_path / "a.bgen"
    by_index = rows(read_bgen_header(path), 1 << 14)
    assert by_index.num_rows == 1000
    Path(f"{path}.bgi").unlink()
    assert rows(read_bgen_header(path), 1 << 14).equals(by_index)
    run("plink2", "--bgen", path, "ref-first", "--export", "vcf", "vcf-dosage=DS-force", "--out", tmp_path / "a")
    vcf = tmp_path / "a.vcf"
    # Its alleles are called 1 and 2, as no VCF's are.
    lines = [line.split("\t") for line in vcf.read_text().splitlines()]
    vcf.write_text("".join("\t".join(w if w[0][0] == "#" else [*w[:3], "A", "C", *w[5:]]) + "\n" for w in lines))
    assert_same(by_index, of_vcf(vcf), but=("referenceAllele", "alternateAlleles", "blocks"))
    assert np.nanmax(np.abs(_of_vcf(vcf) - _dosages(by_index, 500))) < HALF_A_DIGIT


def _by_hand(people: list[str], *variants: tuple[str, bytes]) -> bytes:
    """A file of layout 2, compressed by zlib, whose variants have the alleles A and C."""
    names = b"".join(struct.pack("<H", len(one)) + one.encode() for one in people)
    block = struct.pack("<II", 8 + len(names), len(people)) + names
    body = b""
    for number, (contig, data) in enumerate(variants):
        texts = b"".join(struct.pack("<H", len(text)) + text.encode() for text in ("", f"rs{number}", contig))
        packed = zlib.compress(data)
        body += texts + struct.pack("<IH", 10 + number, 2) + struct.pack("<I", 1) + b"A" + struct.pack("<I", 1) + b"C"
        body += struct.pack("<II", len(packed) + 4, len(data)) + packed
    head = struct.pack("<4I", 20 + len(block), 20, len(variants), len(people)) + b"bgen" + struct.pack("<I", 1 | 2 << 2 | 1 << 31)
    return head + block + body


def _data(ploidy: list[int], phased: int, values: list[int], alleles: int = 2) -> bytes:
    known = [one & 63 for one in ploidy]
    return struct.pack("<IHBB", len(ploidy), alleles, min(known), max(known)) + bytes([*ploidy, phased, 8, *values])


def test_probabilities_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "a.bgen"
    path.write_bytes(
        _by_hand(
            ["Ann", "Bob", "Cid", "Dan", "Eve"],
            # Two of A; one of each; surely two of C; missing; neither here nor there.
            ("01", _data([2, 2, 2, 2 | 128, 2], 0, [255, 0, 0, 255, 0, 0, 0, 0, 51, 102])),
            # The same people phased: A|A, A|C, C|A, missing, C|C.
            ("01", _data([2, 2, 2, 2 | 128, 2], 1, [255, 255, 255, 0, 0, 255, 0, 0, 0, 0])),
            # Two men among them.
            ("X", _data([1, 2, 1, 2, 2 | 128], 0, [255, 0, 255, 0, 0, 0, 0, 0])),
            ("X", _data([1, 2, 1, 2, 2 | 128], 1, [255, 0, 255, 0, 0, 0, 0, 0])),
        )
    )
    table = rows(read_bgen_header(path, BgenOptions(keep=("dosage", "phase"))), 1)
    assert table["contigName"].to_pylist() == ["1", "1", "X", "X"]
    assert table["start"].to_pylist() == [9, 10, 11, 12]
    entries = table["blocks"].combine_chunks().flatten()
    codes = unpack(np.array([list(row) for row in entries.field("calls").to_pylist()], np.uint8), 5)
    assert codes.tolist() == [[0, 1, 2, 3, 3], [0, 1, 1, 3, 2], [0, 1, 1, 2, 3], [0, 1, 1, 2, 3]]
    nan = np.nan
    expected = [[0, 1, 2, nan, 1.2], [0, 1, 1, nan, 2], [0, 1, 1, 2, nan], [0, 1, 1, 2, nan]]
    np.testing.assert_allclose(_dosages(table, 5), expected, atol=0.51 / 16384)
    assert entries.field("haploid").to_pylist() == [None, None, b"\x05", b"\x05"]
    assert phases(entries.field("phase"), 5).tolist() == [[0] * 5, [1, 1, 3, 0, 1], [0] * 5, [0, 3, 0, 1, 0]]
    turned = rows(read_bgen_header(path, BgenOptions("last", keep=("dosage", "phase"))), 1)
    entries = turned["blocks"].combine_chunks().flatten()
    assert phases(entries.field("phase"), 5).tolist() == [[0] * 5, [1, 3, 1, 0, 1], [0] * 5, [0, 1, 0, 1, 0]]
    np.testing.assert_allclose(_dosages(turned, 5), [[2, 1, 0, nan, 0.8], [2, 1, 1, nan, 0], *[[1, 1, 0, 0, nan]] * 2], atol=0.51 / 16384)


def test_dosages_stand_in_the_table(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.bgen").write_bytes(_by_hand(["Ann", "Bob"], ("1", _data([2, 2], 0, [51, 102, 255, 0]))))
    ingest_bgen(IngestBgenConfig(warehouse=str(tmp_path / "w"), inputs=[str(tmp_path / "a.bgen")]), spark)
    (row,) = Warehouse(spark, str(tmp_path / "w")).read("genotypes").collect()
    assert (bytes(row["dosage"]), row["phase"], bytes(row["calls"])) == (struct.pack("<2H", round(1.2 * 16384), 0), None, b"\xf3")


def test_files_that_do_not_fit_say_why(tmp_path: Path) -> None:
    path = tmp_path / "a.bgen"
    one = ("1", _data([2, 2], 0, [255, 0, 255, 0]))
    whole = _by_hand(["Ann", "Bob"], one, one)

    def says(data: bytes, words: str) -> None:
        path.write_bytes(data)
        with pytest.raises(InputError, match=words):
            rows(read_bgen_header(path), 1 << 20)

    says(b"##fileformat=VCFv4.2\n", "not a BGEN file")
    says(whole[:-1], "ends within variant 2")
    says(whole[:30], "ends within its header")
    says(whole[:8] + struct.pack("<I", 3) + whole[12:], "2 variants in .* says that there are 3")
    says(whole[:20] + struct.pack("<I", 1 | 1 << 2 | 1 << 31) + whole[24:], "of layout 1")
    says(_by_hand(["Ann", "Ann"], one), "more than once: samples 1 and 2")
    says(_by_hand(["Ann", "Bob"], ("1", _data([3, 2], 0, [0] * 5))), "variant 1: genotypes of more than two alleles")
    says(_by_hand(["Ann", "Bob"], ("1", _data([2, 2], 0, [0] * 5))), "variant 1: damaged genotypes")
    says(_by_hand(["Ann", "Bob"], one, ("0", one[1])), "variant 2: the variant has no place")
    flipped = bytearray(whole)
    flipped[-3] ^= 255
    says(bytes(flipped), "variant 2: damaged genotypes")
    says(whole[:20] + struct.pack("<I", 1 | 2 << 2) + whole[24:], "a.sample is not there")
