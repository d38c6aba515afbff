"""Regulators, terms, annotation and single cells, as files and against the truth."""

from __future__ import annotations

import gzip
import itertools
import re
import shutil
from collections import Counter
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pydantic
import pysam
import pytest

from genospark.simulate import SimulateConfig, SimulatedFiles, simulate_cohort

CONFIG = SimulateConfig.model_validate(
    {
        "people": 500, "variants": 1000, "missing_calls": 0, "missing_expression": 0, "reads": {"people": 0},
        "single_cell": {"people": 5, "cells": 15},
    }
)  # fmt: skip


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimulatedFiles:
    return simulate_cohort(CONFIG, tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def log_expression(simulated: SimulatedFiles) -> pd.DataFrame:
    """Natural-log expression, centred in each cell type and state."""
    values = np.log(read(simulated.expression).set_index(["sampleId", "cellType", "state"]))
    return values - values.groupby(["cellType", "state"]).transform("mean")


def test_the_network_is_sparse_uneven_and_without_cycles(simulated: SimulatedFiles) -> None:
    network, regulators = read(simulated.truth / "network.tsv"), list(read(simulated.regulators)["geneId"])
    assert len(regulators) == CONFIG.genes // 10 == CONFIG.n_regulators
    contigs = read(simulated.truth / "genes.tsv").drop_duplicates("geneId").set_index("geneId")["contigName"]
    assert dict(Counter(contigs[regulators])) == {"chr1": 10, "chr2": 10}
    assert set(network["regulatorId"]) <= set(regulators)
    assert not network.duplicated(["regulatorId", "targetId"]).any()
    in_degree = network["targetId"].value_counts().reindex(contigs.index, fill_value=0)
    assert in_degree.max() <= 4
    assert 0.1 < (in_degree.drop(regulators) == 0).mean() < 0.3
    out_degree = network["regulatorId"].value_counts()
    assert out_degree.max() > 3 * out_degree.median() / 2
    assert ((network["effect"] > 0).mean(), network["effect"].abs().min() > 0) == (pytest.approx(0.5, abs=0.1), True)
    # Genes whose regulators are all gone can go too; with a cycle some would stay for ever.
    edges = set(zip(network["regulatorId"], network["targetId"], strict=True))
    assert {source for source, _ in edges} & {target for _, target in edges}  # some regulators are regulated
    while edges:
        ready = {source for source, _ in edges} - {target for _, target in edges}
        assert ready
        edges = {edge for edge in edges if edge[0] not in ready}


def test_regulators_explain_their_share_with_their_true_effects(simulated: SimulatedFiles, log_expression: pd.DataFrame) -> None:
    with pysam.VariantFile(str(simulated.genotypes)) as vcf:
        dosage = {f"{r.chrom}:{r.start}:{r.ref}:{','.join(r.alts or ())}": [sum(s.allele_indices) for s in r.samples.values()] for r in vcf}
        people = list(vcf.header.samples)
    genes = read(simulated.truth / "genes.tsv").set_index(["geneId", "cellType", "state"])
    shares, slopes, found, true = [], [], [], []
    for target, edges in read(simulated.truth / "network.tsv").groupby("targetId"):
        y, x = log_expression[target], log_expression[list(edges["regulatorId"])]
        regulation = x @ edges["effect"].to_numpy()
        shares.append(regulation.var() / y.var())
        cis = pd.Series(0.0, index=y.index)
        for (cell_type, state), group in y.groupby(["cellType", "state"]):
            row = genes.loc[(target, cell_type, state)]
            effects = np.array([float(effect) for effect in str(row["cisEffects"]).split(";")])
            by_person = pd.Series(effects @ np.array([dosage[locus] for locus in row["cisVariants"].split(";")]), index=people)
            cis[group.index] = (by_person - by_person.mean())[group.index.get_level_values("sampleId")].to_numpy()
        slopes.append(np.polyfit(regulation, y - cis, 1)[0])
        found += list(np.linalg.lstsq(x.to_numpy(), (y - cis).to_numpy(), rcond=None)[0])
        true += list(edges["effect"])
    assert len(shares) > 100
    assert 0.28 < np.mean(shares) < 0.4
    assert np.quantile(shares, 0.05) > 0.15 and np.quantile(shares, 0.95) < 0.6
    # Modules that a regulator and its target share move single slopes away from 1, not their middle.
    assert np.median(slopes) == pytest.approx(1, abs=0.05)
    assert np.corrcoef(found, true)[0, 1] > 0.95


def test_terms_are_closed_upwards_and_the_annotation_has_gaps_and_errors(simulated: SimulatedFiles) -> None:
    truth, given = read(simulated.truth / "gene_terms.tsv"), read(simulated.gene_terms)
    genes = set(read(simulated.truth / "genes.tsv")["geneId"])
    assert set(truth["geneId"]) == genes
    assert set(truth["termId"].dropna()) == {f"TERM{k}{narrow}" for k in (1, 2) for narrow in ("", ".1", ".2", ".3")}
    assert len(set(given["geneId"])) == round(0.7 * CONFIG.genes)
    for table in (truth, given):
        assert not table.duplicated().any()
        pairs = set(table.dropna().itertuples(index=False, name=None))
        assert {(gene, term.partition(".")[0]) for gene, term in pairs} <= pairs
        none = set(table.loc[table["termId"].isna(), "geneId"])
        assert none and not none & {gene for gene, _ in pairs}
    covered = set(given["geneId"])
    true = {pair for pair in truth.dropna().itertuples(index=False, name=None) if pair[0] in covered}
    said = set(given.dropna().itertuples(index=False, name=None))
    assert 0 < len(true - said) < 0.1 * len(true)
    assert 0 < len(said - true) < 0.1 * len(true)


def test_genes_of_a_term_vary_together(simulated: SimulatedFiles, log_expression: pd.DataFrame) -> None:
    correlation = log_expression.groupby("sampleId").mean().corr()
    terms = pd.crosstab(*(read(simulated.truth / "gene_terms.tsv").dropna()[name] for name in ("geneId", "termId")))
    terms = terms.reindex(correlation.index, fill_value=0)
    narrow, wide = ([name for name in terms if ("." in name) == is_narrow] for is_narrow in (True, False))
    same_narrow, same_wide = ((terms[names] @ terms[names].T).to_numpy() > 0 for names in (narrow, wide))
    values, pairs = correlation.to_numpy(), np.triu(np.ones(correlation.shape, bool), 1)
    means = [values[pairs & chosen].mean() for chosen in (same_narrow, same_wide & ~same_narrow, ~same_wide)]
    assert means[0] > means[1] + 0.03 > means[2] + 0.05


def test_the_gtf_is_sorted_complete_and_places_the_genes(simulated: SimulatedFiles, tmp_path: Path) -> None:
    lines = [line.split("\t") for line in gzip.decompress(simulated.annotation.read_bytes()).decode().splitlines()]
    assert all(len(line) == 9 and line[8].endswith('";') for line in lines)
    shutil.copy(simulated.annotation, tmp_path / "genes.gtf.gz")
    pysam.tabix_index(str(tmp_path / "genes.gtf.gz"), preset="gff")  # refuses what is not bgzipped or not sorted
    truth = read(simulated.truth / "genes.tsv").drop_duplicates("geneId").set_index("geneId")
    fasta = pysam.FastaFile(str(simulated.reference))
    spans: dict[str, tuple[int, int]] = {}
    exons: dict[str, list[tuple[int, int]]] = {}
    for contig, _, feature, start, end, _, strand, _, attributes in lines:
        found = dict(re.findall(r'(\w+) "([^"]*)";', attributes))
        gene, place = found["gene_id"], (int(start), int(end))
        if feature == "gene":
            assert gene not in spans
            spans[gene] = place
            assert (contig, int(start) - 1) == (truth.loc[gene, "contigName"], truth.loc[gene, "start"])
            assert 1 <= place[0] < place[1] <= fasta.get_reference_length(contig)
            assert strand in "+-" and found["gene_name"] and found["gene_biotype"] in ("protein_coding", "lncRNA")
        elif feature == "transcript":
            assert spans[gene] == place and found["transcript_id"]
        else:
            exons.setdefault(gene, []).append(place)
    assert set(spans) == set(exons) == set(truth.index)
    for gene, parts in exons.items():
        assert (parts[0][0], parts[-1][1]) == spans[gene]
        assert all(before[1] < after[0] for before, after in itertools.pairwise(parts))


def test_single_cells_hold_counts_of_the_persons_expression(simulated: SimulatedFiles) -> None:
    cells, bulk = anndata.read_h5ad(simulated.single_cell), read(simulated.expression)
    assert list(cells.var_names) == list(bulk.columns[3:])
    counts = cells.X.toarray()
    assert (counts == counts.round()).all() and counts.min() >= 0
    assert counts.sum(axis=1).mean() == pytest.approx(CONFIG.single_cell.counts, rel=0.1)
    groups = cells.obs.groupby(["sampleId", "cellType", "state"], observed=True).indices
    assert len(groups) == CONFIG.single_cell.people * len(CONFIG.contexts)
    assert len(cells) == pytest.approx(15 * len(groups), rel=0.15)
    bulk = bulk.set_index(["sampleId", "cellType", "state"])
    for group, members in groups.items():
        assert np.corrcoef(counts[members].sum(axis=0), bulk.loc[group])[0, 1] > 0.9


def test_equal_seeds_give_equal_genes_and_cells(simulated: SimulatedFiles, tmp_path: Path) -> None:
    again = simulate_cohort(CONFIG, tmp_path)
    for name in ("annotation", "regulators", "gene_terms", "single_cell"):
        assert getattr(simulated, name).read_bytes() == getattr(again, name).read_bytes()


def test_small_and_empty_networks(tmp_path: Path) -> None:
    small = {"people": 20, "variants": 100, "genes": 5, "reads": {"people": 0}}
    files = simulate_cohort(SimulateConfig.model_validate(small | {"terms": 0}), tmp_path / "none")
    assert read(files.truth / "network.tsv").empty and read(files.regulators).empty
    assert read(files.gene_terms)["termId"].isna().all()
    assert not files.single_cell.exists()
    files = simulate_cohort(SimulateConfig.model_validate(small | {"regulators": 5, "terms": 1}), tmp_path / "all")
    assert len(read(files.regulators)) == 5
    assert set(read(files.truth / "gene_terms.tsv")["termId"].dropna()) <= {"TERM1"}


@pytest.mark.parametrize("wrong", [{"genes": 10, "regulators": 11}, {"single_cell": {"people": 2000}}, {"terms": -1}])
def test_wrong_networks_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        SimulateConfig.model_validate(wrong)
