"""Calls of a model's variants, people by people, against what the files say, read by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from support import people

from genospark.core.calls import MISSING, by_person, pack, packed_rows, unpack
from genospark.core.storage import Warehouse
from genospark.features.matching import match
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.models.spec import Variant, Variants

HEAD = """##fileformat=VCFv4.3
##contig=<ID=chr1,length=1000>
##contig=<ID=chr2,length=1000>
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
"""
Copies = np.ndarray[tuple[int], np.dtype[np.int64]]
Site = tuple[str, int, str, str]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 40))
def test_bytes_by_person_are_the_transposed_calls(seed: int, fours: int, width: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 4, (4 * fours, 4 * width)).astype(np.uint8)
    planes = by_person(pack(codes))
    found = planes.transpose(2, 1, 0).reshape(4 * width, fours)
    assert (unpack(found, 4 * fours) == codes.T).all()


def _batch(path: Path, names: list[str], sites: list[tuple[str, int, str, str]], seed: int) -> dict[Site, Copies]:
    """Writes a VCF; returns copies of each alternate allele."""
    random = np.random.default_rng(seed)
    found = {}
    with path.open("w") as file:
        file.write(HEAD + "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]) + "\n")
        for contig, start, ref, alts in sites:
            drawn = random.integers(-1, 1 + alts.count(",") + 1, (len(names), 2))
            drawn[(drawn < 0).any(axis=1)] = -1
            text = ["./." if pair[0] < 0 else f"{pair[0]}/{pair[1]}" for pair in drawn.tolist()]
            file.write("\t".join([contig, str(start + 1), ".", ref, alts, ".", ".", ".", "GT", *text]) + "\n")
            for which, alt in enumerate(alts.split(","), 1):
                found[contig, start, ref, alt] = np.where(drawn[:, 0] < 0, MISSING, (drawn == which).sum(axis=1))
    return found


def test_calls_of_two_batches_are_matched_and_turned(spark: SparkSession, tmp_path: Path) -> None:
    """Sites in one batch only, listed both ways, with exchanged alleles, with a third allele, and none; features in any order."""
    first = [("chr1", 99, "A", "G"), ("chr1", 199, "A", "G"), ("chr1", 199, "G", "A"), ("chr1", 299, "A", "C,G"), ("chr2", 49, "G", "A")]
    names = [f"a{n}" for n in range(9)], [f"b{n}" for n in range(1030)]
    truth = [_batch(tmp_path / "a.vcf", names[0], first, 1)]
    truth.append(_batch(tmp_path / "b.vcf", names[1], [("chr1", 99, "A", "G"), ("chr1", 199, "G", "A"), ("chr2", 49, "A", "G")], 2))
    warehouse = str(tmp_path / "w")
    for batch in "ab":
        ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(tmp_path / f"{batch}.vcf")], batch=batch), spark)
    wanted: list[Site] = [("chr2", 49, "A", "G"), ("chr1", 199, "A", "G"), ("chr1", 99, "A", "G"), ("chr9", 1, "A", "G")]
    wanted += [("chr1", 199, "G", "A"), ("chr1", 299, "C", "A"), ("chr1", 299, "A", "G")]
    made = match(Warehouse(spark, warehouse), Variants.of(Variant(*site, 0.0, 1.0, 1.0) for site in wanted))
    rows = made.rows.toPandas().set_index("sampleId")["calls"]
    assert len(rows) == 9 + 1030
    assert (made.variants_found, made.variants_turned, made.turns_refused) == (5, 0, 1)
    for ids, own in zip(names, truth, strict=True):
        calls = unpack(packed_rows(list(rows.loc[people(*ids)])), 8)
        assert (calls[:, 7] == MISSING).all()
        for place, (contig, start, ref, alt) in enumerate(wanted):
            expected = np.full(len(ids), MISSING)
            if (contig, start, ref, alt) in own:
                expected = own[contig, start, ref, alt]
            elif (contig, start, alt, ref) in own and "C" not in (ref, alt):
                there = own[contig, start, alt, ref]
                expected = np.where(there == MISSING, MISSING, 2 - there)
            assert calls[:, place].tolist() == expected.tolist()


def test_columns_of_variants_are_variants(tmp_path: Path) -> None:
    variants = [Variant("chr1", 5, "A", "CÄT", 0.25, 0.5, 0.1), Variant("2", 1 << 40, "", "G", 1.5, 1e-9, 0.5)]
    columns = Variants.of(variants)
    assert (len(columns), columns[0], columns[-2:]) == (2, variants[0], columns)
    np.savez(tmp_path / "a.npz", **columns.arrays())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        again = Variants.from_arrays(dict(stored))
    assert repr(list(again)) == repr(variants)
    with pytest.raises(IndexError):
        columns[2]
