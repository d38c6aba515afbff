"""All records of a file, chunk by chunk."""

from __future__ import annotations

import numpy as np

from genospark.ingest.vcf.check.formats import FormatChecker
from genospark.ingest.vcf.check.head import Head
from genospark.ingest.vcf.check.info import InfoChecker
from genospark.ingest.vcf.check.order import OrderChecker
from genospark.ingest.vcf.check.report import Report
from genospark.ingest.vcf.check.samples import SampleChecker
from genospark.ingest.vcf.check.sites import SiteChecker
from genospark.ingest.vcf.check.sv import check_variants
from genospark.ingest.vcf.chunks import TAIL, Chunk, read_chunks
from genospark.ingest.vcf.lines import find_lines

_ORDINARY = bytes(range(32, 127)) + b"\t\n"


def check_records(report: Report, head: Head) -> None:
    """Check the records of a file."""
    _Records(report, head).check()


class _Records:
    def __init__(self, report: Report, head: Head) -> None:
        self.report = report
        self.split = head.split
        self.sites = SiteChecker(report, head.declared)
        self.order = OrderChecker(report)
        self.info = InfoChecker(report, head.declared)
        self.formats = FormatChecker(report, head.declared)
        self.samples = SampleChecker(report, head.declared)
        self.line = head.split.first_line or 1
        self.empty: list[int] = []

    def check(self) -> None:
        for chunk in read_chunks(self.split):
            self._chunk(self._text(chunk))
            if not chunk.ended:
                self.report.add("file-line-end", self.line - 1, "-", "the line does not end with a line separator")
        if self.empty:
            self.report.add("file-empty-end", self.empty[0], "-", f"{len(self.empty)} empty lines after the last record")

    def _chunk(self, chunk: Chunk) -> None:
        lines, wrong, n_lines = find_lines(chunk)
        n_used = len(lines) + len(wrong)
        if n_used:
            self._empty(self.empty)
            self.empty = []
        self.empty += range(self.line + n_used, self.line + n_lines)
        empty = [fault.number + self.line for fault in wrong if chunk.buffer[fault.start] in b"\r\n"]
        self._empty(empty)
        broken = [(fault.number + self.line, fault.detail) for fault in wrong if chunk.buffer[fault.start] not in b"\r\n"]
        self.report.add_all("record-columns", [number for number, _ in broken], "-", lambda n: broken[n][1])
        self.report.records += n_used - len(empty)
        if len(lines):
            sites = self.sites.check(lines, lines.numbers + self.line)
            self.order.check(sites)
            check_variants(self.report, sites, self.info.check(sites))
            if self.split.n_columns > 8:
                self.formats.check(sites)
            if self.split.n_samples:
                self.samples.check(sites)
        self.line += n_lines

    def _empty(self, numbers: list[int]) -> None:
        self.report.add_all("file-empty-line", numbers, "-", lambda _: "an empty line before or between records")

    def _text(self, chunk: Chunk) -> Chunk:
        """Check the characters of a chunk; what is no UTF-8 is replaced, so that all else can be checked."""
        text = chunk.text.tobytes()
        others = text.translate(None, _ORDINARY)
        if not others:
            return chunk
        if others.strip(b"\r"):
            try:
                text.decode()
            except UnicodeDecodeError:
                text = self._not_utf8(text)
        returns = text.count(b"\r")
        control = any(byte < 32 and byte != 13 for byte in set(others))
        if control or returns != text.count(b"\r\n"):
            for number, line in enumerate(text.split(b"\n"), self.line):
                if any(byte < 32 and byte != 9 for byte in line.removesuffix(b"\r")):
                    self.report.add("file-control", number, "-", "the line has a control character, or a carriage return before its end")
        return Chunk(np.frombuffer(text + bytes(TAIL), np.uint8), chunk.split, chunk.marks, chunk.ended)

    def _not_utf8(self, text: bytes) -> bytes:
        lines = text.split(b"\n")
        for i, line in enumerate(lines):
            try:
                line.decode()
            except UnicodeDecodeError:
                self.report.add("file-utf8", self.line + i, "-", "the line is not UTF-8")
                lines[i] = line.decode(errors="replace").encode()
        return b"\n".join(lines)
