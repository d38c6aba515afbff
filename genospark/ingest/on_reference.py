"""Variants of any format beside a reference: what does not fit is refused or put aside, and indels get their normal form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genospark.core.config import expand
from genospark.errors import ConfigError, InputError
from genospark.ingest.reads.fasta_index import check_fasta_index
from genospark.ingest.reads.reference import Fasta, open_reference
from genospark.ingest.vcf.faults import SHOWN, BadLine, Findings
from genospark.ingest.vcf.full.left_align import aligned

NOT_THERE = "REF is not what the reference has there"
_WINDOW = 1 << 22
"""Bases that are fetched at once."""
_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[ord("A") : ord("Z") + 1] += 32


@dataclass(frozen=True)
class OnReference:
    """What is done with a reference.

    Attributes:
        fasta: FASTA, with its index.
        normalise: Whether alleles are trimmed and aligned to the left (``bcftools norm -f``), beside being checked.
    """

    fasta: str
    normalise: bool

    def rows(self, batches: Iterator[pa.RecordBatch], path: str, findings: Findings, quarantine: bool) -> Iterator[pa.RecordBatch]:
        """Rows of ``PARSED_SCHEMA`` that fit the reference.

        Raises:
            InputError: The reference lacks a contig, or has other bases than a record's REF, and that is not to be put aside.
        """
        with open_reference(self.fasta) as reference:
            for batch in batches:
                wrong = _wrong(batch, reference)
                if wrong.any():
                    batch = _without(batch, wrong, path, findings, quarantine)
                yield aligned(batch, reference) if self.normalise else batch


def on_reference(fasta: str | None, normalise: bool) -> OnReference | None:
    """What is done with a reference, where there is one.

    Args:
        fasta: Path or glob of a FASTA file.
        normalise: As in ``OnReference``.

    Raises:
        ConfigError: Variants are to be normalised without one.
        InputError: It is not there, or not indexed.
    """
    if fasta is None:
        if normalise:
            raise ConfigError("normalise without a reference", "name the FASTA file with --set reference=PATH")
        return None
    path = str(expand([fasta])[0])
    check_fasta_index(path)
    return OnReference(path, normalise)


def _without(batch: pa.RecordBatch, wrong: NDArray[np.bool_], path: str, findings: Findings, quarantine: bool) -> pa.RecordBatch:
    lines = batch.column("line").to_numpy()
    bad, firsts = np.unique(lines[wrong], return_index=True)
    for line, row in zip(bad.tolist(), np.flatnonzero(wrong)[firsts].tolist(), strict=True):
        contig, start, ref = (batch.column(name)[row].as_py() for name in ("contigName", "start", "referenceAllele"))
        if not quarantine:
            raise InputError(f"{path}: {contig}:{start + 1} {ref[:40]}: {NOT_THERE}", "give the FASTA of the build that the file is of")
        findings.bad.append(BadLine(line, "REF", NOT_THERE, f"{contig}\t{start + 1}\t.\t{ref}"[:SHOWN]))
    return batch.filter(pa.array(~np.isin(lines, bad)))


def _wrong(batch: pa.RecordBatch, reference: Fasta) -> NDArray[np.bool_]:
    """Rows whose REF differs from the reference; N on either side fits all, and a telomere has no bases."""
    contigs = batch.column("contigName").dictionary_encode()
    starts = batch.column("start").to_numpy()
    column = batch.column("referenceAllele")
    lengths = pc.binary_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    text = np.frombuffer("".join(column.to_pylist()).encode(), np.uint8)
    row = np.repeat(np.arange(len(batch)), lengths)
    at = starts[row] + np.arange(len(row)) - (np.cumsum(lengths) - lengths)[row]
    numbers = contigs.indices.to_numpy()
    wrong = np.zeros(len(batch), bool)
    for number, name in enumerate(contigs.dictionary.to_pylist()):
        try:
            length = reference.get_reference_length(name)
        except KeyError:
            raise InputError(
                f"{reference.filename.decode()}: no contig {name}", "give the FASTA of the build that the file is of"
            ) from None
        mine = (numbers[row] == number) & (at >= 0)
        wrong[row[mine & (at >= length)]] = True
        mine &= at < length
        for window in np.unique(at[mine] // _WINDOW).tolist():
            here = np.flatnonzero(mine & (at // _WINDOW == window))
            low = int(at[here].min())
            bases = np.frombuffer(reference.fetch(name, low, int(at[here].max()) + 1).encode(), np.uint8)
            theirs, ours = _LOWER[bases[at[here] - low]], _LOWER[text[here]]
            wrong[row[here[(theirs != ours) & (theirs != ord("n")) & (ours != ord("n"))]]] = True
    return wrong
