"""Variants that clumping and pruning leave, among training people alone, beside plink."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pysam.bcftools
import pytest
from plink_helpers import plink1, plink2, table
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.calls import MISSING, unpack
from genospark.core.storage import Warehouse
from genospark.features.linkage import LinkageConfig, clumped, pruned
from genospark.features.risk import BuildRiskFeaturesConfig, build_features


@pytest.fixture(scope="module")
def training(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """The training people's variants as PLINK 1 files, and where they stand."""
    folder = tmp_path_factory.mktemp("training")
    people = cohort.table("samples").merge(cohort.table("riskExamples")[["sampleId", "split"]], on="sampleId")
    people = people[people["split"] == "train"].sort_values("sampleIndex")
    (folder / "keep").write_text("\n".join(["#IID", *people["sampleId"]]) + "\n")
    pysam.bcftools.norm("-m-", "-Oz", "-o", str(folder / "s.vcf.gz"), str(cohort.files / "genotypes.vcf.gz"), catch_stdout=False)
    ids = ["--set-all-var-ids", "@:#:$r:$a", "--new-id-max-allele-len", "100", "--autosome"]
    sorted_ = plink2(folder / "s", "--vcf", folder / "s.vcf.gz", *ids, "--make-pgen", "--sort-vars")
    words = ["--keep", folder / "keep", "--geno", "0.1", "--mac", "10", "--make-bed"]
    return plink2(folder / "data", "--pfile", sorted_, *words), people["sampleIndex"].to_numpy()


def _ids(rows: pd.DataFrame) -> list[str]:
    place = rows["contigName"].str.removeprefix("chr") + ":" + (rows["start"] + 1).astype(str)
    return (place + ":" + rows["referenceAllele"] + ":" + rows["alternateAllele"]).tolist()


def test_pruned_and_clumped_variants_are_those_of_plink(cohort: Cohort, training: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    prefix, columns = training
    genotypes = cohort.warehouse.read("genotypes")
    config = LinkageConfig(method="prune", r2=0.2, window_bases=20_000)
    autosomes = genotypes.where("contigName not in ('chrX', 'X')")
    found = pruned(autosomes, columns, config, 0.9, 10)
    out = plink2(tmp_path / "o", "--bfile", prefix, "--indep-pairwise", "20kb", "1", "0.2")
    assert sorted(_ids(found)) == sorted(Path(f"{out}.prune.in").read_text().split())

    everything = pruned(autosomes, columns, LinkageConfig(method="prune", r2=0.999999, window_bases=1), 0.9, 10)
    random = np.random.default_rng(3)
    tested = pd.concat(
        everything.assign(phenotype=name, pvalue=random.uniform(size=len(everything))).sort_values("pvalue") for name in ("a", "b")
    )
    tested["place"] = tested.groupby("phenotype").cumcount() + 1
    left = clumped(autosomes, columns, tested.sample(frac=1, random_state=1), LinkageConfig(method="clump", r2=0.1, window_bases=50_000))
    for name, rows in left.groupby("phenotype"):
        mine = tested[tested["phenotype"] == name]
        pd.DataFrame({"SNP": _ids(mine), "P": mine["pvalue"]}).to_csv(tmp_path / "p", sep="\t", index=False)
        words = ["--clump", tmp_path / "p", "--clump-p1", "1", "--clump-p2", "1", "--clump-kb", "50", "--clump-r2", "0.1"]
        expected = table(Path(f"{plink1(tmp_path / str(name), '--bfile', prefix, *words)}.clumped"))
        assert 10 < len(expected) < len(mine) / 2
        assert _ids(rows) == expected["SNP"].tolist()
        assert rows["place"].tolist() == list(range(1, len(rows) + 1))
        assert rows["pvalue"].is_monotonic_increasing


@pytest.mark.parametrize("method", ["clump", "prune"])
def test_features_are_not_linked(
    cohort: Cohort, training: tuple[Path, np.ndarray], spark: SparkSession, method: str, tmp_path: Path
) -> None:
    warehouse = str(tmp_path / "w")
    shutil.copytree(cohort.path, warehouse, ignore=shutil.ignore_patterns("input", "bundles"))
    linkage = LinkageConfig(method=method, r2=0.3, window_bases=1_000_000)
    build_features(BuildRiskFeaturesConfig(warehouse=warehouse, variants=60, expression=0, linkage=linkage), spark)
    r2 = _r2(Warehouse(spark, warehouse))
    if method == "prune":
        assert r2.max() <= 0.3
    else:
        # Each disease has been clumped on its own, by the correlation on haplotypes.
        assert (r2 > 0.3).mean() < (_r2(cohort.warehouse) > 0.3).mean()


def _r2(warehouse: Warehouse) -> np.ndarray:
    """Squared correlations of training people's calls, of variant features on the same contig."""
    features = warehouse.read("riskFeatures").where("kind = 'variant'").orderBy("featureIndex").toPandas()
    rows = warehouse.read("riskExamples").where("split = 'train'").toPandas()
    codes = unpack(np.stack([np.frombuffer(row, np.uint8) for row in rows["calls"]]), len(features)).astype(float)
    r2 = pd.DataFrame(np.where(codes == MISSING, np.nan, codes)).corr().to_numpy() ** 2
    contigs = features["contigName"].to_numpy()
    assert len(features) > 20
    found: np.ndarray = r2[(contigs[:, None] == contigs) & ~np.eye(len(contigs), dtype=bool)]
    return found
