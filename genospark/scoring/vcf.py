"""Calls of many samples as one sorted, bgzipped, indexed VCF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark.core.paths import local_folder
from genospark.core.pileup import WINDOW_BP

_HOM_REF, _MISSING = "0/0:.:.:.", "./.:.:.:."


def write_vcf(path: Path, calls: DataFrame, people: list[str], contigs: dict[str, int], version: str) -> int:
    """Writes the calls and an index beside them; a reader sees the old file or the new one.

    Each site is one alternate allele. Who has no row there is 0/0 where the position was called, ./. where it was not. Lines are made by
    Spark, window by window, and pass the driver one window at a time.

    Args:
        path: File, ``.vcf.gz``.
        calls: Rows of ``variantCalls``.
        people: Samples, in the order of their columns.
        contigs: Length of each contig in base pairs, in order.
        version: Model that made the calls.

    Returns:
        Number of sites.
    """
    names = list(contigs)
    place = {name: index for index, name in enumerate(people)}

    def lines(window: pd.DataFrame) -> pd.DataFrame:
        text = list(_lines(window, place))
        contig = names.index(window["contigName"].iloc[0])
        made = {"contig": contig, "window": window["window"].iloc[0], "sites": len(text), "text": "".join(text)}
        return pd.DataFrame([made] if text else [], columns=["contig", "window", "sites", "text"])

    keyed = calls.withColumn("window", f.floor(f.col("start") / WINDOW_BP).cast("bigint"))
    made = keyed.groupBy("contigName", "window").applyInPandas(lines, "contig int, window bigint, sites int, text string")
    sites = 0
    with local_folder(path.parent) as folder:
        scratch = folder / f".{path.name}.partial.gz"
        with pysam.BGZFile(str(scratch), "wb") as out:
            out.write(_header(people, contigs, version).encode())
            for row in made.orderBy("contig", "window").toLocalIterator():
                sites += row["sites"]
                out.write(row["text"].encode())
        pysam.tabix_index(str(scratch), preset="vcf", force=True)
        (folder / f"{scratch.name}.tbi").replace(folder / f"{path.name}.tbi")
        scratch.replace(folder / path.name)
    return sites


def _header(people: list[str], contigs: dict[str, int], version: str) -> str:
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
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people]),
    ]
    return "\n".join(lines) + "\n"


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
            genotype, depths = "/".join(map(str, row.calls)), ",".join(map(str, row.alleleDepths))
            columns[place[row.sampleId]] = f"{genotype}:{int(row.conditionalQuality)}:{int(row.depth)}:{depths}"
            copies += sum(row.calls)
        called = 2 * int((columns != _MISSING).sum())
        quality = int(rows["conditionalQuality"].max())
        info = f"AC={copies};AN={called}"
        fixed = (window["contigName"].iloc[0], start + 1, ".", reference, alternate, quality, "PASS", info, "GT:GQ:DP:AD")
        yield "\t".join([*map(str, fixed), *columns]) + "\n"
