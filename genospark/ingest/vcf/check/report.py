"""What was found in a file, counted by rule; of each rule the first findings are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from genospark.ingest.vcf.check.rules import RULES, VERSIONS, Severity
from genospark.ingest.vcf.faults import site

SHOWN = 60
"""Characters of a value in a message."""


def shown(value: str) -> str:
    """A value of a site as messages show it: its beginning, and nothing that could be a genotype in the wrong column."""
    text = site(value)
    return repr(text if text == value and len(text) <= SHOWN else text[: SHOWN - 3] + "...")


@dataclass(frozen=True)
class Finding:
    """A breach of a rule.

    Attributes:
        line: Line of the file, from 1; 0 where it is the file as a whole.
        column: Column, by its name or, of a sample, by its number; a dash where it is the whole line.
        rule: The rule's id.
        severity: Its severity in the version of the file.
        message: What is wrong; nobody's genotype.
    """

    line: int
    column: str
    rule: str
    severity: Severity
    message: str


@dataclass
class Report:
    """Findings of one file.

    Attributes:
        path: File.
        limit: Findings of a rule that are kept.
        version: VCF version of the file; the newest until it is known.
        records: Records.
        samples: Samples.
        counts: Findings by rule.
    """

    path: str
    limit: int
    version: str = VERSIONS[-1]
    records: int = 0
    samples: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    _kept: list[Finding] = field(default_factory=list)

    def add(self, rule: str, line: int, column: str, message: str) -> None:
        """Adds a finding; one of a rule that the file's version does not have is none."""
        self.add_all(rule, [line], column, lambda _: message)

    def add_all(self, rule: str, lines: Sequence[int], column: str | Sequence[str], message: Callable[[int], str]) -> None:
        """Adds findings of a rule, one a line, in one column or in one each; ``message`` says what is wrong with the n-th."""
        severity = RULES[rule].severity(self.version)
        if severity is None:
            return
        room = max(0, self.limit - self.counts[rule])
        for n, line in enumerate(lines[:room]):
            self._kept.append(Finding(line, column if isinstance(column, str) else column[n], rule, severity, message(n)))
        if len(lines):
            self.counts[rule] += len(lines)

    @property
    def errors(self) -> int:
        """Findings that are errors."""
        return self._total("error")

    @property
    def warnings(self) -> int:
        """Findings that are warnings."""
        return self._total("warning")

    def _total(self, severity: Severity) -> int:
        return sum(n for rule, n in self.counts.items() if RULES[rule].severity(self.version) == severity)

    @property
    def findings(self) -> list[Finding]:
        """The findings that were kept, in the order of the file."""
        return sorted(self._kept, key=lambda finding: finding.line)

    def text(self) -> Iterator[str]:
        """A line for each finding that was kept, for each rule with more of them, and the summary."""
        for finding in self.findings:
            place = f"{self.path}:{finding.line}:{finding.column}"
            yield f"{place}: {finding.severity} [{finding.rule}] {finding.message}"
        for rule, n in sorted(self.counts.items()):
            if n > self.limit:
                yield f"{self.path}: [{rule}] {n} findings, of which the first {self.limit} are shown (--limit)"
        verdict = "not valid" if self.errors else "valid"
        sizes = f"{self.records} records, {self.samples} samples"
        yield f"{self.path}: {verdict} (VCF {self.version}, {sizes}): {self.errors} errors, {self.warnings} warnings"
