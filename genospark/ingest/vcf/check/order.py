"""What records say about each other: order, contiguous contigs, variants that stand twice."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genospark.ingest.vcf.check.arrow import as_integers, encode, flags, integers, matches, repeats, strings, take
from genospark.ingest.vcf.check.report import Report, shown
from genospark.ingest.vcf.check.sites import SiteTexts

_SPACE = strings([" "])[0]


class OrderChecker:
    """Checks the order of records, chunk by chunk; keeps the names of contigs and the variants of the last position."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._contig = ""
        self._position = -1
        self._left: set[str] = set()
        self._variants: list[str] = []

    def check(self, sites: SiteTexts) -> None:
        """Check the records of a chunk, which follow those of the chunk before."""
        if not len(sites.lines):
            return
        # A contig of the assembly file, in angle brackets, is taken for that of its name.
        names, codes = encode(pc.utf8_trim(sites.contig, "<>"))
        starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        self._contiguous([names[code] for code in codes[starts]], sites.numbers[starts].tolist())
        known = np.flatnonzero(sites.start >= 0)
        position, contig = sites.start[known], codes[known]
        before = np.concatenate([[self._position], position[:-1]])
        same = np.concatenate([[bool(len(known)) and names[contig[0]] == self._contig], contig[1:] == contig[:-1]])
        back = known[(position < before) & same] if len(known) else known
        self.report.add_all(
            "pos-order", sites.numbers[back].tolist(), "POS", lambda _: "POS is below that of the record before, on the same contig"
        )
        self._repeated(sites)
        self._contig = names[codes[-1]]
        if len(known):
            self._position = int(position[-1])

    def _contiguous(self, runs: list[str], numbers: list[int]) -> None:
        for contig, number in zip(runs, numbers, strict=True):
            if contig == self._contig:
                continue
            self._left.add(self._contig)
            if contig in self._left:
                self.report.add("chrom-contiguous", number, "CHROM", f"records of {shown(contig)} stood before, with others between them")
            self._contig = contig

    def _repeated(self, sites: SiteTexts) -> None:
        """Looks for variants among the chunk's and those that stand at the last position of the chunk before."""
        variants, record = _variants(sites)
        _, codes = encode(pa.concat_arrays([strings(self._variants), variants]))
        # An allele that stands twice in a record is another fault.
        first = np.full(int(codes.max(initial=-1)) + 1, -2)
        owner = np.concatenate([np.full(len(self._variants), -1), record])
        first[codes[::-1]] = owner[::-1]
        again = owner[repeats(codes) & (first[codes] != owner)]
        self.report.add_all(
            "variant-repeated",
            sites.numbers[np.unique(again)].tolist(),
            "-",
            lambda _: "a variant of this record stands in an earlier one, perhaps with other padding bases",
        )
        last = np.flatnonzero(sites.start[record] >= sites.start[-1])
        self._variants = take(variants, last).to_pylist()


def _variants(sites: SiteTexts) -> tuple[pa.StringArray, np.ndarray]:  # type: ignore[type-arg]
    """Alleles of bases as CHROM POS REF ALT without the bases that REF and ALT share, and the record of each."""
    lists = pc.split_pattern(sites.alternates, ",")
    record = np.repeat(np.arange(len(lists)), np.diff(as_integers(lists.offsets)))
    alternates = pc.utf8_upper(lists.flatten())
    bases = matches(alternates, "[ACGTN]+") & (sites.start[record] >= 0)
    record, alternates = record[bases], alternates.filter(flags(bases))
    references = pc.utf8_upper(take(sites.reference, record))
    positions = sites.start[record]
    longer = (as_integers(pc.binary_length(references)) > 1) | (as_integers(pc.binary_length(alternates)) > 1)
    where = np.flatnonzero(longer)
    if len(where):
        short = [
            _trimmed(int(p), r, a)
            for p, r, a in zip(positions[where], take(references, where).to_pylist(), take(alternates, where).to_pylist(), strict=True)
        ]
        positions = positions.copy()
        positions[where] = [p for p, _, _ in short]
        references = pc.replace_with_mask(references, flags(longer), strings([r for _, r, _ in short]))
        alternates = pc.replace_with_mask(alternates, flags(longer), strings([a for _, _, a in short]))
    texts = pc.binary_join_element_wise(take(sites.contig, record), integers(positions).cast(pa.string()), references, alternates, _SPACE)
    return texts, record


def _trimmed(position: int, reference: str, alternate: str) -> tuple[int, str, str]:
    """A variant without the bases that both alleles end with, then without those that both begin with."""
    n = min(len(reference), len(alternate))
    tail = next((i for i in range(n) if reference[-1 - i] != alternate[-1 - i]), n)
    reference, alternate = reference[: len(reference) - tail], alternate[: len(alternate) - tail]
    n = min(len(reference), len(alternate))
    head = next((i for i in range(n) if reference[i] != alternate[i]), n)
    return position + head, reference[head:], alternate[head:]
