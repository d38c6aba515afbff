"""Calls of one sample as a gVCF: variants, and between them blocks of homozygous reference and of what has no call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pandas as pd
import pysam
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.paths import local_folder
from genospark.core.pileup import WINDOW_BP
from genospark.errors import InputError
from genospark.scoring.calls import ANY_ALLELE
from genospark.scoring.vcf import FORMAT, by_place, header, in_order, publish, vcf_fields

_DECLARED = (
    '##ALT=<ID=*,Description="Any other allele">',
    '##INFO=<ID=END,Number=1,Type=Integer,Description="Last position of a block">',
    '##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="Least depth in a block">',
)
# Positions that are one piece of text, and about what a line takes.
_PIECE, _LINE_BYTES = 100 * WINDOW_BP, 64
# The line of a row of ``vcf_fields``: a call, a block, or a stretch without a call.
_LINE = f"""concat_ws('\t', contigName, start + 1, '.', referenceAllele, if(alternate = '', '{ANY_ALLELE}', alternate), case
    when alternate not in ('', '{ANY_ALLELE}')
        then concat_ws('\t', conditionalQuality, 'PASS', concat('AC=', copies, ';AN=2'), '{FORMAT}', sampleColumn)
    when alternate = '' then concat_ws('\t', '.', 'PASS', concat('END=', end), 'GT', './.')
    else concat_ws('\t', '.', 'PASS', concat('END=', end), 'GT:GQ:MIN_DP', concat('0/0:', conditionalQuality, ':', depth))
end)"""


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

    def lines(piece: pd.DataFrame) -> pd.DataFrame:
        # Where an indel follows a base, the base's own line comes first.
        ordered = piece.sort_values(["start", "end", "alternate"])
        return pd.DataFrame([(piece["sampleId"].iloc[0], "\n".join([*ordered["line"], ""]))], columns=["sampleId", "text"])

    with_lines = vcf_fields(rows).withColumn("line", f.expr(_LINE))
    pieces = by_place(with_lines, contigs, _PIECE, rows.count() * _LINE_BYTES, "sampleId")
    made = pieces.applyInPandas(lines, "sampleId string, text string")
    with local_folder(folder) as here, closing(in_order(made)) as ordered:
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
            publish(scratch, here / name, contigs)
