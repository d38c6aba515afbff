"""Any file makes a report, and the expressions that take lines as a whole take none with a fault."""

import re
from pathlib import Path

from check_cases import CASES, record, vcf, write
from hypothesis import given, settings
from hypothesis import strategies as st

from genospark.ingest.vcf.check import check_file
from genospark.ingest.vcf.check.columns import ColumnChecker, Form
from genospark.ingest.vcf.check.fields import Declared, Field
from genospark.ingest.vcf.check.info import counts_of
from genospark.ingest.vcf.check.values import Values

GOOD = vcf(
    record(info="DP=3;AC=1;AN=4;DB;S=a b", id="x;y"),
    record(pos="7", ref="AC", alt="A,*,<DEL>", info="SVLEN=.,.,3;SVCLAIM=.,.,D", format="GT:DP:PL", s0="0/3:7", s1="1|.:.:."),
    record(pos="9", alt="A]2:5]", format="GL", s0="-1,-2,0", s1="."),
    record(chrom="2", format="GT:CN:PSL", s0="0|1:2:x,x", s1="./.", alt="<CNV:TR>", info="SVLEN=5;RUS=CA;RUC=2;RUB=2,2"),
    version="4.4",
)
PIECES = [*'\t\n\r:;,=.|/<>[]"#%0A-', "\x00", "\xff", "é", "GT", "9" * 12, "##", "1e", "²", "\u2028"]
VERSIONS = st.sampled_from(["4.1", "4.2", "4.3", "4.4", "4.5"])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    text = draw(st.sampled_from([GOOD, *(case.bad for case in CASES)]))
    data = bytearray(text if isinstance(text, bytes) else text.replace("VCFv4.4", f"VCFv{draw(VERSIONS)}").encode())
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.sampled_from([0, 0, 1, 1, 3, 40]))
        data[at : at + cut] = draw(st.sampled_from(PIECES)).encode("latin-1" if draw(st.booleans()) else "utf-8", "replace")
    return bytes(data)


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_any_file_makes_a_report(tmp_path_factory, data: bytes) -> None:
    path = write(Path(tmp_path_factory.mktemp("any")) / "a.vcf", data)
    report = check_file(str(path), limit=3)
    shown = list(report.text())
    assert shown[-1].startswith(f"{path}: {'not valid' if report.errors else 'valid'} (VCF 4.")
    assert report.errors + report.warnings == sum(report.counts.values())


def test_the_unchanged_file_is_valid(tmp_path: Path) -> None:
    assert check_file(str(write(tmp_path / "a.vcf", GOOD))).errors == 0


TYPES = st.sampled_from(["Integer", "Float", "Character", "String"])
KEYS = st.sampled_from(["DP", "AD", "GL", "GP", "PL", "XX", "AF", "AC"])
NUMBERS = st.sampled_from(["1", "2", "A", "R", "G", "."])
WORDS = ". 0 1 -1 1.5 0.5 1e-5 2E3 -.5 1. +3 inf x xy 2147483648 é 0.0 -0 9e-1"
TEXTS = st.lists(st.sampled_from([*WORDS.split(), ""]), min_size=1, max_size=6).map(",".join)


@settings(max_examples=500, deadline=None)
@given(KEYS, NUMBERS, TYPES, VERSIONS, st.integers(0, 2), TEXTS, st.sampled_from(["INFO", "FORMAT"]))
def test_patterns_of_values_take_no_fault(key: str, number: str, kind: str, version: str, n: int, text: str, column: str) -> None:
    values = Values(key, column, Field(number, kind), version)  # type: ignore[arg-type]
    counts = counts_of(number, n)
    if re.fullmatch(values.pattern(counts), text):
        assert not list(values.faults(text, counts))


DECLARED = Declared(format={"PL": Field("G", "Integer"), "DP": Field("1", "Integer"), "XS": Field(".", "String")})
GENOTYPES = st.text("01239./|", min_size=0, max_size=6)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(["GT", "GT:DP", "GT:DP:PL", "PL:DP", "GT:XS:YY"]), st.integers(0, 12), VERSIONS, GENOTYPES, st.lists(TEXTS, max_size=3)
)
def test_patterns_of_columns_take_no_fault(format_: str, n: int, version: str, genotype: str, fields: list[str]) -> None:
    checker = ColumnChecker(Form.of(format_, n, DECLARED, version))
    text = ":".join([genotype, *fields] if format_.startswith("GT") else fields)
    if checker.pattern is not None and re.fullmatch(checker.pattern, text):
        assert not checker.faults(text)
