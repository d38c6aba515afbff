"""Calls of all people out of the tables as text of VCF or bytes of ``.bed``, a batch of variants at a time; knows no Spark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genospark.core.calls import nothing, pack
from genospark.ingest.blocks import Wide, gather_wide
from genospark.ingest.plink.bed import TO_BED
from genospark.ingest.vcf.measured import MEASURED, OF_ALLELES

# By call and, in the high bits, what is known of phase.
_UNPHASED, _PHASED = b"\t0/0\t0/1\t1/1\t./.", b"\t0|0\t0|1\t1|1\t./."
_WORDS = np.frombuffer(_UNPHASED + _PHASED + _UNPHASED + _PHASED.replace(b"0|1", b"1|0"), "<u4")
# A byte of zero stands for no character.
_HAPLOID = np.frombuffer(b"\t0\0\0\t1\0\0\t1\0\0\t.\0\0", "<u4")
_OF_ONE = np.uint8(len(_WORDS))
_TEXTS = pa.array([bytes(word).rstrip(b"\0").decode() for word in np.append(_WORDS, _HAPLOID)[:, None]])
_DEPTH_BITS = np.uint32(0xFFFF)


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
    fields = _fields(calls)
    n_alternates = batch.column("alternateAlleles").value_lengths().to_pylist()
    lines = []
    for row, (head, mixed) in enumerate(zip(_heads(batch, len(columns), fields), some.tolist(), strict=True)):
        if fields[row]:
            lines.append(head.encode() + _measured(calls, row, fields[row], n_alternates[row]) + b"\n")
            continue
        text = words[row].tobytes()
        lines.append(head.encode() + (text.replace(b"\0", b"") if mixed else text) + b"\n")
    return b"".join(lines)


def _fields(calls: Wide) -> list[list[str]]:
    """For each variant the fields beside the calls that somebody has."""
    of = {name: (calls.numbers[column] != nothing(column)).any(axis=1) for name, column in MEASURED.items() if column in calls.numbers}
    return [[name for name, there in of.items() if there[row]] for row in range(len(calls.codes))]


def _measured(calls: Wide, row: int, fields: list[str], n_alternates: int) -> bytes:
    """Everyone's columns of a variant with fields beside the calls."""
    haploid = calls.haploid[row]
    place = np.where(haploid, _OF_ONE + calls.codes[row], calls.codes[row] | calls.phase[row] << 2)
    columns = [_TEXTS.take(pa.array(place))]
    for name in fields:
        values = calls.numbers[MEASURED[name]][row]
        if name != OF_ALLELES:
            columns.append(_texts(values, nothing(MEASURED[name])))
            continue
        depths = [_texts(part, int(_DEPTH_BITS)) for part in (values & _DEPTH_BITS, values >> np.uint32(16))[: 1 + n_alternates]]
        unknown = pa.array(values == nothing(MEASURED[name]))
        columns.append(pc.if_else(unknown, ".", pc.binary_join_element_wise(*depths, ",")))
    people = pc.binary_join_element_wise(*columns, ":")
    text: str = pc.binary_join(pa.ListArray.from_arrays([0, len(people)], people), "")[0].as_py()
    return text.encode()


def _texts(values: NDArray[Any], missing: int) -> pa.StringArray:
    return pc.fill_null(pa.array(values, mask=values == missing).cast(pa.string()), ".")


def _heads(batch: pa.RecordBatch, n: int, fields: list[list[str]]) -> Iterator[str]:
    """The columns before the genotypes."""
    for row, own in zip(batch.select([name for name in batch.schema.names if name != "blocks"]).to_pylist(), fields, strict=True):
        start, reference = row["start"], row["referenceAllele"]
        quality = "." if row["qual"] is None else f"{row['qual']:.10g}"
        # What END said is stored as the end.
        info = "." if row["end"] == start + len(reference) else f"END={row['end']}"
        site = [row["contigName"], str(start + 1), ";".join(row["names"]) or ".", reference, ",".join(row["alternateAlleles"]) or "."]
        yield "\t".join([*site, quality, ";".join(row["filters"]) or ".", info, *([":".join(["GT", *own])] if n else [])])


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
