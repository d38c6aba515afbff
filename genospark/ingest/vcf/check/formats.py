"""FORMAT columns: their keys, each different FORMAT once."""

from __future__ import annotations

import re

from genospark.ingest.vcf.check.arrow import encode
from genospark.ingest.vcf.check.fields import Declared
from genospark.ingest.vcf.check.report import Report, shown
from genospark.ingest.vcf.check.sites import SiteTexts

_KEY = re.compile(r"(?:[A-Za-z_]|%[0-9A-F]{2})(?:[0-9A-Za-z_.]|%[0-9A-F]{2})*")
_LETTERS = re.compile("[0-9A-Za-z]*")
LOCAL = {"LAD", "LADF", "LADR", "LEC", "LGL", "LGP", "LPL", "LPP"}


class FormatChecker:
    """Checks FORMAT columns, chunk by chunk."""

    def __init__(self, report: Report, declared: Declared) -> None:
        self.report = report
        self.declared = declared
        self.version = report.version
        self._undeclared: set[str] = set()

    def check(self, sites: SiteTexts) -> None:
        """Check the FORMAT column of a chunk's records."""
        texts, codes = encode(sites.lines.column(8))
        for code, text in enumerate(texts):
            numbers = sites.numbers[codes == code].tolist()
            for rule, says in self._faults(text):
                self.report.add_all(rule, numbers, "FORMAT", lambda _, s=says: s)  # type: ignore[misc]
            for key in text.split(":"):
                if key and key != "." and key not in self.declared.format and key not in self._undeclared:
                    self._undeclared.add(key)
                    self.report.add("format-undeclared", numbers[0], "FORMAT", f"the FORMAT key {shown(key)} is not declared in the header")

    def _faults(self, text: str) -> list[tuple[str, str]]:
        keys = text.split(":")
        found: list[tuple[str, str]] = []
        if text == ".":
            return found
        if "" in keys:
            found.append(("format", "FORMAT has an empty key" if text else "FORMAT is empty"))
        for key in keys:
            if key and not _KEY.fullmatch(key):
                found.append(("format-key", f"{shown(key)} is not a key that FORMAT can have"))
            elif not _LETTERS.fullmatch(key):
                found.append(("format-key-letters", f"the FORMAT key {shown(key)} has other characters than letters and digits"))
        if "GT" in keys[1:]:
            found.append(("format-gt", "GT stands in FORMAT, but not first"))
        if len(set(keys)) < len(keys):
            found.append(("format-repeated", "a FORMAT key stands twice"))
        if "CICN" in keys and "CN" not in keys:
            found.append(("format-needs", "CICN stands in FORMAT without CN"))
        if self.version >= "4.5" and LOCAL.intersection(keys) and "LAA" not in keys[: 1 + (keys[0] == "GT")]:
            found.append(("format-needs", "local-allele keys stand in FORMAT without LAA right after GT, or first"))
        return found
