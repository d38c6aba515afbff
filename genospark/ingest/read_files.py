"""Files of aligned reads and whose they are: by their read groups, or by a sheet that names people and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genospark.core import paths
from genospark.errors import ConfigError, InputError
from genospark.ingest.reads import AlignmentHeader, read_alignment_header
from genospark.ingest.roles import by_role
from genospark.ingest.table_checks import refuse_rows, require, unique
from genospark.ingest.tabular import read_table

ROLES = ("reads", "samples")
_COLUMNS = ["sampleId", "path"]


def read_headers(inputs: list[str], named_by_file: bool = False) -> tuple[list[AlignmentHeader], list[Path]]:
    """Headers of all files of reads, each of the person of its sheet or else of its read groups; and the sheet, if there is one.

    Args:
        inputs: Paths and globs of BAM and CRAM files, and ``samples=path`` for a sheet; a file that both name is read once.
        named_by_file: Whether people of whom nothing says who they are are called as their files.

    Raises:
        ConfigError: There are several sheets, or no file is named.
        InputError: A file is missing or damaged, or its person is not known; or the sheet is wrong.
    """
    roles = by_role(inputs, ROLES, needed=ROLES)
    sheets = roles.get("samples", [])
    if len(sheets) > 1:
        raise ConfigError(f"{len(sheets)} sample sheets are given", "put all files of reads into one")
    people: dict[Path, str | None] = dict.fromkeys(roles.get("reads", []))
    for sheet in sheets:
        people |= read_sheet(sheet)
    return [read_alignment_header(path, person, named_by_file) for path, person in people.items()], sheets


def read_sheet(sheet: Path) -> dict[Path, str]:
    """The person of each file: columns sampleId and path, relative to the sheet's folder; tabs, or commas in ``.csv``.

    Raises:
        InputError: A column is missing, a line names no person or no file that is there, or two name the same.
    """
    frame = read_table(sheet)
    require(frame, _COLUMNS, sheet)
    unique(frame, ["sampleId"], sheet)
    unique(frame, ["path"], sheet)
    control = frame["sampleId"].str.contains(r"[\x00-\x1f]").to_numpy(bool)
    refuse_rows(frame, control, sheet, "a sampleId with a tab or a line end in it", "write the name that calls are to have")
    found: dict[Path, int] = {}
    for line, text in zip(frame.index.tolist(), frame["path"], strict=True):
        whole = paths.is_url(text) or paths.place(text).is_absolute()
        path = paths.absolute(text if whole else f"{sheet.parent}/{text}")
        with paths.refusals(path, InputError):
            there = path.is_file()
        if not there:
            step = "mend the path, which is relative to the sheet's folder where it does not begin with /"
            raise InputError(f"{sheet}: line {line}: no such file: {path}", step)
        if path in found:
            raise InputError(f"{sheet}: line {line}: the same file as on line {found[path]}", "give each person a file of their own")
        found[path] = line
    return dict(zip(found, np.asarray(frame["sampleId"], object).tolist(), strict=True))
