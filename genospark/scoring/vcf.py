"""Calls of many samples as one sorted, bgzipped, indexed VCF."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from pyspark import StorageLevel
from pyspark.sql import DataFrame, GroupedData, Row
from pyspark.sql import functions as f

from genospark.core.paths import local_folder
from genospark.core.pileup import WINDOW_BP

_TBI_BP = 1 << 29
"""A .tbi knows no position from here on."""
FORMAT = "GT:GQ:DP:AD:PL"
# Text that passes the driver at once, about.
_PARTITION_BYTES = 64 << 20
_HOM_REF, _MISSING = "0/0:.:.:.:.", "./.:.:.:.:."


def write_vcf(
    path: Path, calls: DataFrame, people: list[str], contigs: dict[str, int], version: str, shown: Mapping[str, str] | None = None
) -> int:
    """Writes the calls and an index beside them; a reader sees the old file or the new one.

    Each site is one alternate allele. Who has no row there is 0/0 where the position was called, ./. where it was not. Lines are made by
    Spark, window by window, and pass the driver some windows at a time.

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
        text = "".join(_lines(window, place))
        return pd.DataFrame({"text": [text] if text else []})

    sites = (
        calls.where("size(alternateAlleles) > 0").select("contigName", "start", "referenceAllele", "alternateAlleles").distinct().count()
    )
    text_bytes = sites * len(_HOM_REF) * len(people)
    made = by_place(vcf_fields(calls), contigs, WINDOW_BP, text_bytes).applyInPandas(lines, "text string")
    with local_folder(path.parent) as folder:
        scratch = folder / f".{path.name}.partial.gz"
        with pysam.BGZFile(str(scratch), "wb") as out, closing(in_order(made)) as rows:
            out.write(header([(shown or {}).get(person, person) for person in people], contigs, version).encode())
            for row in rows:
                out.write(row["text"].encode())
        publish(scratch, folder / path.name, contigs)
    return sites


def publish(scratch: Path, target: Path, contigs: Mapping[str, int]) -> None:
    """Indexes a finished file and gives it its name: with a .tbi, or where a contig is too long for that, with a .csi."""
    csi = max(contigs.values(), default=0) > _TBI_BP
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


def vcf_fields(calls: DataFrame) -> DataFrame:
    """Rows of ``variantCalls`` as lines need them.

    Returns:
        sampleId, contigName, start, end, referenceAllele, conditionalQuality, depth, alternate ('' where there is no call), copies of it,
        and sampleColumn, in the order of ``FORMAT``; the last two mean nothing where there is no call.
    """
    column = (
        "concat_ws(':', array_join(calls, '/'), conditionalQuality, depth, array_join(alleleDepths, ','), "
        "coalesce(array_join(phredLikelihoods, ','), '.')) as sampleColumn"
    )
    copies = "aggregate(calls, 0, (sum, call) -> sum + call) as copies"
    kept = ("sampleId", "contigName", "start", "end", "referenceAllele", "conditionalQuality", "depth")
    return calls.selectExpr(*kept, "if(size(alternateAlleles) > 0, alternateAlleles[0], '') as alternate", copies, column)


def by_place(rows: DataFrame, contigs: Iterable[str], piece_bp: int, text_bytes: int, *leading: str) -> GroupedData:
    """Rows by pieces of the genome, which come in the order of the leading columns, of contigs and of positions.

    Args:
        rows: Rows with contigName and start.
        contigs: All contigs, in order.
        piece_bp: Length of a piece.
        text_bytes: About what will be made of them: the more, the more partitions.
        leading: Columns that part rows before their place does.
    """
    spark = rows.sparkSession
    order = spark.createDataFrame([(name, index) for index, name in enumerate(contigs)], "contigName string, contig int")
    known = f.coalesce("contig", f.raise_error(f.concat(f.lit("a contig that is not in the reference: "), "contigName")).cast("int"))
    placed = rows.join(f.broadcast(order), "contigName", "left")
    placed = placed.withColumns({"contig": known, "piece": f.floor(f.col("start") / piece_bp)})
    partitions = max(int(spark.conf.get("spark.sql.shuffle.partitions") or 1), -(-text_bytes // _PARTITION_BYTES))
    # What is made of a range's groups is in their order. To sort it afterwards Spark would make it twice; an index takes no unsorted file.
    key = (*leading, "contig", "piece")
    return placed.repartitionByRange(partitions, *key).groupBy(*key)


def in_order(made: DataFrame) -> Generator[Row, None, None]:
    """Rows in the order of their partitions: made by all executors at once, passed by the driver one partition at a time. To be closed."""
    made = made.persist(StorageLevel.DISK_ONLY)
    try:
        made.count()
        yield from made.toLocalIterator()
    finally:
        made.unpersist()


def _lines(window: pd.DataFrame, place: dict[str, int]) -> Iterator[str]:
    """Lines of one window's sites, sorted."""
    is_call = window["alternate"] != ""
    calls = window[is_call].sort_values(["start", "referenceAllele", "alternate"])
    uncalled = window[~is_call]
    first, after = uncalled["start"].to_numpy(), uncalled["end"].to_numpy()
    uncalled_place, call_place = uncalled["sampleId"].map(place).to_numpy(), calls["sampleId"].map(place).to_numpy()
    said, copies, quality = (calls[name].to_numpy() for name in ("sampleColumn", "copies", "conditionalQuality"))
    sites = calls[["contigName", "start", "referenceAllele", "alternate"]]
    begins = np.flatnonzero((sites != sites.shift()).any(axis=1))
    for at, end in zip(begins, np.append(begins, len(sites))[1:], strict=True):
        contig, start, reference, alternate = sites.iloc[at]
        columns = np.full(len(place), _HOM_REF, object)
        columns[uncalled_place[(first <= start) & (after > start)]] = _MISSING
        columns[call_place[at:end]] = said[at:end]
        info = f"AC={copies[at:end].sum()};AN={2 * np.count_nonzero(columns != _MISSING)}"
        fixed = (contig, start + 1, ".", reference, alternate, int(quality[at:end].max()), "PASS", info, FORMAT)
        yield "\t".join([*map(str, fixed), *columns]) + "\n"
