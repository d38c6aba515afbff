"""The sample sheet: whose sample a column or row of an expression file is, and of which cell type and state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from genospark.errors import InputError
from genospark.ingest.table_checks import require, unique
from genospark.ingest.tabular import read_table

KEYS = ["sampleId", "cellType", "state"]


@dataclass(frozen=True)
class SampleSheet:
    """Rows of a sheet.

    Attributes:
        path: The file.
        rows: sampleId, cellType, state of each sample, None where the sheet does not say; indexed by the sample's name in files.
        lines: Line of each sample.
    """

    path: Path
    rows: pd.DataFrame
    lines: pd.Series

    def people(self, keys: pd.DataFrame, path: Path, where: str) -> pd.DataFrame:
        """Keys of a file with the people, cell types and states of the sheet.

        Args:
            keys: sampleId (the name in the file), cellType and state (kept where the sheet has none); the index says where names stand.
            path: The file.
            where: In what: column, line or profile.

        Raises:
            InputError: A name is not in the sheet, or two are of the same person, cell type and state.
        """
        unknown = ~keys["sampleId"].isin(self.rows.index)
        if unknown.any():
            raise InputError(
                f"{path}: {where} {keys.index[unknown.to_numpy()][0]}: its sample is not in the sample sheet {self.path}",
                f"add a line for it to the sheet, or leave the {where} out",
            )
        found = self.rows.loc[keys["sampleId"]].set_axis(keys.index)
        made = found.where(found.notna(), keys[KEYS])
        again = made.duplicated()
        if again.any():
            same = (made == made[again].iloc[0]).all(axis=1).to_numpy()
            places = ", ".join(map(str, keys.index[same][:10]))
            raise InputError(
                f"{path}: {where}s {places} are of the same person, cell type and state by the sample sheet {self.path}",
                "keep one of them, or tell them apart by cellType or state",
            )
        return made

    def check_used(self, seen: pd.DataFrame, left_out: int = 0) -> None:
        """Checks that every row was found in some file.

        Args:
            seen: sampleId, cellType, state of all that was read.
            left_out: Bad records that may have been samples.

        Raises:
            InputError: More rows were not.
        """
        missing = pd.Series(True, self.rows.index)
        # Rows that leave a column open are found whatever the file says there.
        for columns, mine in self.rows.groupby(self.rows.notna().apply(lambda row: tuple(name for name in KEYS if row[name]), axis=1)):
            there = pd.MultiIndex.from_frame(seen[list(columns)])
            missing[mine.index] = ~pd.MultiIndex.from_frame(mine[list(columns)]).isin(there)
        if missing.sum() > left_out:
            sample = missing.index[missing.to_numpy()][0]
            raise InputError(
                f"{self.path}: line {self.lines[sample]}: no input file has a value of the sample",
                "name the file that has it, or remove the line from the sheet",
            )


def read_sheet(path: Path) -> SampleSheet:
    """A sample sheet: columns sample, sampleId, and cellType and state where files or settings do not say them; tabs or commas.

    Raises:
        InputError: A column is missing, a sample has no person or stands twice, or two samples are the same.
    """
    frame = read_table(path)
    require(frame, ["sample", "sampleId"], path)
    unique(frame, ["sample"], path)
    unique(frame, ["sampleId", "sample"], path)
    whole = [name for name in KEYS if name in frame.columns and frame[name].notna().all()]
    if len(whole) == len(KEYS):
        unique(frame, KEYS, path)
    rows = pd.DataFrame({name: frame.get(name) for name in KEYS}, index=frame.index, dtype=object)
    rows = rows.where(rows.notna(), None).set_axis(pd.Index(frame["sample"]))
    return SampleSheet(path, rows, pd.Series(frame.index, pd.Index(frame["sample"])))
