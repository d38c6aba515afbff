"""Valid files with flipped, cut, doubled and replaced bytes: no error but those for users, and nothing read but what stands there."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest
import spoilt_files
from fault_files import bam, fasta, vcf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from genospark.core.storage import Warehouse
from genospark.errors import GenosparkError
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf

EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
GENOTYPES = ["0|1\t1|1\t./.", "0/2\t1\t0|0", ".\t0/1\t1|.", "0|0\t0|0\t0|0"]
VCF = vcf(
    *(
        f"22\t{10 * n + 5}\trs{n};x\tACG\tA{',T' if n % 4 == 1 else ''}\t{n}.5\tPASS\tDP={n};END={10 * n + 9}\tGT:DP\t{GENOTYPES[n % 4]}"
        for n in range(12)
    ),
    people=["a", "b", "c"],
).encode()
WIDE = vcf(*(f"22\t{n + 1}\t.\tA\tC\t.\t.\t.\tGT" + "\t0|1\t0|0" * 20 for n in range(8)), people=[f"p{n}" for n in range(40)]).encode()
EXPRESSION = b"sampleId\tcellType\tG1\tG2\n" + b"".join(b"p%d\tT\t%d.5\t%de-3\n" % (n, n, n) for n in range(9)) + b"p9\tT\tNA\t3\n"
BED = b"#chr\tstart\tend\tgene\tlength\tstrand\ta\tb\n" + b"".join(b"22\t%d\t9\tG%d\t5\t+\t%d\t0.%d\n" % (n, n, n, n) for n in range(8))
CSV = b'"sampleId","G,1",G2\n' + b"".join(b'"p""\n%d",%d.5,"%de-3"\n' % (n, n, n) for n in range(9)) + b"p9,NA,3\n"
GCT = b"#1.3\n8\t2\t1\t1\nid\tabout\ta\tb\ntissue\tNA\tx\ty\n"
GCT += b"".join(b"G%d\tt\t%d\t0.%d\n" % (n, n, n) for n in range(8))
LABELS = b"sampleId\tone\ttwo\n" + b"".join(b"p%d\t%d\t%d\n" % (n, n % 2, n // 2 % 2) for n in range(12))
COVARIATES = b"sampleId\tage\tsex\n" + b"".join(b"p%d\t%d.25\t%d\n" % (n, n, n % 2) for n in range(8))
PEDIGREE = b"#familyId\tid\tfather\tmother\tsex\n" + b"".join(b"f%d\tp%d\t0\tp%d\t%d\n" % (n // 2, n, n + 1, n % 2 + 1) for n in range(8))
GTF = b"##gtf\n" + b"".join(
    b'22\tx\tgene\t%d\t%d\t.\t+\t.\tgene_id "G%d"; gene_name "n%d";\n22\tx\texon\t1\t2\t.\t+\t.\tgene_id "G%d";\n'
    % (n + 1, n + 50, n, n, n)
    for n in range(8)
)
GFF = b"##gff-version 3\n" + b"".join(b"22\tx\tgene\t%d\t%d\t.\t-\t.\tID=gene:G%d;Name=n%d\n" % (n + 1, n + 9, n, n) for n in range(8))
TERMS = b"geneId\ttermId\n" + b"".join(b"G%d\tT%d\n" % (n, n % 3) for n in range(8)) + b"G9\tNA\n"
REGULATORS = b"".join(b"G%d\n" % n for n in range(9))
REGIONS = b"".join(b"22\t%d\t%d\n" % (n * 100, n * 100 + 50) for n in range(8))


def blocks(data: bytes, size: int = 150, level: int = 6) -> bytes:
    out = []
    for piece in (data[at : at + size] for at in range(0, len(data), size)):
        deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
        body = deflate.compress(piece) + deflate.flush()
        head = struct.pack("<4BI2BH2BHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(body) + 25)
        out.append(head + body + struct.pack("<II", zlib.crc32(piece), len(piece)))
    return b"".join(out) + EOF_BLOCK


@cache
def reads() -> tuple[bytes, bytes, bytes, bytes]:
    """Records of a BAM, the index of the same in blocks of 500 bytes, a FASTA and its index.

    Blocks are stored, not compressed, so that places of the index stay right where no byte is cut or doubled.
    """
    import pysam

    folder = Path(mkdtemp())
    path = bam(folder, starts=range(0, 400, 8))
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(blocks(plain, 500, 0))
    pysam.index(str(path))
    reference = fasta(folder)
    return plain, Path(f"{path}.bai").read_bytes(), reference.read_bytes(), Path(f"{reference}.fai").read_bytes()


@dataclass(frozen=True)
class Kind:
    """A kind of file: name, valid content, how it is stored after it was spoilt, and what is checked."""

    name: str
    content: Callable[[], bytes]
    check: Callable[[Path], None]
    stored: Callable[[bytes], bytes] = bytes


KINDS = [
    Kind("a.vcf", lambda: VCF, spoilt_files.check_vcf),
    Kind("wide.vcf", lambda: WIDE, spoilt_files.check_vcf),
    Kind("a.vcf.gz", lambda: VCF, spoilt_files.check_vcf, blocks),
    Kind("blocks.vcf.gz", lambda: blocks(VCF), spoilt_files.check_vcf),
    Kind("plain.vcf.gz", lambda: gzip.compress(VCF, mtime=0), spoilt_files.check_vcf),
    Kind("e.tsv", lambda: EXPRESSION, spoilt_files.check_expression),
    Kind("e.tsv.gz", lambda: gzip.compress(EXPRESSION, mtime=0), spoilt_files.check_expression),
    Kind("e.csv", lambda: CSV, spoilt_files.check_expression),
    Kind("e.gct", lambda: GCT, spoilt_files.check_gct),
    Kind("e.bed", lambda: BED, spoilt_files.check_bed),
    Kind("labels.tsv", lambda: LABELS, spoilt_files.check_labels),
    Kind("covariates.tsv", lambda: COVARIATES, spoilt_files.check_covariates),
    Kind("a.ped", lambda: PEDIGREE, spoilt_files.check_pedigree),
    Kind("spaces.ped", lambda: PEDIGREE.replace(b"\t", b" "), spoilt_files.check_pedigree),
    Kind("a.gtf", lambda: GTF, spoilt_files.check_genes),
    Kind("a.gff3", lambda: GFF, spoilt_files.check_genes),
    Kind("a.gtf.gz", lambda: gzip.compress(GTF, mtime=0), spoilt_files.check_genes),
    Kind("terms.tsv", lambda: TERMS, spoilt_files.check_terms),
    Kind("regulators.tsv", lambda: REGULATORS, spoilt_files.check_regulators),
    Kind("regions.bed", lambda: REGIONS, spoilt_files.check_regions),
    Kind("records.bam", lambda: reads()[0], spoilt_files.check_bam, lambda data: blocks(data, 500, 0)),
    Kind("blocks.bam", lambda: blocks(reads()[0], 500, 0), spoilt_files.check_bam),
    Kind("a.bam.bai", lambda: reads()[1], lambda path: spoilt_files.check_bam(path.with_suffix(""))),
    Kind("reference.fa.fai", lambda: reads()[3], spoilt_files.check_reference_index),
]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "double", "set"]),
        st.integers(0, 1 << 30),
        st.integers(1, 40),
        st.sampled_from([1, 0x10, 0x80, 0xFF, *b'\t\n\r 0|.,;\0"=', 0xC3]),
    ),
    min_size=1,
    max_size=4,
)


def spoilt(data: bytes, edits: list[tuple[str, int, int, int]]) -> bytes:
    content = bytearray(data)
    for edit, place, length, value in edits:
        at = place % (len(content) + 1)
        if edit == "cut":
            del content[at : at + length]
        elif edit == "double":
            content[at:at] = content[at : at + length]
        elif at < len(content):
            content[at] = content[at] ^ value if edit == "flip" else value
    return bytes(content)


def case(kind: Kind, edits: list[tuple[str, int, int, int]]) -> bool:
    """Reads a spoilt file; returns whether it could be read."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if "bam" in kind.name or ".fa" in kind.name:
            records, index, bases, fai = reads()
            valid = {"reference.fa": bases, "reference.fa.fai": fai, "a.bam": blocks(records, 500, 0), f"{kind.name}.bai": index}
            for part, content in valid.items():
                (folder / part).write_bytes(content)
        path = folder / kind.name
        path.write_bytes(kind.stored(spoilt(kind.content(), edits)))
        try:
            kind.check(path)
        except GenosparkError as error:
            assert error.problem
            assert error.next_step
            return False
        return True


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_not_spoilt_is_read(kind: Kind) -> None:
    assert case(kind, [])


@settings(max_examples=300, deadline=10_000, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(KINDS), EDITS)
def test_spoilt_files(kind: Kind, edits: list[tuple[str, int, int, int]]) -> None:
    case(kind, edits)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=10_000, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(KINDS), EDITS)
def test_many_spoilt_files(kind: Kind, edits: list[tuple[str, int, int, int]]) -> None:
    case(kind, edits)


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(EDITS)
def test_spoilt_files_through_spark(spark: SparkSession, edits: list[tuple[str, int, int, int]]) -> None:
    """What is published is what an independent reader finds on the lines that are not in quarantine."""
    with TemporaryDirectory() as name:
        path = Path(name, "a.vcf")
        path.write_bytes(spoilt(VCF, edits))
        config = IngestVcfConfig(warehouse=f"{name}/w", inputs=[str(path)], mode="quarantine", max_bad=1, split_bytes=400)
        try:
            ingest_vcf(config, spark)
        except GenosparkError as error:
            assert error.next_step
            return
        warehouse = Warehouse(spark, config.warehouse)
        bad = {row["line"] for row in warehouse.read("quarantine").collect()} if warehouse.has("quarantine") else set()
        columns = ["contigName", "start", "referenceAllele", "alternateAlleles"]
        found = [tuple(row) for row in warehouse.read("genotypes").select(*columns, "calls").collect()]
        people = warehouse.read("samples").count()
        assert sorted(map(repr, spoilt_files.vcf_table(path, people, bad))) == sorted(
            repr((*row[:4], spoilt_files.codes([row[4]], people))) for row in found
        )
