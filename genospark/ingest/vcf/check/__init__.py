"""``check-vcf``: is a file what the VCF specification (4.1 to 4.5) says?

One pass over the chunks of the native parser; each column is checked over all records of a chunk at once. ``rules`` is the table of what is
checked. Imports no Spark and nothing of the ingest stages.
"""

from __future__ import annotations

import sys

from genospark.errors import InputError
from genospark.ingest.vcf.check.report import Finding, Report

__all__ = ["Finding", "Report", "check_file", "check_files"]


def check_file(path: str, limit: int = 20) -> Report:
    """Check a file.

    Args:
        path: VCF: plain, bgzipped or gzipped.
        limit: Findings of each rule that are kept; all are counted.

    Returns:
        What was found; a file that cannot be read makes a finding, too.
    """
    from genospark.ingest.vcf.check.head import read_head
    from genospark.ingest.vcf.check.records import check_records

    report = Report(path, limit)
    try:
        if head := read_head(report):
            check_records(report, head)
    except InputError as error:
        report.add("file-readable", 0, "-", error.problem.removeprefix(f"{path}: "))
    return report


def check_files(paths: list[str], limit: int = 20) -> int:
    """Check files and print what is found; returns the exit code: 0, or that of bad input where a file is not valid."""
    failed = False
    for path in paths:
        report = check_file(path, limit)
        for line in report.text():
            print(line)
        sys.stdout.flush()
        failed |= report.errors > 0
    return InputError.exit_code if failed else 0
