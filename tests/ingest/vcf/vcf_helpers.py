"""VCF files written, and results read, by means that share nothing with the package."""

import struct
import zlib
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pyarrow as pa

from genospark.ingest.vcf import PARSED_SCHEMA, parse_split, plan_splits, read_header

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
META = """##fileformat=VCFv4.2
##FILTER=<ID=PASS,Description="All filters passed">
##FILTER=<ID=q10,Description="q">
##FILTER=<ID=s50,Description="s">
##contig=<ID=1,length=1000000>
##contig=<ID=X>
##INFO=<ID=END,Number=1,Type=Integer,Description="end">
##INFO=<ID=DP,Number=1,Type=Integer,Description="depth">
##INFO=<ID=BEND,Number=1,Type=Integer,Description="not end">
##ALT=<ID=DEL,Description="deletion">
##FORMAT=<ID=GT,Number=1,Type=String,Description="genotype">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="depth">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="depths">
"""
SITE = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def vcf(records: list[str], n: int) -> str:
    names = "".join(f"\ts{i}" for i in range(n))
    return META + SITE + ("\tFORMAT" + names if n else "") + "\n" + "".join(r + "\n" for r in records)


def bgzf(data: bytes, sizes: Iterator[int] | None = None, end: bytes = EOF_BLOCK) -> bytes:
    """Blocks of the given inflated sizes (at most 65,280)."""
    out, at = [], 0
    for size in sizes or repeat(60000):
        if at >= len(data):
            break
        piece = data[at : at + size]
        at += size
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = deflate.compress(piece) + deflate.flush()
        head = struct.pack("<4BI2BH2BHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(body) + 25)
        out.append(head + body + struct.pack("<II", zlib.crc32(piece), len(piece)))
    return b"".join(out) + end


def write(path: Path, text: str | bytes, sizes: Iterator[int] | None = None) -> Path:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(bgzf(data, sizes) if path.suffix == ".gz" else data)
    return path


def read(path: Path, target_bytes: int = 1 << 40) -> pa.Table:
    splits = plan_splits(read_header(path), target_bytes)
    table = pa.Table.from_batches(chain.from_iterable(map(parse_split, splits)), PARSED_SCHEMA)
    table.validate(full=True)
    return table


def dosages(table: pa.Table, n: int) -> np.ndarray:
    """(rows, n) calls: the bits of each binary, lowest first, in pairs."""
    rows = []
    for entries in table.column("blocks").to_pylist():
        blocks = [entry["calls"] for entry in entries]
        for i, block in enumerate(blocks):
            people = min(16384, n - 16384 * i)
            assert len(block) == -(-people // 4)
        bits = np.unpackbits(np.frombuffer(b"".join(blocks), np.uint8), bitorder="little").reshape(-1, 2)
        codes = bits[:, 0] + 2 * bits[:, 1]
        assert (codes[n:] == 3).all()
        rows.append(codes[:n])
    return np.array(rows, np.uint8).reshape(len(table), n)


def gt_code(gt: str) -> int:
    """Copies of allele 1 in a genotype of a biallelic record; 3 where any allele is missing."""
    alleles = gt.replace("|", "/").split("/")
    return 3 if "." in alleles else alleles.count("1")
