"""INFO, key by key over all records of a chunk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import comb

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genospark.ingest.vcf.check.arrow import Bools, as_integers, dots, encode, mask, matches, take, whole_numbers
from genospark.ingest.vcf.check.fields import Declared, field_of
from genospark.ingest.vcf.check.report import Report, shown
from genospark.ingest.vcf.check.sites import SiteTexts
from genospark.ingest.vcf.check.values import Values
from genospark.ingest.vcf.lines import Ints, spans

_KEY = re.compile(r"[A-Za-z_][0-9A-Za-z_.]*|1000G")
_CIGAR = r"(?:\.|(?:[0-9]+[MIDNSHPX=])+)"
_RULES = {"type": "info-type", "number": "info-number", "range": "info-range", "likelihood": "info-range"}


@dataclass(frozen=True)
class Entries:
    """The entries of INFO columns.

    Attributes:
        record: (entries,) record of each.
        keys: Keys.
        values: Values, empty for flags.
        has_value: (entries,) whether there is an equals sign.
    """

    record: Ints
    keys: pa.StringArray
    values: pa.StringArray
    has_value: Bools


def read_entries(column: pa.StringArray) -> Entries:
    """Divide INFO columns into their entries; a dot has none."""
    rows = np.flatnonzero(~dots(column))
    column = take(column, rows)
    offsets = np.frombuffer(column.buffers()[1], np.int32)[: len(column) + 1].astype(np.int64)
    text = np.frombuffer(column.buffers()[2] or b"", np.uint8)[: offsets[-1] if len(offsets) else 0]
    semicolons = np.flatnonzero(text == ord(";"))
    begin = np.sort(np.concatenate([offsets[:-1], semicolons + 1]))
    end = np.sort(np.concatenate([offsets[1:], semicolons]))
    equals = np.flatnonzero(text == ord("="))
    owner, first = np.unique(np.searchsorted(begin, equals, "right") - 1, return_index=True)
    has_value = np.zeros(len(begin), bool)
    has_value[owner] = True
    key_end = end.copy()
    key_end[owner] = equals[first]
    record = np.repeat(rows, np.diff(np.searchsorted(semicolons, offsets)) + 1)
    return Entries(record, spans(text, begin, key_end), spans(text, np.minimum(key_end + has_value, end), end), has_value)


class InfoChecker:
    """Checks INFO columns, chunk by chunk."""

    def __init__(self, report: Report, declared: Declared) -> None:
        self.report = report
        self.declared = declared
        self.version = report.version
        self._undeclared: set[str] = set()

    def check(self, sites: SiteTexts) -> Entries:
        """Check the INFO column of a chunk's records."""
        column, numbers = sites.lines.column(7), sites.numbers
        if self.version <= "4.2":
            spaced = np.flatnonzero(mask(pc.match_substring_regex(column, r"\s")))
            self.report.add_all("info-space", numbers[spaced].tolist(), "INFO", lambda _: "INFO has whitespace")
        entries = read_entries(column)
        keys, codes = encode(entries.keys)
        self._repeated(entries.record, codes, numbers)
        order = np.argsort(codes, kind="stable")
        valid: dict[str, Ints] = {}
        for where in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(order) else []:
            key = keys[codes[where[0]]]
            valid[key] = self._key(key, entries, where, sites)
        self._counts(entries, valid, sites)
        self._ends(entries, valid, sites)
        return entries

    def _add(self, rule: str, numbers: Ints, message: str) -> None:
        self.report.add_all(rule, numbers.tolist(), "INFO", lambda _: message)

    def _repeated(self, record: Ints, codes: Ints, numbers: Ints) -> None:
        pairs = np.sort(record * (int(codes.max(initial=0)) + 1) + codes)
        twice = np.unique(pairs[1:][pairs[1:] == pairs[:-1]] // (int(codes.max(initial=0)) + 1))
        self._add("info-repeated", numbers[twice], "an INFO key stands twice in the record")

    def _key(self, key: str, entries: Entries, where: Ints, sites: SiteTexts) -> Ints:
        """Check the entries ``where`` of a key; returns those whose values are right."""
        numbers = sites.numbers[entries.record[where]]
        has_value = entries.has_value[where]
        if not key or key == ".":
            self._add("info", numbers, "INFO has an empty entry" if not key else "INFO has a dot among other entries")
            return where[:0]
        if any(character.isspace() for character in key):
            if self.version >= "4.3":
                self._add("info-space", numbers, f"the INFO key {shown(key)} has whitespace")
        elif not _KEY.fullmatch(key):
            self._add("info-key", numbers, f"{shown(key)} is not a key that INFO can have")
        field = field_of("INFO", key, self.declared.info, self.version)
        if key not in self.declared.info and key not in self._undeclared:
            self._undeclared.add(key)
            self._add("info-undeclared", numbers[:1], f"the INFO key {shown(key)} is not declared in the header")
        values = take(entries.values, where)
        self._text(key, values, numbers)
        if field is None:
            return where[:0]
        if field.type == "Flag" or field.number == "0":
            digit = matches(values, "[01]")
            self._add("info-flag-number", numbers[has_value & digit], f"the flag {key} has a value")
            self._add("info-flag", numbers[has_value & ~digit], f"the flag {key} has a value that is neither 0 nor 1")
            return where[:0]
        self._add("info-value", numbers[~has_value], f"{key} has no value")
        empty = has_value & matches(values, "")
        if field.type not in ("String", "Character"):
            self._add("info-value", numbers[empty], f"{key} has no value")
        return self._values(Values(key, "INFO", field, self.version), where[has_value & ~empty], entries, sites)

    def _text(self, key: str, values: pa.StringArray, numbers: Ints) -> None:
        equals = mask(pc.match_substring(values, "="))
        self._add("info-equals", numbers[equals], f"a value of {shown(key)} has an equals sign")
        if self.version >= "4.3":
            percent = np.flatnonzero(mask(pc.match_substring(values, "%")))
            rest = pc.replace_substring_regex(take(values, percent), "%[0-9A-F]{2}", "")
            bare = percent[mask(pc.match_substring(rest, "%"))]
            self._add("info-percent", numbers[bare], f"a value of {shown(key)} has a percent sign that begins no encoded character")

    def _values(self, values: Values, where: Ints, entries: Entries, sites: SiteTexts) -> Ints:
        """Check the lists of values; those that the pattern does not take are looked at one by one."""
        right = np.zeros(len(where), bool)
        texts = take(entries.values, where)
        n_alternates = sites.n_alternates[entries.record[where]]
        for n in np.unique(n_alternates).tolist() if values.field.number in ("A", "R") else [0]:
            # Without a ploidy nobody knows how many genotypes there are.
            counts = None if values.field.number == "G" else counts_of(values.field.number, n)
            group = np.flatnonzero(n_alternates == n) if values.field.number in ("A", "R") else np.arange(len(where))
            pattern = values.pattern(counts) if values.key != "CIGAR" else rf"(?:{_CIGAR}(?:,{_CIGAR}){{{max(n, 1) - 1}}}|\.)"
            right[group] = matches(take(texts, group), pattern)
            seen: dict[str, list[tuple[str, str]]] = {}
            for at in group[~right[group]].tolist():
                text = texts[at].as_py()
                if text not in seen:
                    quoted = len(text) > 1 and text.startswith('"') and text.endswith('"')
                    rules = _RULES | ({"number": "info-quoted"} if quoted else {})
                    seen[text] = [(rules[kind], says) for kind, says in values.faults(text, counts)]
                    if values.key == "CIGAR" and not re.fullmatch(f"{_CIGAR}(?:,{_CIGAR})*", text):
                        seen[text].append(("info-type", "a value of CIGAR is not a CIGAR string"))
                for rule, says in seen[text]:
                    self.report.add(rule, int(sites.numbers[entries.record[where[at]]]), "INFO", f"{says}: {shown(f'{values.key}={text}')}")
        valid: Ints = where[right]
        return valid

    def _counts(self, entries: Entries, valid: dict[str, Ints], sites: SiteTexts) -> None:
        if "AC" not in valid or "AN" not in valid:
            return
        total = np.full(len(sites.lines), np.iinfo(np.int64).max)
        alone = valid["AN"][matches(take(entries.values, valid["AN"]), "[0-9]+")]
        total[entries.record[alone]] = whole_numbers(take(entries.values, alone))
        where = valid["AC"][matches(take(entries.values, valid["AC"]), "[0-9]+(?:,[0-9]+)*")]
        if not len(where):
            return
        lists = pc.split_pattern(take(entries.values, where), ",")
        counts = whole_numbers(lists.flatten())
        sums = np.add.reduceat(counts, as_integers(lists.offsets)[:-1])
        record = entries.record[where]
        self._add("info-ac-an", sites.numbers[record[sums > total[record]]], "the sum of AC is above AN")

    def _ends(self, entries: Entries, valid: dict[str, Ints], sites: SiteTexts) -> None:
        where = valid.get("END", np.zeros(0, np.int64))
        where = where[matches(take(entries.values, where), "[0-9]+")]
        ends = whole_numbers(take(entries.values, where))
        record = entries.record[where]
        self._add("info-end", sites.numbers[record[ends < sites.start[record]]], "END is before POS")


def counts_of(number: str, n_alternates: int, ploidy: int = 2) -> tuple[int, ...] | None:
    """How many values a Number stands for; None where any. Without ALT alleles (a dot) the dot may have been counted as one."""
    if number.isdigit():
        return (int(number),)
    alternates = (n_alternates,) if n_alternates else (0, 1)
    if number == "A":
        return alternates
    if number == "R":
        return tuple(n + 1 for n in alternates)
    if number == "G":
        return tuple(comb(n + ploidy, ploidy) for n in alternates)
    return None
