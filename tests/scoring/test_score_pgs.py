"""Published scores beside ``plink2 --score``, on the public HapMap 3 genotypes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plink_helpers import plink2, table
from pyspark.sql import SparkSession
from support import people

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, CoverageError, TableError
from genospark.ingest.pgs import IngestPgsConfig, ingest_pgs
from genospark.ingest.variants_plink import IngestPlinkConfig, ingest_plink
from genospark.scoring.pgs import ScorePgsConfig, score

HEAD = (
    "###PGS CATALOG SCORING FILE\n#format_version=2.0\n#pgs_id={}\n#trait_reported=x\n#genome_build=NR\n#weight_type={}\n#HmPOS_build={}\n"
)
COMPLEMENT = str.maketrans("ACGT", "TGCA")


@pytest.fixture(scope="module")
def hapmap(shared_data: Path, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """957 people, some of whom are children of others and many of whom lack calls: warehouse, and 4,000 variants with weights."""
    folder = tmp_path_factory.mktemp("hapmap")
    source = shared_data / "hapmap3-plink" / "data"
    chosen = plink2(folder / "chosen", "--bfile", source, "--autosome", "--thin-count", "4000", "--seed", "1", "--make-bed")
    fam = pd.read_csv(f"{chosen}.fam", sep=r"\s+", header=None, dtype=str)
    fam.loc[::3, 2] = "father"
    fam.to_csv(f"{chosen}.fam", sep="\t", header=False, index=False)
    config = IngestPlinkConfig(warehouse=str(folder / "w"), inputs=[f"{chosen}.bed"], pedigree=True, reference_build="GRCh37")
    ingest_plink(config, spark)
    variants = pd.read_csv(
        f"{chosen}.bim", sep="\t", header=None, names=["chr_name", "rsID", "cm", "chr_position", "alternate", "reference"]
    )
    random = np.random.default_rng(2)
    variants["weight"] = np.round(random.normal(size=len(variants)) / 20, 6)
    of_reference = random.random(len(variants)) < 0.5
    variants["effect_allele"] = np.where(of_reference, variants["reference"], variants["alternate"])
    variants["other_allele"] = np.where(of_reference, variants["alternate"], variants["reference"])
    variants["ambiguous"] = variants["reference"].str.translate(COMPLEMENT) == variants["alternate"]
    variants["other_strand"] = random.random(len(variants)) < 0.3
    return chosen, variants


def _warehouse(chosen: Path) -> str:
    return str(chosen.parent / "w")


def _scoring_file(path: Path, name: str, rows: pd.DataFrame, kind: str = "beta", build: str = "GRCh37") -> Path:
    with gzip.open(path, "wt") as file:
        file.write(HEAD.format(name, kind, build))
        rows.to_csv(file, sep="\t", index=False)
    return path


def _by_plink2(chosen: Path, rows: pd.DataFrame, out: Path, *words: str) -> pd.DataFrame:
    rows[["rsID", "effect_allele", "weight"]].to_csv(f"{out}.weights", sep="\t", index=False)
    made = plink2(out, "--bfile", chosen, "--score", f"{out}.weights", "1", "2", "3", "header", *words, "cols=+scoresums,+denom")
    found = table(Path(f"{made}.sscore"))
    return found.set_index(pd.Index(people(*found["IID"].astype(str))))


def _assert_equal(warehouse: str, spark: SparkSession, name: str, expected: pd.DataFrame) -> pd.DataFrame:
    found = Warehouse(spark, warehouse).read("pgsScores").where(f"pgsId = '{name}'").toPandas().set_index("sampleId").loc[expected.index]
    np.testing.assert_allclose(found["scoreSum"], expected["SCORE1_SUM"], atol=1e-4)
    np.testing.assert_allclose(found["scoreAverage"], expected["SCORE1_AVG"], atol=1e-7)
    assert (2 * found["nCalled"]).tolist() == expected["ALLELE_CT"].tolist()
    return found


def test_sums_are_those_of_plink2(hapmap: tuple[Path, pd.DataFrame], spark: SparkSession, tmp_path: Path) -> None:
    """Effect alleles that are REF or ALT, or of the other strand; ambiguous ones go, as do variants that the cohort lacks."""
    chosen, variants = hapmap
    rows = variants.copy()
    turned = rows["other_strand"]
    for name in ("effect_allele", "other_allele"):
        rows.loc[turned, name] = rows.loc[turned, name].str.translate(COMPLEMENT)
    rows.loc[:99, "chr_position"] += 1
    harmonised = rows.rename(columns={"weight": "effect_weight"}).assign(hm_chr=rows["chr_name"], hm_pos=rows["chr_position"])
    columns = ["rsID", "chr_name", "effect_allele", "other_allele", "effect_weight", "hm_chr", "hm_pos"]
    path = _scoring_file(tmp_path / "a.txt.gz", "PGS000001", harmonised.assign(chr_name="NA")[columns])
    warehouse = _warehouse(chosen)
    ingest_pgs(IngestPgsConfig(warehouse=warehouse, inputs=[str(path)]), spark)
    score(ScorePgsConfig(warehouse=warehouse), spark)
    there = variants[100:]
    expected = _by_plink2(chosen, there[~there["ambiguous"]], tmp_path / "o")
    found = _assert_equal(warehouse, spark, "PGS000001", expected)
    n = int((~there["ambiguous"]).sum())
    assert (found["nVariants"] == n).all()
    assert found["matchRate"].iloc[0] == pytest.approx(n / len(variants))
    assert 0 < variants["ambiguous"].sum() < 1000
    assert (found["nCalled"] < n).any()
    run = Warehouse(spark, warehouse).producer("pgsScores")
    assert run is not None
    assert f"{int((there['other_strand'] & ~there['ambiguous']).sum())} flipped, 100 absent" in run["notes"]


def test_settings_of_missing_calls_ambiguous_alleles_and_strand(
    hapmap: tuple[Path, pd.DataFrame], spark: SparkSession, tmp_path: Path
) -> None:
    """Two files at once; odds ratios count as their logarithms."""
    chosen, variants = hapmap
    plain = variants.rename(columns={"weight": "effect_weight"})
    columns = ["rsID", "chr_name", "chr_position", "effect_allele", "other_allele"]
    odds = variants[::2].assign(OR=np.exp(variants["weight"]))
    files = [
        _scoring_file(tmp_path / "a.txt.gz", "PGS000002", plain[[*columns, "effect_weight"]]),
        _scoring_file(tmp_path / "b.txt.gz", "PGS000003", odds[[*columns, "OR"]], "OR"),
    ]
    warehouse = _warehouse(chosen)
    ingest_pgs(IngestPgsConfig(warehouse=warehouse, inputs=[str(path) for path in files]), spark)
    wanted = ["PGS000002", "PGS000003"]
    score(ScorePgsConfig(warehouse=warehouse, scores=wanted, ambiguous="keep", flip_strand=False, missing_calls="zero"), spark)
    for name, rows in zip(wanted, (variants, variants[::2]), strict=True):
        expected = _by_plink2(chosen, rows, tmp_path / name, "no-mean-imputation")
        assert (_assert_equal(warehouse, spark, name, expected)["matchRate"] == 1).all()


def test_what_does_not_fit_is_said(hapmap: tuple[Path, pd.DataFrame], spark: SparkSession, tmp_path: Path) -> None:
    chosen, variants = hapmap
    rows = variants[:400].rename(columns={"weight": "effect_weight"})
    rows = rows[["rsID", "chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight"]]
    moved = rows.assign(chr_position=rows["chr_position"] + 7)
    files = [
        _scoring_file(tmp_path / "a.txt.gz", "PGS000004", moved),
        _scoring_file(
            tmp_path / "b.txt.gz", "PGS000005", rows.assign(hm_chr=rows["chr_name"], hm_pos=rows["chr_position"]), build="GRCh38"
        ),
    ]
    warehouse = _warehouse(chosen)
    ingest_pgs(IngestPgsConfig(warehouse=warehouse, inputs=[str(path) for path in files]), spark)
    with pytest.raises(CoverageError, match=r"0 of 400 weights of PGS000004 have a variant \(0%\), at least 75% are needed"):
        score(ScorePgsConfig(warehouse=warehouse, scores=["PGS000004"]), spark)
    with pytest.raises(TableError, match="PGS000005 is of GRCh38 and genotypes are of GRCh37"):
        score(ScorePgsConfig(warehouse=warehouse, scores=["PGS000005"]), spark)
    with pytest.raises(ConfigError, match="there is no PGS9"):
        score(ScorePgsConfig(warehouse=warehouse, scores=["PGS9"]), spark)
