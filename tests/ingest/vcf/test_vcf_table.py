"""``read_vcf``: the guard, the choice of the engine, the normaliser; and both engines cell by cell where Glow's jars are named."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pyarrow as pa
import pysam
import pysam.bcftools as bcftools
import pytest
from pyspark.sql import DataFrame, SparkSession

sys.path.insert(0, str(Path(__file__).parent / "vcf"))
from full_helpers import HEADER, PEOPLE, RECORDS, read
from vcf_helpers import write

from genospark.core.glow_jars import VARIABLE, has_glow, named_jars
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError, SetupError
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.ingest.vcf import plan_splits, read_header
from genospark.ingest.vcf.full import declared_fields, full_schema, read_full
from genospark.ingest.vcf.full.left_align import left_aligned
from genospark.ingest.vcf_store import store_vcf
from genospark.ingest.vcf_table import read_vcf

needs_glow = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"Glow's jars are not named in {VARIABLE}")
TEXT = HEADER + "".join(record + "\n" for record in RECORDS)
SITES = ["contigName", "start", "end", "referenceAllele", "alternateAlleles"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "a.vcf.gz", TEXT)


def _cells(rows: DataFrame) -> list[str]:
    # As text, so that NaNs are equal.
    return sorted(map(str, rows.collect()))


def test_native_gives_the_parsers_rows(spark: SparkSession, path: Path) -> None:
    rows = read_vcf(spark, path, "native", split_bytes=300)
    assert [str(row.asDict(recursive=True)) for row in rows.collect()] == [str(row) for row in read(path, True)]
    assert rows.schema["INFO_AF"].metadata == {"vcf_header_count": "A", "vcf_header_description": 'AF, its \\"values\\"'}
    genotype = rows.schema["genotypes"].dataType.elementType
    assert genotype.names[:6] == ["sampleId", "phased", "calls", "depth", "filters", "alleleDepths"]
    assert genotype["phredLikelihoods"].metadata["vcf_header_count"] == "G"
    assert all(field.nullable for field in rows.schema)


@pytest.mark.parametrize("engine", ["native", pytest.param("glow", marks=needs_glow)])
def test_columns_are_counted_whichever_engine_reads(spark: SparkSession, tmp_path: Path, engine: str) -> None:
    short = TEXT.rstrip("\n").rsplit("\t", 1)[0] + "\n"
    path = write(tmp_path / "short.vcf", short)
    line = short.count("\n")
    said = f"{path}, line {line} (1:7): wrong number of columns (expected 12, found 11)"
    with pytest.raises(InputError) as caught:
        store_vcf(spark, path, tmp_path / "T", engine)
    assert said in str(caught.value)
    assert not list((tmp_path / "T").rglob("*"))
    # Our own engine counts as it reads; Glow does not, so it is done before.
    with pytest.raises(Exception if engine == "native" else InputError) as caught_too:
        rows = read_vcf(spark, path, engine)
        rows.collect()
    assert said in str(caught_too.value)
    with pytest.raises(InputError, match=f"line {line} .*wrong number of columns"):
        ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "W"), inputs=[str(path)], engine=engine), spark)


def test_engines_are_chosen_and_refused(spark: SparkSession, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="there is no such engine"):
        read_vcf(spark, path, "spark")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="quarantine"):
        config = IngestVcfConfig(warehouse=str(tmp_path / "W"), inputs=[str(path)], engine="glow", mode="quarantine")
        ingest_vcf(config, spark)
    if not has_glow(spark):
        with pytest.raises(SetupError, match="this Spark session has no Glow jars") as caught:
            read_vcf(spark, path, "glow")
        assert VARIABLE in caught.value.next_step
        assert read_vcf(spark, path).count() == 10
    monkeypatch.setenv(VARIABLE, f"{tmp_path}/*.vcf.gz, {tmp_path}/none-*.jar")
    with pytest.raises(SetupError, match=r"none-.*no such file"):
        named_jars()
    monkeypatch.setenv(VARIABLE, f"{tmp_path}/*.vcf.gz,")
    assert named_jars() == [str(path)]


@pytest.mark.parametrize("engine", ["native", pytest.param("glow", marks=needs_glow)])
def test_stored_rows_are_those_that_are_read(spark: SparkSession, path: Path, tmp_path: Path, engine: str) -> None:
    expected = read_vcf(spark, path, "native")
    folder = tmp_path / "T"
    stored = store_vcf(spark, path, folder, engine, split_bytes=300)
    assert stored.schema.json() == expected.schema.json()
    assert _cells(stored) == _cells(expected)
    assert _cells(spark.read.format("delta").load(str(folder))) == _cells(expected)
    whole = store_vcf(spark, path, folder, engine, split_multiallelics=False)
    assert _cells(whole) == _cells(read_vcf(spark, path, "native", False)), "what the table held before is gone, and a column with it"
    none = store_vcf(spark, write(tmp_path / "none.vcf", HEADER), tmp_path / "none", engine)
    assert none.schema.json() == expected.schema.json() and none.count() == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="something else than a Delta table"):
        store_vcf(spark, path, tmp_path / "other", engine)


def _reference(tmp_path: Path) -> tuple[Path, str]:
    rng = random.Random(5)
    bases = "".join(rng.choice(["A", "C", "G", "T", "CA" * 4, "T" * 7, "GAT" * 50]) for _ in range(400))
    fasta = tmp_path / "r.fa"
    fasta.write_text(f">1\n{bases}\n")
    pysam.faidx(str(fasta))
    return fasta, bases


def _indels(tmp_path: Path, bases: str) -> Path:
    rng = random.Random(6)
    lines = []
    for start in sorted(rng.sample(range(1, len(bases) - 20), 400)):
        ref = bases[start : start + rng.randint(1, 12)]
        alts = {
            ref + rng.choice(["CA", "T", "GAT", bases[start - 3 : start]]),
            ref[: rng.randint(1, len(ref))],
            ref[0] + rng.choice("ACGT") + ref[1:],
        }
        alts |= {bases[start] + bases[start + len(ref) - 1]}
        chosen = rng.sample(sorted(alts - {ref}), rng.choice([1, 1, 2]))
        lines.append(f"1\t{start + 1}\t.\t{ref}\t{','.join(chosen)}\t.\t.\t.\tGT\t0/1\t1|1\t./.\n")
    return write(tmp_path / "indels.vcf", HEADER.replace("1000000", str(len(bases))) + "".join(lines))


@pytest.mark.parametrize("divide", [True, False])
def test_left_aligned_as_bcftools(tmp_path: Path, divide: bool) -> None:
    fasta, bases = _reference(tmp_path)
    path = _indels(tmp_path, bases)
    header = read_header(path)
    fields = declared_fields([("", header.declarations)])
    (split,) = plan_splits(header, 1 << 40)
    table = pa.Table.from_batches(left_aligned(read_full(split, fields, PEOPLE, divide), str(fasta)), full_schema(fields, divide))
    made = str(tmp_path / "norm.vcf")
    bcftools.norm(*(["-m-"] if divide else []), "-f", str(fasta), "-Ov", "-o", made, str(path), catch_stdout=False)
    expected = bcftools.query("-f", "%CHROM\t%POS0\t%END\t%REF\t%ALT\n", made).splitlines()
    found = table.select(SITES).to_pylist()
    assert sorted(expected) == sorted("\t".join([*map(str, list(row.values())[:4]), ",".join(row["alternateAlleles"])]) for row in found)
    changed = sum(row["start"] != old["start"] for row, old in zip(found, read(path, divide), strict=True))
    assert changed > 100
    with pytest.raises(InputError, match="is not what the reference has there"):
        wrong = write(tmp_path / "wrong.vcf", HEADER + f"1\t5\t.\t{'CGTA'[::-1] * 3}\tA\t.\t.\t.\tGT\t0\t0\t0\n")
        (split,) = plan_splits(read_header(wrong), 1 << 40)
        list(left_aligned(read_full(split, fields, PEOPLE, divide), str(fasta)))


@needs_glow
@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz"])
@pytest.mark.parametrize("divide", [True, False])
def test_engines_give_the_same_cells(spark: SparkSession, tmp_path: Path, divide: bool, name: str) -> None:
    path = write(tmp_path / name, TEXT.replace("\n", "\r\n") if name == "a.vcf" else TEXT)
    native, glow = (read_vcf(spark, path, engine, divide) for engine in ("native", "glow"))
    assert native.schema == glow.schema and native.schema.json() == glow.schema.json()
    assert _cells(native) == _cells(glow)
    assert read_vcf(spark, path, split_multiallelics=divide).sparkSession is not spark, "auto takes Glow where it is there"


@needs_glow
def test_engines_give_the_same_on_real_data(spark: SparkSession, shared_data: Path, tmp_path: Path) -> None:
    piece = tmp_path / "piece.vcf"
    source = shared_data / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
    bcftools.view("-i", "N_ALT>1 && POS%4==0 || POS%997==0", "-Ov", "-o", str(piece), str(source), catch_stdout=False)
    paths = [piece, shared_data / "reads-na12878-chr22" / "E.truth.vcf.gz"]
    for path in paths:
        assert _cells(read_vcf(spark, path, "native")) == _cells(read_vcf(spark, path, "glow"))


@needs_glow
def test_a_haploid_last_person_is_not_phased(spark: SparkSession, tmp_path: Path) -> None:
    """Glow takes for its separator a byte of the line before, which is longer."""
    site = "1\t{}\t.\tA\tC\t.\t.\tI1=1\tGT\t0\t0|1\t{}\n"
    path = write(tmp_path / "a.vcf", HEADER + "".join(site.format(position, ["0|1", "1"][position % 2]) for position in range(10, 40)))
    native, glow = (read_vcf(spark, path, engine) for engine in ("native", "glow"))
    assert _cells(native) == _cells(glow)


@needs_glow
def test_engines_align_the_same(spark: SparkSession, tmp_path: Path) -> None:
    fasta, bases = _reference(tmp_path)
    path = _indels(tmp_path, bases)
    for divide in (True, False):
        native, glow = (read_vcf(spark, path, engine, divide, fasta) for engine in ("native", "glow"))
        assert _cells(native) == _cells(glow)


@needs_glow
def test_a_field_that_cannot_be_divided_ends_with_glow_too(spark: SparkSession, tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", HEADER + "1\t2\t.\tA\tC,G\t.\t.\t.\tGT:AD\t0/0:1,2\t0/1\t1/1\n")
    for engine in ("native", "glow"):
        with pytest.raises(Exception, match="FORMAT AD has not one value per allele"):
            read_vcf(spark, path, engine).collect()


@needs_glow
def test_packed_tables_are_the_same(spark: SparkSession, shared_data: Path, tmp_path: Path) -> None:
    records = [record for record in RECORDS if record.split("\t")[1] != "7"]
    path = write(tmp_path / "a.vcf.gz", HEADER + "".join(record + "\n" for record in records))
    tables = {}
    for engine in ("native", "glow"):
        warehouse = Warehouse(spark, str(tmp_path / engine))
        ingest_vcf(IngestVcfConfig(warehouse=warehouse.path, inputs=[str(path)], engine=engine), spark)
        names = ("variants", "genotypes", "samples")
        tables[engine] = [_cells(warehouse.read(name).drop("runId")) for name in names]
        assert f'"engine": "{engine}"' in warehouse.read("runs").collect()[0]["notes"]
    assert tables["native"] == tables["glow"]
