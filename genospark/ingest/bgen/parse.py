"""From a range of a BGEN file to record batches."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
from isal import isal_zlib

from genospark.core.paths import open_bytes
from genospark.errors import InputError
from genospark.ingest.bgen.header import AGAIN
from genospark.ingest.bgen.probabilities import HEAD_BYTES, Known, expected_bytes, known_of, shape_of
from genospark.ingest.bgen.splits import BgenSplit, Site, read_site
from genospark.ingest.plink.sites import sift, simple_sites, site_checks
from genospark.ingest.vcf.bgzf import InflateError
from genospark.ingest.vcf.faults import SHOWN, Findings
from genospark.ingest.vcf.lines import Ints
from genospark.ingest.vcf.parse import parsed_rows

_CHUNK_GENOTYPES = 1 << 20
"""Genotypes that are read together: some numbers of eight bytes are made of each."""


def parse_bgen(split: BgenSplit, findings: Findings, quarantine: bool) -> Iterator[pa.RecordBatch]:
    """Reads a range of variants; see ``vcf.parse_split``.

    Raises:
        InputError: The file is damaged or, without ``quarantine``, a variant cannot be read.
    """
    each = max(1, _CHUNK_GENOTYPES // max(split.n_samples, 1))
    sites: list[Site] = []
    data: list[bytes] = []
    with open_bytes(split.path) as file:
        file.seek(split.start)
        stored = file.read(split.stop - split.start)
    at = 0
    while at < len(stored):
        site = read_site(stored, at)
        if site is None or at + site.end > len(stored):
            raise InputError(f"{split.path}: the file ends within variant {split.first + findings.lines + len(sites) + 1}", AGAIN)
        sites.append(site)
        data.append(stored[at + site.genotypes : at + site.end])
        at += site.end
        if len(sites) == each or at == len(stored):
            yield from _batch(split, sites, data, findings, quarantine)
            sites, data = [], []


def _batch(split: BgenSplit, sites: list[Site], data: list[bytes], findings: Findings, quarantine: bool) -> Iterator[pa.RecordBatch]:
    before = findings.lines

    def place(at: int) -> tuple[str, str]:
        site = sites[at]
        shown = f"{site.contig}:{site.position} {site.name} {','.join(site.alleles)}"[:SHOWN]
        return f"{split.path}, variant {split.first + before + at + 1}", shown

    findings.lines += len(sites)
    findings.records += len(sites)
    good = np.arange(len(sites))
    more = np.array([len(site.alleles) != 2 for site in sites])
    good = sift([(more, "alleles", "not of two alleles, which cannot be packed yet")], good, before, place, findings, quarantine)
    variants = {at: _inflated(split, data[at], place(at)[0]) for at in good.tolist()}
    ploidy = np.array([variants[at][7] > 2 for at in good.tolist()], bool)
    contig, position, names, first, second = (_column(sites, good, of) for of in range(5))
    ref, alt = (first, second) if split.options.reference == "first" else (second, first)
    many = (ploidy, "genotypes", "genotypes of more than two alleles (ploidy above 2), which cannot be packed yet")
    stays = sift([many, *site_checks(contig, position, ref, alt)], good, before, place, findings, quarantine)
    if not len(stays):
        return
    kept = pa.array(np.isin(good, stays))
    contig, position, names, ref, alt = (column.filter(kept) for column in (contig, position, names, ref, alt))
    numbers = position.cast(pa.int64()).to_numpy(zero_copy_only=False)
    calls = _known([variants[at] for at in stays.tolist()], split).packed(split.options.keep)
    yield parsed_rows(simple_sites(contig, numbers, names, ref, alt, findings), calls, split.n_samples, stays + before, findings)


def _column(sites: list[Site], rows: Ints, of: int) -> pa.StringArray:
    values = [(site.contig, str(site.position), site.name, *site.alleles[:2])[of] for site in (sites[at] for at in rows.tolist())]
    return pa.array(values, pa.string())


def _inflated(split: BgenSplit, stored: bytes, where: str) -> bytes:
    """The genotypes of a variant, as long as they have to be."""
    try:
        if split.compression == "none":
            found = stored
        elif split.compression == "zlib":
            found = isal_zlib.decompress(memoryview(stored)[4:])
        else:
            # How many bytes there will be stands before the stored ones.
            found = pa.Codec("zstd").decompress(stored[4:], struct.unpack_from("<I", stored)[0], asbytes=True)
    except (InflateError, OSError, ValueError, struct.error) as error:
        raise InputError(f"{where}: damaged genotypes ({error})", AGAIN) from None
    n = split.n_samples
    if len(found) < HEAD_BYTES + n + 2:
        raise InputError(f"{where}: damaged genotypes (of {len(found)} bytes)", AGAIN)
    people, alleles = struct.unpack_from("<IH", found)
    bits = found[HEAD_BYTES + n + 1]
    if (people, alleles) != (n, 2) or not 1 <= bits <= 32 or (found[7] <= 2 and len(found) != expected_bytes(found, n)):
        raise InputError(f"{where}: damaged genotypes (of {people} people, {alleles} alleles, {bits} bits, {len(found)} bytes)", AGAIN)
    return found


def _known(variants: list[bytes], split: BgenSplit) -> Known:
    """What is known of variants, of one shape after the other."""
    shapes = [shape_of(variant, split.n_samples) for variant in variants]
    groups = [[at for at, shape in enumerate(shapes) if shape == one] for one in dict.fromkeys(shapes)]
    read = [known_of([variants[at] for at in group], split.n_samples, split.options) for group in groups]
    if len(read) == 1:
        return read[0]
    order = np.argsort(np.concatenate(groups))
    return Known(*(_in_order([getattr(part, field.name) for part in read], order) for field in fields(Known)))


def _in_order(parts: list[Any], order: Ints) -> Any:
    """Rows in their order; what is not kept may have none."""
    return np.concatenate(parts)[order] if all(map(len, parts)) else parts[0]
