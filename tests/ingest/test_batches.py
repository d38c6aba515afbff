"""Batches of VCF files against one file that bcftools makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pysam.bcftools
import pytest
from batches import merged_by_bcftools, of_warehouse, same, write_subset, write_vcf
from pyspark.sql import SparkSession
from support import people

from genospark.core import crosswalk
from genospark.core.storage import Warehouse
from genospark.errors import InputError
from genospark.ingest.expression import IngestExpressionConfig, ingest_expression
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf


@dataclass(frozen=True)
class Files:
    folder: Path
    first: list[str]
    second: list[str]
    a: Path
    b: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("batches")
    first, second = [f"a{i}" for i in range(11)], [f"b{i}" for i in range(6)]
    a = write_vcf(folder / "a.vcf", first, [10, 20, 30, 40], 1)
    return Files(folder, first, second, a, write_vcf(folder / "b.vcf", second, [20, 30, 50], 2))


def test_people_of_another_batch_are_added_and_replaced(files: Files, spark: SparkSession, tmp_path: Path) -> None:
    warehouse = str(tmp_path / "w")
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(files.a)], batch="one"), spark)
    run = ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(files.b)], batch="two"), spark)
    everyone = [*files.first, *files.second]
    same(of_warehouse(Warehouse(spark, warehouse), everyone), merged_by_bcftools([files.a, files.b], everyone, tmp_path))
    assert ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(files.a)], batch="one"), spark) != run
    assert len(Warehouse(spark, warehouse).read("runs").collect()) == 2
    newer = write_vcf(tmp_path / "newer.vcf", files.second, [30, 60], 3)
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(newer)], batch="two"), spark)
    same(of_warehouse(Warehouse(spark, warehouse), everyone), merged_by_bcftools([files.a, newer], everyone, tmp_path))


def test_sample_sets_of_one_batch_and_files_in_another_order(files: Files, spark: SparkSession, tmp_path: Path) -> None:
    everyone = [*files.first, *files.second]
    text = pysam.bcftools.view("-r", "X", "-s", ",".join(reversed(files.first)), f"{files.a}.gz")
    (tmp_path / "x.vcf").write_text(text)
    (tmp_path / "one.vcf").write_text(pysam.bcftools.view("-r", "1", f"{files.a}.gz"))
    inputs = [str(tmp_path / "one.vcf"), str(tmp_path / "x.vcf"), str(files.b)]
    ingest_vcf(IngestVcfConfig(warehouse=str(tmp_path / "w"), inputs=inputs), spark)
    same(of_warehouse(Warehouse(spark, str(tmp_path / "w")), everyone), merged_by_bcftools([files.a, files.b], everyone, tmp_path))


def test_people_whom_two_batches_have(files: Files, spark: SparkSession, tmp_path: Path) -> None:
    some = [*files.first[:3], "c1", "c2"]
    other = write_vcf(tmp_path / "other.vcf", some, [10, 70], 4)
    warehouse = str(tmp_path / "w")
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(files.a)]), spark)
    with pytest.raises(InputError, match="has 3 of its people, of columns 10, 11, 12"):
        ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(other)], batch="more"), spark)
    kept = IngestVcfConfig(warehouse=warehouse, inputs=[str(other)], batch="more", on_overlap="keep")
    ingest_vcf(kept, spark)
    new = write_subset(other, ["c1", "c2"], tmp_path / "new.vcf")
    same(
        of_warehouse(Warehouse(spark, warehouse), [*files.first, "c1", "c2"]),
        merged_by_bcftools([files.a, new], [*files.first, "c1", "c2"], tmp_path),
    )
    ingest_vcf(kept.model_copy(update={"on_overlap": "replace"}), spark)
    old = write_subset(files.a, files.first[3:], tmp_path / "old.vcf")
    everyone = [*files.first[3:], *some]
    same(of_warehouse(Warehouse(spark, warehouse), everyone), merged_by_bcftools([old, other], everyone, tmp_path))


def _expression(spark: SparkSession, warehouse: Path, rows: str, **settings: object) -> list[tuple[str, float]]:
    path = warehouse.parent / f"{settings['batch']}.tsv"
    path.write_text(f"sampleId\tG1\n{rows}")
    ingest_expression(IngestExpressionConfig(warehouse=str(warehouse), inputs=[str(path)], **settings), spark)
    found = Warehouse(spark, str(warehouse)).read("expression").select("sampleId", "expressionValue").collect()
    names = crosswalk.read(f"{warehouse}-crosswalk")
    return sorted((names[row[0]], row[1]) for row in found)


def test_expression_of_batches_is_their_union(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = tmp_path / "w"
    _expression(spark, warehouse, "p1\t1\np2\t2\n", batch="one")
    assert _expression(spark, warehouse, "p3\t3\n", batch="two") == [("p1", 1), ("p2", 2), ("p3", 3)]
    with pytest.raises(InputError, match=f"1 of these people: {people('p2')[0]}"):
        _expression(spark, warehouse, "p2\t5\np3\t6\n", batch="two")
    assert _expression(spark, warehouse, "p2\t5\np3\t6\n", batch="two", on_overlap="keep") == [("p1", 1), ("p2", 2), ("p3", 6)]
    assert _expression(spark, warehouse, "p2\t5\n", batch="two", on_overlap="replace") == [("p1", 1), ("p2", 5)]
