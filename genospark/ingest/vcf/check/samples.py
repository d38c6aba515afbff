"""The columns of samples.

Records with the same FORMAT and the same number of alternate alleles have one form, and a regular expression of it takes lines as a
whole (RE2, through Arrow: some 600 MB a second, of any FORMAT). It takes no line with a fault. Of other lines the columns are looked at,
first by the expression of one column and then one by one, each different text once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genospark.ingest.vcf.check.arrow import encode, matches, take
from genospark.ingest.vcf.check.columns import ColumnChecker, Form
from genospark.ingest.vcf.check.fields import Declared
from genospark.ingest.vcf.check.report import Report
from genospark.ingest.vcf.check.sites import SiteTexts
from genospark.ingest.vcf.lines import Ints, Lines, spans

_TEXT_BYTES = 1 << 22
"""Text of faulty lines whose columns are looked at together."""


@dataclass
class SampleChecker:
    """Checks the columns of samples, chunk by chunk."""

    report: Report
    declared: Declared

    def __post_init__(self) -> None:
        self._forms: dict[tuple[str, int], ColumnChecker] = {}

    def check(self, sites: SiteTexts) -> None:
        """Check the samples of a chunk's records."""
        lines = sites.lines
        formats, codes = encode(lines.column(8))
        both = codes * (int(sites.n_alternates.max(initial=0)) + 1) + sites.n_alternates
        for form in np.unique(both).tolist():
            rows = np.flatnonzero(both == form)
            checker = self._checker(formats[codes[rows[0]]], int(sites.n_alternates[rows[0]]))
            pattern = checker.pattern
            if pattern is not None:
                samples = spans(lines.chunk.buffer, lines.tabs[rows, 8], lines.ends[rows])
                rows = rows[~matches(samples, rf"(?:\t{pattern})*")]
            step = max(1, _TEXT_BYTES // max(1, int((lines.ends[rows] - lines.tabs[rows, 8]).max(initial=0))))
            for first in range(0, len(rows), step):
                self._columns(checker, lines, rows[first : first + step], sites.numbers)

    def _checker(self, text: str, n_alternates: int) -> ColumnChecker:
        key = (text, n_alternates)
        if key not in self._forms:
            self._forms[key] = ColumnChecker(Form.of(text, n_alternates, self.declared, self.report.version))
        return self._forms[key]

    def _columns(self, checker: ColumnChecker, lines: Lines, rows: Ints, numbers: Ints) -> None:
        """Look at the columns of some lines."""
        n = lines.tabs.shape[1] - 8
        begin = lines.tabs[rows, 8:].ravel() + 1
        end = np.column_stack([lines.tabs[rows, 9:], lines.ends[rows]]).ravel()
        columns = spans(lines.chunk.buffer, begin, end)
        wrong = np.arange(len(columns))
        if checker.pattern is not None:
            wrong = np.flatnonzero(~matches(columns, checker.pattern))
        texts, codes = encode(take(columns, wrong))
        for code, text in enumerate(texts):
            faults = checker.faults(text)
            if not faults:
                continue
            places = np.divmod(wrong[codes == code], n)
            for rule, says in faults:
                self.report.add_all(rule, numbers[rows[places[0]]].tolist(), (places[1] + 10).astype(str).tolist(), lambda _, s=says: s)  # type: ignore[misc]
