"""Kernels of quality control on public genotypes, beside plink2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plink_helpers import Calls, of_public_data, plink1, plink2, table
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from genospark.core.hwe import hwe_p_values
from genospark.quality import eigen
from genospark.quality.clump import Linker, clump
from genospark.quality.hudson import FstSums, allele_counts
from genospark.quality.king import PairCounts
from genospark.quality.linkage import Pruner, Window
from genospark.quality.packed import frequencies, genotype_counts, standardised
from genospark.quality.weir_cockerham import weir_cockerham

NAMES = ("1000 Genomes", "HapMap 3")


@pytest.fixture(scope="module", params=NAMES)
def calls(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Calls:
    return of_public_data(request.param, shared_data, tmp_path_factory.mktemp("plink"))


def _populations(calls: Calls, shared_data: Path) -> pd.Series:
    if len(calls.people) == 957:
        known = pd.read_csv(shared_data / "hapmap3-plink" / "relationships_w_pops_121708.txt", sep="\t")
        return calls.people["id"].map(known.set_index("IID")["population"])
    known = pd.read_csv(shared_data / "cohort-1000g-chr22" / "samples.ped", sep="\t")
    return calls.people["id"].map(known.set_index("Individual ID")["Population"])


def test_frequencies_and_hwe(calls: Calls, tmp_path: Path) -> None:
    out = plink2(tmp_path / "o", "--bfile", calls.prefix, "--freq", "--hardy", "--missing", "variant-only")
    counts = genotype_counts(calls.packed)
    np.testing.assert_allclose(frequencies(counts), table(Path(f"{out}.afreq"))["ALT_FREQS"], rtol=1e-5)
    np.testing.assert_allclose(hwe_p_values(*counts.T), table(Path(f"{out}.hardy"))["P"], rtol=1e-5, atol=1e-300)
    missing = 1 - counts.sum(axis=1) / len(calls.people)
    np.testing.assert_allclose(missing, table(Path(f"{out}.vmiss"))["F_MISS"], rtol=1e-5, atol=1e-12)


def test_kinship(calls: Calls, tmp_path: Path) -> None:
    out = plink2(tmp_path / "o", "--bfile", calls.prefix, "--make-king", "square")
    expected = np.loadtxt(f"{out}.king")
    n, places = len(calls.people), 4 * calls.packed.shape[1]
    counts = PairCounts.none(places, places)
    for i in range(0, len(calls.packed), 4096):
        counts.add(calls.packed[i : i + 4096], calls.packed[i : i + 4096])
    others = ~np.eye(n, dtype=bool)
    apart = np.abs(counts.kinship[:n, :n] - expected)[others]
    # plink2 writes six digits, of values down to -16 here.
    sixth = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(expected[others]), 1e-4))) - 5)
    assert (apart <= 0.5 * sixth + 1e-12).all()


@pytest.mark.parametrize("words", ["50 5 0.2", "20 1 0.5", "200 10 0.01", "30kb 1 0.1", "1000kb 1 0.02"])
def test_pruned_variants(calls: Calls, words: str, tmp_path: Path) -> None:
    size, step, r2 = words.split()
    if len(calls.people) != 957 and size == "1000kb":
        pytest.skip("the whole contig is one window")
    out = plink2(tmp_path / "o", "--bfile", calls.prefix, "--indep-pairwise", size, step, r2)
    bases = int(size.removesuffix("kb")) * 1000 if size.endswith("kb") else 0
    window = Window(0 if bases else int(size), int(step), bases, float(r2))
    found: list[str] = []
    for contig in calls.variants["contig"].unique():
        mine = np.flatnonzero(calls.variants["contig"] == contig)
        pruner = Pruner(window)
        found += [*pruner.add(calls.variants["position"].to_numpy()[mine], calls.packed[mine]), *pruner.finish()]
    gone = set(calls.variants["id"][[bool(reason) for reason in found]])
    assert gone == set(Path(f"{out}.prune.out").read_text().split())
    assert "50" not in size or len(calls.people) == 957 or len(gone) > 1000


@pytest.mark.parametrize(
    ("kb", "r2"), [(50, 0.1), pytest.param(250, 0.5, marks=pytest.mark.slow), pytest.param(1000, 0.02, marks=pytest.mark.slow)]
)
def test_clumped_variants(calls: Calls, kb: int, r2: float, tmp_path: Path) -> None:
    """By p-values of chance."""
    p_values = np.random.default_rng(kb).uniform(1e-6, 1, len(calls.packed))
    calls.variants.assign(P=p_values).rename(columns={"id": "SNP"})[["SNP", "P"]].to_csv(tmp_path / "p", sep="\t", index=False)
    limits = ["--clump-p1", "0.2", "--clump-p2", "1", "--clump-kb", str(kb), "--clump-r2", str(r2)]
    out = plink1(tmp_path / "o", "--bfile", calls.prefix, "--clump", tmp_path / "p", *limits)
    stays: list[str] = []
    for contig in calls.variants["contig"].unique():
        mine = np.flatnonzero(calls.variants["contig"] == contig)
        linker = Linker(1000 * kb, r2)
        linker.add(calls.variants["position"].to_numpy()[mine], calls.packed[mine])
        candidates = np.where(p_values[mine] <= 0.2, p_values[mine], np.nan)
        stays += calls.variants["id"].iloc[mine[clump(candidates, linker.linked)]].tolist()
    expected = table(Path(f"{out}.clumped"))["SNP"]
    assert len(expected) <= (p_values <= 0.2).sum()
    assert set(stays) == set(expected)


def test_principal_components(calls: Calls, tmp_path: Path) -> None:
    out = plink2(tmp_path / "o", "--bfile", calls.prefix, "--maf", "0.01", "--pca", "10", "meanimpute")
    frequency = frequencies(genotype_counts(calls.packed))
    common = np.minimum(frequency, 1 - frequency) >= 0.01
    n = len(calls.people)
    values = standardised(calls.packed[common], frequency[common])[:, :n]

    def product(columns: np.ndarray) -> np.ndarray:
        return eigen.times(values, columns.astype(np.float32)) / len(values)

    found, vectors, _ = eigen.by_passes(product, n, 10, 1, 1e-4, 30)
    np.testing.assert_allclose(found, np.loadtxt(f"{out}.eigenval"), rtol=1e-5)
    theirs = eigen.oriented(table(Path(f"{out}.eigenvec")).filter(like="PC").to_numpy())
    np.testing.assert_allclose(vectors, theirs, atol=1e-4)


def test_fst(calls: Calls, shared_data: Path, tmp_path: Path) -> None:
    populations = _populations(calls, shared_data)
    of = pd.DataFrame({"#FID": calls.people["family"], "IID": calls.people["id"], "POP": populations})
    of.to_csv(tmp_path / "populations.tsv", sep="\t", index=False)
    out = plink2(tmp_path / "o", "--bfile", calls.prefix, "--pheno", tmp_path / "populations.tsv", "--fst", "POP", "cols=nobs")
    names = sorted(populations.unique())
    members = np.zeros((4 * calls.packed.shape[1], len(names)), np.float32)
    members[: len(populations)] = populations.to_numpy()[:, None] == names
    found = FstSums.of(*allele_counts(calls.packed, members))
    expected = table(Path(f"{out}.fst.summary"))
    pairs = tuple(expected[column].map(names.index) for column in ("POP1", "POP2"))
    np.testing.assert_allclose(found.fst[pairs], expected["HUDSON_FST"], rtol=1e-5, atol=1e-7)
    assert found.n_variants[pairs].tolist() == expected["OBS_CT"].tolist()
    assert len(expected) == len(names) * (len(names) - 1) / 2
    out = plink2(tmp_path / "w", "--bfile", calls.prefix, "--pheno", tmp_path / "populations.tsv", "--fst", "POP", "method=wc", "cols=nobs")
    found = weir_cockerham(calls.packed, members)
    expected = table(Path(f"{out}.fst.summary"))
    np.testing.assert_allclose(found.fst[pairs], expected["WC_FST"], rtol=1e-5, atol=1e-7)
    assert found.n_variants[pairs].tolist() == expected["OBS_CT"].tolist()


def test_components_tell_populations_apart(shared_data: Path, tmp_path: Path) -> None:
    """Eleven populations: of the nearest neighbours on four components most are of one's own; of its continent nearly all."""
    calls = of_public_data("HapMap 3", shared_data, tmp_path)
    frequency = frequencies(genotype_counts(calls.packed))
    varies = (frequency > 0) & (frequency < 1)
    values = standardised(calls.packed[varies], frequency[varies])[:, : len(calls.people)]
    _, vectors, _ = eigen.by_passes(lambda v: eigen.times(values, v.astype(np.float32)) / len(values), values.shape[1], 8, 1, 1e-4, 30)
    populations = _populations(calls, shared_data)
    continent = populations.map(lambda name: next(place for place, own in CONTINENTS.items() if name in own))
    chance = populations.value_counts(normalize=True).max()
    model = KNeighborsClassifier(10)
    own = cross_val_score(model, vectors, populations, cv=5).mean()
    assert chance < 0.15
    assert own > 0.7
    assert cross_val_score(model, vectors[:, :4], continent, cv=5).mean() > 0.97


CONTINENTS = {
    "Africa": ("ASW", "LWK", "MKK", "YRI"),
    "Europe": ("CEU", "TSI"),
    "East Asia": ("CHB", "CHD", "JPT"),
    "South Asia": ("GIH",),
    "America": ("MEX",),
}
