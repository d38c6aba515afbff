"""From a range of a BCF file to record batches: one pass a field over many records, no loop over genotypes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genospark.errors import InputError
from genospark.ingest.bcf.genotypes import decode_calls, read_measured
from genospark.ingest.bcf.header import AGAIN
from genospark.ingest.bcf.splits import BcfSplit
from genospark.ingest.bcf.typed import FLOAT, SIZES, Text, Typed
from genospark.ingest.plink.sites import Checks, sift
from genospark.ingest.vcf import bgzf
from genospark.ingest.vcf.faults import SHOWN, Findings
from genospark.ingest.vcf.genotypes import Calls
from genospark.ingest.vcf.lines import Ints
from genospark.ingest.vcf.measured import MEASURED, Measured
from genospark.ingest.vcf.parse import note_contigs, parsed_rows
from genospark.ingest.vcf.sites import Sites

_CHUNK_BYTES = 16 << 20
_FIXED_BYTES = 32
_NO_QUAL = 0x7F800001


def parse_bcf(split: BcfSplit, findings: Findings, quarantine: bool) -> Iterator[pa.RecordBatch]:
    """Reads a range of records; see ``vcf.parse_split``.

    Raises:
        InputError: The file is damaged or, without ``quarantine``, a record cannot be read.
    """
    rest = b""
    whole: list[bytes] = []
    starts: list[int] = []
    size = 0
    for text, last in _pieces(split):
        data = rest + text
        own, stop = _record_starts(split, data)
        rest = data[stop:]
        if last and rest:
            raise InputError(f"{split.path}: the file, or a range that its index gives, ends within a record", AGAIN)
        # Records of short ranges are read together.
        starts += [size + start for start in own]
        whole.append(data[:stop])
        size += stop
        if size >= _CHUNK_BYTES:
            yield from _Reader(split, Text(b"".join(whole)), np.array(starts, np.int64), findings, quarantine).batch()
            whole, starts, size = [], [], 0
    if starts:
        yield from _Reader(split, Text(b"".join(whole)), np.array(starts, np.int64), findings, quarantine).batch()


def _pieces(split: BcfSplit) -> Iterator[tuple[bytes, bool]]:
    """Inflated text of ranges, in pieces, each with whether it is the last of a range."""
    for (start, skip), end in split.ranges:
        parts: list[bytes] = []
        size = 0
        for at, text in bgzf.blocks(split.path, start):
            if end is not None and at >= end[0]:
                parts.append(text[skip : end[1]] if at == end[0] else b"")
                break
            parts.append(text[skip:])
            size, skip = size + len(text), 0
            if size >= _CHUNK_BYTES:
                yield b"".join(parts), False
                parts, size = [], 0
        yield b"".join(parts), True


def _record_starts(split: BcfSplit, data: bytes) -> tuple[list[int], int]:
    """Where whole records begin, and where the last of them ends."""
    starts, at = [], 0
    while at + _FIXED_BYTES <= len(data):
        shared, own = struct.unpack_from("<II", data, at)
        if shared < _FIXED_BYTES - 8:
            raise InputError(f"{split.path}: the file is damaged, or its index is of another one: a record of {shared} bytes", AGAIN)
        if at + 8 + shared + own > len(data):
            break
        starts.append(at)
        at += 8 + shared + own
    return starts, at


class _Reader:
    """Records of a piece of text."""

    def __init__(self, split: BcfSplit, text: Text, starts: Ints, findings: Findings, quarantine: bool) -> None:
        self.split, self.text, self.starts = split, text, starts
        self.findings, self.quarantine = findings, quarantine
        self.before = findings.lines
        self.contig = text.signed(starts + 8)
        self.position = text.signed(starts + 12)
        counts = text.words(starts + 24)
        self.n_alleles = counts >> 16
        self.n_fields = text.words(starts + 28) >> 24
        self.own = starts + 8 + text.words(starts)

    def batch(self) -> Iterator[pa.RecordBatch]:
        """The rows, one per alternate allele."""
        split, text = self.split, self.text
        n_people = text.words(self.starts + 28) & 0xFFFFFF
        good = np.arange(len(self.starts))
        strange = (self.contig < 0) | (self.contig >= len(split.contig_names))
        checks: Checks = [
            (strange, "CHROM", "the record is on a contig that the header does not have"),
            (self.n_alleles < 1, "REF", "the record has no reference allele"),
            (
                (n_people != split.n_samples) & (self.n_fields > 0),
                "",
                "the record has genotypes of another number of people than the header",
            ),
        ]
        self.findings.lines += len(self.starts)
        self.findings.records += len(self.starts)
        good = sift(checks, good, self.before, self.place, self.findings, self.quarantine)
        if not len(good):
            return
        sites = self._sites(good)
        if split.regions:
            note_contigs(self.findings, sites)
            inside = split.regions.overlap(sites.contig, sites.start, sites.end)
            good, sites = good[inside], sites.only(inside)
            if not len(good):
                return
        wrong_ref = ~pc.match_substring_regex(sites.reference, "^[ACGTNacgtn]+$").to_numpy(zero_copy_only=False)
        fields = self._fields(good, ("GT", *(name for name in MEASURED if name in split.keep)))
        alternates = sites.n_alternates
        stops = np.cumsum(np.maximum(alternates, 1))
        calls, wrong = decode_calls(
            text, fields.pop("GT"), stops - np.maximum(alternates, 1), alternates, split.n_samples, "phase" in split.keep
        )
        measured = Measured(split.keep, alternates, split.n_samples)
        for name, found in fields.items():
            wrong += read_measured(text, name, found, measured)
        calls = replace(calls, numbers=measured.numbers, warnings={**calls.warnings, **measured.warnings})
        checks = [(wrong_ref, "REF", "REF is not made of the letters A, C, G, T and N")]
        for what in dict.fromkeys(what for _, what in wrong):
            checks.append((np.isin(np.arange(len(good)), [record for record, other in wrong if other == what]), "FORMAT", what))
        stays = sift(checks, good, self.before, self.place, self.findings, self.quarantine)
        if len(stays) < len(good):
            kept = np.isin(good, stays)
            sites, calls = sites.only(kept), _some_calls(calls, np.repeat(kept, np.maximum(alternates, 1)))
        if len(stays):
            yield parsed_rows(sites, calls, split.n_samples, stays + self.before, self.findings)

    def place(self, at: int) -> tuple[str, str]:
        """Where a record is, and what may be shown of it."""
        names, contig = self.split.contig_names, int(self.contig[at])
        name = names[contig] if 0 <= contig < len(names) else f"contig number {contig}"
        return (
            f"{self.split.path}, record {self.before + at + 1} of a range ({name}:{self.position[at] + 1})",
            f"{name}\t{self.position[at] + 1}"[:SHOWN],
        )

    def _sites(self, good: Ints) -> Sites:
        text, split = self.text, self.split
        starts = self.starts[good]
        names = text.typed(starts + _FIXED_BYTES)
        n_alleles, at = self.n_alleles[good], names.end
        begins, ends = (np.zeros((len(good), int(n_alleles.max())), np.int64) for _ in range(2))
        for allele in range(begins.shape[1]):
            there = n_alleles > allele
            found = text.typed(at)
            begins[:, allele], ends[:, allele] = found.begin, found.end
            at = np.where(there, found.end, at)
        filters = text.typed(at)
        there = np.arange(begins.shape[1])[None, :] < n_alleles[:, None]
        alternate = there.copy()
        alternate[:, 0] = False
        contig = pa.array(split.contig_names, pa.string()).take(pa.array(self.contig[good]))
        position = self.position[good]
        quality = text.words(starts + 20)
        known = quality != _NO_QUAL
        # The digits that a text would have, not those of the nearest number of half the length.
        digits = pa.array(quality.astype(np.uint32).view(np.float32), mask=~known).cast(pa.string())
        return Sites(
            contig=contig,
            start=position,
            end=position + text.signed(starts + 16),
            names=_texts(text, names),
            reference=text.strings(begins[:, 0], ends[:, 0]),
            alternates=_lists(text.strings(begins[alternate], ends[alternate]), n_alleles - 1),
            qual=digits.cast(pa.float64()),
            filters=self._filters(filters),
            has_genotypes=np.ones(len(good), bool),
            n_unusable_ends=0,
        )

    def _filters(self, found: Typed) -> pa.ListArray:
        size = SIZES[found.kind]
        record = np.repeat(np.arange(len(found.count)), found.count)
        first = np.cumsum(found.count) - found.count
        at = found.begin[record] + (np.arange(len(record)) - first[record]) * size[record]
        numbers = self.text.integers(at, found.kind[record])
        if ((numbers < 0) | (numbers >= len(self.split.strings))).any():
            raise InputError(f"{self.split.path}: a record has a filter that the header does not have", AGAIN)
        return _lists(pa.array(self.split.strings, pa.string()).take(pa.array(numbers)), found.count)

    def _fields(self, good: Ints, names: tuple[str, ...]) -> dict[str, Typed]:
        """Fields of the genotypes of records; of no values where a record has not the field."""
        at, n_fields = self.own[good], self.n_fields[good]
        strings, n = self.split.strings, self.split.n_samples
        numbers = {strings.index(name): name for name in names if n and name in strings}
        none = np.zeros_like(at)
        found = dict.fromkeys(names, Typed(none, none, none, none))
        for field in range(int(n_fields.max()) if numbers else 0):
            key = self.text.typed(at)
            values = self.text.typed(key.end)
            number = self.text.integers(key.begin, key.kind)
            for wanted, name in numbers.items():
                here = (n_fields > field) & (number == wanted) & (found[name].count == 0)
                pairs = ((values.begin, found[name].begin), (values.count, found[name].count), (values.kind, found[name].kind))
                begin, count, kind = (np.where(here, new, old) for new, old in pairs)
                found[name] = Typed(begin, begin, count, kind)
            at = values.begin + values.count * SIZES[values.kind] * n
        for name, own in found.items():
            whole = (own.kind >= 1) & (own.kind <= 3) | ((own.kind == FLOAT) & (name != "GT"))
            bad = (own.count > 0) & (~whole | (own.begin + own.count * SIZES[own.kind] * n > self.text.size))
            if bad.any():
                what = "genotypes that are no whole numbers" if name == "GT" else f"{name} that is not made of numbers"
                raise InputError(f"{self.place(int(good[bad.argmax()]))[0]}: {what}, or too few", AGAIN)
        return found


def _texts(text: Text, found: Typed) -> pa.ListArray:
    """Names, divided at semicolons; none for nothing or a dot."""
    whole = text.strings(found.begin, found.end)
    lists = pc.split_pattern(pc.if_else(pc.is_in(whole, pa.array(["", "."])), None, whole), ";")
    return pa.ListArray.from_arrays(lists.offsets, lists.values)


def _lists(values: pa.StringArray, counts: Ints) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)), values)


def _some_calls(calls: Calls, kept: np.ndarray) -> Calls:  # type: ignore[type-arg]
    places = np.cumsum(kept) - 1
    mine = kept[calls.haploid_rows]
    return replace(
        calls,
        packed=calls.packed[kept],
        haploid_rows=places[calls.haploid_rows[mine]],
        haploid_bits=calls.haploid_bits[mine],
        phase=None if calls.phase is None else calls.phase[kept],
        numbers={name: values[kept] for name, values in calls.numbers.items()},
    )
