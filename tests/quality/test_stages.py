"""The stages of quality control on the small cohort, with families and missing calls, beside plink2 and bcftools on the same VCF."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pysam.bcftools
import pytest
from batches import write_vcf
from plink_helpers import plink1, plink2, table
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, TableError
from genospark.ingest.phenotypes import IngestPhenotypesConfig, ingest_phenotypes
from genospark.ingest.variants import IngestVcfConfig, ingest_vcf
from genospark.quality.cohort import SitesConfig
from genospark.quality.components import QcComponentsConfig, qc_components
from genospark.quality.eigen import oriented
from genospark.quality.fst import QcFstConfig, qc_fst
from genospark.quality.kinship import QcKinshipConfig, qc_kinship
from genospark.quality.prune import QcPruneConfig, qc_prune
from genospark.quality.samples import QcSamplesConfig, qc_samples
from genospark.quality.variants import QcVariantsConfig, qc_variants
from genospark.upkeep.compact import CompactConfig, compact
from genospark.upkeep.withdraw import WithdrawConfig, withdraw


@pytest.fixture(scope="module")
def split(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort's VCF with a record an alternate allele, in the order of our tables, and its people with their parents."""
    folder = tmp_path_factory.mktemp("split")
    source = str(cohort.files / "genotypes.vcf.gz")
    pysam.bcftools.norm("-m-", "-Oz", "-o", str(folder / "split.vcf.gz"), source, catch_stdout=False)
    pysam.bcftools.sort("-Oz", "-o", str(folder / "sorted.vcf.gz"), str(folder / "split.vcf.gz"), catch_stdout=False)
    pedigree = pd.read_csv(cohort.files / "pedigree.ped", sep="\t")
    people = pedigree[["sampleId", "fatherId", "motherId", "sex"]].set_axis(["#IID", "PAT", "MAT", "SEX"], axis=1)
    people.to_csv(folder / "people.psam", sep="\t", index=False)
    return folder


@pytest.fixture(scope="module")
def prefix(split: Path) -> Path:
    """The same as plink2's files."""
    ids = ["--set-all-var-ids", "@:#:$r:$a", "--new-id-max-allele-len", "100"]
    return plink2(split / "p", "--vcf", split / "sorted.vcf.gz", "--psam", split / "people.psam", *ids, "--make-pgen")


def _ids(rows: pd.DataFrame) -> pd.Series:
    """Variants as plink2 was told to call them."""
    contig = rows["contigName"].str.removeprefix("chr")
    return contig + ":" + (rows["start"] + 1).astype(str) + ":" + rows["referenceAllele"] + ":" + rows["alternateAlleles"].str[0]


def test_variants(cohort: Cohort, prefix: Path, tmp_path: Path) -> None:
    out = plink2(tmp_path / "o", "--pfile", prefix, "--freq", "--hardy", "--missing", "variant-only")
    rows = cohort.table("variantQuality")
    rows.index = pd.Index(_ids(rows))
    frequency, hardy, missing = (table(Path(f"{out}.{name}")).set_index("ID").loc[rows.index] for name in ("afreq", "hardy", "vmiss"))
    np.testing.assert_allclose(rows["founderAlleleFrequency"], frequency["ALT_FREQS"], rtol=1e-5)
    np.testing.assert_allclose(rows["pValueHweFounders"], hardy["P"], rtol=1e-5)
    np.testing.assert_allclose(1 - rows["callRate"], missing["F_MISS"], rtol=1e-5, atol=1e-9)
    # Children make a difference.
    assert not np.allclose(rows["alleleFrequency"], rows["founderAlleleFrequency"])
    stats = pysam.bcftools.stats(str(prefix.parent / "sorted.vcf.gz"))
    transitions, transversions = next(line.split("\t")[2:4] for line in stats.splitlines() if line.startswith("TSTV"))
    counts = rows["substitution"].value_counts()
    assert (counts["transition"], counts["transversion"]) == (int(transitions), int(transversions))
    assert rows["isSingleton"].sum() == (rows["alleleCount"].combine(rows["nAllelesCalled"] - rows["alleleCount"], min) == 1).sum()
    assert all(("hwe" in reasons) == (p < 1e-6) for reasons, p in zip(rows["reasons"], rows["pValueHweFounders"], strict=True))


def test_samples(cohort: Cohort, prefix: Path, tmp_path: Path) -> None:
    out = plink2(tmp_path / "o", "--pfile", prefix, "--het", "--missing", "sample-only")
    rows = cohort.table("sampleQuality").set_index("sampleId")
    het, missing = (table(Path(f"{out}.{name}")).set_index("IID").loc[rows.index] for name in ("het", "smiss"))
    # plink2 leaves out variants that do not vary among founders.
    np.testing.assert_allclose(rows["expectedHet"], het["OBS_CT"] - het["E(HOM)"], atol=2e-3)
    np.testing.assert_allclose(rows["inbreeding"], het["F"], atol=2e-5)
    np.testing.assert_allclose(1 - rows["callRate"], missing["F_MISS"], rtol=1e-5, atol=1e-9)
    stats = pysam.bcftools.stats("-s", "-", str(prefix.parent / "sorted.vcf.gz"))
    lines = [line.split("\t") for line in stats.splitlines() if line.startswith("PSC")]
    theirs = pd.DataFrame([line[2:12] for line in lines]).set_index(0).astype(float).loc[rows.index]
    # Calls at indels are counted apart there.
    assert (rows["nHet"] + rows["nHomAlt"]).tolist() == theirs[[2, 3, 6]].sum(axis=1).tolist()
    for place, name in ((4, "nTransitions"), (5, "nTransversions"), (8, "nSingletons")):
        assert rows[name].tolist() == theirs[place].tolist(), name
    assert rows["inferredSex"].isna().all()
    assert rows["inbreedingX"].isna().all()


def test_kinship(cohort: Cohort, prefix: Path, tmp_path: Path) -> None:
    out = plink2(tmp_path / "o", "--pfile", prefix, "--make-king-table", "--king-table-filter", "0.0442")
    rows = cohort.warehouse.read("kinship").toPandas()
    rows["pair"] = [frozenset(map(cohort.names.get, pair)) for pair in zip(rows["sampleId"], rows["relativeId"], strict=True)]
    theirs = table(Path(f"{out}.kin0"))
    theirs["pair"] = [frozenset(pair) for pair in zip(theirs["IID1"], theirs["IID2"], strict=True)]
    both = rows.merge(theirs, "outer", "pair")
    assert len(both) == len(rows) == len(theirs) > 20
    for mine, other in (("nVariants", "NSNP"), ("hetHetShare", "HETHET"), ("ibs0Share", "IBS0"), ("kinship", "KINSHIP")):
        np.testing.assert_allclose(both[mine], both[other], rtol=1e-5, atol=1e-9)
    pedigree = cohort.table("pedigree").dropna(subset="fatherId")
    parents = {frozenset((row.sampleId, parent)) for row in pedigree.itertuples() for parent in (row.fatherId, row.motherId)}
    # So few variants tell little of one pair: some are below what is written.
    found = rows.set_index("pair")["kinship"].reindex(list(parents)).fillna(0)
    assert 0.177 < found.median() < 0.354


def test_pruned_variants(cohort: Cohort, prefix: Path, tmp_path: Path) -> None:
    out = plink2(tmp_path / "o", "--pfile", prefix, "--indep-pairwise", "50", "5", "0.2")
    rows = cohort.table("prunedVariants")
    assert set(_ids(rows[rows["reason"].isna()])) == set(Path(f"{out}.prune.in").read_text().split())
    assert len(rows) == cohort.warehouse.read("variants").count()
    assert rows["reason"].eq("linked").sum() > 50


def test_principal_components(cohort: Cohort, spark: SparkSession, prefix: Path, tmp_path: Path) -> None:
    """Exact and by passes; what is computed from loadings is each person's value."""
    variants = cohort.table("variants")
    rarer = np.minimum(variants["alleleFrequency"], 1 - variants["alleleFrequency"])
    pruned = cohort.table("prunedVariants")
    kept = set(_ids(variants[rarer >= 0.01])) & set(_ids(pruned[pruned["reason"].isna()]))
    (tmp_path / "kept").write_text("\n".join(kept))
    out = plink2(tmp_path / "o", "--pfile", prefix, "--extract", tmp_path / "kept", "--pca", "10", "meanimpute")
    expected, vectors = np.loadtxt(f"{out}.eigenval"), table(Path(f"{out}.eigenvec")).set_index("IID")
    shutil.copytree(cohort.path, tmp_path / "w", ignore=shutil.ignore_patterns("input", "bundles"))
    qc_components(QcComponentsConfig(warehouse=str(tmp_path / "w"), exact_people=0), spark)
    for warehouse, tolerance in ((cohort.warehouse, 1e-5), (Warehouse(spark, str(tmp_path / "w")), 1e-3)):
        variances = warehouse.read("componentVariances").toPandas().sort_values("component")
        np.testing.assert_allclose(variances["eigenvalue"], expected, rtol=1e-5)
        rows = warehouse.read("principalComponents").toPandas()
        values = rows.pivot(index="sampleId", columns="component", values="value")
        theirs = oriented(vectors.loc[values.index.map(cohort.names)].filter(like="PC").to_numpy())
        np.testing.assert_allclose(values, theirs, atol=tolerance)
        loadings = warehouse.read("componentLoadings").toPandas()
        assert set(_ids(loadings)) <= kept
        projected = _projected(loadings, prefix, [cohort.names[one] for one in values.index], tmp_path)
        np.testing.assert_allclose(projected, values, atol=tolerance)


def _projected(loadings: pd.DataFrame, prefix: Path, people: list[str], scratch: Path) -> np.ndarray:
    """Sums over variants of standardised copies times loadings, of copies that plink2 writes."""
    out = plink2(scratch / "copies", "--pfile", prefix, "--export", "A-transpose")
    copies = pd.read_csv(f"{out}.traw", sep="\t").set_index("SNP")
    # Of the other allele than is counted here.
    copies = 2 - copies.loc[_ids(loadings), [f"0_{person}" for person in people]].to_numpy().T
    f = loadings["alleleFrequency"].to_numpy()
    standardised = np.nan_to_num((copies - 2 * f) / np.sqrt(2 * f * (1 - f)))
    return standardised @ np.stack(loadings["loadings"].to_list())


def test_fst(cohort: Cohort, prefix: Path, tmp_path: Path) -> None:
    populations = pd.read_csv(cohort.files / "truth" / "people.tsv", sep="\t")[["sampleId", "population"]].set_axis(["#IID", "POP"], axis=1)
    populations.to_csv(tmp_path / "populations.tsv", sep="\t", index=False)
    out = plink2(tmp_path / "o", "--pfile", prefix, "--pheno", tmp_path / "populations.tsv", "--fst", "POP", "cols=nobs")
    rows = cohort.table("populationFst").sort_values(["population", "otherPopulation"])
    theirs = table(Path(f"{out}.fst.summary")).sort_values(["POP1", "POP2"])
    assert rows["population"].tolist() == theirs["POP1"].tolist()
    assert rows["nVariants"].tolist() == theirs["OBS_CT"].tolist()
    np.testing.assert_allclose(rows["fst"], theirs["HUDSON_FST"], rtol=1e-5)
    assert set(rows["method"]) == {"hudson"}
    of = cohort.table("populations").set_index("sampleId").loc[cohort.table("samples")["sampleId"], "population"]
    assert rows["nPeople"].tolist() == [int((of == name).sum()) for name in rows["population"]]


def _x_and_y(path: Path) -> tuple[list[str], list[int]]:
    """Twenty men, who have one allele on X and Y, and twenty women; one man's files say that he is a woman."""
    random = np.random.default_rng(5)
    people, sexes = [f"p{i}" for i in range(40)], [1, 2] * 20
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">', *(f"##contig=<ID={name}>" for name in "1XY")]
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people]))
    for contig in "1XY":
        for position in range(1, 301 if contig == "X" else 101):
            f = random.uniform(0.2, 0.8)
            alleles = (random.random((40, 2)) < f).astype(int)
            one = {"1": [], "X": [1], "Y": [1]}[contig]
            calls = [str(a) if sex in one else f"{a}/{b}" for sex, (a, b) in zip(sexes, alleles, strict=True)]
            if contig == "Y":
                calls = [call if sex == 1 else "." for call, sex in zip(calls, sexes, strict=True)]
            lines.append("\t".join([contig, str(position + 3_000_000), f"{contig}{position}", "A", "G", ".", "PASS", ".", "GT", *calls]))
    path.write_text("\n".join(lines) + "\n")
    return people, sexes


def test_sexes_by_x_and_y(spark: SparkSession, tmp_path: Path) -> None:
    people, sexes = _x_and_y(tmp_path / "x.vcf")
    warehouse = str(tmp_path / "w")
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(tmp_path / "x.vcf")]), spark)
    said = [2, *sexes[1:]]
    pedigree = "".join(f"{person}\t{person}\t0\t0\t{sex}\t0\n" for person, sex in zip(people, said, strict=True))
    (tmp_path / "p.ped").write_text(pedigree)
    ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=[f"pedigree={tmp_path / 'p.ped'}"]), spark)
    qc_samples(QcSamplesConfig(warehouse=warehouse, reference_build="GRCh37"), spark)
    found = Cohort(tmp_path / "w", Warehouse(spark, warehouse), None)  # type: ignore[arg-type]
    samples = found.warehouse.read("samples").toPandas().sort_values("sampleIndex")
    rows = found.warehouse.read("sampleQuality").toPandas().set_index("sampleId").loc[samples["sampleId"]]
    assert rows["inferredSex"].tolist() == sexes
    assert rows["callRateY"].tolist() == [1.0 if sex == 1 else 0.0 for sex in sexes]
    assert ["sex" in reasons for reasons in rows["reasons"]] == [True, *[False] * 39]
    qc_variants(QcVariantsConfig(warehouse=warehouse), spark)
    on_x = Warehouse(spark, warehouse).read("variantQuality").where("contigName = 'X'")
    assert on_x.count() == 300
    (tmp_path / "sex").write_text("".join(f"{person}\t{person}\t{sex}\n" for person, sex in zip(people, sexes, strict=True)))
    out = plink1(tmp_path / "o", "--vcf", tmp_path / "x.vcf", "--double-id", "--update-sex", tmp_path / "sex", "--check-sex")
    np.testing.assert_allclose(rows["inbreedingX"], table(Path(f"{out}.sexcheck"))["F"], atol=2e-4)


def test_batches_count_as_one_cohort_and_the_withdrawn_do_not(spark: SparkSession, tmp_path: Path) -> None:
    """People in two blocks, then in one; then without one of them, whose relatives' rows go too."""
    warehouse = str(tmp_path / "w")
    for batch, people, seed in (("one", [f"a{i}" for i in range(9)], 1), ("two", [f"b{i}" for i in range(7)], 2)):
        path = write_vcf(tmp_path / f"{batch}.vcf", people, range(10, 400, 10), seed)
        ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(path)], batch=batch), spark)

    def everything() -> dict[str, pd.DataFrame]:
        qc_samples(QcSamplesConfig(warehouse=warehouse), spark)
        qc_kinship(QcKinshipConfig(warehouse=warehouse, min_kinship=-100), spark)
        qc_components(QcComponentsConfig(warehouse=warehouse, sites=SitesConfig(), components=2), spark)
        found = Warehouse(spark, warehouse)
        names = ("sampleQuality", "kinship", "principalComponents")
        return {name: found.read(name).drop("runId", "relativeId").toPandas() for name in names}

    before = everything()
    assert len(before["kinship"]) == 16 * 15 / 2
    compact(CompactConfig(warehouse=warehouse, retention_hours=0), spark)
    after = everything()
    for name in ("sampleQuality", "principalComponents"):
        key = ["sampleId", *(["component"] if "component" in before[name] else [])]
        pd.testing.assert_frame_equal(*(rows[name].sort_values(key, ignore_index=True) for rows in (before, after)), rtol=1e-9)
    assert sorted(before["kinship"]["kinship"].round(9)) == sorted(after["kinship"]["kinship"].round(9))
    (tmp_path / "ids").write_text("a8\n")
    withdraw(WithdrawConfig(warehouse=warehouse, samples=str(tmp_path / "ids")), spark)
    left = Warehouse(spark, warehouse)
    assert left.read("kinship").count() == 15 * 14 / 2
    assert left.read("sampleQuality").count() == 15
    again = everything()
    assert len(again["sampleQuality"]) == 15


def test_what_cannot_be_done_is_said(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    path = write_vcf(tmp_path / "a.vcf", ["a", "b", "c"], [10, 20], 1)
    warehouse = str(tmp_path / "w")
    ingest_vcf(IngestVcfConfig(warehouse=warehouse, inputs=[str(path)]), spark)
    with pytest.raises(TableError, match="no table `prunedVariants` yet"):
        qc_components(QcComponentsConfig(warehouse=warehouse), spark)
    with pytest.raises(TableError, match="no table `populations` yet"):
        qc_fst(QcFstConfig(warehouse=warehouse), spark)
    with pytest.raises(TableError, match="no variant is on 7"):
        qc_prune(QcPruneConfig(warehouse=warehouse, sites=SitesConfig(contigs=["7"])), spark)
    with pytest.raises(ValueError, match="step_variants 9 is more than window_variants 5"):
        QcPruneConfig(warehouse=warehouse, window_variants=5, step_variants=9)
    (tmp_path / "p.tsv").write_text("sampleId\tpopulation\na\tX\nb\tX\nc\tNA\n")
    inputs = [f"populations={tmp_path / 'p.tsv'}"]
    ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=inputs), spark)
    with pytest.raises(TableError, match="1 populations have 2 or more people"):
        qc_fst(QcFstConfig(warehouse=warehouse), spark)
    (tmp_path / "p.tsv").write_text("sampleId\tpopulation\na\tX\nb\tX\nc\tY\n")
    ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=inputs), spark)
    qc_fst(QcFstConfig(warehouse=warehouse, min_people=1, method="wc", sites=SitesConfig(contigs=["1"])), spark)
    (row,) = Warehouse(spark, warehouse).read("populationFst").collect()
    assert (row["population"], row["otherPopulation"], row["nPeople"], row["method"]) == ("X", "Y", 2, "wc")
    with pytest.raises(ConfigError, match="no file of phenotypes or traits or covariates"):
        ingest_phenotypes(IngestPhenotypesConfig(warehouse=warehouse, inputs=[]), spark)
