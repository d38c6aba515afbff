"""The columns CHROM to FILTER, one after the other over all records of a chunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genospark.ingest.vcf.check.arrow import Bools, as_integers, dots, encode, mask, matches, repeats, strings, take, whole_numbers
from genospark.ingest.vcf.check.fields import Declared
from genospark.ingest.vcf.check.meta import sv_types
from genospark.ingest.vcf.check.report import Report, shown
from genospark.ingest.vcf.lines import Ints, Lines

_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|(?i:inf|infinity|nan)"
_BASES = "[ACGTNacgtn]+"
_MATE = r"(?:[^\s<>\[\],]+|<[^\s<>\[\],]+>):[0-9]+"
_BREAKEND = rf"(?:{_BASES}|\.)(?:\[{_MATE}\[|\]{_MATE}\])|(?:\[{_MATE}\[|\]{_MATE}\])(?:{_BASES}|\.)|\.{_BASES}|{_BASES}\."
_ALLELE = rf"(?:{_BASES}|\*|(?:{_BASES})?<[^\s,<>]+>|{_BREAKEND})"
_LISTED = r"[^\s;]+"


@dataclass(frozen=True)
class SiteTexts:
    """The records of a chunk.

    Attributes:
        lines: Their lines.
        numbers: (lines,) number of the line in the file, from 1.
        contig: CHROM.
        start: (lines,) POS; -1 where it is none.
        reference: REF.
        alternates: ALT.
        n_alternates: (lines,) alleles in ALT, 0 for a dot.
    """

    lines: Lines
    numbers: Ints
    contig: pa.StringArray
    start: Ints
    reference: pa.StringArray
    alternates: pa.StringArray
    n_alternates: Ints


class SiteChecker:
    """Checks the columns of sites, chunk by chunk."""

    def __init__(self, report: Report, declared: Declared) -> None:
        self.report = report
        self.declared = declared
        self.version = report.version
        self._undeclared: set[tuple[str, str]] = set()

    def check(self, lines: Lines, numbers: Ints) -> SiteTexts:
        """Check the records of a chunk."""
        contig, reference, alternates = lines.column(0), lines.column(3), lines.column(4)
        sites = SiteTexts(
            lines=lines,
            numbers=numbers,
            contig=contig,
            start=self._positions(lines.column(1), numbers),
            reference=reference,
            alternates=alternates,
            n_alternates=_count_alternates(alternates),
        )
        self._contigs(sites)
        self._ids(lines.column(2), numbers)
        self._refuse("ref", "REF", ~matches(reference, _BASES), reference, numbers, "is not made of A, C, G, T and N")
        self._alternates(sites)
        qual = lines.column(5)
        self._refuse("qual", "QUAL", ~matches(qual, rf"\.|[+]?(?:{_NUMBER})|-0+(?:\.0*)?"), qual, numbers, "is not a number from 0 up")
        self._filters(lines.column(6), numbers)
        return sites

    def _refuse(self, rule: str, name: str, wrong: Bools, column: pa.StringArray, numbers: Ints, says: str) -> None:
        where = np.flatnonzero(wrong)
        self.report.add_all(rule, numbers[where].tolist(), name, lambda n: f"{name} {shown(column[int(where[n])].as_py())} {says}")

    def _undeclared_once(self, rule: str, column: str, name: str, number: int, what: str) -> None:
        if (rule, name) not in self._undeclared:
            self._undeclared.add((rule, name))
            self.report.add(rule, number, column, f"{what} {shown(name)} is not declared in the header")

    def _positions(self, column: pa.StringArray, numbers: Ints) -> Ints:
        right = matches(column, "[0-9]{1,9}|1[0-9]{9}|20[0-9]{8}|21[0-3][0-9]{7}|214[0-6][0-9]{6}|2147[0-3][0-9]{5}")
        # The last of the ten-digit numbers that fit 32 bits need no pattern of their own: no contig has a base there.
        self._refuse("pos", "POS", ~right, column, numbers, "is not an integer from 0 to 2147483647")
        start = np.full(len(column), -1)
        start[right] = whole_numbers(take(column, np.flatnonzero(right)))
        return start

    def _contigs(self, sites: SiteTexts) -> None:
        name = r"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*" if self.version >= "4.3" else r"[^\s,<>]+"
        contigs, codes = encode(sites.contig)
        right = matches(strings(contigs), rf"{name}|<[^\s<>,]+>")
        self._refuse("chrom", "CHROM", ~right[codes], sites.contig, sites.numbers, "is not a name that a contig can have")
        for code, contig in enumerate(contigs):
            if right[code] and not contig.startswith("<") and contig not in self.declared.contigs:
                self._undeclared_once("chrom-undeclared", "CHROM", contig, int(sites.numbers[np.argmax(codes == code)]), "the contig")
            length = self.declared.contigs.get(contig)
            if length is not None:
                beyond = (codes == code) & (sites.start > length + 1)
                found = np.flatnonzero(beyond)
                says = f"is beyond the end of {contig} ({length})"
                self.report.add_all("pos-beyond", sites.numbers[found].tolist(), "POS", lambda _, s=says: f"POS {s}")  # type: ignore[misc]

    def _ids(self, column: pa.StringArray, numbers: Ints) -> None:
        right = matches(column, rf"\.|{_LISTED}(?:;{_LISTED})*") & ~matches(column, r"\.;.*|.*;\.(?:;.*)?")
        self._refuse("id", "ID", ~right, column, numbers, "is not a dot or a list with semicolons, without whitespace and empty ids")
        several = np.flatnonzero(right & mask(pc.match_substring(column, ";")))
        repeated = np.array([_repeats(column[i].as_py()) for i in several.tolist()], bool)
        found = several[repeated] if len(several) else several
        self.report.add_all("id-repeated", numbers[found].tolist(), "ID", lambda _: "an id stands twice in the record")
        named = np.flatnonzero(~dots(column))
        again = named[repeats(encode(take(column, named))[1])]
        self.report.add_all(
            "id-shared", numbers[again].tolist(), "ID", lambda n: f"ID {shown(column[int(again[n])].as_py())} stands in an earlier record"
        )

    def _alternates(self, sites: SiteTexts) -> None:
        alternates, numbers = sites.alternates, sites.numbers
        simple = matches(alternates, "[ACGTN]")
        rest = np.flatnonzero(~simple)
        column = take(alternates, rest)
        right = matches(column, rf"\.|{_ALLELE}(?:,{_ALLELE})*")
        self._refuse("alt", "ALT", ~right, column, numbers[rest], "is not a list of alleles")
        several = rest[mask(pc.match_substring(column, ","))] if len(rest) else rest
        for i in several.tolist():
            bases = [allele.upper() for allele in alternates[i].as_py().split(",") if allele.isalpha()]
            if len(set(bases)) < len(bases):
                self.report.add("alt-repeated", int(numbers[i]), "ALT", "an ALT allele stands twice")
            if sites.reference[i].as_py().upper() in bases:
                self.report.add("alt-is-ref", int(numbers[i]), "ALT", "an ALT allele is REF")
        same = np.flatnonzero(mask(pc.equal(pc.utf8_upper(alternates), pc.utf8_upper(sites.reference))))
        self.report.add_all("alt-is-ref", numbers[same].tolist(), "ALT", lambda _: "the ALT allele is REF")
        symbolic = rest[right & mask(pc.match_substring(column, "<"))] if len(rest) else rest
        for i in symbolic.tolist():
            for allele in alternates[i].as_py().split(","):
                if allele.startswith("<") and allele[1:-1] not in self.declared.alts:
                    self._symbol(allele[1:-1], int(numbers[i]))

    def _symbol(self, name: str, number: int) -> None:
        if name == "*":
            return
        first, colon, _ = name.partition(":")
        if colon and first not in sv_types(self.version):
            self.report.add(
                "alt-type", number, "ALT", f"{shown(first)} is no type of structural variant, and {shown(name)} is not declared"
            )
        else:
            self._undeclared_once("alt-undeclared", "ALT", name, number, "the symbolic allele")

    def _filters(self, column: pa.StringArray, numbers: Ints) -> None:
        texts, codes = encode(column)
        for code, text in enumerate(texts):
            names = text.split(";")
            wrong = _filter_fault(text, names)
            checks: tuple[tuple[str, bool, Callable[[int], str]], ...] = (
                ("filter", bool(wrong), lambda _, t=text, w=wrong: f"FILTER {shown(t)} {w}"),  # type: ignore[misc]
                ("filter-pass", len(names) > 1 and "PASS" in names, lambda _: "PASS stands among other filters"),
                ("filter-zero", "0" in names, lambda _: "a filter is called 0, which is reserved"),
                ("filter-repeated", len(set(names)) < len(names), lambda _: "a filter stands twice in the record"),
            )
            for rule, broken, message in checks:
                if broken:
                    self.report.add_all(rule, numbers[codes == code].tolist(), "FILTER", message)
            for name in names:
                if not wrong and name not in self.declared.filters | {"PASS", "."}:
                    self._undeclared_once("filter-undeclared", "FILTER", name, int(numbers[np.argmax(codes == code)]), "the filter")


def _count_alternates(column: pa.StringArray) -> Ints:
    commas = as_integers(pc.count_substring(column, ","))
    return np.where(dots(column), 0, commas + 1)


def _repeats(text: str) -> bool:
    names = text.split(";")
    return len(set(names)) < len(names)


def _filter_fault(text: str, names: list[str]) -> str:
    if "" in names:
        return "has an empty name" if text else "is empty"
    if any(character.isspace() for character in text):
        return "has whitespace"
    return "has a dot among other values" if len(names) > 1 and "." in names else ""
