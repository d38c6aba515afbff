"""PLINK 1 files give what the VCFs give that plink2 makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from format_helpers import assert_same, of_vcf, rows, small_plink, vcf_by_plink
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyspark.sql import SparkSession

from genospark.core.calls import MISSING, pack, unpack
from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes
from genospark.ingest.plink import read_bed_header
from genospark.ingest.plink.bed import FROM_BED, TO_BED
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.ingest.variants_plink import IngestPlinkConfig, ingest_plink


@given(arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 40)), elements=st.integers(0, 3)))
def test_remapped_bytes_are_the_calls_one_by_one(codes: np.ndarray) -> None:
    copies = {"last": {0: 2, 1: MISSING, 2: 1, 3: 0}, "first": {0: 0, 1: MISSING, 2: 1, 3: 2}}
    n = codes.shape[1]
    for reference, meaning in copies.items():
        expected = np.vectorize(meaning.get)(codes)
        assert (unpack(FROM_BED[reference][pack(codes)], n) == expected).all()
    assert (unpack(TO_BED[FROM_BED["last"][pack(codes)]], n) == codes).all()


def test_real_people_as_plink2_writes_them(shared_data: Path, tmp_path: Path) -> None:
    for suffix in ("bed", "bim", "fam"):
        shutil.copy(shared_data / "hapmap3-plink" / f"data.{suffix}", tmp_path / f"data.{suffix}")
    theirs = of_vcf(vcf_by_plink(tmp_path / "data"))
    ours = rows(read_bed_header(tmp_path / "data.bed"), 1 << 18)
    assert ours.num_rows == 14_389
    # PLINK's chromosome 25 is a part of X.
    contigs = pa.array([{"XY": "X"}.get(name, name) for name in theirs["contigName"].to_pylist()])
    assert_same(ours, theirs.set_column(0, theirs.schema.field(0), contigs))


@pytest.mark.parametrize("reference", ["last", "first"])
def test_calls_of_one_allele_and_either_reference(tmp_path: Path, reference: str) -> None:
    prefix = small_plink(tmp_path)
    if reference == "first":
        lines = [line.split("\t") for line in Path(f"{prefix}.bim").read_text().splitlines()]
        Path(f"{prefix}.bim").write_text("".join("\t".join([*words[:4], words[5], words[4]]) + "\n" for words in lines))
        ours = rows(read_bed_header(f"{prefix}.bed", "first"), 7)
        # The allele codes and the calls are turned, so the counts of each allele stay with the other name.
        last = rows(read_bed_header(f"{prefix}.bed"), 7)
        assert ours["alternateAlleles"].to_pylist() == [[one] for one in last["referenceAllele"].to_pylist()]
        assert [n - c for n, c in zip(last["nAllelesCalled"].to_pylist(), last["alleleCount"].to_pylist(), strict=True)] == ours[
            "alleleCount"
        ].to_pylist()
        return
    assert_same(rows(read_bed_header(f"{prefix}.bed"), 7), of_vcf(vcf_by_plink(prefix)))


def test_the_tables_are_those_of_the_vcf(spark: SparkSession, tmp_path: Path) -> None:
    prefix = small_plink(tmp_path)
    vcf = vcf_by_plink(prefix)
    ingest_plink(IngestPlinkConfig(warehouse=str(tmp_path / "w"), inputs=[f"{prefix}.bed"], split_bytes=12), spark)
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "v"), inputs=[str(vcf)]), spark)
    ours, theirs = (Warehouse(spark, str(tmp_path / name)) for name in ("w", "v"))
    for name in ("variants", "genotypes", "samples"):
        a, b = (warehouse.read(name).drop("runId") for warehouse in (ours, theirs))
        assert (a.count(), a.exceptAll(b).count()) == (b.count(), 0)


def test_files_that_do_not_fit_say_why(tmp_path: Path) -> None:
    prefix = small_plink(tmp_path)
    bed, bim, fam = (Path(f"{prefix}.{suffix}") for suffix in ("bed", "bim", "fam"))
    whole, lines, people = bed.read_bytes(), bim.read_text(), fam.read_text()

    def says(words: str) -> None:
        with pytest.raises(InputError, match=words):
            rows(read_bed_header(bed), 20)
        bed.write_bytes(whole), bim.write_text(lines), fam.write_text(people)

    bed.write_bytes(whole[:-1])
    says("50 bytes, but 24 variants of .* and 5 people of .* make 51")
    bed.write_bytes(b"\x6c\x1b\x00" + whole[3:])
    says("sample-major")
    bed.write_bytes(b"chr1\t5\t6\n")
    says("not a PLINK 1 binary file")
    fam.write_text(people.replace("\tf1\t", "\tm1\t"))
    says("sample ids that occur more than once: lines 1 and 2")
    fam.write_text(people.replace("0\tf1\t0\t0\t2", "0\tf1"))
    says("line 2: 3 columns, at least 5 are expected")
    bim.write_text(lines.replace("5000001\tCT\tA", "x\tCT\tA", 1))
    says("small.bim, line 2: the position is no positive integer")
    bim.write_text(lines.replace("\tCT\tA", "\t0\tA", 1))
    says("small.bim, line 2: people carry an allele that is not known")
    bim.write_text(lines.replace("\tCT\tA", "\tCT\t0", 1))
    says("small.bim, line 2: the reference allele is not known")
    bim.write_text(lines.replace("\tCT\tA", "\tCT", 1))
    says("small.bim, line 2: not the six columns")
    bim.unlink()
    says("small.bim: no such file")
    # In quarantine the rows of the other lines are left.
    bim.write_text(lines.replace("5000001\tCT\tA", "x\tCT\tA", 1))
    assert rows(read_bed_header(bed), 20, quarantine=True).num_rows == 23


def test_lines_of_any_white_space_and_ids_of_family_and_person(tmp_path: Path) -> None:
    prefix = small_plink(tmp_path)
    before = rows(read_bed_header(f"{prefix}.bed"), 20)
    bim, fam = Path(f"{prefix}.bim"), Path(f"{prefix}.fam")
    bim.write_text(bim.read_text().replace("\t", "   ").rstrip("\n"))
    fam.write_text(fam.read_text().replace("0\tm1", "F1 m1").replace("\t", " "))
    assert rows(read_bed_header(f"{prefix}.bed"), 20).equals(before)
    assert read_bed_header(f"{prefix}.bed", sample_ids="FID_IID").sample_ids == ("F1_m1", "f1", "u1", "m2", "f2")


@pytest.mark.parametrize("sample_ids", ["IID", "FID_IID"])
def test_families_parents_and_sexes_as_from_a_pedigree(spark: SparkSession, tmp_path: Path, sample_ids: str) -> None:
    prefix = small_plink(tmp_path)
    fam = "f m1 0 0 1 -9\nf f1 0 0 2 -9\nf u1 m1 f1 0 -9\n0 m2 0 f1 1 -9\nf2 f2 m9 0 2 -9\n"
    Path(f"{prefix}.fam").write_text(fam)
    names = {"m1": "f_m1", "f1": "f_f1", "u1": "f_u1", "f2": "f2_f2"} if sample_ids == "FID_IID" else {}
    parents = {("m2", "f1"): "f1", ("f2", "m9"): "f2_m9"} if sample_ids == "FID_IID" else {}
    rows = [line.split() for line in fam.splitlines()]
    lines = [
        [family, names.get(one, one), *(parents.get((one, parent), names.get(parent, parent)) for parent in (father, mother)), sex]
        for family, one, father, mother, sex, _ in rows
    ]
    (tmp_path / "a.ped").write_text("".join("\t".join(line) + "\n" for line in lines))
    found = []
    for place in ("plink", "phenotypes"):
        warehouse = str(tmp_path / place)
        settings = {"inputs": [f"{prefix}.bed"], "sample_ids": sample_ids, "pedigree": place == "plink"}
        ingest_plink(IngestPlinkConfig(warehouse=warehouse, **settings), spark)
        if place == "phenotypes":
            ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=[f"pedigree={tmp_path}/a.ped"]), spark)
        found.append(Warehouse(spark, warehouse).read("pedigree").drop("runId").orderBy("sampleId").collect())
    assert found[0] == found[1]
    assert sum(row["fatherId"] is not None for row in found[0]) == 2
    # Two files that contradict each other.
    for suffix in ("bed", "bim"):
        shutil.copy(f"{prefix}.{suffix}", tmp_path / f"other.{suffix}")
    (tmp_path / "other.fam").write_text(fam.replace("f m1 0 0 1", "f m1 0 0 2"))
    config = IngestPlinkConfig(warehouse=str(tmp_path / "x"), inputs=[f"{prefix}.bed", f"{tmp_path}/other.bed"], pedigree=True)
    with pytest.raises(InputError, match="the family, a parent or the sex of somebody is another than in"):
        ingest_plink(config, spark)
