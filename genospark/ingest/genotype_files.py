"""What a stage asks of a file of genotypes, whichever its format: its header, pieces to read apart, and the rows of a piece.

Each engine reads one format and knows no Spark; what becomes of the rows is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import pyarrow as pa

from genospark.core.paths import place
from genospark.ingest import bcf, bgen, plink, vcf
from genospark.ingest.vcf import Findings


class Header(Protocol):
    """What is known of a file before its records are read.

    Attributes:
        path: File whose lines, or records, are counted.
        contigs: Length of each contig in base pairs, None where not stated; None where the format declares no contigs.
        sample_ids: People, in the order of their calls.
        data_line: Number of the first record's line.
        warnings: Findings that touch no stored value, counted.
        people_at: Where people are named: file, what of it each has, and the number of the first one's.
    """

    @property
    def path(self) -> str: ...

    @property
    def contigs(self) -> Mapping[str, int | None] | None: ...

    @property
    def sample_ids(self) -> tuple[str, ...]: ...

    @property
    def data_line(self) -> int: ...

    @property
    def warnings(self) -> Mapping[str, int]: ...

    @property
    def people_at(self) -> tuple[str, str, int]: ...


class Piece(Protocol):
    """A range of a file's records that any process can read; picklable.

    Attributes:
        path: As of the header.
        n_samples: People.
    """

    @property
    def path(self) -> str: ...

    @property
    def n_samples(self) -> int: ...


class _Engine(NamedTuple):
    plan: Callable[[Any, int], list[Any]]
    parse: Callable[[Any, Findings, bool], Iterator[pa.RecordBatch]]


_ENGINES: dict[type, _Engine] = {}
for _header, _piece, _plan, _parse in (
    (vcf.VcfHeader, vcf.Split, vcf.plan_splits, vcf.parse_split),
    (bcf.BcfHeader, bcf.BcfSplit, bcf.plan_bcf, bcf.parse_bcf),
    (bgen.BgenHeader, bgen.BgenSplit, bgen.plan_bgen, bgen.parse_bgen),
    (plink.PgenHeader, plink.PgenSplit, plink.plan_pgen, plink.parse_pgen),
    (plink.BedHeader, plink.BedSplit, plink.plan_bed, plink.parse_bed),
):
    _ENGINES[_header] = _ENGINES[_piece] = _Engine(_plan, _parse)
HeaderOf = TypeVar("HeaderOf", bound=Header)


_TASKS_PER_CORE, _LEAST_BYTES, _MOST_BYTES = 4, 4 << 20, 64 << 20
"""A task costs about a tenth of a second by itself, and the last ones of a job should not keep other cores waiting long."""


def piece_bytes(files: Sequence[Path], cores: int) -> int:
    """Stored bytes of a piece, so that each core gets a few of them."""
    each = sum(place(path).stat().st_size for path in files) // (_TASKS_PER_CORE * cores)
    return min(max(each + 1, _LEAST_BYTES), _MOST_BYTES)


def plan(header: Header, target_bytes: int) -> list[Piece]:
    """Cuts the records of a file into pieces of about as many stored bytes.

    Raises:
        InputError: The file is truncated, or a companion of it does not fit.
    """
    return _ENGINES[type(header)].plan(header, target_bytes)


def parse(piece: Piece, findings: Findings, quarantine: bool) -> Iterator[pa.RecordBatch]:
    """The rows of a piece: batches of ``PARSED_SCHEMA``; as ``vcf.parse_split``."""
    return _ENGINES[type(piece)].parse(piece, findings, quarantine)
