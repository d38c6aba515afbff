"""PLINK 2 files: ``.pgen``, read by PLINK's own library, with its ``.pvar`` (or ``.pvar.zst``) and ``.psam``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from genospark.core.calls import ALTERNATE_FIRST, DOSAGE_UNITS, MISSING, NO_DOSAGE, PHASED, Bytes, pack, packed_bytes
from genospark.core.paths import is_url, place
from genospark.errors import InputError, SetupError
from genospark.ingest.plink.bed import companion, with_one_allele
from genospark.ingest.plink.people import PlinkHeader, PlinkPeople, SampleIds, read_people
from genospark.ingest.plink.pvar import Pvar, open_text, pvar_sites, read_pvar
from genospark.ingest.plink.sites import read_lines
from genospark.ingest.vcf.faults import Findings
from genospark.ingest.vcf.lines import Ints
from genospark.ingest.vcf.parse import parsed_rows

_CHUNK_GENOTYPES = 1 << 22
_AGAIN = "copy the files again, or make them anew (`plink2 --make-pgen`); .pgen, .pvar and .psam belong together"


@dataclass(frozen=True)
class PgenHeader(PlinkHeader):
    """A ``.pgen`` file and its companions.

    Attributes:
        pgen: File of genotypes.
        path: File of variants.
        people: People.
        sample_ids: As they are called.
        keep: What is kept beside the calls: ``dosage``, ``phase``.
    """

    pgen: str
    path: str
    people: PlinkPeople
    sample_ids: tuple[str, ...]
    keep: tuple[str, ...] = ()

    @property
    def data_line(self) -> int:
        """Number of the first variant's line."""
        with open_text(self.path) as file:
            head = file.read(1 << 20).splitlines()
        return next((number for number, line in enumerate(head, 1) if not line.startswith(b"#")), 1)


@dataclass(frozen=True)
class PgenSplit:
    """A range of variants.

    Attributes:
        pgen: File of genotypes.
        pvar: What is known of the file of variants.
        first: First variant, from 0.
        n_variants: Variants.
        line_at: Byte of the text at which the line of the first begins.
        n_samples: People.
        males: As in ``PlinkPeople.male_bits``.
        keep: As in ``PgenHeader``.
    """

    pgen: str
    pvar: Pvar
    first: int
    n_variants: int
    line_at: int
    n_samples: int
    males: bytes
    keep: tuple[str, ...]

    @property
    def path(self) -> str:
        """File of variants."""
        return self.pvar.path


def read_pgen_header(path: Path | str, sample_ids: SampleIds = "IID", keep: tuple[str, ...] = ()) -> PgenHeader:
    """Reads who is in a ``.pgen`` file.

    Raises:
        InputError: It lies behind a URL, or a companion is absent or cannot be read.
    """
    if is_url(path):
        raise InputError(f"{path}: PLINK's library reads files on disks alone", "copy the file to a disk")
    compressed = f"{str(path).rpartition('.')[0]}.pvar.zst"
    variants = compressed if place(compressed).is_file() else companion(path, ".pvar")
    people = read_people(companion(path, ".psam"), sample_ids)
    return PgenHeader(str(path), variants, people, people.ids, keep)


def plan_pgen(header: PgenHeader, target_bytes: int) -> list[PgenSplit]:
    """Cuts the variants of a file into ranges of about ``target_bytes``.

    Raises:
        InputError: The file is none of PLINK 2, or does not fit its companions.
    """
    if target_bytes < 1:
        raise InputError(f"a split cannot have {target_bytes} bytes", "give a positive number of bytes")
    n = len(header.sample_ids)
    size = place(header.pgen).stat().st_size
    # What a variant takes depends on its calls: the mean is not known before they are counted.
    pvar = read_pvar(header.path, max(1, target_bytes // max(packed_bytes(n), 1)))
    reader = _open(header.pgen, n, pvar)
    if size == 0 or reader.get_variant_ct() != pvar.n:
        raise InputError(f"{header.pgen}: {reader.get_variant_ct()} variants, but {header.path} has {pvar.n}", _AGAIN)
    males = header.people.male_bits
    return [
        PgenSplit(header.pgen, pvar, i * pvar.every, min(pvar.every, pvar.n - i * pvar.every), at, n, males, header.keep)
        for i, at in enumerate(pvar.starts or (0,))
    ]


def _open(path: str, n: int, pvar: Pvar) -> Any:
    try:
        import pgenlib  # only where there are such files
    except ImportError:
        raise SetupError("the package pgenlib is not installed, which reads .pgen files", "install it: `pip install pgenlib`") from None
    try:
        reader = pgenlib.PgenReader(path.encode(), raw_sample_ct=n, variant_ct=pvar.n, allele_idx_offsets=pvar.allele_offsets())
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read with {n} people and {pvar.n} variants ({' '.join(str(error).split())})", _AGAIN) from None
    return reader


def parse_pgen(split: PgenSplit, findings: Findings, quarantine: bool) -> Iterator[pa.RecordBatch]:
    """Reads a range of variants; see ``vcf.parse_split``."""
    n = split.n_samples
    each = max(1, _CHUNK_GENOTYPES // max(n, 1))
    reader = _open(split.pgen, n, split.pvar)
    for lines in read_lines(split.path, split.line_at, split.n_variants, each, open_text):
        before = findings.lines
        first = split.first + before
        found = pvar_sites(split.pvar, lines, first, before, findings, quarantine)
        findings.lines += len(lines)
        findings.records += len(lines)
        if found is None:
            continue
        rows = np.maximum(found.sites.n_alternates, 1)
        try:
            packed, dosage, phase = _genotypes(reader, split, first + found.good, found.sites.n_alternates)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{split.pgen}: damaged near variant {first + 1} ({' '.join(str(error).split())})", _AGAIN) from None
        calls = with_one_allele(packed, n, np.repeat(found.of_males, rows), np.repeat(found.of_one, rows), split.males)
        if dosage is not None:
            _halve(dosage, np.repeat(found.of_males, rows), np.repeat(found.of_one, rows), split.males, n)
        calls = replace(calls, phase=phase, numbers={} if dosage is None else {"dosage": dosage})
        yield parsed_rows(found.sites, calls, n, found.good + before, findings)


def _genotypes(reader: Any, split: PgenSplit, variants: Ints, n_alternates: Ints) -> tuple[Bytes, Any, Bytes | None]:
    """Packed calls, and what is kept beside them, of each alternate allele of some variants."""
    n, rows = split.n_samples, np.maximum(n_alternates, 1)
    first_row = np.cumsum(rows) - rows
    numbers = variants.astype(np.uint32)
    codes = np.empty((int(rows.sum()), n), np.uint8)
    phase = np.zeros_like(codes) if "phase" in split.keep else None
    simple = n_alternates < 2
    if phase is None:
        counts = np.empty((int(simple.sum()), n), np.int8)
        reader.read_list(numbers[simple], counts)
        codes[first_row[simple]] = np.where(counts < 0, np.uint8(MISSING), counts.view(np.uint8))
    for at in np.flatnonzero(~simple if phase is None else np.ones_like(simple)).tolist():
        alleles, known = np.empty(2 * n, np.int32), np.empty(n, np.bool_)
        reader.read_alleles_and_phasepresent(int(numbers[at]), alleles, known)
        pairs = alleles.reshape(n, 2)
        missing = (pairs < 0).any(axis=1)
        for allele in range(1, int(rows[at]) + 1):
            mine = pairs == allele
            row = first_row[at] + allele - 1
            codes[row] = np.where(missing, MISSING, mine.sum(axis=1))
            if phase is not None:
                # Of equal alleles PLINK keeps no phase.
                phase[row] = (known & ~missing & (pairs[:, 0] != pairs[:, 1])) * (PHASED + (mine[:, 0] & ~mine[:, 1]) * ALTERNATE_FIRST)
    dosage = None
    if "dosage" in split.keep:
        copies = np.empty((int(simple.sum()), n), np.float32)
        reader.read_dosages_list(numbers[simple], copies)
        dosage = np.full(codes.shape, NO_DOSAGE, np.uint16)
        dosage[first_row[simple]] = np.where(copies < 0, NO_DOSAGE, np.rint(copies * DOSAGE_UNITS)).astype(np.uint16)
    return pack(codes), dosage, None if phase is None else pack(phase)


def _halve(dosage: Any, of_males: Any, of_one: Any, males: bytes, n: int) -> None:
    """Dosages of people who have one allele: PLINK counts it twice."""
    rows = np.flatnonzero(of_males | of_one)
    whose = np.unpackbits(np.frombuffer(males, np.uint8), count=n, bitorder="little").view(bool)
    one = (whose[None, :] | of_one[rows][:, None]) & (dosage[rows] != NO_DOSAGE)
    dosage[rows] = np.where(one, (dosage[rows] + 1) // 2, dosage[rows])
