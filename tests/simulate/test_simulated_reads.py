"""Reads: valid sorted BAMs whose alleles an independent caller finds again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pysam.bcftools
import pysam.samtools
import pytest

from genospark.errors import ConfigError
from genospark.simulate import SimulateConfig, SimulatedFiles, simulate_cohort
from genospark.simulate.alignment import place
from genospark.simulate.alleles import Contig
from genospark.simulate.bam import write_bam
from genospark.simulate.haplotypes import Haplotype, Region, haplotype, write_haplotype
from genospark.simulate.reads import depth_of
from genospark.simulate.sequencer import draw_reads

Allele = tuple[str, int, str, str]

# Many variants in few bases, so that four people show hundreds.
DENSE = SimulateConfig.model_validate(
    {
        "people": 40, "variants": 9000, "contigs": 1, "genes": 1, "missing_calls": 0,
        "reads": {"systematic_errors": 0, "people": 4, "depth": 30, "bases_per_contig": 500_000},
    }
)  # fmt: skip
FEW = SimulateConfig.model_validate(
    {"people": 20, "fresh_people": 20, "variants": 200, "genes": 2, "reads": {"people": 2, "depth": 8, "bases_per_contig": 5000}}
)


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> SimulatedFiles:
    return simulate_cohort(DENSE, tmp_path_factory.mktemp("dense"))


@pytest.fixture(scope="module")
def bam(dense: SimulatedFiles) -> Path:
    return sorted(dense.reads.glob("*.bam"))[0]


def carried(vcf: Path, sample_id: str, start: int, stop: int) -> dict[Allele, int]:
    """Copies of each alternate allele that a person carries, of records that begin in [start, stop) of any contig."""
    copies: Counter[Allele] = Counter()
    with pysam.VariantFile(str(vcf)) as records:
        for record in records:
            if start <= record.start < stop:
                for allele in record.samples[sample_id].allele_indices or ():
                    if allele:
                        copies[(record.chrom, record.start, record.ref, record.alleles[allele])] += 1
    return copies


def called(reference: Path, bam: Path, regions: Path, out: Path) -> Path:
    """A VCF of normalised calls of the person in ``bam`` by bcftools' pileup caller."""
    pysam.bcftools.mpileup(
        "-Ou", "-o", str(out / "pileup.bcf"), "-f", str(reference), "-T", str(regions), "-a", "AD", str(bam), catch_stdout=False
    )
    pysam.bcftools.call("-mv", "-Ou", "-o", str(out / "calls.bcf"), str(out / "pileup.bcf"), catch_stdout=False)
    pysam.bcftools.norm("-f", str(reference), "-Ov", "-o", str(out / "calls.vcf"), str(out / "calls.bcf"), catch_stdout=False)
    return out / "calls.vcf"


def concordance(truth: dict[Allele, int], found: dict[Allele, int]) -> dict[str, tuple[int, int, int]]:
    """Number of true alleles, of those found with the right number of copies, and of alleles found, by kind."""
    result = {}
    for kind, is_snv in (("snv", True), ("indel", False)):
        mine, theirs = ({key: n for key, n in alleles.items() if (len(key[2]) == len(key[3]) == 1) == is_snv} for alleles in (truth, found))
        result[kind] = (len(mine), sum(theirs.get(key) == n for key, n in mine.items()), len(theirs))
    return result


def test_an_independent_caller_finds_the_genotypes(dense: SimulatedFiles, tmp_path: Path) -> None:
    _, start, stop = (dense.reads / "regions.bed").read_text().split()
    totals = {"snv": np.zeros(3), "indel": np.zeros(3)}
    for row in pd.read_csv(dense.truth / "reads.tsv", sep="\t").itertuples():
        calls = called(dense.reference, dense.reference.parent / row.bam, dense.reads / "regions.bed", tmp_path)
        found = carried(calls, row.sampleId, int(start), int(stop))
        for kind, counts in concordance(carried(dense.genotypes, row.sampleId, int(start), int(stop)), found).items():
            totals[kind] += counts
    for kind, recall, n in (("snv", 0.97, 300), ("indel", 0.8, 30)):
        true, right, claimed = totals[kind]
        assert true > n
        assert right / true >= recall, (kind, totals)
        assert right / claimed >= recall, (kind, totals)


def test_files_are_valid_sorted_and_indexed(dense: SimulatedFiles) -> None:
    who = pd.read_csv(dense.truth / "reads.tsv", sep="\t")
    families = pd.read_csv(dense.pedigree, sep="\t", dtype=str).set_index("sampleId").loc[who["sampleId"]]
    assert len(who) == 4 and families["#familyId"].is_unique and (families["fatherId"] == "0").all()
    fasta = pysam.FastaFile(str(dense.reference))
    for sample_id, path in who.itertuples(index=False):
        path = str(dense.reference.parent / path)
        pysam.quickcheck(path)
        with pysam.AlignmentFile(path) as reads:
            assert (reads.references, reads.lengths) == (tuple(fasta.references), tuple(fasta.lengths))
            assert [group["SM"] for group in reads.header.to_dict()["RG"]] == [sample_id]
            assert reads.check_index()
            everything = list(reads)
            places = [(read.reference_id, read.reference_start) for read in everything]
            assert places == sorted(places)
            some = {(read.query_name, read.flag) for read in reads.fetch("chr1", 100_000, 100_100)}
            assert some == {(r.query_name, r.flag) for r in everything if r.get_overlap(100_000, 100_100)}


def test_flags_depth_and_mates(dense: SimulatedFiles, bam: Path) -> None:
    columns = pysam.samtools.depth("-a", "-b", str(dense.reads / "regions.bed"), str(bam)).splitlines()
    depth = np.array([int(line.split("\t")[2]) for line in columns])
    assert len(depth) == DENSE.reads.bases_per_contig
    assert depth.mean() == pytest.approx(30, rel=0.03)
    assert depth[:500].mean() == pytest.approx(30, rel=0.25) and depth[-500:].mean() == pytest.approx(30, rel=0.25)
    with pysam.AlignmentFile(str(bam)) as file:
        reads = list(file)
    primary = [read for read in reads if not read.is_secondary]
    assert len(primary) % 2 == 0

    def share(flag: int) -> float:
        return sum(bool(read.flag & flag) for read in reads) / len(reads)

    assert share(0x400) == pytest.approx(0.05, rel=0.1)
    assert share(0x200) == pytest.approx(0.003, rel=0.1)
    assert share(0x100) == pytest.approx(0.002, rel=0.1)
    assert np.mean([read.mapping_quality <= 10 for read in primary]) == pytest.approx(0.01, rel=0.2)
    pairs: dict[str, list[pysam.AlignedSegment]] = {}
    for read in primary:
        pairs.setdefault(read.query_name, []).append(read)
    overlapping = 0
    for one, other in pairs.values():
        assert one.is_read1 != other.is_read1 and one.is_reverse != other.is_reverse
        assert one.next_reference_start == other.reference_start and other.next_reference_start == one.reference_start
        assert one.mate_is_reverse == other.is_reverse and one.template_length == -other.template_length
        forward, reverse = (one, other) if other.is_reverse else (other, one)
        assert forward.template_length >= 0
        overlapping += forward.reference_end > reverse.reference_start
    assert 0.1 < overlapping / len(pairs) < 0.3
    insert = [abs(one.template_length) for one, _ in pairs.values()]
    assert np.mean(insert) == pytest.approx(350, rel=0.02) and np.std(insert) == pytest.approx(60, rel=0.1)


def test_duplicates_are_copies_of_a_fragment(bam: Path) -> None:
    with pysam.AlignmentFile(str(bam)) as file:
        places: dict[bool, set[tuple[int, int, int]]] = {True: set(), False: set()}
        for read in file:
            if not read.flag & (0x100 | 0x200):
                places[read.is_duplicate].add((read.reference_start, read.template_length, read.flag & ~0x400))
    assert places[True] and places[True] <= places[False]


def test_qualities_tell_error_rates() -> None:
    rng = np.random.default_rng(3)
    n = 300_000
    plain = Haplotype(rng.choice(np.frombuffer(b"ACGT", dtype=np.uint8), n), np.arange(n), np.zeros(n, dtype=np.bool_))
    reads = draw_reads((plain, plain), 30, 0.0, rng)
    reads = reads.take(np.flatnonzero((reads.mapping_quality == 60) & (reads.flag & 0x300 == 0)))
    number = dict(zip(b"ACGT", (1, 2, 4, 8), strict=True))
    expected = np.array([number[base] for base in plain.sequence])[reads.start[:, None] + np.arange(150)]
    wrong = expected != reads.sequence
    assert set(np.unique(reads.sequence)) == {1, 2, 4, 8}
    assert 5e-4 < wrong.mean() < 5e-3
    levels = np.unique(reads.quality)
    rates = [wrong[reads.quality == level].mean() for level in levels]
    assert 30 < reads.quality.mean() < 38 and len(levels) == 8
    assert (np.diff(rates) < 0).all()
    for level, rate in zip(levels, rates, strict=True):
        assert rate == pytest.approx(10 ** (-int(level) / 10), rel=1.5 if level > 2 else 0.5)
    cycle = np.where(reads.flag[:, None] & 0x10, np.arange(149, -1, -1), np.arange(150))
    early, late = (reads.quality[inside].mean() for inside in ((cycle > 5) & (cycle < 50), cycle > 120))
    assert early > late + 2


@pytest.fixture
def two_indels() -> list[Contig]:
    """A contig of 1,200 bases: bases 201 to 204 are deleted and three bases inserted after base 300, on the paternal chromosome only."""
    bases = np.frombuffer(b"ACGT", dtype=np.uint8)[np.random.default_rng(5).integers(0, 4, 1200)]
    text = bases.tobytes().decode()
    haplotypes = np.array([[[1, 0]], [[1, 0]]], dtype=np.uint8)
    refs, alts = [text[200:205], text[300]], [text[200], text[300] + "GGC"]
    return [Contig("chr1", bases, np.array([200, 300]), refs, alts, haplotypes)]


def test_haplotypes_by_hand(two_indels: list[Contig], tmp_path: Path) -> None:
    text = two_indels[0].reference.tobytes().decode()
    whole = Region(0, 0, 1200)
    paternal, maternal = (haplotype(two_indels, whole, 0, strand) for strand in (0, 1))
    expected = text[:201] + text[205:301] + "GGC" + text[301:]
    assert paternal.sequence.tobytes().decode() == expected
    assert paternal.positions[[200, 201, 296, 297, 299, 300]].tolist() == [200, 205, 300, 300, 300, 301]
    assert np.flatnonzero(paternal.inserted).tolist() == [297, 298, 299]
    assert maternal.sequence.tobytes().decode() == text and maternal.positions.tolist() == list(range(1200))
    write_haplotype(tmp_path / "paternal.fa", two_indels, [whole], 0, 0)
    assert pysam.FastaFile(str(tmp_path / "paternal.fa")).fetch("chr1:0-1200") == expected


@pytest.mark.parametrize(
    ("first", "start", "cigar"),
    [
        (10, 10, "150M"),
        (100, 100, "101M4D49M"),
        (160, 160, "41M4D96M3I10M"),
        (201, 205, "96M3I51M"),  # begins right after the deletion
        (199, 205, "2S96M3I49M"),  # two bases before a gap of four do not pay for it
        (150, 150, "51M4D96M3S"),  # ends with the inserted bases
        (152, 152, "49M4D96M5S"),  # two more beyond them
        (155, 155, "46M4D96M3I5M"),
        (298, 301, "2S148M"),  # begins among the inserted bases
        (300, 301, "150M"),
    ],
)
def test_cigars_by_hand(two_indels: list[Contig], first: int, start: int, cigar: str) -> None:
    placed = place(haplotype(two_indels, Region(0, 0, 1200), 0, 0), np.array([first]), 150)
    operations = [f"{n >> 4}{'MIDNS'[n & 15]}" for n in placed.cigar[0].tolist() if n]
    assert "".join(operations) == cigar
    assert placed.start[0] == start
    assert placed.stop[0] == start + sum(int(o[:-1]) for o in operations if o[-1] in "MD")


def test_written_reads_match_where_they_are_aligned(two_indels: list[Contig], tmp_path: Path) -> None:
    pair = tuple(haplotype(two_indels, Region(0, 0, 1200), 0, strand) for strand in (0, 1))
    write_bam(tmp_path / "x.bam", two_indels, "X", [(0, draw_reads(pair, 200, 0.0, np.random.default_rng(2)))])
    text = two_indels[0].reference.tobytes().decode()
    with pysam.AlignmentFile(str(tmp_path / "x.bam")) as file:
        assert file.lengths == (1200,)
        reads = [read for read in file if not read.flag & 0x300 and read.mapping_quality > 10]
    pairs = [(read.query_sequence[i], text[j]) for read in reads for i, j in read.get_aligned_pairs(matches_only=True)]
    assert np.mean([a != b for a, b in pairs]) < 0.005
    counts = Counter(operation for read in reads for operation, _ in read.cigartuples)
    assert counts.keys() == {0, 1, 2, 4}
    deleted = [read.get_overlap(201, 205) == 0 for read in reads if read.reference_start < 190 and read.reference_end > 215]
    assert np.mean(deleted) == pytest.approx(0.5, abs=0.1)
    assert all(read.query_sequence[-n:] for read in reads for operation, n in read.cigartuples[-1:] if operation == 4)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_reads_are_reproducible_and_change_nothing_else(tmp_path: Path) -> None:
    files = simulate_cohort(FEW, tmp_path / "one")
    simulate_cohort(FEW, tmp_path / "two")
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    bams = sorted(files.reads.glob("*.bam"))
    assert len(bams) == 2 and bams[0].read_bytes() != bams[1].read_bytes()
    # Fewer people, in the same folder: reads of the others go.
    none = FEW.model_copy(update={"reads": FEW.reads.model_copy(update={"people": 0})})
    simulate_cohort(none, tmp_path / "two")
    added = {name for name in one if name.startswith("reads/")} | {"truth/reads.tsv"}
    assert len(added) == 6
    assert contents(tmp_path / "two") == {name: data for name, data in one.items() if name not in added}


def test_short_contigs_and_too_few_unrelated_people(tmp_path: Path) -> None:
    whole = {"people": 1, "depth": 1, "bases_per_contig": 3_000_000}
    files = simulate_cohort(SimulateConfig.model_validate({"people": 20, "variants": 100, "genes": 2, "reads": whole}), tmp_path)
    assert (files.reads / "regions.bed").read_text() == "chr1\t1000\t2499000\nchr2\t1000\t2499000\n"
    with pytest.raises(ConfigError, match="unrelated"):
        simulate_cohort(
            SimulateConfig.model_validate({"people": 20, "variants": 100, "genes": 2, "reads": {"systematic_errors": 0, "people": 20}}),
            tmp_path,
        )


def test_systematic_errors_are_of_one_strand_at_the_same_places_in_everyone() -> None:
    """T after GG is read as G on the forward strand only, at about the share of places asked for; another person errs there too."""
    rng = np.random.default_rng(5)
    sequence = rng.choice(np.frombuffer(b"ACGT", np.uint8), 40_000)
    plain = Haplotype(sequence, np.arange(len(sequence)), np.zeros(len(sequence), np.bool_))
    shown = []
    for seed in (1, 2):
        reads = draw_reads((plain, plain), 60, 0.004, np.random.default_rng(seed))
        counts = np.zeros((2, len(sequence), 2))
        usable = (reads.flag & 0x100 == 0) & (reads.cigar[:, 0] == 150 << 4)
        for strand in (0, 1):
            rows = np.flatnonzero(usable & ((reads.flag & 0x10 > 0) == bool(strand)))
            places = reads.start[rows, None] + np.arange(150)
            wrong = reads.sequence[rows] == (4 if strand == 0 else 2)
            true = sequence[places] == ord("T" if strand == 0 else "A")
            np.add.at(counts[strand, :, 0], places, wrong & true)
            np.add.at(counts[strand, :, 1], places, 1)
        shown.append(counts[..., 0] / np.maximum(counts[..., 1], 1) > 0.15)
    both = shown[0] & shown[1]
    assert 60 < both.sum() < 200
    for strand, motif in ((0, b"GGT"), (1, b"ACC")):
        for site in np.flatnonzero(both[strand]):
            first = site - 2 if strand == 0 else site
            assert sequence[first : first + 3].tobytes() == motif
    assert (shown[0] & shown[1]).sum() > 0.8 * shown[0].sum()


def test_people_have_depths_of_their_own(tmp_path: Path) -> None:
    config = FEW.model_copy(update={"reads": FEW.reads.model_copy(update={"people": 4, "depths": (6, 40), "bases_per_contig": 20_000})})
    files = simulate_cohort(config, tmp_path)
    depths = []
    for path in sorted(files.reads.glob("*.bam")):
        with pysam.AlignmentFile(str(path)) as reads:
            # Flags 0xF00: secondary, failed, duplicate and supplementary reads do not count.
            depths.append(
                np.mean(reads.count_coverage("chr1", 2000, 20_000, quality_threshold=0, read_callback=lambda read: not read.flag & 0xF00))
                * 4
            )
    asked = [depth_of(config, path.stem) for path in sorted(files.reads.glob("*.bam"))]
    assert depths == pytest.approx(asked, rel=0.15)
    assert 6 <= min(asked) < max(asked) - 3 < 40
