"""Calls of all people out of the tables as text of VCF or bytes of ``.bed``, a batch of variants at a time; knows no Spark."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genospark.core.calls import pack
from genospark.ingest.blocks import gather_wide
from genospark.ingest.plink.bed import TO_BED

# By call and, in the high bits, what is known of phase.
_UNPHASED, _PHASED = b"\t0/0\t0/1\t1/1\t./.", b"\t0|0\t0|1\t1|1\t./."
_WORDS = np.frombuffer(_UNPHASED + _PHASED + _UNPHASED + _PHASED.replace(b"0|1", b"1|0"), "<u4")
# A byte of zero stands for no character.
_HAPLOID = np.frombuffer(b"\t0\0\0\t1\0\0\t1\0\0\t.\0\0", "<u4")


def vcf_lines(batch: pa.RecordBatch, columns: NDArray[np.int64]) -> bytes:
    """Lines of a VCF.

    Args:
        batch: Variants with `blocks`, `names`, `qual` and `filters`.
        columns: `sampleIndex` of the people, in the order of the columns.
    """
    calls = gather_wide(batch.column("blocks"), columns)
    codes, haploid = calls.codes, calls.haploid
    words = _WORDS[codes | calls.phase << 2]
    some = haploid.any(axis=1)
    words[some] = np.where(haploid[some], _HAPLOID[codes[some]], words[some])
    lines = []
    for row, (head, mixed) in enumerate(zip(_heads(batch, len(columns)), some.tolist(), strict=True)):
        text = words[row].tobytes()
        lines.append(head.encode() + (text.replace(b"\0", b"") if mixed else text) + b"\n")
    return b"".join(lines)


def _heads(batch: pa.RecordBatch, n: int) -> Iterator[str]:
    """The columns before the genotypes."""
    for row in batch.select([name for name in batch.schema.names if name != "blocks"]).to_pylist():
        start, reference = row["start"], row["referenceAllele"]
        quality = "." if row["qual"] is None else f"{row['qual']:.10g}"
        # What END said is stored as the end.
        info = "." if row["end"] == start + len(reference) else f"END={row['end']}"
        fields = [row["contigName"], str(start + 1), ";".join(row["names"]) or ".", reference, ",".join(row["alternateAlleles"]) or "."]
        yield "\t".join([*fields, quality, ";".join(row["filters"]) or ".", info, *(["GT"] if n else [])])


def bed_rows(batch: pa.RecordBatch, columns: NDArray[np.int64]) -> bytes:
    """Rows of a ``.bed`` file, with the alternate allele as A1; calls of one allele as two equal ones.

    Args:
        batch: Variants with `blocks`.
        columns: `sampleIndex` of the people, in the order of the ``.fam`` file.
    """
    calls = gather_wide(batch.column("blocks"), columns)
    codes = calls.codes
    codes[calls.haploid & (codes == 1)] = 2
    packed = TO_BED[pack(codes)]
    if len(columns) % 4:
        packed[:, -1] &= np.uint8((1 << 2 * (len(columns) % 4)) - 1)
    return packed.tobytes()


def bim_lines(batch: pa.RecordBatch) -> bytes:
    """Lines of a ``.bim`` file."""
    lines = []
    for row in batch.select([name for name in batch.schema.names if name != "blocks"]).to_pylist():
        alternate = ",".join(row["alternateAlleles"]) or "0"
        fields = [row["contigName"], ";".join(row["names"]) or ".", 0, row["start"] + 1, alternate, row["referenceAllele"]]
        lines.append("\t".join(map(str, fields)) + "\n")
    return "".join(lines).encode()
