"""People of PLINK's files: ids, sexes and families of ``.fam`` and ``.psam``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genospark.core.paths import open_bytes, reason
from genospark.errors import InputError
from genospark.ingest.bare_header import BareHeader

SampleIds = Literal["IID", "FID_IID"]
_FAM = ("FID", "IID", "PAT", "MAT", "SEX")
_SEXES = {"1": 1, "2": 2, "M": 1, "F": 2, "m": 1, "f": 2}


@dataclass(frozen=True)
class PlinkPeople:
    """People in the order of their calls.

    Attributes:
        path: The file that names them.
        first_line: Number of the first one's line, from 1.
        ids: Ids.
        sexes: (people,) uint8: 1 male, 2 female, 0 not known.
        relatives: Family, father and mother of each, called as people are; None where not known.
    """

    path: str
    first_line: int
    ids: tuple[str, ...]
    sexes: NDArray[np.uint8]
    relatives: tuple[tuple[str | None, str | None, str | None], ...] = ()

    @property
    def male_bits(self) -> bytes:
        """1 bit a person, lowest first: males."""
        return np.packbits(self.sexes == 1, bitorder="little").tobytes()


class PlinkHeader(BareHeader):
    """A header of a format whose people stand in a file of their own.

    Attributes:
        people: They.
    """

    people: PlinkPeople

    @property
    def people_at(self) -> tuple[str, str, int]:
        """As in ``genotype_files.Header``."""
        return self.people.path, "lines", self.people.first_line


def read_people(path: Path | str, sample_ids: SampleIds = "IID") -> PlinkPeople:
    """Reads a ``.fam`` file, or a ``.psam`` file, whose header line names its columns.

    Args:
        path: File.
        sample_ids: What a person is called: the second column alone, or family and person with an underscore between, as PLINK does.

    Raises:
        InputError: The file is absent, a line has columns too few, or two people have one id.
    """
    try:
        with open_bytes(path) as file:
            lines = file.read().decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({reason(error)})", "put it beside the file of genotypes, under the same name") from None
    columns, before = _columns(lines)
    rows = [line.split() for line in lines[before:]]
    while rows and not rows[-1]:
        rows.pop()
    for number, row in enumerate(rows, before + 1):
        if len(row) < len(columns):
            raise InputError(f"{path}, line {number}: {len(row)} columns, at least {len(columns)} are expected", "correct the line")
    place = {name: index for index, name in enumerate(columns)}

    def of(column: str) -> list[str]:
        return [row[place[column]] for row in rows] if column in place else ["0"] * len(rows)

    # A family 0 is none, as in PLINK.
    families = of("FID")
    fronts = [f"{family}_" if sample_ids == "FID_IID" and family != "0" else "" for family in families]
    iids, fathers, mothers = ([front + one for front, one in zip(fronts, of(column), strict=True)] for column in ("IID", "PAT", "MAT"))
    relatives = tuple(
        (None if family == "0" else family, None if father == f"{front}0" else father, None if mother == f"{front}0" else mother)
        for family, front, father, mother in zip(families, fronts, fathers, mothers, strict=True)
    )
    check_unique(path, iids, before + 1)
    sexes = [_SEXES.get(row[place["SEX"]], 0) for row in rows] if "SEX" in place else [0] * len(rows)
    return PlinkPeople(str(path), before + 1, tuple(iids), np.array(sexes, np.uint8), relatives)


def _columns(lines: list[str]) -> tuple[tuple[str, ...], int]:
    """The names of the columns, and the number of lines before the first person's."""
    for number, line in enumerate(lines):
        if line.startswith(("#FID", "#IID")):
            return tuple(line[1:].split()), number + 1
        if not line.startswith("##"):
            return _FAM, number
    return _FAM, len(lines)


def check_unique(path: Path | str, ids: list[str], first: int, word: str = "lines") -> None:
    """Checks that nobody is called as somebody else; `word` and `first` say what is counted, from which number on.

    Raises:
        InputError: Two are.
    """
    places: dict[str, list[str]] = {}
    for number, one in enumerate(ids, first):
        places.setdefault(one, []).append(str(number))
    repeated = [found for found in places.values() if len(found) > 1]
    if repeated:
        same = "; ".join(" and ".join(found[:3]) for found in repeated[:5])
        raise InputError(
            f"{path}: sample ids that occur more than once: {word} {same}",
            "give each person one id" + ("; where families make them different, take --set sample_ids=FID_IID" if word == "lines" else ""),
        )
