"""Calls of many samples as one sorted, bgzipped, indexed VCF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pysam
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.paths import local_folder
from genospark.core.pileup import WINDOW_BP

_TBI_BP = 1 << 29
"""A .tbi knows no position from here on."""
FORMAT = "GT:GQ:DP:AD:PL"
_HOM_REF, _MISSING = "0/0:.:.:.:.", "./.:.:.:.:."


def write_vcf(
    path: Path, calls: DataFrame, people: list[str], contigs: dict[str, int], version: str, shown: Mapping[str, str] | None = None
) -> int:
    """Writes the calls and an index beside them; a reader sees the old file or the new one.

    Each site is one alternate allele. Who has no row there is 0/0 where the position was called, ./. where it was not. Lines are made by
    Spark, window by window, and pass the driver one window at a time.

    Args:
        path: File, ``.vcf.gz``.
        calls: Rows of ``variantCalls``.
        people: Samples, in the order of their columns.
        contigs: Length of each contig in base pairs, in order.
        version: Model that made the calls.
        shown: What people are called in the file; as in the table where it does not say.

    Returns:
        Number of sites.
    """
    place = {name: index for index, name in enumerate(people)}

    def lines(window: pd.DataFrame) -> pd.DataFrame:
        text = list(_lines(window, place))
        return pd.DataFrame([(len(text), "".join(text))] if text else [], columns=["sites", "text"])

    order = f.create_map(*(f.lit(part) for numbered in zip(contigs, range(len(contigs)), strict=True) for part in numbered))
    keyed = calls.withColumns({"contig": order[f.col("contigName")], "window": f.floor(f.col("start") / WINDOW_BP)})
    # A range's windows come one after the other. To sort lines Spark would make them twice; the index takes no unsorted file.
    made = keyed.repartitionByRange("contig", "window").groupBy("contig", "window").applyInPandas(lines, "sites int, text string")
    sites = 0
    with local_folder(path.parent) as folder:
        scratch = folder / f".{path.name}.partial.gz"
        with pysam.BGZFile(str(scratch), "wb") as out:
            out.write(header([(shown or {}).get(person, person) for person in people], contigs, version).encode())
            for row in made.toLocalIterator():
                sites += row["sites"]
                out.write(row["text"].encode())
        publish(scratch, folder / path.name)
    return sites


def publish(scratch: Path, target: Path) -> None:
    """Indexes a finished file and gives it its name: with a .tbi, or where a contig is too long for that, with a .csi."""
    with pysam.VariantFile(str(scratch)) as written:
        longest = max((contig.length or 0 for contig in written.header.contigs.values()), default=0)
    csi = longest > _TBI_BP
    pysam.tabix_index(str(scratch), preset="vcf", force=True, csi=csi)
    kind = "csi" if csi else "tbi"
    (scratch.parent / f"{scratch.name}.{kind}").replace(target.parent / f"{target.name}.{kind}")
    scratch.replace(target)


def header(people: list[str], contigs: dict[str, int], version: str, more: Sequence[str] = ()) -> str:
    """Lines before the records, with `more` that declare what else there is."""
    lines = [
        "##fileformat=VCFv4.3",
        f"##source=genospark {version}",
        *(f"##contig=<ID={name},length={length}>" for name, length in contigs.items()),
        '##FILTER=<ID=PASS,Description="All filters passed">',
        '##INFO=<ID=AC,Number=A,Type=Integer,Description="Copies of the alternate allele in called genotypes">',
        '##INFO=<ID=AN,Number=1,Type=Integer,Description="Alleles in called genotypes">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype; 0 where the other allele is a third one, which has its own line">',
        '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Phred-scaled chance that the genotype is wrong">',
        '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Reads that count">',
        '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads that show each allele">',
        '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Phred-scaled likelihoods of the genotypes, the best one 0">',
        *more,
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people]),
    ]
    return "\n".join(lines) + "\n"


def sample_column(row: Any) -> str:
    """What a row of ``variantCalls`` with an alternate allele says, in the order of ``FORMAT``."""
    likelihoods = "." if row.phredLikelihoods is None else ",".join(map(str, row.phredLikelihoods))
    genotype, depths = "/".join(map(str, row.calls)), ",".join(map(str, row.alleleDepths))
    return f"{genotype}:{int(row.conditionalQuality)}:{int(row.depth)}:{depths}:{likelihoods}"


def _lines(window: pd.DataFrame, place: dict[str, int]) -> Iterator[str]:
    """Lines of one window's sites, sorted."""
    window = window.assign(alternate=window["alternateAlleles"].map(lambda alleles: alleles[0] if len(alleles) else ""))
    carried, uncalled = window[window["alternate"] != ""], window[window["alternate"] == ""]
    who = uncalled["sampleId"].map(place).to_numpy()
    first, after = uncalled["start"].to_numpy(), uncalled["end"].to_numpy()
    for (start, reference, alternate), rows in carried.groupby(["start", "referenceAllele", "alternate"], sort=True):
        columns = np.full(len(place), _HOM_REF, object)
        columns[who[(first <= start) & (after > start)]] = _MISSING
        copies = 0
        for row in rows.itertuples():
            columns[place[row.sampleId]] = sample_column(row)
            copies += sum(row.calls)
        called = 2 * int((columns != _MISSING).sum())
        quality = int(rows["conditionalQuality"].max())
        info = f"AC={copies};AN={called}"
        fixed = (window["contigName"].iloc[0], start + 1, ".", reference, alternate, quality, "PASS", info, FORMAT)
        yield "\t".join([*map(str, fixed), *columns]) + "\n"
