"""Regions and people of VCF and BCF files: what `bcftools view -r`, `-R` and `-S` leave."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pysam
import pysam.bcftools as bcftools
import pytest
from format_helpers import HEAD, rows
from pyspark.sql import SparkSession
from support import people

from genospark.core import crosswalk
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest import genotype_files
from genospark.ingest.bcf import read_bcf_header
from genospark.ingest.selection import within
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.ingest.vcf import bgzf, read_header

LENGTH = 3_000_000
KINDS = ["tbi", "csi", "bcf", "none", "plain", "quarantine"]
Key = tuple[str, int, str, str]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records on three contigs, some of which reach far by their REF or END, in several formats with and without an index."""
    drawn, folder = random.Random(3), tmp_path_factory.mktemp("selection")
    lines = []
    for contig in ("1", "2", "HLA:01"):
        for start in sorted(drawn.sample(range(1, LENGTH), 1500)):
            ref = "ACGT" * drawn.choice([1, 1, 1, 500])
            alternate, info = drawn.choice([("C", "."), ("C,G", "."), ("<DEL>", f"END={start + drawn.choice([100, 50_000, 400_000])}")])
            calls = "\t".join(drawn.choice(["0/0", "0/1", "1/1", "./."]) for _ in range(20))
            lines.append(f"{contig}\t{start}\t.\t{ref[: drawn.choice([1, 1, len(ref)])]}\t{alternate}\t.\t.\t{info}\tGT\t{calls}\n")
    head = HEAD + "".join(f"##contig=<ID={name},length={LENGTH}>\n" for name in ("1", "2", "HLA:01", "3"))
    head += '##INFO=<ID=END,Number=1,Type=Integer,Description="x">\n##ALT=<ID=DEL,Description="x">\n'
    names = "\t".join(f"p{i}" for i in range(20))
    (folder / "plain.vcf").write_text(f"{head}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}\n{''.join(lines)}")
    for kind in ("tbi", "csi", "none"):
        bcftools.view("-Oz", "-o", str(folder / f"{kind}.vcf.gz"), str(folder / "plain.vcf"), catch_stdout=False)
    bcftools.index("-t", str(folder / "tbi.vcf.gz"))
    bcftools.index("-c", str(folder / "csi.vcf.gz"))
    bcftools.view("-Ob", "-o", str(folder / "bcf.bcf"), str(folder / "plain.vcf"), catch_stdout=False)
    bcftools.index(str(folder / "bcf.bcf"))
    return folder


def _ours(files: Path, kind: str, regions: list[str] | Path, target_bytes: int = 4000) -> list[Key]:
    name = {"bcf": "bcf.bcf", "plain": "plain.vcf", "quarantine": "tbi.vcf.gz"}.get(kind, f"{kind}.vcf.gz")
    header = read_bcf_header(files / name) if kind == "bcf" else read_header(files / name)
    (chosen,) = within([header], regions, by_index=kind != "quarantine")
    table = rows(chosen, 200_000 if kind == "plain" else target_bytes)
    found = {name: table[name].to_pylist() for name in ("contigName", "start", "referenceAllele", "alternateAlleles")}
    return [(contig, start, ref, alt[0]) for contig, start, ref, alt in zip(*found.values(), strict=True)]


def _by_bcftools(files: Path, *words: str) -> list[Key]:
    bcftools.view(*words, "-Ob", "-o", str(files / "some.bcf"), str(files / "tbi.vcf.gz"), catch_stdout=False)
    bcftools.norm("-m-", "-Ob", "-o", str(files / "some.split.bcf"), str(files / "some.bcf"), catch_stdout=False)
    lines = bcftools.query("-f", "%CHROM\t%POS0\t%REF\t%ALT\n", str(files / "some.split.bcf")).splitlines()
    return [(words[0], int(words[1]), words[2], words[3]) for words in (line.split("\t") for line in lines)]


@pytest.mark.parametrize("kind", KINDS)
def test_records_of_regions_are_those_of_bcftools(files: Path, kind: str) -> None:
    drawn = random.Random(KINDS.index(kind))
    compared = 0
    for _ in range(12):
        regions = []
        for _ in range(drawn.choice([1, 1, 4])):
            start = drawn.randint(1, LENGTH)
            last = start + drawn.choice([0, 500, 20_000, 700_000])
            regions.append(f"{drawn.choice(['1', '2'])}:{start}" + (f"-{last}" if last > start else ""))
        expected = _by_bcftools(files, "-r", ",".join(regions))
        # Each record once, wherever regions overlap, in the order of the file.
        assert sorted(_ours(files, kind, regions)) == sorted(set(expected))
        compared += len(expected)
    assert compared > 300
    for regions in (["2"], ["1:2900000-"], ["HLA:01"], ["HLA:01:5-1,000,000"]):
        words = ",".join(regions).replace("HLA:01", "{HLA:01}").replace(",000", "000")
        assert _ours(files, kind, regions) == _by_bcftools(files, "-r", words)
    assert _ours(files, kind, ["3"]) == []


def test_regions_of_a_bed_file(files: Path) -> None:
    bed = files / "some.bed"
    bed.write_text("# regions\n2\t100000\t200000\n1\t0\t50000\n2\t199999\t260000\n")
    expected = sorted(set(_by_bcftools(files, "-R", str(bed))))
    assert len(expected) > 50
    for kind in KINDS:
        assert sorted(_ours(files, kind, bed)) == expected


@pytest.mark.parametrize("kind", ["tbi", "csi", "bcf"])
def test_many_regions_are_read_in_few_pieces(files: Path, kind: str) -> None:
    path = files / ("bcf.bcf" if kind == "bcf" else f"{kind}.vcf.gz")
    header = read_bcf_header(path) if kind == "bcf" else read_header(path)
    (chosen,) = within([header], [f"1:{start}-{start + 500}" for start in range(1, LENGTH, 10_000)], by_index=True)
    assert len(genotype_files.plan(chosen, 4 << 20)) == 1


@pytest.mark.parametrize("kind", ["tbi", "csi", "bcf"])
def test_an_index_saves_reading(files: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inflated = []
    read = bgzf._read_block

    def counted(file: object, path: str, at: int) -> tuple[int, bytes] | None:
        found = read(file, path, at)
        inflated.append(len(found[1]) if found and path.endswith(("vcf.gz", "bcf")) else 0)
        return found

    monkeypatch.setattr(bgzf, "_read_block", counted)
    assert len(_ours(files, kind, ["1:1500000-1510000"])) > 3
    some = sum(inflated)
    inflated.clear()
    whole = rows(read_bcf_header(files / "bcf.bcf") if kind == "bcf" else read_header(files / f"{kind}.vcf.gz"), 1 << 30)
    assert len(whole) > 4500
    assert some < 0.5 * sum(inflated)


def test_real_genotypes_of_a_region(shared_data: Path, tmp_path: Path) -> None:
    vcf = shared_data / "cohort-1000g-chr22" / "genotypes.chr22.vcf.gz"
    (chosen,) = within([read_header(vcf)], ["22:16300000-16350000"], True)
    assert len(genotype_files.plan(chosen, 1 << 15)) >= 3
    ours = rows(chosen, 1 << 15)
    bcftools.view("-r", "22:16300000-16350000", "-o", str(tmp_path / "some.vcf"), str(vcf), catch_stdout=False)
    theirs = rows(read_header(tmp_path / "some.vcf"), 1 << 30)
    assert len(ours) > 500
    assert ours.drop(["line"]).equals(theirs.drop(["line"]))


def test_an_index_of_another_file_is_refused(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.vcf.gz"
    bcftools.view("-t", "1", "-Oz", "-o", str(path), str(files / "tbi.vcf.gz"), catch_stdout=False)

    def says(words: str) -> None:
        with pytest.raises(InputError, match=words):
            rows(within([read_header(path)], ["1:1-5000"], True)[0], 4000)

    for kind in ("tbi", "csi"):
        shutil.copy(files / f"{kind}.vcf.gz.{kind}", f"{path}.{kind}")
        says("the index of another or an earlier file")
        data = pysam.BGZFile(f"{path}.{kind}").read()
        with pysam.BGZFile(f"{path}.{kind}", "w") as file:
            file.write(data[: len(data) // 2])
        says("not an index, or cut short")
        Path(f"{path}.{kind}").unlink()


@pytest.mark.parametrize(
    "regions, words",
    [
        (["4:1-100"], "no file has the contig 4; "),
        (["chr1:1-100"], r"no file has the contig chr1 \(they differ by the prefix chr\)"),
        (["1:200-100"], "region 1:200-100: not a region"),
        (["1:0-100"], "not a region"),
        (["1:x-y"], "no file has the contig 1:x-y"),
    ],
)
def test_regions_that_are_none(files: Path, regions: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words.removesuffix("; ")):
        _ours(files, "tbi", regions)


@pytest.fixture
def stage(spark: SparkSession, files: Path, tmp_path: Path) -> Callable[..., Warehouse]:
    def run(name: str = "tbi.vcf.gz", **settings: object) -> Warehouse:
        ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=[str(files / name)], **settings), spark)
        return Warehouse(spark, str(tmp_path / "w"))

    return run


def test_the_stage_reads_some_people_of_some_regions(stage: Callable[..., Warehouse], files: Path, tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("p7\np3\n\np19\n")
    warehouse = stage(samples=str(tmp_path / "ids"), regions=["1:100000-900000"])
    words = ["-r", "1:100000-900000", "-S", str(tmp_path / "ids")]
    bcftools.view(*words, "-Ob", "-o", str(tmp_path / "some.bcf"), str(files / "tbi.vcf.gz"), catch_stdout=False)
    bcftools.norm("-m-", "-Ob", "-o", str(tmp_path / "split.bcf"), str(tmp_path / "some.bcf"), catch_stdout=False)
    lines = bcftools.query("-f", "%POS0 %REF %ALT %AC %AN\n", str(tmp_path / "split.bcf")).splitlines()
    variants = warehouse.read("variants").collect()
    columns = ("start", "referenceAllele", "alternateAlleles", "alleleCount", "nAllelesCalled")
    ours = [[row[name] if name != "alternateAlleles" else row[name][0] for name in columns] for row in variants]
    assert sorted(" ".join(map(str, row)) for row in ours) == sorted(lines)
    samples = warehouse.read("samples").orderBy("sampleIndex").collect()
    assert [row["sampleId"] for row in samples] == people("p3", "p7", "p19")
    assert set(crosswalk.read(f"{tmp_path}/w-crosswalk").values()) == {"p3", "p7", "p19"}


def test_what_the_stage_refuses(stage: Callable[..., Warehouse], files: Path, tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("p7\nNina\np3\nOtto\n")
    with pytest.raises(InputError, match="2 of 4 people are in none of the files: on lines 2, 4"):
        stage(samples=str(tmp_path / "ids"))
    with pytest.raises(ConfigError, match="engine glow with keep, reference or regions"):
        stage(regions=["1"], engine="glow")
    # Without lines for contigs, and without an index, only the records tell which there are.
    text = (files / "plain.vcf").read_text()
    (files / "bare.vcf").write_text("".join(line + "\n" for line in text.splitlines() if not line.startswith("##contig")))
    with pytest.raises(InputError, match="no file has the contig 7"):
        stage("bare.vcf", regions=["7"])
