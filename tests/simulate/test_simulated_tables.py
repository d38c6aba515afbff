"""Pedigree, covariates, phenotypes, expression and truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pydantic
import pysam
import pytest

from genospark.simulate import SimulateConfig, SimulatedFiles, simulate_cohort
from genospark.simulate.ancestry import POPULATIONS


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t")


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_equal_seeds_give_equal_files(files: SimulatedFiles, small: SimulateConfig, tmp_path: Path) -> None:
    simulate_cohort(small, tmp_path / "again")
    simulate_cohort(small.model_copy(update={"seed": 8}), tmp_path / "other")
    first, again, other = (contents(root) for root in (files.reference.parent, tmp_path / "again", tmp_path / "other"))
    assert first == again
    assert first.keys() == other.keys()
    # The .fai holds contig names and lengths only, the same for all seeds.
    assert {name for name in first if first[name] == other[name]} <= {"reference.fa.fai"}


def test_prevalence_holds_over_everyone(files: SimulatedFiles, small: SimulateConfig) -> None:
    truth = read(files.truth / "people.tsv")
    assert len(truth) == small.people + small.fresh_people
    for disease in small.diseases:
        assert truth[f"label_{disease.name}"].mean() == pytest.approx(disease.prevalence, abs=1 / len(truth))
        parts = [truth[f"{part}_{disease.name}"] for part in ("genetic", "expression", "covariate", "noise")]
        np.testing.assert_allclose(sum(parts), truth[f"liability_{disease.name}"], atol=1e-4)
        cases = truth[f"label_{disease.name}"] == 1
        assert truth.loc[cases, f"liability_{disease.name}"].min() > truth.loc[~cases, f"liability_{disease.name}"].max()


def test_written_labels_are_the_true_ones(files: SimulatedFiles, small: SimulateConfig) -> None:
    merged = read(files.phenotypes).merge(read(files.truth / "people.tsv"), on="sampleId")
    assert len(merged) == small.people
    for disease in small.diseases:
        known = merged[merged[disease.name].notna()]
        assert (known[disease.name] == known[f"label_{disease.name}"]).all()


def test_missing_shares(files: SimulatedFiles, small: SimulateConfig) -> None:
    for path, share in (
        (files.expression, small.missing_expression),
        (files.phenotypes, small.missing_labels),
        (files.covariates, small.missing_covariates),
    ):
        values = read(path).drop(columns=["sampleId", "cellType", "state"], errors="ignore")
        # Four standard deviations of a binomial share.
        assert values.isna().to_numpy().mean() == pytest.approx(share, abs=4 * (share / values.size) ** 0.5)


def test_fresh_people_are_other_people(files: SimulatedFiles, small: SimulateConfig) -> None:
    assert files.fresh
    cohort, fresh = read(files.pedigree), read(files.fresh.pedigree)
    for column in ("#familyId", "sampleId"):
        assert not set(cohort[column]) & set(fresh[column])
    for group, pedigree in ((files, cohort), (files.fresh, fresh)):
        parents = set(pedigree["fatherId"]) | set(pedigree["motherId"])
        assert parents - {"0"} <= set(pedigree["sampleId"])
        for path in (group.covariates, group.phenotypes):
            assert list(read(path)["sampleId"]) == list(pedigree["sampleId"])
        assert len(read(group.expression)) == len(pedigree) * len(small.contexts)


def test_pedigree_is_consistent(files: SimulatedFiles) -> None:
    pedigree = read(files.pedigree).set_index("sampleId")
    ages = read(files.covariates).set_index("sampleId")["ageYears"]
    children = pedigree[pedigree["fatherId"] != "0"]
    for parent, sex in (("fatherId", 1), ("motherId", 2)):
        parents = pedigree.loc[children[parent]]
        assert (parents["sex"] == sex).all()
        assert (parents["#familyId"].to_numpy() == children["#familyId"].to_numpy()).all()
        difference = ages[children[parent]].to_numpy() - ages[children.index].to_numpy()
        assert (difference[~np.isnan(difference)] >= 20).all()
    in_families = pedigree["#familyId"].duplicated(keep=False).mean()
    assert in_families == pytest.approx(0.3, abs=0.06)


def test_first_component_tells_populations_apart(files: SimulatedFiles) -> None:
    assert files.fresh
    covariates = pd.concat([read(files.covariates), read(files.fresh.covariates)])
    merged = covariates.merge(read(files.truth / "people.tsv"), on="sampleId")
    african = merged["population"] == POPULATIONS[0]
    first = merged["ancestryPC1"]
    centre = (first[african].mean() + first[~african].mean()) / 2
    known = first.notna()
    side = (first > centre)[known] == (first[african].mean() > centre)
    assert (side == african[known]).mean() > 0.95


def test_permuted_labels_keep_cases_and_all_else(files: SimulatedFiles, small: SimulateConfig, tmp_path: Path) -> None:
    permuted = simulate_cohort(small.model_copy(update={"permute_labels": True}), tmp_path)
    before, after = read(files.phenotypes), read(permuted.phenotypes)
    names = [disease.name for disease in small.diseases]
    assert (before[names].sum() == after[names].sum()).all()
    assert (before[names].isna().sum() == after[names].isna().sum()).all()
    assert not before.equals(after)
    first, other = contents(files.reference.parent), contents(tmp_path)
    assert {name for name in first if first[name] != other[name]} == {"phenotypes.tsv", "fresh/phenotypes.tsv"}


def test_truth_stays_in_its_folder(files: SimulatedFiles, small: SimulateConfig) -> None:
    assert list(read(files.covariates)) == ["sampleId", "ageYears", "sex", "ancestryPC1", "ancestryPC2"]
    assert list(read(files.phenotypes)) == ["sampleId", *(disease.name for disease in small.diseases)]
    genes = [f"GENE{g + 1:05d}" for g in range(small.genes)]
    assert list(read(files.expression)) == ["sampleId", "cellType", "state", *genes]
    assert (read(files.pedigree)["phenotype"] == -9).all()
    assert {p.name for p in files.truth.iterdir()} == {"variants.tsv", "genes.tsv", "network.tsv", "gene_terms.tsv", "people.tsv"}


def test_genes_have_near_cis_variants_and_effects_on_diseases(files: SimulatedFiles, small: SimulateConfig) -> None:
    genes = read(files.truth / "genes.tsv")
    assert len(genes) == small.genes * len(small.contexts)
    for row in genes.itertuples():
        loci = [locus.split(":") for locus in row.cisVariants.split(";")]
        assert 1 <= len(loci) <= 3 and len(str(row.cisEffects).split(";")) == len(loci)
        assert all(contig == row.contigName and abs(int(start) - row.start) <= 100_000 for contig, start, _, _ in loci)
    causal = genes[[f"effect_{disease.name}" for disease in small.diseases]]
    assert ((causal != 0).sum() == 12).all()


def test_cis_variants_explain_their_share_of_expression(tmp_path: Path) -> None:
    files = simulate_cohort(SimulateConfig(people=400, variants=400, genes=20, missing_calls=0), tmp_path)
    expression = read(files.expression).set_index(["cellType", "state"]).sort_index(kind="stable")
    with pysam.VariantFile(str(files.genotypes)) as vcf:
        dosage = {f"{r.chrom}:{r.start}:{r.ref}:{','.join(r.alts or ())}": [sum(s.allele_indices) for s in r.samples.values()] for r in vcf}
    explained = []
    for row in read(files.truth / "genes.tsv").itertuples():
        effects = np.array([float(e) for e in str(row.cisEffects).split(";")])
        genetic = effects @ np.array([dosage[locus] for locus in row.cisVariants.split(";")])
        log_tpm = np.log(expression.loc[(row.cellType, row.state), row.geneId].to_numpy())
        known = ~np.isnan(log_tpm)
        if genetic.std() > 0:
            slope = np.cov(genetic[known], log_tpm[known])[0, 1] / genetic[known].var()
            explained.append((slope, slope**2 * genetic[known].var() / log_tpm[known].var()))
    slopes, shares = np.array(explained).T
    assert np.median(slopes) == pytest.approx(1, abs=0.1)
    assert 0.15 < shares.mean() < 0.45


def test_smallest_shapes(tmp_path: Path) -> None:
    config = SimulateConfig.model_validate(
        {
            "people": 20, "variants": 151, "contigs": 3, "genes": 3, "cell_types": ["Tcell"], "states": ["resting"],
            "diseases": [{"name": "gout", "prevalence": 0.3}], "missing_labels": 0, "missing_expression": 0,
        }
    )  # fmt: skip
    files = simulate_cohort(config, tmp_path)
    assert files.fresh is None
    assert read(files.phenotypes)["gout"].sum() == 6
    assert read(files.expression).shape == (20, 6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"variants": 10},
        {"genes": 1, "contigs": 2},
        {"states": ["a", "a"]},
        {"cell_types": ["T cell"]},
        {"diseases": [{"name": "gout", "prevalence": 1.5}]},
        {"out": "here"},
    ],
)
def test_wrong_configurations_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        SimulateConfig.model_validate(wrong)
