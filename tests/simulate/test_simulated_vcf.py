"""The VCF and its reference: normal, complete, Mendelian."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pysam.bcftools
import pytest

from genospark.errors import ConfigError
from genospark.simulate import SimulateConfig, SimulatedFiles, ancestry, simulate_cohort


def data_lines(path: Path) -> list[str]:
    return [line for line in gzip.open(path, "rt").read().splitlines() if not line.startswith("#")]


def alleles(path: Path) -> tuple[list[str], np.ndarray]:
    """Sample ids and allele numbers [records, people, 2], -1 for missing."""
    with pysam.VariantFile(str(path)) as vcf:
        calls = [[[-1 if a is None else a for a in sample.allele_indices] for sample in r.samples.values()] for r in vcf]
        return list(vcf.header.samples), np.array(calls)


def test_bcftools_norm_changes_nothing(files: SimulatedFiles) -> None:
    normalised = pysam.bcftools.norm("-f", str(files.reference), "-c", "e", str(files.genotypes))
    assert [line for line in normalised.splitlines() if not line.startswith("#")] == data_lines(files.genotypes)


def test_indels_of_a_dense_vcf_are_normal_and_do_not_overlap(tmp_path: Path) -> None:
    files = simulate_cohort(SimulateConfig(people=20, variants=8000, contigs=1, genes=1), tmp_path)
    lines = data_lines(files.genotypes)
    normalised = pysam.bcftools.norm("-f", str(files.reference), "-c", "e", str(files.genotypes))
    assert [line for line in normalised.splitlines() if not line.startswith("#")] == lines
    fields = pd.DataFrame([line.split("\t", 5)[:5] for line in lines], columns=["chrom", "pos", "id", "ref", "alt"])
    pos, ref_length = fields["pos"].astype(int).to_numpy(), fields["ref"].str.len().to_numpy()
    assert (pos[:-1] + ref_length[:-1] <= pos[1:]).all()
    multi = fields["alt"].str.contains(",")
    indel = ~multi & (ref_length + fields["alt"].str.len() > 2)
    assert indel.mean() == pytest.approx(0.08, abs=0.015)
    assert multi.mean() == pytest.approx(0.01, abs=0.004)
    assert (ref_length > 1).sum() == pytest.approx(indel.sum() / 2, rel=0.25)


def test_records_are_counted_indexed_and_polymorphic(files: SimulatedFiles, small: SimulateConfig) -> None:
    with pysam.VariantFile(str(files.genotypes)) as vcf:
        assert [len(list(vcf.fetch(c))) for c in ("chr1", "chr2")] == [small.variants // 2] * 2
        assert len(vcf.header.samples) == small.people
        fasta = pysam.FastaFile(str(files.reference))
        assert [vcf.header.contigs[c].length for c in fasta.references] == list(fasta.lengths)
    _, calls = alleles(files.genotypes)
    for record, line in zip(calls, data_lines(files.genotypes), strict=True):
        n_alts = line.split("\t")[4].count(",") + 1
        seen = set(record[record >= 0].tolist())
        assert seen >= set(range(1, n_alts + 1)) and len(seen) > 1
    missing = (calls < 0).all(axis=2)
    assert ((calls < 0).any(axis=2) == missing).all()
    assert missing.mean() == pytest.approx(small.missing_calls, rel=0.4)


def test_children_inherit_one_allele_of_each_parent(files: SimulatedFiles) -> None:
    assert files.fresh
    for group in (files, files.fresh):
        ids, calls = alleles(group.genotypes)
        index = {sample_id: i for i, sample_id in enumerate(ids)}
        pedigree = pd.read_csv(group.pedigree, sep="\t", dtype=str)
        children = pedigree[pedigree["fatherId"] != "0"]
        assert len(children)
        for strand, parent in enumerate(("fatherId", "motherId")):
            inherited = calls[:, children["sampleId"].map(index), strand]
            parents = calls[:, children[parent].map(index)]
            known = (inherited >= 0) & (parents >= 0).all(axis=2)
            assert (inherited[:, :, None] == parents).any(axis=2)[known].all()
            assert ((parents[:, :, 0] != parents[:, :, 1]) & known).any()


def test_fresh_people_have_the_same_sites(files: SimulatedFiles) -> None:
    assert files.fresh
    cohort, fresh = ([line.split("\t", 9)[:9] for line in data_lines(f.genotypes)] for f in (files, files.fresh))
    assert cohort == fresh


def test_contigs_grow_until_they_hold_enough_sites(tmp_path: Path) -> None:
    told: list[str] = []
    config = SimulateConfig(people=20, variants=25000, contigs=1, genes=1)
    files = simulate_cohort(config, tmp_path, told.append)
    assert any("making the contig longer" in message for message in told)
    assert len(data_lines(files.genotypes)) == config.variants


def test_too_many_sites_for_an_index_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ancestry, "MAX_LENGTH_BP", 3_000_000)
    with pytest.raises(ConfigError, match="raise `contigs`"):
        simulate_cohort(SimulateConfig(people=20, variants=25000, contigs=1, genes=1), tmp_path)
