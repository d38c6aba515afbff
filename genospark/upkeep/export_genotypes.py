"""``export`` of genotypes: the tables as one VCF or one set of PLINK 1 files, of all batches.

Spark sorts the variants and writes pieces; the driver puts these together. Neither holds more than a batch of variants at a time.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pysam
from numpy.typing import NDArray
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from genospark import __version__
from genospark.core import crosswalk, paths
from genospark.core.batches import bounded_batches
from genospark.core.blocks import known
from genospark.core.calls import packed_bytes
from genospark.core.progress import log, step
from genospark.core.storage import Warehouse
from genospark.ingest.blocks import KEY
from genospark.ingest.plink.bed import MAGIC, VARIANT_MAJOR
from genospark.ingest.vcf import bgzf
from genospark.ingest.vcf.measured import MEASURED
from genospark.ingest.vcf.parse import KEPT
from genospark.upkeep.genotype_chunks import bed_rows, bim_lines, vcf_lines

_SITE = ["names", "qual", "filters"]
_PARTITION_BYTES = 4 << 20
_TBI_BASES = 1 << 29
_TEXT_BYTES = 64
"""Of a genotype with what is kept beside it, while its text is made."""
_DECLARED = {
    "GQ": '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality of the genotype, Phred-scaled; 254 for 254 and more">',
    "DP": '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Reads; 65534 for 65534 and more">',
    "AD": '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads of each allele; 65534 for 65534 and more">',
}
_PIECES = ".pieces"
NAME = "genotypes"


@dataclass(frozen=True)
class _People:
    """People in the order of their calls: rows of ``samples``, and what they are called."""

    columns: NDArray[np.int64]
    ids: list[str]
    fam: list[str]


def export_vcf(warehouse: Warehouse, out: Path, named: str | None) -> list[Path]:
    """Writes ``genotypes.vcf.gz`` and its index.

    Args:
        warehouse: Warehouse.
        out: Folder.
        named: Crosswalk, by which people are called as in their files; by their pseudonyms where it is not given.

    Returns:
        The files.

    Raises:
        TableError: There are no genotypes, or no crosswalk where one is named.
    """
    people = _people(warehouse, named)
    contigs = _contigs(warehouse)
    beside = known(warehouse, MEASURED.values())

    def made(batch: pa.RecordBatch) -> dict[str, bytes]:
        return {"vcf": bgzf.compressed(vcf_lines(batch, people.columns))}

    _write_pieces(warehouse, out, people, contigs, made, (_TEXT_BYTES if beside else 4) * len(people.ids))
    with paths.local_folder(out) as folder:
        path = folder / f"{NAME}.vcf.gz"
        _join(out, path, "vcf", bgzf.compressed(_header(warehouse, people.ids, contigs, beside).encode()), bgzf.EOF_BLOCK)
        longest = warehouse.read("variants").agg(f.max("start")).collect()[0][0] or 0
        pysam.tabix_index(str(path), preset="vcf", force=True, csi=longest >= _TBI_BASES)
    return _done(out, people)


def export_plink(warehouse: Warehouse, out: Path, named: str | None) -> list[Path]:
    """Writes ``genotypes.bed``, ``.bim`` and ``.fam``, with the alternate allele as A1; arguments and errors as of ``export_vcf``."""
    people = _people(warehouse, named)

    def made(batch: pa.RecordBatch) -> dict[str, bytes]:
        return {"bed": bed_rows(batch, people.columns), "bim": bim_lines(batch)}

    _write_pieces(warehouse, out, people, _contigs(warehouse), made, 4 * len(people.ids))
    with paths.local_folder(out) as folder:
        _join(out, folder / f"{NAME}.bed", "bed", MAGIC + VARIANT_MAJOR)
        _join(out, folder / f"{NAME}.bim", "bim")
        (folder / f"{NAME}.fam").write_text("".join(people.fam))
    return _done(out, people)


def _people(warehouse: Warehouse, named: str | None) -> _People:
    samples = warehouse.read("samples").select("sampleId", "sampleIndex").orderBy("sampleIndex").collect()
    ids: list[str] = [row[0] for row in samples]
    originals = dict(zip(ids, ids, strict=True))
    if named:
        known = crosswalk.read(named)
        if unknown := [one for one in ids if one not in known]:
            # Someone whom the files name as tables do is in no crosswalk.
            log.warning("export: %d people are not in the crosswalk %s and keep their pseudonyms", len(unknown), named)
        originals = {one: known.get(one, one) for one in ids}
    fam = dict.fromkeys(ids, ("0", "0", "0", 0))
    if warehouse.has("pedigree"):
        for row in warehouse.read("pedigree").collect():
            family, father, mother = (
                "0" if one is None else originals.get(one, one) for one in (row["familyId"], row["fatherId"], row["motherId"])
            )
            fam[row["sampleId"]] = (family, father, mother, row["sex"] or 0)
    lines = ["\t".join([fam[one][0], originals[one], *map(str, fam[one][1:]), "-9"]) + "\n" for one in ids]
    return _People(np.array([row[1] for row in samples], np.int64), [originals[one] for one in ids], lines)


def _contigs(warehouse: Warehouse) -> list[str]:
    """Contigs as people order them: 2 before 10, numbers before letters."""
    found = [row[0] for row in warehouse.read("variants").select("contigName").distinct().collect()]

    def place(name: str) -> list[tuple[int, int, str]]:
        return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]

    return sorted(found, key=place)


def _write_pieces(
    warehouse: Warehouse,
    out: Path,
    people: _People,
    contigs: list[str],
    made: Callable[[pa.RecordBatch], dict[str, bytes]],
    row_bytes: int,
) -> None:
    variants = warehouse.read("variants")
    stored = variants.count() * max(packed_bytes(len(people.ids)), 256)
    rows = _by_variant(warehouse.read("genotypes"), variants.select(*KEY, "end", *_SITE), contigs)
    n = max(1, -(-stored // _PARTITION_BYTES))
    ordered = rows.repartitionByRange(n, "place", "start").sortWithinPartitions("place", "start", "referenceAllele", "alternateAlleles")
    folder = f"{out}/{_PIECES}"

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        part = context.partitionId() if context else 0
        for number, batch in enumerate(batches):
            for kind, content in made(batch).items():
                paths.write_whole(paths.place(f"{folder}/{kind}-{part:06}-{number:06}"), content)
            yield pa.record_batch([pa.array([len(batch)])], ["variants"])

    with step("export: writing genotypes"), bounded_batches(warehouse.spark, row_bytes):
        ordered.mapInArrow(work, "variants bigint").count()


def _by_variant(genotypes: DataFrame, variants: DataFrame, contigs: list[str]) -> DataFrame:
    entries = f.collect_list(f.struct("sampleBlock", "calls", "haploid", *KEPT)).alias("blocks")
    # Variants without calls, of files without people, have no blocks.
    calls = genotypes.groupBy(*KEY).agg(entries)
    places = f.create_map(*(f.lit(value) for pair in zip(contigs, range(len(contigs)), strict=True) for value in pair))
    place = places[f.col("contigName")].alias("place")
    joined = variants.join(calls, KEY, "left").withColumn("blocks", f.coalesce("blocks", f.array().cast(calls.schema["blocks"].dataType)))
    return joined.select("*", place)


def _join(out: Path, path: Path, kind: str, head: bytes = b"", tail: bytes = b"") -> None:
    """Puts pieces together in their order."""
    pieces = sorted(
        (entry for entry in (paths.place(f"{out}/{_PIECES}")).iterdir() if entry.name.startswith(f"{kind}-")), key=lambda p: p.name
    )
    with path.open("wb") as file:
        file.write(head)
        for piece in pieces:
            with paths.open_bytes(piece) as content:
                shutil.copyfileobj(content, file)
            piece.unlink()
        file.write(tail)


def _done(out: Path, people: _People) -> list[Path]:
    if not paths.is_url(out):
        (out / _PIECES).rmdir()
    log.info("export: genotypes of %d people in %s", len(people.ids), out)
    return sorted(entry for entry in out.iterdir())


def _header(warehouse: Warehouse, people: list[str], contigs: list[str], beside: list[str]) -> str:
    filters = [row[0] for row in warehouse.read("variants").select(f.explode("filters")).distinct().collect()]
    lines = [
        "##fileformat=VCFv4.3",
        f"##source=genospark {__version__}",
        *(f"##contig=<ID={name}>" for name in contigs),
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *(f'##FILTER=<ID={name},Description="As in the input files">' for name in sorted(filters) if name != "PASS"),
        '##INFO=<ID=END,Number=1,Type=Integer,Description="End of the record">',
        *(
            ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype; 0 where the other allele is a third one, on its own line">']
            if people
            else []
        ),
        *(line for name, line in _DECLARED.items() if MEASURED[name] in beside),
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", *(["FORMAT", *people] if people else [])]),
    ]
    return "\n".join(lines) + "\n"
