"""Meta lines: their syntax, and what each kind of structured line has to say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from genospark.ingest.vcf.check.fields import Column, Declared, Field, reserved, reserved_sv
from genospark.ingest.vcf.check.report import Report, shown
from genospark.ingest.vcf.check.urls import has_host, is_url

_STRUCTURED = {"INFO", "FORMAT", "FILTER", "ALT", "contig", "SAMPLE", "PEDIGREE"}
_PEOPLE = ("SAMPLE", "PEDIGREE")
"""Lines about people, whose ids are not shown."""
_PAIR = re.compile(r'([^=,<>"\s]+)=("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,]*)')
_KEYS = {"INFO": "ID Number Type Description", "FORMAT": "ID Number Type Description", "contig": "ID"}
_KEYS |= {"FILTER": "ID Description", "ALT": "ID Description", "META": "ID Number Type Values"}
_ORDER = ("ID", "Number", "Type", "Description")
_TYPES = {"Integer", "Float", "Flag", "Character", "String"}
_KEY = re.compile(r"[A-Za-z_][0-9A-Za-z_.]*")
SAM_NAME = re.compile(r"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*")
PLAIN_NAME = re.compile(r"[^\s,<>]+")
_SYMBOL = re.compile(r"[^\s,<>]+")


def sv_types(version: str) -> set[str]:
    """First-level types of structural variants."""
    return {"DEL", "INS", "DUP", "INV", "CNV"} | ({"BND"} if version <= "4.3" else set())


@dataclass(frozen=True)
class _Line:
    """A structured line: its kind, number, the values of its keys without quotes, and the keys whose values are quoted."""

    kind: str
    number: int
    values: dict[str, str]
    quoted: set[str]


class MetaChecker:
    """Checks meta lines one by one and gathers what they declare."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.version = report.version
        self.declared = Declared()
        self._seen: set[tuple[str, str]] = set()

    def check(self, number: int, text: str) -> None:
        """Check a line, from 1, with its ## and without its line end."""
        key, equals, value = text[2:].partition("=")
        if not (key and equals and value):
            self._add("meta-pair", number, "a meta line is not KEY=VALUE, or has no value")
        elif key == "fileformat":
            self._add("fileformat", number, "a second fileformat line")
        elif key in _STRUCTURED or (key == "META" and self.version >= "4.3"):
            if line := self._structured(key, number, value):
                self._check(line)
        elif key in ("assembly", "pedigreeDB"):
            self._url(key, number, value)

    def _add(self, rule: str, number: int, message: str) -> None:
        self.report.add(rule, number, "-", message)

    def _structured(self, kind: str, number: int, text: str) -> _Line | None:
        if not (text.startswith("<") and text.endswith(">")):
            self._add("meta-structure", number, f"{kind} is not within angle brackets")
            return None
        inside, at = text[1:-1], 0
        values: dict[str, str] = {}
        quoted: set[str] = set()
        while at < len(inside) or not values:
            pair = _PAIR.match(inside, at)
            if not pair:
                what = "" if kind in _PEOPLE else f": {shown(inside[at:])}"
                self._add("meta-structure", number, f"{kind} has something that is not KEY=VALUE{what}")
                return None
            key, value = pair.groups()
            at = pair.end()
            rest = inside[at : at + 1]
            if (value.startswith('"') and (len(value) == 1 or not value.endswith('"'))) or (rest and rest != ","):
                self._add("meta-quotes", number, f"{kind}: the quotes or brackets of {key} are not closed, or not followed by a comma")
                return None
            if not value or (rest and at + 1 == len(inside)):
                self._add("meta-structure", number, f"{kind}: {key} has no value, or the line ends with a comma")
            if key in values:
                self._add("meta-key-repeated", number, f"{kind}: the key {key} stands twice")
            if value.startswith('"'):
                quoted.add(key)
                value = value[1:-1]
            values[key] = value
            at += 1
        return _Line(kind, number, values, quoted)

    def _check(self, line: _Line) -> None:
        self._keys(line)
        self._quotes(line)
        values = line.values
        if line.kind != "contig" and line.kind != "SAMPLE":
            for rule, says in self._number_and_type(line):
                self._add(rule, line.number, f"{line.kind}: {says}")
        if "ID" in values:
            self._id(line, values["ID"])
        if line.kind in ("INFO", "FORMAT"):
            self._field(line, "INFO" if line.kind == "INFO" else "FORMAT")
        elif line.kind == "contig":
            self._contig(line)
        elif line.kind == "PEDIGREE":
            for key, value in values.items():
                if re.search(r"\s", value) and key not in line.quoted:
                    self._add("meta-pedigree", line.number, f"PEDIGREE: the value of {key} has whitespace")
        elif line.kind == "META" and not values.get("Values", "[]").startswith("["):
            self._add("meta-values", line.number, "META: Values is not a list in square brackets")

    def _keys(self, line: _Line) -> None:
        needed = _KEYS.get(line.kind, "ID").split()
        if line.kind == "PEDIGREE" and self.version <= "4.2":
            needed = []
        if line.kind in ("FILTER", "ALT") and self.version >= "4.4" and "Description" not in line.values:
            needed = ["ID"]
            self._add("meta-description", line.number, f"{line.kind} has no Description")
        for key in needed:
            if key not in line.values:
                self._add("meta-key", line.number, f"{line.kind} has no {key}")
        if line.kind == "SAMPLE":
            for key in ("Genomes", "Mixture", "Description"):
                if key not in line.values:
                    self._add("meta-sample", line.number, f"SAMPLE has no {key}")
            for key in line.quoted & {"Genomes", "Mixture"}:
                self._add("meta-sample", line.number, f"SAMPLE: {key} is quoted")
        order = [_ORDER.index(key) for key in line.values if key in _ORDER]
        if order != sorted(order) and line.kind in ("INFO", "FORMAT", "FILTER", "ALT"):
            self._add("meta-order", line.number, f"{line.kind}: ID, Number, Type and Description do not stand in this order")

    def _quotes(self, line: _Line) -> None:
        for key in sorted(line.quoted & {"ID", "Number", "Type"}):
            self._add("meta-quotes", line.number, f"{line.kind}: {key} is quoted")
        if line.kind not in ("INFO", "FORMAT", "FILTER", "ALT"):
            return
        for key in line.values.keys() - line.quoted - {"ID", "Number", "Type", "IDX"}:
            if key in ("Description", "Source", "Version"):
                self._add("meta-quotes", line.number, f"{line.kind}: {key} is not quoted")
            else:
                self._add("meta-optional-quotes", line.number, f"{line.kind}: {key} is not quoted")

    def _number_and_type(self, line: _Line) -> Iterator[tuple[str, str]]:
        number, kind = line.values.get("Number"), line.values.get("Type")
        letters = {"A", "G", "."} | ({"R"} if self.version >= "4.2" else set())
        if line.kind == "FORMAT":
            letters |= ({"P"} if self.version >= "4.4" else set()) | ({"LA", "LR", "LG", "M"} if self.version >= "4.5" else set())
        if number is not None and number not in letters and not re.fullmatch("[0-9]{1,9}", number):
            yield "meta-number", f"Number={number[:40]} is none that VCF {self.version} has here"
        if kind is not None and (kind not in _TYPES or (kind == "Flag" and line.kind == "FORMAT")):
            yield "meta-type", f"Type={kind[:40]} is none that VCF {self.version} has here"
        if line.kind == "INFO" and number and kind in _TYPES and (number == "0") != (kind == "Flag"):
            yield "meta-flag", f"Number={number[:40]} does not go with Type={kind}"

    def _id(self, line: _Line, name: str) -> None:
        kind = line.kind
        what = f"{kind}: the ID" if kind in _PEOPLE else f"{kind}: the ID {shown(name)}"
        if not self._fits(kind, name):
            self._add("meta-id", line.number, f"{what} has characters that it cannot have")
        if (kind, name) in self._seen:
            self._add("meta-contig-repeated" if kind == "contig" else "meta-id-repeated", line.number, f"{what} stands twice")
        self._seen.add((kind, name))
        if kind == "ALT":
            self.declared.alts.add(name)
            first, colon, _ = name.partition(":")
            if first not in sv_types(self.version):
                rule = "meta-alt-type" if colon else "meta-alt-first"
                self._add(rule, line.number, f"ALT: {shown(first)} is no type of structural variant of VCF {self.version}")
        elif kind == "FILTER":
            self.declared.filters.add(name)

    def _fits(self, kind: str, name: str) -> bool:
        if kind == "contig":
            return bool((SAM_NAME if self.version >= "4.3" else PLAIN_NAME).fullmatch(name))
        if kind in ("INFO", "FORMAT"):
            if self.version >= "4.3":
                return bool(_KEY.fullmatch(name)) or (kind == "INFO" and name == "1000G")
            return not re.search(r"[\s,;:=]", name)
        if kind == "FILTER":
            return name != "0" and not re.search(r"[\s;,]", name)
        return bool(_SYMBOL.fullmatch(name)) if kind == "ALT" else not re.search(r"\s", name)

    def _field(self, line: _Line, column: Column) -> None:
        name, number, kind = (line.values.get(key) for key in ("ID", "Number", "Type"))
        if name is None or number is None or kind is None:
            return
        for rule, demanded in (
            ("meta-reserved", reserved(column, name, self.version)),
            ("meta-reserved-sv", reserved_sv(column, name, self.version)),
        ):
            numbers = {demanded[0], "G"} if demanded and name == "GLE" else {demanded[0]} if demanded else set()
            if demanded and (number not in numbers or kind not in demanded[1:]):
                right = f"Number={demanded[0]},Type={' or '.join(demanded[1:])}"
                self._add(rule, line.number, f"{column} {name}: Number={number[:40]},Type={kind[:40]}, and is reserved as {right}")
        fields = self.declared.info if column == "INFO" else self.declared.format
        fields.setdefault(name, Field(number, kind if kind in _TYPES else "String"))

    def _contig(self, line: _Line) -> None:
        length = line.values.get("length")
        known = length is not None and re.fullmatch("[0-9]{1,18}", length) and int(length) > 0
        if length is not None and not known:
            self._add("meta-contig-length", line.number, f"contig: the length {shown(length)} is not a positive integer")
        if "md5" in line.values and not re.fullmatch("[0-9a-fA-F]{32}", line.values["md5"]):
            self._add("meta-contig-md5", line.number, "contig: md5 is not 32 hexadecimal digits")
        if "ID" in line.values:
            self.declared.contigs[line.values["ID"]] = int(length) if known and length else None

    def _url(self, key: str, number: int, value: str) -> None:
        if key == "pedigreeDB" and value.startswith("<") and value.endswith(">"):
            value = value[1:-1]
        if not value:
            self._add("meta-pair", number, f"{key} has no value")
        elif not is_url(value):
            self._add("meta-url-form", number, f"{key}: {shown(value)} is not a URL")
        elif not has_host(value):
            self._add("meta-url", number, f"{key}: {shown(value)} has no host that can be one")
