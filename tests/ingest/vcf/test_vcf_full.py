"""Every INFO and FORMAT field: against a reader in plain Python, bcftools, and what bcftools says of real data."""

import itertools
from pathlib import Path
from typing import Any

import pysam.bcftools as bcftools
import pytest
from full_helpers import HEADER, META, ODD, RECORDS, by_bcftools, plain, read, same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vcf_helpers import SHARED, write

from genospark.errors import InputError
from genospark.ingest.vcf import read_header
from genospark.ingest.vcf.full import declared_fields

TEXT = HEADER + "".join(record + "\n" for record in RECORDS)
DIVIDED = ("splitFromMultiAllelic", "INFO_OLD_MULTIALLELIC")


@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_type(tmp_path: Path, name: str, newline: str) -> None:
    text = TEXT + "".join(record + "\n" for record in ODD)
    path = write(tmp_path / name, text.replace("\n", newline), itertools.repeat(700))
    expected = plain(path)
    assert len(expected) == len(RECORDS) + len(ODD)
    same(read(path, False), expected)
    same(read(path, False, 300), expected)
    described = next(field for field in declared_fields([("", read_header(path).declarations)]) if field.name == "AF")
    assert (described.number, described.description) == ("A", 'AF, its \\"values\\"')


_NUMBER = st.integers(0, 8).flatmap(lambda digits: st.integers(10**digits // 10, 10 ** (digits + 1) - 1)).map(str)
_CELL = st.tuples(st.sampled_from(["0/0", "0|1", "1", "./.", "."]), _NUMBER, _NUMBER, _NUMBER, st.sampled_from(["x", "10.5", "12"]))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(_CELL, min_size=3, max_size=3), min_size=1, max_size=4),
    st.sampled_from(["", "", "", ".", "-7", "+7", "0", "007"]),
    st.data(),
)
def test_cells_that_are_alike(tmp_path: Path, lines: list[list[tuple[str, ...]]], odd: str, data: st.DataObject) -> None:
    """All have the same separators, so their numbers are read together; one may be no plain number."""
    if odd:
        line, person, field = (data.draw(st.integers(0, high)) for high in (len(lines) - 1, 2, 2))
        cell = list(lines[line][person])
        cell[1 + field] = odd
        lines[line][person] = tuple(cell)
    text = HEADER
    for position, people in enumerate(lines, 1):
        cells = (f"{gt}:{depth}:{one},{two}:{word}" for gt, depth, one, two, word in people)
        text += "\t".join([f"1\t{position}\t.\tA\tC\t.\t.\t.\tGT:DP:AD:FT", *cells]) + "\n"
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    path = write(tmp_path / "a.vcf", text.replace("\n", newline))
    same(read(path, False), plain(path))


def test_divided_as_bcftools(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", TEXT)
    found = read(path, True)
    same(_dots(found), _dots(by_bcftools(path, "-m-")), but=DIVIDED)
    assert [row["splitFromMultiAllelic"] for row in found] == [False] * 3 + [True] * 5 + [False] * 2
    assert found[3]["INFO_OLD_MULTIALLELIC"] == "1:4:C/T/G/*" and found[0]["INFO_OLD_MULTIALLELIC"] is None


def test_divided_by_hand(tmp_path: Path) -> None:
    """Half calls, haploid and phased genotypes, and FORMAT strings, which bcftools 1.16 loses from the second row on."""
    record = "1\t4\t.\tC\tT,G\t.\t.\t.\tGT:SR:PL\t1|2:r,a,b:0,1,2,3,4,5\t./2:r,.,b:.\t2:.:0,1,2\n"
    one, two = read(write(tmp_path / "a.vcf", HEADER + record), True)
    assert [person["calls"] for person in one["genotypes"]] == [[1, 0], [-1, 0], [0]]
    assert [person["calls"] for person in two["genotypes"]] == [[0, 1], [-1, 1], [1]]
    assert [person["phased"] for person in two["genotypes"]] == [True, False, False]
    assert [person["SR"] for person in one["genotypes"]] == [["r", "a"], ["r", None], None]
    assert [person["SR"] for person in two["genotypes"]] == [["r", "b"], ["r", "b"], None]
    assert [person["phredLikelihoods"] for person in one["genotypes"]] == [[0, 1, 2], None, [0, 1]]
    assert [person["phredLikelihoods"] for person in two["genotypes"]] == [[0, 3, 5], None, [0, 2]]


def _joined(values: list[str]) -> str:
    return ",".join(values)


@st.composite
def _records(draw: st.DrawFn) -> list[str]:
    lines = []
    for position in range(1, draw(st.integers(1, 5)) + 1):
        n = draw(st.integers(1, 4))
        allele = st.sampled_from([".", *map(str, range(n + 1))])
        integers = st.one_of(st.just("."), st.integers(-(2**31) + 8, 2**31 - 1).map(str))
        floats = st.sampled_from([".", "0.5", "-2.25", "1e+06", "0.125", "3"])
        words = st.sampled_from([".", "a", "%2C", "Zz", "b|c"])
        of = {"A": n, "R": n + 1, "G": (n + 1) * (n + 2) // 2, "1": 1, "2": 2}

        def several(values: st.SearchStrategy[str], number: str, of: dict[str, int] = of) -> str:
            return _joined(draw(st.lists(values, min_size=of[number], max_size=of[number])))

        info = [f"{name}={several(kind, name[1])}" for name, kind in draw(_some({
            "I1": integers, "I2": integers, "IA": integers, "IR": integers, "IG": integers, "F1": floats, "FA": floats, "FR": floats,
            "FG": floats, "S1": words, "S2": words, "SA": words, "SR": words,
        }))] + draw(st.sampled_from([[], ["DB"]]))  # fmt: skip
        fields = draw(
            _some({"DP": ("1", integers), "AD": ("R", integers), "PL": ("G", integers), "GL": ("G", floats), "HQ": ("2", integers)})
        )
        cells = []
        for _ in range(3):
            separator = draw(st.sampled_from("/|"))
            genotype = separator.join(draw(st.lists(allele, min_size=1, max_size=2)))
            values = [several(kind, number) for _, (number, kind) in fields]
            cells.append(":".join([genotype, *values[: draw(st.integers(0, len(values)))]]))
        alts = _joined(["C", "G", "T", "AC"][:n])
        line = ["1", str(position), ".", "A", alts, ".", "PASS", ";".join(info) or ".", ":".join(["GT", *(name for name, _ in fields)])]
        lines.append("\t".join([*line, *cells]))
    return lines


def _some(choices: dict[str, Any]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    return st.lists(st.sampled_from(sorted(choices.items(), key=lambda pair: pair[0])), unique_by=lambda pair: pair[0], max_size=6)


@given(_records())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_records(tmp_path: Path, records: list[str]) -> None:
    path = write(tmp_path / "a.vcf", HEADER + "".join(record + "\n" for record in records))
    same(read(path, False), plain(path))
    same(_dots(read(path, True)), _dots(by_bcftools(path, "-m-")), but=DIVIDED)


def _dots(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of lists without values bcftools writes one dot or several, whatever stood there."""

    def one(value: Any) -> Any:
        return None if value == [] else value

    return [
        {name: one(value) for name, value in row.items() if name != "genotypes"}
        | {"genotypes": [{name: one(value) for name, value in person.items()} for person in row["genotypes"]]}
        for row in rows
    ]


def test_real_data(shared_data: Path, tmp_path: Path) -> None:
    """A piece of the cohort with multi-allelic records, as bcftools norm and query print it."""
    piece = tmp_path / "piece.vcf"
    source = SHARED / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
    bcftools.view("-i", "N_ALT>1 && POS%4==0 || POS%997==0", "-Ov", "-o", str(piece), str(source), catch_stdout=False)
    found = read(piece, True)
    same(found, by_bcftools(piece, "-m-"), but=DIVIDED)
    assert len(found) > 20 and any(row["splitFromMultiAllelic"] for row in found)
    tags = [name for name in found[0] if name.startswith("INFO_") and name not in DIVIDED]
    query = "\t".join(f"%{name.replace('_', '/', 1)}" for name in tags) + "[\t%GT]\n"
    printed = bcftools.query("-f", query, str(piece) + ".norm.vcf", split_lines=False).splitlines()
    for row, line in zip(found, printed, strict=True):
        values = line.split("\t")
        for name, text in zip(tags, values, strict=False):
            value = row[name]
            shown = [value] if not isinstance(value, list) else value
            if isinstance(value, bool) or value is None:
                assert text == ("1" if value else "."), name
            else:
                assert [part if isinstance(part, str) else pytest.approx(part, rel=1e-5) for part in shown] == [
                    part if isinstance(shown[0], str) else float(part) for part in text.split(",")
                ]
        calls = ["|".join("." if allele < 0 else str(allele) for allele in person["calls"]) for person in row["genotypes"]]
        assert calls == [text.replace("/", "|") for text in values[len(tags) :]]


def test_conformance(shared_data: Path) -> None:
    """The specification's files that have to be accepted: those that the packed reader takes give the plain reader's cells."""
    compared = 0
    for path in sorted((SHARED / "vcf-conformance").glob("*/passed/*.vcf")):
        try:
            found = read(path, False)
        except InputError:
            continue
        same(found, plain(path))
        compared += 1
    assert compared > 30


@pytest.mark.parametrize(
    ("info", "cell", "reason"),
    [
        ("I1=x", "0/1", "INFO I1 is not an integer of 32 bits"),
        ("ID=1,2147483648", "0/1", "INFO ID is not an integer of 32 bits, or several,"),
        ("F1=1.5.2", "0/1", "INFO F1 is not a number"),
        ("I1=1,2", "0/1", "INFO I1 is not an integer"),
        (".", "0/1:1.5", "FORMAT DP is not an integer of 32 bits: sample 2 (column 11)"),
        (".", "0/1:1:1:2:3", "a genotype has more fields than FORMAT: sample 2 (column 11)"),
        (".", "0/3", "a genotype has an allele that ALT has not: sample 2 (column 11)"),
        (".", "0/x", "a genotype cannot be read: sample 2 (column 11)"),
        ("IA=1", "0/1", "INFO IA has not one value per alternate allele"),
        (".", "0/1:1:1,2", "FORMAT AD has not one value per allele"),
    ],
)
def test_refused(tmp_path: Path, info: str, cell: str, reason: str) -> None:
    records = ["1\t1\t.\tA\tC\t.\t.\t.\tGT\t0/1\t0/1\t0/1", f"1\t2\t.\tA\tC,G\t.\t.\t{info}\tGT:DP:AD\t0/0\t{cell}\t2/2"]
    path = write(tmp_path / "a.vcf", HEADER + "".join(record + "\n" for record in records))
    with pytest.raises(InputError) as caught:
        read(path, True)
    assert f"{path}, line {HEADER.count(chr(10)) + 2}" in str(caught.value) and reason in str(caught.value)
    assert cell not in caught.value.problem.split("the line:")[1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("##INFO=<ID=X,Type=Integer>", "has no Number"),
        ("##INFO=<ID=X,Number=1,Type=Text>", "the type Text"),
        ("##INFO=<ID=af,Number=1,Type=Float>", "columns of the same name"),
        ("##FORMAT=<ID=calls,Number=1,Type=Float>", "columns of the same name"),
        ("##INFO=<ID=AF,Number=1,Type=Float>", "Number=1, Type=Float, but before"),
    ],
)
def test_headers_refused(line: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        declared_fields([("a.vcf", [*META.splitlines(), line])])


def test_no_people(tmp_path: Path) -> None:
    text = META + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t1\t.\tA\tC,G\t.\t.\tIA=1,2\n"
    rows = read(write(tmp_path / "a.vcf", text), True)
    assert [(row["INFO_IA"], row["alternateAlleles"], row["genotypes"]) for row in rows] == [([1], ["C"], None), ([2], ["G"], None)]
