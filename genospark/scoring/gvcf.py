"""Calls of one sample as a gVCF: variants, and between them blocks of homozygous reference and of what has no call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pysam
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.paths import local_folder
from genospark.core.pileup import WINDOW_BP
from genospark.errors import InputError
from genospark.scoring.calls import ANY_ALLELE
from genospark.scoring.vcf import FORMAT, header, publish, sample_column

_DECLARED = (
    '##ALT=<ID=*,Description="Any other allele">',
    '##INFO=<ID=END,Number=1,Type=Integer,Description="Last position of a block">',
    '##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="Least depth in a block">',
)
# Windows that are one piece of text.
_PIECE = 100 * WINDOW_BP


def check_names(folder: Path, people: list[str], shown: Mapping[str, str]) -> None:
    """Checks that each sample gets a file of its own; as of ``write_gvcfs``.

    Raises:
        InputError: Two would be written into one file.
    """
    if len({_file_name(shown.get(person, person)) for person in people}) < len(people):
        raise InputError(
            f"{folder}: two people's gVCF would have the same name: what separates folders in an id becomes _ there",
            "give them other ids in a sample sheet of reads, or leave the crosswalk out",
        )


def _file_name(called: str) -> str:
    # What separates folders is no part of a name.
    return f"{called.replace('/', '_')}.g.vcf.gz"


def write_gvcfs(
    folder: Path, rows: DataFrame, people: list[str], contigs: dict[str, int], version: str, shown: Mapping[str, str] | None = None
) -> None:
    """Writes a gVCF a sample, with its index; a reader sees the old file or the new one.

    Args:
        folder: Where.
        rows: Rows of ``calls.CALLS``, blocks among them.
        people: Samples.
        contigs: Length of each contig in base pairs, in order.
        version: Model that made the calls.
        shown: What people are called in and by the files; as in the table where it does not say.
    """
    order = {name: index for index, name in enumerate(contigs)}

    def lines(piece: pd.DataFrame) -> pd.DataFrame:
        first = piece.iloc[0]
        text = "".join(_lines(piece))
        made = {"sampleId": first["sampleId"], "contig": order[first["contigName"]], "piece": first["piece"], "text": text}
        return pd.DataFrame([made])

    keyed = rows.withColumn("piece", f.floor(f.col("start") / _PIECE).cast("bigint"))
    made = keyed.groupBy("sampleId", "contigName", "piece").applyInPandas(lines, "sampleId string, contig int, piece bigint, text string")
    with local_folder(folder) as here:
        ordered = made.orderBy("sampleId", "contig", "piece").toLocalIterator()
        row = next(ordered, None)
        for person in sorted(people):
            called = (shown or {}).get(person, person)
            name = _file_name(called)
            scratch = here / f".{name}.partial.gz"
            with pysam.BGZFile(str(scratch), "wb") as out:
                out.write(header([called], contigs, version, _DECLARED).encode())
                while row is not None and row["sampleId"] == person:
                    out.write(row["text"].encode())
                    row = next(ordered, None)
            publish(scratch, here / name)


def _lines(piece: pd.DataFrame) -> Iterator[str]:
    """Lines of one sample, sorted; where an indel follows a base, the base's own line comes first."""
    piece = piece.assign(alternate=piece["alternateAlleles"].map(lambda alleles: alleles[0] if len(alleles) else ""))
    for row in piece.sort_values(["start", "end", "alternate"]).itertuples():
        at = f"{row.contigName}\t{row.start + 1}\t."
        if row.alternate == ANY_ALLELE:
            shown = f"0/0:{int(row.conditionalQuality)}:{int(row.depth)}"
            yield f"{at}\t{row.referenceAllele}\t{ANY_ALLELE}\t.\tPASS\tEND={row.end}\tGT:GQ:MIN_DP\t{shown}\n"
        elif row.alternate:
            info = f"AC={sum(row.calls)};AN=2"
            fixed = (at, row.referenceAllele, row.alternate, int(row.conditionalQuality), "PASS", info, FORMAT)
            yield "\t".join([*map(str, fixed), sample_column(row)]) + "\n"
        else:
            yield f"{at}\t{row.referenceAllele}\t{ANY_ALLELE}\t.\tPASS\tEND={row.end}\tGT\t./.\n"
