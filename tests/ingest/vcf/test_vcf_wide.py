"""Cohort files with nothing but genotypes are read by the width of their lines: whatever is in a line, the calls are those of its text."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vcf_helpers import dosages, read, vcf, write

from genospark.errors import InputError
from genospark.ingest.vcf import Findings, parse_split, plain, plan_splits, read_header

PEOPLE = 40
SITE = "1\t{}\t.\tA\tC\t.\tPASS\t.\tGT\t"
# One cell, or two with a tab, of the width of one or two ordinary ones.
CELLS = st.sampled_from(
    ["0|0", "0|1", "1|0", "1|1", "0/1", "./.", ".|.", "./1", "1|.", "0", "1", ".", "0|10", "0|2", "0|0:3", "0:0", "0\t", "x|0", ""]
)
LINES = st.lists(st.tuples(st.integers(0, PEOPLE - 1), CELLS), max_size=6)


def _expected(cells: list[str]) -> list[int] | None:
    """Calls of a line, or None where it is not one that can be read."""
    calls = []
    if len(cells) != PEOPLE:
        return None
    for cell in cells:
        alleles = cell.replace("|", "/").split("/")
        if any(allele not in (".", "0", "1") for allele in alleles) or ":" in cell:
            return None
        calls.append(3 if "." in alleles else alleles.count("1"))
    return calls


def _quarantined(path: Path) -> tuple[list[list[int]], list[int]]:
    """Calls of the lines that can be read, and the numbers of the others."""
    findings = Findings()
    (split,) = plan_splits(read_header(path), 1 << 40)
    batches = list(parse_split(split, findings, quarantine=True))
    calls = dosages(pa.Table.from_batches(batches), PEOPLE).tolist() if batches else []
    return calls, [bad.line for bad in findings.bad]


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=5))
def test_calls_are_those_of_the_text(tmp_path_factory: pytest.TempPathFactory, spoilt: list[list[tuple[int, str]]]) -> None:
    lines = []
    for changes in spoilt:
        cells = ["0|0"] * PEOPLE
        for at, cell in changes:
            cells[at] = cell
        lines.append("\t".join(cells))
    records = [SITE.format(number + 1) + line for number, line in enumerate(lines)]
    path = write(tmp_path_factory.mktemp("wide") / "a.vcf", vcf(records, PEOPLE))
    # A cell with a colon has fields that FORMAT does not name: nothing is lost by not reading them.
    expected = [_expected([cell.split(":")[0] for cell in line.split("\t")]) for line in lines]
    calls, bad = _quarantined(path)
    assert bad == [number for number, entry in enumerate(expected) if entry is None]
    assert calls == [entry for entry in expected if entry is not None]


@pytest.mark.parametrize(("cells", "found"), [(["0|0:0|1"], 48), (["0|0", "0\t1"], 50)])
def test_columns_are_counted_where_widths_are_right(tmp_path: Path, cells: list[str], found: int) -> None:
    width = PEOPLE - (2 if len(cells) == 1 else len(cells))
    line = "\t".join([*["0|0"] * width, *cells])
    assert len(line) == 4 * PEOPLE - 1
    path = write(tmp_path / "a.vcf", vcf([SITE.format(6) + "\t".join(["0|0"] * PEOPLE), SITE.format(7) + line], PEOPLE))
    with pytest.raises(InputError, match=rf"line 16 \(1:7\): wrong number of columns \(expected 49, found {found}\)"):
        read(path)


ANY = st.lists(
    st.tuples(st.sampled_from(["A\tC", "A\tC,G", "A\t.", "A\tC,G,T"]), st.sampled_from("/|"), st.integers(0, 99)), min_size=1, max_size=9
)


@settings(max_examples=60, deadline=None)
@given(ANY, st.sampled_from([["./."], [".|."], ["./.", ".|."], []]), st.booleans())
def test_plain_lines_are_those_that_are_read_cell_by_cell(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str, int]], missing: list[str], crlf: bool
) -> None:
    lines = []
    for number, (alleles, separator, seed) in enumerate(records):
        drawn = random.Random(seed)
        calls = missing if seed < 5 and missing else [f"{a}{separator}{b}" for a in "01" for b in "01"] + missing
        calls = calls if alleles != "A\t." or seed % 2 else [f"0{separator}0", *missing]
        lines.append(f"1\t{number + 1}\t.\t{alleles}\t.\tPASS\t.\tGT\t" + "\t".join(drawn.choices(calls, k=PEOPLE)))
    text = vcf(lines, PEOPLE)
    path = write(tmp_path_factory.mktemp("plain") / "a.vcf", text.replace("\n", "\r\n") if crlf else text)

    def everything() -> tuple[pa.Table | None, list[object]]:
        findings = Findings()
        header = replace(read_header(path), keep=("phase",))
        (split,) = plan_splits(header, 1 << 40)
        batches = list(parse_split(split, findings, quarantine=True))
        return (pa.Table.from_batches(batches) if batches else None), [*findings.bad]

    fast = everything()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "MIN_PEOPLE", PEOPLE + 1)
        assert fast == everything()
