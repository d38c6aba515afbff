"""Every refusal names file, place, reason and the beginning of the line."""

import gzip
import itertools
from pathlib import Path

import pytest
from vcf_helpers import META, SITE, bgzf, read, vcf, write

from genospark.errors import InputError

GOOD = "1\t5\t.\tA\tC,G\t.\t.\t.\tGT\t0/1\t1/1"


def good(**changes: str) -> str:
    names = ("chrom", "pos", "id", "ref", "alt", "qual", "filter", "info", "format", "s0", "s1")
    return "\t".join(changes.get(name, value) for name, value in zip(names, GOOD.split("\t"), strict=True))


BAD_LINES = {
    "POS text": (good(pos="x"), "POS is not a positive integer"),
    "POS negative": (good(pos="-5"), "POS is not a positive integer"),
    "POS dot": (good(pos="."), "POS is not a positive integer"),
    "POS huge": (good(pos="9" * 30), "POS is not a positive integer"),
    "REF empty": (good(ref=""), "REF is empty"),
    "REF other letters": (good(ref="AR"), "REF is not made of"),
    "REF dot": (good(ref="."), "REF is not made of"),
    "ALT empty": (good(alt=""), "ALT is empty"),
    "ALT empty part": (good(alt="C,,G"), "ALT has an empty allele"),
    "ALT dot part": (good(alt="C,."), "ALT has a dot"),
    "CHROM empty": (good(chrom=""), "CHROM is empty"),
    "QUAL": (good(qual="high"), "QUAL is not a number"),
    "END": (good(info="DP=3;END=x"), "END is not"),
    "few columns": ("1\t5\t.\tA\tC", "expected 11, found 5"),
    "one column less": (GOOD.rsplit("\t", 1)[0], "expected 11, found 10"),
    "one column more": (GOOD + "\t0/0", "expected 11, found 12"),
    "spaces": (GOOD.replace("\t", " "), "expected 11, found 1"),
    "empty": ("", "expected 11, found 1"),
    "allele above ALT": (good(s1="0/3"), "sample 2 (column 11) has allele 3 but ALT has 2"),
    "allele far above ALT": (good(s0="0/12345678901234567890"), "sample 1 (column 10) has an allele above"),
    "allele of no ALT": (good(alt="."), "sample 1 (column 10) has allele 1 but ALT has 0"),
    "GT letters": (good(s0="A/C"), "'A/C', sample 1 (column 10), cannot be read"),
    "GT empty": (good(s1=""), "'', sample 2 (column 11), cannot be read"),
    "GT half": (good(s1="0/"), "cannot be read"),
    "GT separator": (good(s1="0\\1"), "cannot be read"),
    "GT two separators": (good(s1="0//1"), "cannot be read"),
    "GT dot and digit": (good(s1=".1"), "cannot be read"),
    "triploid with a character": (good(s1="0/1/x"), "cannot be read"),
    "triploid above ALT": (good(s1="0/0/3"), "sample 2 (column 11) has allele 3 but ALT has 2"),
    "GT later": (good(format="DP:GT", s0="3:0/1", s1="3:0/1"), "GT is not the first field of FORMAT"),
}


@pytest.mark.parametrize("bad, reason", BAD_LINES.values(), ids=BAD_LINES.keys())
@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz"])
def test_bad_line(tmp_path: Path, name: str, bad: str, reason: str) -> None:
    path = write(tmp_path / name, vcf([GOOD, GOOD, bad, GOOD], 2))
    with pytest.raises(InputError) as error:
        read(path)
    number = META.count("\n") + 4
    site = bad[: bad.find("GT") + 2] if "GT" in bad else bad
    for part in (str(path), f"line {number}", reason, f"the line: {site[:200]}"):
        assert part in error.value.problem
    # Of people nothing is shown but the text that cannot be read.
    assert error.value.problem.endswith(f"the line: {site[:200]}")
    assert error.value.next_step


@pytest.mark.parametrize("bad", ["0|3", "0x1", "0|.", "0\t1", "000"])
def test_bad_genotype_among_many(tmp_path: Path, bad: str) -> None:
    start = "1\t5\t.\tA\tC\t.\t.\t.\tGT"
    line = start + "\t0|0" * 49 + f"\t{bad}" + "\t0|0" * 50
    path = write(tmp_path / "a.vcf", vcf([start + "\t0|1" * 100, line], 100))
    if bad in ("0|.", "000"):
        assert read(path).num_rows == 2
        return
    with pytest.raises(InputError, match="found 110" if "\t" in bad else r"sample 50 \(column 59\)"):
        read(path)


def test_columns_shifted_between_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", vcf([GOOD + "\t0/0", GOOD.rsplit("\t", 1)[0]], 2))
    with pytest.raises(InputError, match="expected 11, found 12"):
        read(path)


def test_place_in_a_later_split(tmp_path: Path) -> None:
    text = vcf([GOOD] * 50 + [good(pos="zz")], 2)
    plain = write(tmp_path / "a.vcf", text)
    with pytest.raises(InputError, match=f"line at byte {text.index(good(pos='zz'))} "):
        read(plain, 300)
    # Virtual offset: where the block begins in the file, and where the line begins in the block.
    start = text.index(good(pos="zz"))
    block = len(bgzf(text[: start // 100 * 100].encode(), itertools.repeat(100), end=b""))
    with pytest.raises(InputError, match=rf"virtual offset {block}:{start % 100} \(1:zz\)"):
        read(write(tmp_path / "a.vcf.gz", text, itertools.repeat(100)), 300)


def test_empty_lines_at_the_end_are_left_out(tmp_path: Path) -> None:
    text = vcf([GOOD, GOOD, "\r", "", ""], 2)
    for target in (7, 50, 1 << 20):
        assert read(write(tmp_path / "a.vcf", text), target).num_rows == 4


def test_line_number_after_many_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genospark.ingest.vcf.chunks.CHUNK_BYTES", 100)
    path = write(tmp_path / "a.vcf.gz", vcf([GOOD] * 50 + [good(pos="zz")], 2), itertools.repeat(70))
    with pytest.raises(InputError, match=f"line {META.count(chr(10)) + 1 + 51} "):
        read(path)


HEADERS = {
    "empty": ("", "the file is empty"),
    "no fileformat": (vcf([GOOD], 2).split("\n", 1)[1], "line 1: not a VCF"),
    "VCF 3": (vcf([GOOD], 2).replace("VCFv4.2", "VCFv3.3"), "line 1: not a VCF"),
    "no #CHROM": (META + GOOD + "\n", "#CHROM line is missing"),
    "only meta": (META, "without a #CHROM line"),
    "wrong name": (META + SITE.replace("REF", "Ref") + "\n", "wrong column names"),
    "few names": (META + "#CHROM\tPOS\n", "wrong column names"),
    "spaces": (META + SITE.replace("\t", " ") + "\n", "wrong column names"),
    "duplicate": (META + SITE + "\tFORMAT\ta\tb\ta\n", "sample ids that occur more than once: columns 10 and 12"),
    "empty id": (META + SITE + "\tFORMAT\ta\t\tb\n", "an empty sample id"),
    "other text": ("hello\nworld\n", "line 1: not a VCF"),
}


@pytest.mark.parametrize("text, reason", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz"])
def test_bad_header(tmp_path: Path, name: str, text: str, reason: str) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(InputError) as error:
        read(path)
    assert str(path) in error.value.problem
    assert reason in error.value.problem


def test_other_files(tmp_path: Path) -> None:
    for data in (b"BCF\2\2" + bytes(range(256)), b"PK\3\4" + bytes(100), b"\x89PNG\r\n" + bytes(range(128, 256))):
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(InputError, match="not"):
            read(tmp_path / "a")
    with pytest.raises(InputError, match="cannot be opened"):
        read(tmp_path / "absent.vcf")


def test_truncated_and_damaged_bgzf(tmp_path: Path) -> None:
    whole = bgzf(vcf([GOOD] * 500, 2).encode(), itertools.repeat(1000))
    path = tmp_path / "a.vcf.gz"
    for cut in (28, 29, 60):
        path.write_bytes(whole[:-cut])
        with pytest.raises(InputError, match="truncated"):
            read(path)
    # A block lost from the middle of a file that ends well.
    path.write_bytes(whole[:-100] + whole[-28:])
    with pytest.raises(InputError, match=r"damaged|truncated"):
        read(path)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"damaged|truncated"):
        read(path)


def test_truncated_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(gzip.compress(vcf([GOOD] * 5000, 2).encode())[:-200])
    with pytest.raises(InputError, match=r"truncated|damaged"):
        read(path)
    with pytest.raises(InputError, match="positive"):
        read(write(tmp_path / "b.vcf", vcf([], 1)), 0)
