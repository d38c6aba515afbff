"""PLINK 1 binary files: ``.bed`` with its ``.bim`` and ``.fam``.

Format: the PLINK 1.9 documentation, "PLINK 1 binary biallelic genotype table". After three bytes (6c 1b, and 01 where variants follow one
another) every variant has 2 bits a person, lowest first: 00 two copies of A1, 01 missing, 10 one of each, 11 two copies of A2. So packed
bytes become ours by a table of 256 entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from genospark.core.calls import MISSING, Bytes, pack, packed_bytes, unpack
from genospark.core.paths import open_bytes, place, reason
from genospark.errors import InputError
from genospark.ingest.plink.people import PlinkHeader, PlinkPeople, SampleIds, read_people
from genospark.ingest.plink.sites import BimSites, ReferenceAllele, bim_sites, line_starts, read_lines
from genospark.ingest.vcf.faults import Findings
from genospark.ingest.vcf.genotypes import Calls
from genospark.ingest.vcf.lines import Ints
from genospark.ingest.vcf.parse import parsed_rows
from genospark.ingest.vcf.sites import Bools

MAGIC, VARIANT_MAJOR, SAMPLE_MAJOR = b"\x6c\x1b", b"\x01", b"\x00"
_HEAD = len(MAGIC) + 1
_CHUNK_BYTES, _CHUNK_VARIANTS = 4 << 20, 1 << 16
_AGAIN = "copy the files again, or make them anew (`plink2 --make-bed`); .bed, .bim and .fam belong together"


def _table(codes: tuple[int, int, int, int]) -> Bytes:
    """For every byte of PLINK's the byte with our codes."""
    pairs = np.array(codes, np.uint8)[np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3]
    return pack(pairs)[:, 0]


FROM_BED: dict[ReferenceAllele, Bytes] = {"last": _table((2, MISSING, 1, 0)), "first": _table((0, MISSING, 1, 2))}
"""Our packed byte for each of PLINK's, by which of A1 (first) and A2 (last) is the reference."""
TO_BED = _table((3, 2, 0, 1))
"""PLINK's byte for each of ours, with the alternate allele as A1."""


@dataclass(frozen=True)
class BedHeader(PlinkHeader):
    """A ``.bed`` file and its companions.

    Attributes:
        bed: File of genotypes.
        path: File of variants (``.bim``).
        people: People.
        sample_ids: As they are called.
        reference: Which allele is the reference.
    """

    bed: str
    path: str
    people: PlinkPeople
    sample_ids: tuple[str, ...]
    reference: ReferenceAllele
    data_line: int = 1


@dataclass(frozen=True)
class BedSplit:
    """A range of variants.

    Attributes:
        bed: File of genotypes.
        path: File of variants.
        first: First variant, from 0.
        n_variants: Variants.
        line_at: Byte at which the line of the first begins.
        n_samples: People.
        males: As in ``PlinkPeople.male_bits``.
        reference: As in ``BedHeader``.
    """

    bed: str
    path: str
    first: int
    n_variants: int
    line_at: int
    n_samples: int
    males: bytes
    reference: ReferenceAllele


def companion(path: Path | str, suffix: str) -> str:
    """The file beside another one, with another ending.

    Raises:
        InputError: It is not there.
    """
    found = f"{str(path).rpartition('.')[0]}{suffix}"
    if not place(found).is_file():
        raise InputError(f"{found}: no such file", f"put it beside {path}, under the same name")
    return found


def read_bed_header(path: Path | str, reference: ReferenceAllele = "last", sample_ids: SampleIds = "IID") -> BedHeader:
    """Reads who is in a ``.bed`` file.

    Raises:
        InputError: It is not a ``.bed`` file whose variants follow one another, or a companion is absent or cannot be read.
    """
    try:
        with open_bytes(path) as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({reason(error)})", "check the path and its permissions") from None
    if head == MAGIC + SAMPLE_MAJOR:
        raise InputError(
            f"{path}: the calls of a person follow one another (sample-major)", "turn it: `plink1.9 --bfile OLD --make-bed --out NEW`"
        )
    if head != MAGIC + VARIANT_MAJOR:
        raise InputError(f"{path}: not a PLINK 1 binary file: it does not begin with 6c 1b 01", "give a .bed of genotypes, not of regions")
    people = read_people(companion(path, ".fam"), sample_ids)
    return BedHeader(str(path), companion(path, ".bim"), people, people.ids, reference)


def plan_bed(header: BedHeader, target_bytes: int) -> list[BedSplit]:
    """Cuts the variants of a file into ranges of about ``target_bytes``.

    Raises:
        InputError: The length of the file does not follow from its companions.
    """
    if target_bytes < 1:
        raise InputError(f"a split cannot have {target_bytes} bytes", "give a positive number of bytes")
    width = packed_bytes(len(header.sample_ids))
    each = max(1, target_bytes // max(width, 1))
    starts, n = line_starts(header.path, each)
    found = place(header.bed).stat().st_size
    if found != _HEAD + n * width:
        raise InputError(
            f"{header.bed}: {found} bytes, but {n} variants of {header.path} and {len(header.sample_ids)} people of {header.people.path} "
            f"make {_HEAD + n * width}",
            _AGAIN,
        )
    males = header.people.male_bits
    return [
        BedSplit(header.bed, header.path, i * each, min(each, n - i * each), at, len(header.sample_ids), males, header.reference)
        for i, at in enumerate(starts)
    ] or [BedSplit(header.bed, header.path, 0, 0, 0, len(header.sample_ids), males, header.reference)]


def parse_bed(split: BedSplit, findings: Findings, quarantine: bool) -> Iterator[pa.RecordBatch]:
    """Reads a range of variants; see ``vcf.parse_split``."""
    n, width = split.n_samples, packed_bytes(split.n_samples)
    each = max(1, min(_CHUNK_VARIANTS, _CHUNK_BYTES // max(width, 1)))
    with open_bytes(split.bed) as file:
        file.seek(_HEAD + split.first * width)
        for lines in read_lines(split.path, split.line_at, split.n_variants, each):
            before = findings.lines
            found = bim_sites(split.path, lines, split.first + before + 1, before, split.reference, findings, quarantine)
            raw = file.read(len(lines) * width)
            if len(raw) < len(lines) * width:
                raise InputError(f"{split.bed}: the file ends before its last variant", _AGAIN)
            packed = FROM_BED[split.reference][np.frombuffer(raw, np.uint8).reshape(len(lines), width)[found.good]]
            if n % 4:
                packed[:, -1] |= np.uint8(0xFF << 2 * (n % 4) & 0xFF)
            _check_alternates(split, found, packed, before)
            calls = with_one_allele(packed, n, found.of_males, found.of_one, split.males)
            findings.lines += len(lines)
            findings.records += len(lines)
            if len(found.good):
                yield parsed_rows(found.sites, calls, n, found.good + before, findings)


def _check_alternates(split: BedSplit, found: BimSites, packed: Bytes, before: int) -> None:
    """Nobody carries an alternate allele that is not known."""
    without = np.flatnonzero(found.sites.n_alternates == 0)
    codes = unpack(packed[without], split.n_samples)
    wrong = ((codes != 0) & (codes != MISSING)).any(axis=1)
    if wrong.any():
        line = split.first + before + int(found.good[without[wrong.argmax()]]) + 1
        raise InputError(f"{split.path}, line {line}: people carry an allele that is not known (0)", "give the allele in the .bim file")


def with_one_allele(packed: Bytes, n: int, of_males: Bools, of_one: Bools, males: bytes) -> Calls:
    """Calls of one allele where people have one: males on X, everyone on Y and MT. PLINK writes them as two equal ones.

    What is called as two different alleles stays so, as in VCFs that PLINK writes.

    Args:
        packed: (variants, ceil(n / 4)) calls, all of two alleles; changed in place.
        n: People.
        of_males: (variants,) whether males have one allele.
        of_one: (variants,) whether everyone has.
        males: 1 bit a person.
    """
    rows: Ints = np.flatnonzero(of_males | of_one)
    width = -(-n // 8)
    if not len(rows):
        return Calls(packed, rows, np.zeros((0, width), np.uint8))
    codes = unpack(packed[rows], n)
    whose = np.unpackbits(np.frombuffer(males, np.uint8), count=n, bitorder="little").view(bool)
    one = (whose[None, :] | of_one[rows][:, None]) & (codes != 1)
    packed[rows] = pack(np.where(one & (codes == 2), np.uint8(1), codes))
    some = one.any(axis=1)
    return Calls(packed, rows[some], np.packbits(one[some], axis=1, bitorder="little"))
