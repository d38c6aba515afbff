"""GQ, DP and AD beside the calls, against `bcftools norm -m-` and `query`; genotypes of more than two alleles."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pysam.bcftools as bcftools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vcf_helpers import dosages, gt_code, vcf, write

from genospark.core.calls import NUMBERS
from genospark.errors import InputError
from genospark.ingest import genotype_files
from genospark.ingest.bcf import read_bcf_header
from genospark.ingest.vcf import PARSED_SCHEMA, Findings, read_header
from genospark.ingest.vcf.genotypes import POLYPLOID
from genospark.ingest.vcf.measured import check_keep

KEEP = ("GQ", "DP", "AD")
META = '##FORMAT=<ID=GQ,Number=1,Type={},Description="quality">\n'
HIGH = {"GQ": 254, "DP": 65534, "AD": 65534}


def _read(path: Path, target_bytes: int = 1 << 30) -> tuple[pa.Table, dict[str, int]]:
    header = read_bcf_header(path) if path.suffix == ".bcf" else read_header(path)
    found = Findings()
    pieces = genotype_files.plan(replace(header, keep=KEEP), target_bytes)
    batches = list(chain.from_iterable(genotype_files.parse(piece, found, False) for piece in pieces))
    return pa.Table.from_batches(batches, PARSED_SCHEMA), dict(found.warnings)


def _values(table: pa.Table, n: int, name: str) -> list[list[int | None]]:
    """Each row's numbers, those of AD in pairs."""
    column, each = {"GQ": ("conditionalQuality", 1), "DP": ("depth", 1), "AD": ("alleleDepths", 2)}[name]
    dtype = "u1" if name == "GQ" else "<u2"
    missing = np.iinfo(dtype).max
    rows = []
    for blocks in table["blocks"].to_pylist():
        parts = [block[column] for block in blocks]
        sizes = [min(16384, n - 16384 * i) for i in range(len(parts))]
        numbers = [
            np.full(each * size, missing, dtype) if part is None else np.frombuffer(part, dtype)
            for part, size in zip(parts, sizes, strict=True)
        ]
        flat = np.concatenate(numbers)
        assert len(flat) == each * n
        rows.append([None if value == missing else int(value) for value in flat.tolist()])
    return rows


def _by_bcftools(path: Path, name: str) -> list[list[str]]:
    split = path.with_name(path.name + ".split.bcf")
    bcftools.norm("-m-", "-Ob", "-o", str(split), str(path), catch_stdout=False)
    lines = bcftools.query("-f", f"[\t%{name}]\n", str(split), split_lines=False).splitlines()
    return [line.split("\t")[1:] for line in lines]


def _number(text: str, name: str) -> int | None:
    return None if text == "." else min(int(np.rint(float(text))), HIGH[name])


def _text(records: list[str], n: int, kind: str = "Integer") -> str:
    return vcf(records, n).replace("##FORMAT=<ID=DP", META.format(kind) + "##FORMAT=<ID=DP")


def _drawn(n: int, count: int, seed: int) -> list[str]:
    """Records with fields in any order, trailing ones missing, one to four alleles."""
    drawn = random.Random(seed)
    records = []
    for number in range(count):
        k = drawn.choice([0, 1, 1, 2, 3])
        names = ["GT", *drawn.sample(["AD", "DP", "GQ"], drawn.randint(0, 3))]
        people = []
        for _ in range(n):
            depths = [str(drawn.choice([0, 7, 31, 254, 255, 1000, 65534])) for _ in range(k + 1)]
            depths = [drawn.choice(["."] + 5 * [one]) for one in depths]
            values = {
                "GT": drawn.choice(["0/0", "./.", "0|0", ".", "0"] + ["0/1"] * (k > 0) + ["1|2"] * (k > 1)),
                "AD": drawn.choice([".", *3 * [",".join(depths)]]),
                "DP": str(drawn.choice([".", 0, 3, 12, 99, 65534, 12345])),
                "GQ": str(drawn.choice([".", 0, 3, 99, 127, 254])),
            }
            people.append(":".join(values[name] for name in names[: drawn.choice([len(names), len(names), drawn.randint(1, len(names))])]))
        alternates = ",".join("CGT"[:k]) or "."
        records.append(f"1\t{number + 5}\t.\tA\t{alternates}\t.\t.\tDP=7\t{':'.join(names)}\t" + "\t".join(people))
    return records


@pytest.mark.parametrize("n, newline", [(5, "\n"), (5, "\r\n"), (40, "\n")])
def test_values_are_those_of_bcftools(tmp_path: Path, n: int, newline: str) -> None:
    text = _text(_drawn(n, 120, n), n)
    path = write(tmp_path / "a.vcf.gz", text)
    read, warnings = _read(write(tmp_path / "b.vcf.gz", text.replace("\n", newline)), 1500)
    assert not warnings
    bcftools.view("-Ob", "-o", str(tmp_path / "a.bcf"), str(path), catch_stdout=False)
    of_bcf, warnings = _read(tmp_path / "a.bcf")
    assert not warnings
    alternates = read["alternateAlleles"].to_pylist()
    for name in KEEP:
        expected = _by_bcftools(path, name)
        if name == "AD":
            # Of a record without an alternate allele bcftools has one value, of a missing list one dot.
            pairs = [[[*one.split(","), ".", "."][:2] for one in row] for row in expected]
            wanted = [[_number(one, name) for pair in row for one in pair] for row in pairs]
        else:
            wanted = [[_number(one, name) for one in row] for row in expected]
        assert _values(read, n, name) == wanted, name
        assert _values(of_bcf, n, name) == wanted, name
        assert any(len(row) for row in alternates) and any(value is not None for row in wanted for value in row)


def test_what_is_not_kept_as_it_stands_is_counted(tmp_path: Path) -> None:
    records = [
        "1\t5\t.\tA\tC,G\t.\t.\t.\tGT:AD:DP:GQ\t0/1:1,2,3:65535:255\t0/1:1,2:100000000:1\t0/1:70000,2,3:3:300",
        "1\t6\t.\tA\tC\t.\t.\t.\tGT:AD:DP:GQ\t0/1:1,2,3:65534:254\t0/1:.:.:.\t0/1",
    ]
    path = write(tmp_path / "a.vcf", _text(records, 3))
    bcftools.view("-Ob", "-o", str(tmp_path / "a.bcf"), str(path), catch_stdout=False)
    expected = {
        "GQ of a genotype above 254 is kept as 254": 2,
        "DP of a genotype above 65534 is kept as 65534": 2,
        "AD of a genotype above 65534 is kept as 65534": 1,
        "AD of a genotype has another number of values than the record has alleles, and is not kept": 2,
    }
    for one in (path, tmp_path / "a.bcf"):
        table, warnings = _read(one)
        assert warnings == expected
        assert _values(table, 3, "GQ") == [[254, 1, 254]] * 2 + [[254, None, None]]
        assert _values(table, 3, "DP") == [[65534, 65534, 3]] * 2 + [[65534, None, None]]
        assert _values(table, 3, "AD") == [[1, 2, None, None, 65534, 2], [1, 3, None, None, 65534, 3], [None] * 6]


def test_qualities_that_are_fractions_are_rounded(tmp_path: Path) -> None:
    record = "1\t5\t.\tA\tC\t.\t.\t.\tGT:GQ\t0/1:35.6\t0/1:1e2\t0/1:.\t0/0:0.4\t0/0:160.002"
    path = write(tmp_path / "a.vcf", _text([record], 5, "Float"))
    bcftools.view("-Ob", "-o", str(tmp_path / "a.bcf"), str(path), catch_stdout=False)
    for one in (path, tmp_path / "a.bcf"):
        assert _values(_read(one)[0], 5, "GQ") == [[36, 100, None, 0, 160]]


NO_NUMBERS = [("DP", "-1"), ("DP", "3x"), ("DP", "1.5"), ("AD", "1,-2"), ("GQ", "high"), ("DP", "3,4"), ("GQ", "-3")]


@pytest.mark.parametrize("field, value", NO_NUMBERS)
def test_values_that_are_none_are_refused(tmp_path: Path, field: str, value: str) -> None:
    record = f"1\t5\t.\tA\tC\t.\t.\t.\tGT:{field}\t0/1:3\t0/1:{value}"
    words = rf"line \d+ \(1:5\): {field} of a genotype is not a (whole )?number from 0 on: sample 2 \(column 11\)"
    with pytest.raises(InputError, match=words):
        _read(write(tmp_path / "a.vcf", _text([record], 2)))


def test_depths_that_are_not_of_alleles_are_refused() -> None:
    check_keep("a.vcf", ("##FORMAT=<ID=AD,Number=R,Type=Integer>",), ("AD",))
    check_keep("a.vcf", ("##FORMAT=<ID=AD,Number=1,Type=Integer>",), ("DP",))
    with pytest.raises(InputError, match="FORMAT AD has Number=1"):
        check_keep("a.vcf", ("##FORMAT=<ID=AD,Number=1,Type=Integer>",), ("AD", "DP"))


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(0, 10**17).map(str), st.just("."), st.integers(0, 999).map("{:09}".format)), min_size=1, max_size=9))
def test_any_number(tmp_path_factory: pytest.TempPathFactory, depths: list[str]) -> None:
    path = tmp_path_factory.mktemp("a") / "a.vcf"
    record = "1\t5\t.\tA\tC\t.\t.\t.\tDP\t" + "\t".join(depths)
    table, warnings = _read(write(path, _text([record], len(depths))))
    assert _values(table, len(depths), "DP") == [[_number(one, "DP") for one in depths]]
    assert sum(warnings.values()) == sum(one != "." and int(one) > 65534 for one in depths)


def test_more_than_one_block_of_people(tmp_path: Path) -> None:
    n = 16386
    depths = np.random.default_rng(1).integers(0, 300, n)
    record = "1\t5\t.\tA\tC\t.\t.\t.\tGT:DP\t" + "\t".join(f"0/1:{depth}" for depth in depths)
    assert _values(_read(write(tmp_path / "a.vcf", _text([record], n)))[0], n, "DP") == [depths.tolist()]
    assert NUMBERS["depth"].itemsize == 2


def test_more_than_two_alleles_are_missing_and_counted(tmp_path: Path) -> None:
    calls = ["0/0/1\t0/1\t1|1|1\t.\t.", "0/0/2/2\t./././.\t0\t0/0\t0/1", "0/0\t0/1\t1/1\t./.\t0|1"]
    records = [f"1\t{number + 5}\t.\tA\tC,G\t.\t.\t.\tGT:DP\t" + call.replace("\t", ":3\t") + ":3" for number, call in enumerate(calls)]
    path = write(tmp_path / "a.vcf", _text(records, 5))
    bcftools.view("-Ob", "-o", str(tmp_path / "a.bcf"), str(path), catch_stdout=False)
    for one in (path, tmp_path / "a.bcf"):
        table, warnings = _read(one)
        assert warnings == {POLYPLOID: 4}
        wanted = [[3 if call.count("/") + call.count("|") > 1 else gt_code(call) for call in row.split("\t")] for row in calls]
        # Of the second alternate allele nobody has a copy but those with more than two alleles.
        others = [[3 if code == 3 else 0 for code in row] for row in wanted]
        assert dosages(table, 5).tolist() == [row for pair in zip(wanted, others, strict=True) for row in pair]
        haploid = table["blocks"].combine_chunks().flatten().field("haploid").to_pylist()
        assert haploid == [b"\x18", b"\x18", b"\x04", b"\x04", None, None]
