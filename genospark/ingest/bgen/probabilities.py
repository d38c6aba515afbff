"""From the inflated genotypes of BGEN variants to expected copies of an allele; all people of all variants of one shape together."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import ALTERNATE_FIRST, DOSAGE_UNITS, MISSING, NO_DOSAGE, PHASED, Bytes, pack
from genospark.ingest.bgen.header import BgenOptions
from genospark.ingest.vcf.genotypes import Calls
from genospark.ingest.vcf.lines import Ints

HEAD_BYTES = 8
_PLOIDY, _IS_MISSING = 0x3F, 0x80
_DTYPES = {8: "<u1", 16: "<u2", 32: "<u4"}


@dataclass
class Copies:
    """What is known of (variants, people).

    Attributes:
        first: Copies of the second allele on the first haplotype; of both together where not phased, or of the only one.
        second: On the second one where phased; else 0.
        ploidy: Alleles.
        missing: Without genotype.
        phased: (variants,) whether haplotypes are told apart.
    """

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    ploidy: Bytes
    missing: NDArray[np.bool_]
    phased: NDArray[np.bool_]


def shape_of(data: bytes, n: int) -> tuple[int, int, int, int]:
    """Smallest and largest ploidy, whether phased, and bits of a probability."""
    return data[6], data[7], data[HEAD_BYTES + n], data[HEAD_BYTES + n + 1]


def expected_bytes(data: bytes, n: int) -> int:
    """Bytes that genotypes of two alleles take, by what stands before the probabilities."""
    ploidy = np.frombuffer(data, np.uint8, n, HEAD_BYTES) & _PLOIDY
    bits = int(ploidy.sum()) * data[HEAD_BYTES + n + 1]
    return HEAD_BYTES + n + 2 + -(-bits // 8)


def read_copies(variants: list[bytes], n: int) -> Copies:
    """Reads variants of two alleles that have the same ``shape_of``, of at most two copies each.

    Probabilities are of the first allele: twice, then once, or of each haplotype (sections "Probability data storage" of the format).
    """
    k = len(variants)
    least, most, is_phased, bits = shape_of(variants[0], n)
    if least == most:
        data = np.frombuffer(b"".join(variants), np.uint8).reshape(k, -1)
    else:
        # Of different lengths.
        data = np.zeros((k, max(map(len, variants))), np.uint8)
        for row, variant in zip(data, variants, strict=True):
            row[: len(variant)] = np.frombuffer(variant, np.uint8)
    flags = data[:, HEAD_BYTES : HEAD_BYTES + n]
    ploidy: Bytes = flags & np.uint8(_PLOIDY)
    values = _values(np.ascontiguousarray(data[:, HEAD_BYTES + n + 2 :]), bits)
    if least == most:
        values = values[:, : most * n]
        first = values[:, ::most]
        second = values[:, 1::most] if most == 2 else np.zeros_like(first)
    else:
        begin = np.cumsum(ploidy, axis=1, dtype=np.int64) - ploidy
        padded = np.pad(values, ((0, 0), (0, 2)))
        first = np.where(ploidy > 0, np.take_along_axis(padded, begin, axis=1), 0)
        second = np.where(ploidy == 2, np.take_along_axis(padded, begin + 1, axis=1), 0)
    share_1, share_2 = first / (2.0**bits - 1), second / (2.0**bits - 1)
    two = ploidy == 2
    if is_phased:
        first, second = 1 - share_1, np.where(two, 1 - share_2, 0)
    else:
        first, second = np.where(two, 2 - 2 * share_1 - share_2, 1 - share_1), np.zeros_like(share_1)
    missing = ((flags & _IS_MISSING) != 0) | (ploidy == 0)
    return Copies(first, second, ploidy, missing, np.full(k, bool(is_phased)))


def _values(rows: Bytes, bits: int) -> NDArray[np.float64]:
    """Numbers of as many bits, lowest first."""
    if bits in _DTYPES:
        width = bits // 8
        return rows[:, : rows.shape[1] // width * width].view(_DTYPES[bits]).astype(np.float64)
    flat = np.unpackbits(rows, axis=1, bitorder="little")
    flat = flat[:, : flat.shape[1] // bits * bits].reshape(len(rows), -1, bits)
    values: NDArray[np.float64] = flat @ 2.0 ** np.arange(bits)
    return values


@dataclass
class Known:
    """Calls of (variants, people) and what may be kept beside them; a person's phase in 2 bits, one byte each."""

    codes: Bytes
    haploid: NDArray[np.bool_]
    dosage: NDArray[np.uint16]
    phase: Bytes

    def packed(self, keep: tuple[str, ...]) -> Calls:
        """The same, packed."""
        rows: Ints = np.flatnonzero(self.haploid.any(axis=1))
        bits = np.packbits(self.haploid[rows], axis=1, bitorder="little")
        numbers = {"dosage": self.dosage} if "dosage" in keep else {}
        return Calls(pack(self.codes), rows, bits, pack(self.phase) if "phase" in keep else None, numbers)


def known_of(variants: list[bytes], n: int, options: BgenOptions) -> Known:
    """What is known of variants of two alleles that have the same ``shape_of``."""
    least, most, is_phased, bits = shape_of(variants[0], n)
    if (least, most, bits) != (2, 2, 8):
        return _known(read_copies(variants, n), options)
    # Most files are of this shape: the two bytes of a person say everything but whether they are missing.
    data = np.frombuffer(b"".join(variants), np.uint8).reshape(len(variants), -1)
    pairs = np.ascontiguousarray(data[:, HEAD_BYTES + n + 2 :]).view("<u2")
    table = _table(bool(is_phased), options)
    codes = table.codes[0][pairs]
    dosage = table.dosage[0][pairs] if "dosage" in options.keep else np.zeros((0, 0), np.uint16)
    phase = table.phase[0][pairs] if "phase" in options.keep else np.zeros((0, 0), np.uint8)
    missing = data[:, HEAD_BYTES : HEAD_BYTES + n] >= _IS_MISSING
    if missing.any():
        for values, nothing in ((codes, MISSING), (dosage, NO_DOSAGE), (phase, 0)):
            if len(values):
                values[missing] = nothing
    return Known(codes, np.zeros(codes.shape, bool), dosage, phase)


@cache
def _table(is_phased: bool, options: BgenOptions) -> Known:
    """For every two bytes of a person with two alleles what they say."""
    n = 1 << 16
    head = struct.pack("<IHBB", n, 2, 2, 2) + bytes([2]) * n + bytes([is_phased, 8])
    return _known(read_copies([head + np.arange(n, dtype="<u2").tobytes()], n), options)


def _known(copies: Copies, options: BgenOptions) -> Known:
    """Calls, where the expected copies are near a whole number, and what may be kept beside them."""
    one = copies.ploidy == 1
    if options.reference == "last":
        # The other allele has the rest of the copies.
        phased = copies.phased[:, None]
        both = copies.ploidy.astype(np.float64) - copies.first - copies.second
        copies.first, copies.second = np.where(phased, 1 - copies.first, both), np.where(phased & ~one, 1 - copies.second, 0)
    total = copies.first + copies.second
    nearest = np.rint(total)
    # As PLINK 2, which counts calls of one allele as two equal ones.
    far = np.abs(total - nearest) * (1 + one) > options.threshold + 1e-9
    unknown = copies.missing | far
    codes = np.where(unknown, np.uint8(MISSING), np.clip(nearest, 0, 2).astype(np.uint8))
    dosage = np.where(copies.missing, NO_DOSAGE, np.rint(np.clip(total, 0, 2) * DOSAGE_UNITS)).astype(np.uint16)
    turned = (copies.first > copies.second) & (codes == 1)
    phase = (np.uint8(PHASED) + turned * np.uint8(ALTERNATE_FIRST)) * (copies.phased[:, None] & ~unknown & ~one)
    return Known(codes, one, dosage, phase.astype(np.uint8))
