"""From the genotypes of BCF records to packed calls: the two bytes of a genotype are looked up in a table."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import ALTERNATE_FIRST, MISSING, PHASED, Bytes, pack, packed_bytes
from genospark.ingest.bcf.typed import FLOAT, SIZES, Text, Typed
from genospark.ingest.vcf.genotypes import POLYPLOID, Calls
from genospark.ingest.vcf.lines import Ints
from genospark.ingest.vcf.measured import OF_ALLELES, UNKNOWN, Measured, no_whole_number

TOO_HIGH = "a genotype has an allele that ALT has not"
_DTYPES = {1: "<i1", 2: "<i2", 3: "<i4", FLOAT: "<u4"}
_FLOAT_END = 0x7F800002
_CODE, _HAPLOID, _PHASE, _WRONG = 3, 4, 3, 32
_BLOCK_GENOTYPES = 1 << 18
"""Genotypes that are read together."""


def decode_calls(text: Text, gt: Typed, rows_of: Ints, n_alternates: Ints, n: int, keep_phase: bool) -> tuple[Calls, list[tuple[int, str]]]:
    """Decodes genotypes; other alternate alleles count as the reference, as in ``vcf.genotypes``.

    Args:
        text: Text of the records.
        gt: Genotypes of each record, `count` the alleles of a person; 0 where it has none.
        rows_of: (records,) first row of each.
        n_alternates: (records,) alternate alleles; a record has as many rows, but at least one.
        n: People.
        keep_phase: Whether phase is kept.

    Returns:
        Calls, and the records that are wrong with the reason.
    """
    rows = int(np.maximum(n_alternates, 1).sum())
    packed = np.full((rows, packed_bytes(n)), 0xFF, np.uint8)
    phase = np.zeros_like(packed) if keep_phase else None
    haploid: list[tuple[Ints, Bytes]] = [(np.zeros(0, np.int64), np.zeros((0, -(-n // 8)), np.uint8))]
    wrong: list[tuple[int, str]] = []
    n_polyploid = 0
    shapes = np.stack([gt.kind, gt.count, n_alternates], axis=1)
    shapes[gt.count <= 0] = 0
    for kind, count, most in np.unique(shapes, axis=0).tolist() if n else []:
        if not count:
            continue
        which = np.flatnonzero((shapes == (kind, count, most)).all(axis=1))
        step = max(1, _BLOCK_GENOTYPES // n)
        for at in range(0, len(which), step):
            block = which[at : at + step]
            values = _values(text, gt.begin[block], n * count, kind).reshape(len(block), n, count)
            if count > 2 and (more := (values[..., 2:] != _end(kind)).any(axis=2)).any():
                # The highest allele and a missing one: that is missing, and still has to be an allele of the record.
                values[more, 0], values[more, 1] = values[more].max(axis=1), 0
                n_polyploid += int(more.sum())
            for allele in range(1, max(most, 1) + 1):
                flags = _flags_of(values, kind, allele, most)
                if allele == 1 and (high := flags.max(axis=1) >= _WRONG).any():
                    wrong += [(record, TOO_HIGH) for record in block[high].tolist()]
                mine = rows_of[block] + allele - 1
                packed[mine] = pack(flags & np.uint8(_CODE))
                if phase is not None:
                    phase[mine] = pack(flags >> np.uint8(_PHASE) & np.uint8(_CODE))
                if (flags & _HAPLOID).any():
                    one = (flags & _HAPLOID) != 0
                    some = one.any(axis=1)
                    haploid.append((mine[some], np.packbits(one[some], axis=1, bitorder="little")))
    found, bits = (np.concatenate(parts) for parts in zip(*haploid, strict=True))
    order = np.argsort(found)
    warnings = {POLYPLOID: n_polyploid} if n_polyploid else {}
    return Calls(packed, found[order], bits[order], phase=phase, warnings=warnings), wrong


def read_measured(text: Text, name: str, values: Typed, found: Measured) -> list[tuple[int, str]]:
    """Reads a field beside the calls; see ``vcf.measured``.

    Args:
        text: Text of the records.
        name: Field.
        values: Its values in each record, `count` those of a person; 0 where a record has none.
        found: Takes them up.

    Returns:
        The records that are wrong with the reason.
    """
    n = found.n
    wrong: list[tuple[int, str]] = []
    shapes = np.stack([values.kind, values.count, found.n_alternates], axis=1)
    shapes[values.count <= 0] = 0
    for kind, count, most in np.unique(shapes, axis=0).tolist() if n else []:
        if not count:
            continue
        which = np.flatnonzero((shapes == (kind, count, most)).all(axis=1))
        step = max(1, _BLOCK_GENOTYPES // (n * count))
        for at in range(0, len(which), step):
            block = which[at : at + step]
            raw = _values(text, values.begin[block], n * count, kind).reshape(len(block), n, count)
            numbers, there = _measured(raw, kind)
            bad = numbers < UNKNOWN
            if kind == FLOAT and name != "GQ":
                bad |= there & (raw.view("<f4") % 1 != 0)
            n_values = there.sum(axis=2)
            if name != OF_ALLELES:
                bad |= (n_values > 1)[..., None]
            wrong += [(record, no_whole_number(name)) for record in block[bad.any(axis=(1, 2))].tolist()]
            has_all = n_values == most + 1
            if name == OF_ALLELES:
                found.not_kept(~has_all & ~((n_values <= 1) & (numbers[..., 0] == UNKNOWN)))
            found.put(name, block, partial(_place, numbers), has_all)
    return wrong


def _place(numbers: Ints, place: int) -> Ints:
    """What stands at a place of vectors, (records, people); nothing beyond their length."""
    return numbers[..., place] if place < numbers.shape[2] else np.full(numbers.shape[:2], UNKNOWN)


def _measured(raw: NDArray[Any], kind: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Whole numbers, ``UNKNOWN`` for missing ones, and which are not beyond the end of a vector."""
    if kind == FLOAT:
        floats = raw.view("<f4")
        numbers = np.where(np.isnan(floats), UNKNOWN, np.where(floats < 0, UNKNOWN - 1, np.rint(np.minimum(floats, 1 << 30))))
        return numbers.astype(np.int64), raw != _FLOAT_END
    end = _end(kind)
    return np.where(raw <= end, UNKNOWN, np.where(raw < 0, UNKNOWN - 1, raw)).astype(np.int64), raw != end


def _end(kind: int) -> int:
    """The value that ends a vector before its length; only that of a missing one is lower."""
    return int(-(1 << 8 * int(SIZES[kind]) - 1)) + 1


def _values(text: Text, begins: Ints, count: int, kind: int) -> NDArray[np.signedinteger]:  # type: ignore[type-arg]
    size = count * int(SIZES[kind])
    rows = np.empty((len(begins), size), np.uint8)
    for row, begin in zip(rows, begins.tolist(), strict=True):
        row[:] = text.bytes[begin : begin + size]
    return rows.view(_DTYPES[kind])


def _flags_of(values: NDArray[np.signedinteger], kind: int, allele: int, most: int) -> Bytes:  # type: ignore[type-arg]
    if kind == 1 and values.shape[2] == 2:
        found: Bytes = _table(allele, most)[values.view("<u2")[..., 0]]
        return found
    first = values[..., 0].astype(np.int64)
    second = values[..., 1].astype(np.int64) if values.shape[2] > 1 else np.full_like(first, _end(kind))
    return _flags(first, second, _end(kind), allele, most)


@cache
def _table(allele: int, most: int) -> Bytes:
    """For every two bytes of a genotype what they say of an allele, in a record with so many."""
    pairs = np.arange(1 << 16, dtype="<u2").view("<i1").reshape(-1, 2).astype(np.int64)
    return _flags(pairs[:, 0], pairs[:, 1], _end(1), allele, most)


def _flags(first: Ints, second: Ints, end: int, allele: int, most: int) -> Bytes:
    """The code of a call, whether it is of one allele, what is known of its phase, and whether it cannot be.

    A value is twice the number of the allele and one, and one more for an allele that is phased with the one before; 0 is missing.
    """
    one = second == end
    alleles = [np.where(value < 0, 0, value >> 1) - 1 for value in (first, second)]
    missing = (first <= end) | (alleles[0] < 0) | (~one & (alleles[1] < 0))
    mine = [(alleles[0] == allele), (alleles[1] == allele) & ~one]
    code = np.where(missing, MISSING, mine[0].astype(np.int64) + mine[1])
    phased = ((second & 1) != 0) & ~one & ~missing
    phase = phased * (PHASED + (mine[0] & ~mine[1]) * ALTERNATE_FIRST)
    too_high = (alleles[0] > most) | ((alleles[1] > most) & ~one)
    flags: Bytes = (code | one * _HAPLOID | phase << _PHASE | too_high * _WRONG).astype(np.uint8)
    return flags
