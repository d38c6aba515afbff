"""Reading the header of any file, however wrong: meta lines and the line of column names."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from genospark.core.paths import place
from genospark.errors import InputError
from genospark.ingest.vcf import bgzf
from genospark.ingest.vcf.check.fields import Declared
from genospark.ingest.vcf.check.meta import MetaChecker
from genospark.ingest.vcf.check.report import Report
from genospark.ingest.vcf.check.rules import VERSIONS
from genospark.ingest.vcf.header import SITE_COLUMNS, Compression, compression_of, raw_lines
from genospark.ingest.vcf.splits import Split

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]|\r(?!\n)")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Head:
    """What records are checked against.

    Attributes:
        version: VCF version.
        declared: What meta lines declare.
        split: All records, as one split.
    """

    version: str
    declared: Declared
    split: Split


def read_head(report: Report) -> Head | None:
    """Check the header of a file; None where records cannot be checked without what is wrong with it."""
    compression = compression_of(report.path)
    _compression(report, compression)
    meta: MetaChecker | None = None
    number, raw = 0, b""
    for number, (at, raw) in enumerate(raw_lines(report.path, compression), 1):
        if number == 1:
            if not _begin(report, raw):
                return None
            meta = MetaChecker(report)
            continue
        assert meta is not None
        text = _text(report, number, raw)
        if text.startswith("##"):
            meta.check(number, text)
        elif text.startswith("#"):
            n_columns = _columns(report, number, text)
            if not raw.endswith(b"\n"):
                report.add("file-line-end", number, "-", "the line does not end with a line separator")
            split = _split(report, compression, at, n_columns, number + 1)
            return Head(report.version, meta.declared, split) if n_columns >= len(SITE_COLUMNS) else None
        elif not text:
            report.add("file-empty-line", number, "-", "an empty line among the meta lines")
        else:
            first = "a record" if "\t" in text else "text without ##"
            report.add("columns-missing", number, "-", f"{first} comes before the line of column names (#CHROM ...)")
            if "\t" in text:
                return None
    if not number:
        report.add("file-empty", 0, "-", "the file is empty")
    else:
        report.add("columns-missing", number, "-", "the file ends without a line of column names (#CHROM ...)")
    return None


def _compression(report: Report, compression: Compression) -> None:
    if compression == "gzip":
        report.add("file-gzip", 0, "-", "compressed with gzip, not with bgzip: `gzip -dc FILE | bgzip` makes it anew")
    elif compression == "bgzf":
        try:
            bgzf.check_end(report.path)
        except InputError:
            report.add("file-bgzf-end", 0, "-", "the file is truncated: the empty BGZF block that ends a complete file is missing")


def _begin(report: Report, raw: bytes) -> bool:
    """Check the first line and take the version from it; False where there is none that is known."""
    if raw.startswith(_BOM):
        report.add("file-bom", 1, "-", "the file begins with a byte order mark")
        raw = raw.removeprefix(_BOM)
    if not raw.strip():
        report.add("file-empty" if not raw.strip(b"\r\n") else "fileformat", 1, "-", "the first line is empty")
        return False
    version = raw.rstrip(b"\r\n").removeprefix(b"##fileformat=VCFv").decode("ascii", "replace")
    if version in VERSIONS and raw.startswith(b"##fileformat=VCFv"):
        report.version = version
        return True
    what = "the version is none of 4.1 to 4.5" if raw.startswith(b"##fileformat=VCFv") else "the line is not ##fileformat=VCFv4.x"
    report.add("fileformat", 1, "-", f"{what}: nothing more can be checked")
    return False


def _text(report: Report, number: int, raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        report.add("file-utf8", number, "-", "the line is not UTF-8")
        text = raw.decode(errors="replace")
    if CONTROL.search(text):
        report.add("file-control", number, "-", "the line has a control character, or a carriage return before its end")
    return text.removesuffix("\n").removesuffix("\r")


def _columns(report: Report, number: int, text: str) -> int:
    """Check the line of column names; the number of columns, 0 where records cannot be divided by it."""
    names = text.split("\t")
    expected = (*SITE_COLUMNS, "FORMAT")[: max(len(names), len(SITE_COLUMNS))]
    if tuple(names[:9]) != expected:
        place = next((i for i, name in enumerate(expected) if names[i : i + 1] != [name]), 8)
        hint = " (they are divided by spaces, not by tabs)" if len(names) == 1 and " " in text else ""
        report.add("columns-names", number, str(place + 1), f"the name of column {place + 1} is not {expected[place]}{hint}")
    if len(names) == len(SITE_COLUMNS) + 1:
        report.add("columns-samples", number, "FORMAT", "FORMAT stands there without samples")
    places: dict[str, list[int]] = defaultdict(list)
    for column, name in enumerate(names[9:], 10):
        if name:
            places[name].append(column)
        else:
            report.add("sample-empty", number, str(column), "an empty sample id (or a tab at the end of the line)")
    for found in places.values():
        if len(found) > 1:
            report.add("sample-repeated", number, str(found[1]), f"the sample id of column {found[0]} stands again in column {found[1]}")
    report.samples = max(0, len(names) - 9)
    return len(names) if len(names) >= len(SITE_COLUMNS) else 0


def _split(report: Report, compression: Compression, at: tuple[int, int], n_columns: int, first_line: int) -> Split:
    start, skip = at
    return Split(
        path=report.path,
        start=start,
        stop=place(report.path).stat().st_size,
        compression=compression,
        n_columns=n_columns,
        n_samples=max(0, n_columns - len(SITE_COLUMNS) - 1),
        skip=skip,
        first_line=first_line,
    )
